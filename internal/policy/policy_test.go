package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/hostauth"
)

var now = time.Unix(1_795_000_000, 0)

// good is a login that every grant may cover.
func good() Facts {
	return Facts{Pairing: "laptop", Key: "K", Login: true, User: "root", HostKey: "H", Proof: hostauth.Proved, Local: true, Pinned: true}
}

func with(change func(*Facts)) Facts {
	f := good()
	change(&f)
	return f
}

func rule(t *testing.T, id string, g Grant, f Facts) Rule {
	t.Helper()
	r, err := NewRule(id, now, g, f, "server.example")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsNeverGranted(t *testing.T) {
	for name, c := range map[string]struct {
		f              Facts
		host, computer bool
	}{
		"proved, pinned, local": {good(), true, true},
		"vouched":               {with(func(f *Facts) { f.Proof = hostauth.Vouched }), true, false},
		"bound":                 {with(func(f *Facts) { f.Proof = hostauth.Bound }), false, false},
		"unknown host":          {with(func(f *Facts) { f.Proof = hostauth.Unknown }), false, false},
		"new host":              {with(func(f *Facts) { f.Pinned = false }), false, false},
		"may be forwarded":      {with(func(f *Facts) { f.Local = false }), false, false},
		"no login":              {with(func(f *Facts) { f.Login = false }), false, false},
	} {
		for scope, may := range map[Scope]bool{Host: c.host, Computer: c.computer, Block: true} {
			_, err := NewRule("1", now, Grant{Scope: scope, For: time.Hour}, c.f, "")
			if (err == nil) != may || (c.f.Excluded(scope) == "") != may {
				t.Errorf("%s: a rule for %s: %v, may be %v", name, scope, err, may)
			}
		}
		// A rule that was given for a good request does not cover this one.
		rules := []Rule{rule(t, "h", Grant{Scope: Host, For: time.Hour}, good()), rule(t, "c", Grant{Scope: Computer, For: time.Hour}, good())}
		if v, _ := Decide(now, rules, c.f); (v == Allow) != c.host {
			t.Errorf("%s: rules of a good request say %d", name, v)
		}
	}
}

func TestWhatARuleCovers(t *testing.T) {
	for name, c := range map[string]struct {
		f              Facts
		host, computer bool
	}{
		"the same":         {good(), true, true},
		"another user":     {with(func(f *Facts) { f.User = "admin" }), false, true},
		"another host":     {with(func(f *Facts) { f.HostKey = "G" }), false, true},
		"another SSH key":  {with(func(f *Facts) { f.Key = "L" }), false, false},
		"another computer": {with(func(f *Facts) { f.Pairing = "desk" }), false, false},
	} {
		for scope, covers := range map[Scope]bool{Host: c.host, Computer: c.computer} {
			if v, _ := Decide(now, []Rule{rule(t, "1", Grant{Scope: scope, For: time.Hour}, good())}, c.f); (v == Allow) != covers {
				t.Errorf("%s: a rule for %s says %d", name, scope, v)
			}
		}
	}
}

func TestRulesEnd(t *testing.T) {
	r := rule(t, "1", Grant{Scope: Host, For: time.Hour, Count: 1}, good())
	for name, c := range map[string]struct {
		at   time.Time
		left int
		over bool
	}{
		"at once":         {now, 1, false},
		"a moment before": {now.Add(time.Hour - time.Second), 1, false},
		"on time":         {now.Add(time.Hour), 1, true},
		"used up":         {now, 0, true},
		"before it began": {now.Add(-time.Second), 1, true}, // the clock was set back
	} {
		r.Left = c.left
		if v, _ := Decide(c.at, []Rule{r}, good()); r.Over(c.at) != c.over || (v == Allow) == c.over {
			t.Errorf("%s: over %v, verdict %d", name, r.Over(c.at), v)
		}
	}
}

func TestBlockWins(t *testing.T) {
	rules := []Rule{
		rule(t, "c", Grant{Scope: Computer, For: time.Hour}, good()),
		rule(t, "b", Grant{Scope: Block, For: time.Minute}, with(func(f *Facts) { f.Login, f.Local = false, false })),
	}
	for _, f := range []Facts{good(), with(func(f *Facts) { f.Login, f.Key = false, "L" })} {
		if v, r := Decide(now, rules, f); v != Deny || r.ID != "b" {
			t.Errorf("%d by %q, want a block", v, r.ID)
		}
	}
	if v, _ := Decide(now, rules, with(func(f *Facts) { f.Pairing = "desk" })); v != Ask {
		t.Errorf("another computer: %d", v)
	}
}

// TestCountsAreKept: a rule without a count is used before one with.
func TestCountsAreKept(t *testing.T) {
	counted := rule(t, "a", Grant{Scope: Host, For: time.Minute, Count: 3}, good())
	host := rule(t, "b", Grant{Scope: Host, For: time.Hour}, good())
	computer := rule(t, "c", Grant{Scope: Computer, For: time.Hour}, good())
	closed := rule(t, "d", Grant{Scope: Computer, For: time.Hour, Closed: true}, good())
	for _, c := range []struct {
		rules []Rule
		want  string
	}{
		{[]Rule{counted, computer, host, closed}, "d"}, {[]Rule{counted, computer, host}, "b"}, {[]Rule{counted, computer}, "c"}, {[]Rule{counted}, "a"},
	} {
		if _, r := Decide(now, c.rules, good()); r.ID != c.want {
			t.Errorf("rule %q is used, want %q", r.ID, c.want)
		}
	}
}

func TestGrantsAreBounded(t *testing.T) {
	for _, g := range []Grant{
		{Scope: Host}, {Scope: Host, For: time.Second}, {Scope: Host, For: MaxTime + 1}, {Scope: Host, For: time.Hour, Count: -1},
		{Scope: Host, For: time.Hour, Count: MaxCount + 1}, {Scope: "all", For: time.Hour}, {Scope: Block, For: time.Hour, Count: 1}, {},
		{Scope: Block, For: time.Hour, Closed: true},
	} {
		if _, err := NewRule("1", now, g, good(), ""); err == nil {
			t.Errorf("%+v became a rule", g)
		}
	}
}

// TestClosed: who may ask for it, and that the rule says so, also once stored.
func TestClosed(t *testing.T) {
	for scope, may := range map[Scope]bool{Host: true, Computer: true, Block: false, Once: false} {
		if err := (Grant{Scope: scope, For: time.Hour, Closed: true}).Check(); (err == nil) != may {
			t.Errorf("a closed grant for %q: %v, may be %v", scope, err, may)
		}
	}
	for _, closed := range []bool{true, false} {
		r := rule(t, "1", Grant{Scope: Host, For: time.Hour, Closed: closed}, good())
		b, err := json.Marshal(r)
		var back Rule
		if err != nil || json.Unmarshal(b, &back) != nil || back != r || r.Closed != closed || strings.Contains(string(b), `"closed":true`) != closed {
			t.Errorf("the rule is %+v, stored %s, %v", r, b, err)
		}
	}
}
