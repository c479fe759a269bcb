package phoneterm

import (
	"strings"
	"testing"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
)

func TestParseAnswer(t *testing.T) {
	free := phone.Card{}
	bare := phone.Card{NoHostRule: "the host is not proved", NoComputerRule: "the host is not proved"}
	for line, c := range map[string]struct {
		card  phone.Card
		allow bool
		grant policy.Grant
		err   string
	}{
		"":         {free, false, policy.Grant{}, ""},
		"n":        {free, false, policy.Grant{}, ""},
		"No":       {free, false, policy.Grant{}, ""},
		" Y ":      {free, true, policy.Grant{}, ""},
		"yes":      {bare, true, policy.Grant{}, ""},
		"h":        {free, true, policy.Grant{Scope: policy.Host, For: hostTime}, ""},
		"h 30m 10": {free, true, policy.Grant{Scope: policy.Host, For: 30 * time.Minute, Count: 10}, ""},
		"c 2h":     {free, true, policy.Grant{Scope: policy.Computer, For: 2 * time.Hour}, ""},
		"b":        {bare, false, policy.Grant{Scope: policy.Block, For: blockTime}, ""},
		"h 1h20":   {free, false, policy.Grant{}, "neither a time"},
		"c 48h":    {free, false, policy.Grant{}, "1m0s to 24h0m0s"},
		"y please": {free, false, policy.Grant{}, "y or n"},
		"ja":       {free, false, policy.Grant{}, "y or n"},
		"h\x1b[2J": {free, false, policy.Grant{}, "y or n"},
		"h 99999":  {free, false, policy.Grant{}, "counts from 1"},
		"b 1h 3":   {free, false, policy.Grant{}, "does not count"},
	} {
		d, err := parseAnswer(line, c.card)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %q", line, err, c.err)
			}
		case err != nil || d.Allow != c.allow || d.Grant != c.grant:
			t.Errorf("%q: %+v, %v", line, d, err)
		}
	}
	for _, line := range []string{"h", "c"} {
		if _, err := parseAnswer(line, bare); err == nil || !strings.Contains(err.Error(), "not proved") {
			t.Errorf("%q where no rule may be: %v", line, err)
		}
	}
}

func TestRuleText(t *testing.T) {
	now := time.Unix(1_795_000_000, 0)
	r := policy.Rule{Scope: policy.Host, User: "root", Name: "server.example", Until: now.Unix() + 7200}
	closed := r
	closed.Closed, closed.Counted, closed.Left = true, true, 3
	for want, r := range map[string]policy.Rule{
		"laptop may log in as root at server.example: 2 h left":                                        r,
		"laptop may log in as root at server.example, also while the app is closed: 2 h left, 3 times": closed,
	} {
		if got := ruleText(r, "laptop", now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
