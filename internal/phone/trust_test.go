package phone

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/hostauth"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/policy"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// named is a login at h that the computer reports under a name.
func (w *world) named(id byte, h host, hostbound bool, name string) *wire.Request {
	r := w.request(id, w.login(h, hostbound), h.bind(false))
	r.Sign.Reported = &wire.Reported{Host: name, Port: 22}
	return r
}

// ask sends a request and returns its card.
func (w *world) ask(r *wire.Request) Card {
	w.t.Helper()
	return one[Ask](w.t, w.send(r)).Card
}

func (w *world) allow(id byte, g policy.Grant) []Effect {
	w.t.Helper()
	effects := w.do(Decide{Pairing: w.pairing, Request: wire.ID{id}, Allow: true, Grant: g})
	s := one[Sign](w.t, effects)
	w.do(Signed{Pairing: s.Pairing, Request: s.Request, Signature: sshwire.SignEd25519(w.key, s.Payload)})
	return effects
}

// refused checks that a request gets no card, no signature and this code.
func (w *world) refused(r *wire.Request, code wire.Code, words ...string) {
	w.t.Helper()
	effects := w.send(r)
	if len(all[Ask](effects))+len(all[Sign](effects)) != 0 {
		w.t.Fatalf("request %x is asked about or signed", r.ID[0])
	}
	resp := w.response(effects)
	if resp.Sign == nil || resp.Sign.Error != code {
		w.t.Fatalf("request %x: %+v, want %s", r.ID[0], resp.Sign, code)
	}
	for _, word := range words {
		if !strings.Contains(resp.Sign.Reason, word) {
			w.t.Errorf("the reason %q does not name %q", resp.Sign.Reason, word)
		}
	}
}

// TestFirstUseIsPinned: by a person's yes, and by nothing else.
func TestFirstUseIsPinned(t *testing.T) {
	h := newHost(1)
	for name, c := range map[string]struct {
		request func(*world) *wire.Request
		yes     bool
		pinned  bool
	}{
		"allowed, proved":  {func(w *world) *wire.Request { return w.named(1, h, true, "server.example") }, true, true},
		"allowed, vouched": {func(w *world) *wire.Request { return w.named(1, h, false, "server.example") }, true, true},
		"rejected":         {func(w *world) *wire.Request { return w.named(1, h, true, "server.example") }, false, false},
		"bound only": {func(w *world) *wire.Request {
			r := w.named(1, h, true, "server.example")
			r.Sign.Binds = nil
			return r
		}, true, false},
		"forwarded": {func(w *world) *wire.Request {
			r := w.named(1, h, true, "server.example")
			hop := newHost(2)
			r.Sign.Binds = append([]wire.Bind{hop.bind(true)}, r.Sign.Binds...)
			return r
		}, true, false},
		"no name":      {func(w *world) *wire.Request { return w.named(1, h, true, "") }, true, false},
		"no real name": {func(w *world) *wire.Request { return w.named(1, h, true, "a b\x1b[2J") }, true, false},
	} {
		w := newWorld(t, ApproveAsk)
		w.do(Forward{w.pairing, true})
		card := w.ask(c.request(w))
		if c.pinned && (card.Name != "server.example" || card.Known != knownhosts.New) {
			t.Errorf("%s: the card says %q, %d", name, card.Name, card.Known)
		}
		w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: c.yes})
		if n := len(w.core.Pins()); (n == 1) != c.pinned {
			t.Errorf("%s: %d pins", name, n)
		}
	}
	w := newWorld(t, ApproveAlways)
	w.send(w.named(1, h, true, "server.example"))
	if n := len(w.core.Pins()); n != 0 {
		t.Errorf("a script's yes pinned %d keys", n)
	}
}

// TestChangedHostKey: refused with what was expected and seen, until the person
// trusts it or forgets the server.
func TestChangedHostKey(t *testing.T) {
	old, now := newHost(1), newHost(2)
	for name, change := range map[string]Event{
		"trusted":   TrustHost{"server.example", "", sshwire.Fingerprint(now.blob)},
		"forgotten": ForgetHost{"server.example", "*"},
	} {
		w := newWorld(t, ApproveAsk)
		w.ask(w.named(1, old, true, "server.example"))
		w.allow(1, policy.Grant{})
		if card := w.ask(w.named(2, old, true, "server.example.")); card.Known != knownhosts.Match || len(card.KnownAs) != 1 {
			t.Errorf("%s: the second login: %d, %v", name, card.Known, card.KnownAs)
		}
		fpOld, fpNow := sshwire.Fingerprint(old.blob), sshwire.Fingerprint(now.blob)
		effects := w.send(w.named(3, now, true, "server.example"))
		alarm := one[Alarm](t, effects)
		resp := w.response(effects)
		for _, text := range []string{alarm.Reason, resp.Sign.Reason} {
			if !strings.Contains(text, fpOld) || !strings.Contains(text, fpNow) || !strings.Contains(text, "server.example") {
				t.Errorf("%s: %q does not say what was expected and seen", name, text)
			}
		}
		if resp.Sign.Error != wire.CodeHostKey || len(all[Ask](effects)) != 0 {
			t.Errorf("%s: %+v", name, resp.Sign)
		}
		// The same key on another port, or without a name, is another matter; the
		// computer cannot talk its way around the pin of a name that it gives.
		other := w.named(4, now, true, "server.example")
		other.Sign.Reported.Port = 2222
		if card := w.ask(other); card.Known != knownhosts.New {
			t.Errorf("%s: another port: %d", name, card.Known)
		}
		if s := w.core.Strange(); len(s) != 1 || s[0].Fingerprint != fpNow {
			t.Errorf("%s: refused keys: %+v", name, s)
		}
		w.do(change)
		card := w.ask(w.named(5, now, true, "server.example"))
		if want := map[string]knownhosts.Verdict{"trusted": knownhosts.Match, "forgotten": knownhosts.New}[name]; card.Known != want {
			t.Errorf("%s: the new key: %d, want %d", name, card.Known, want)
		}
		if card := len(all[Ask](w.send(w.named(6, old, true, "server.example")))); card != 1 {
			t.Errorf("%s: the old key gets %d cards", name, card)
		}
	}
}

// TestTrustsWhatWasCompared: another key that was refused meanwhile, or of another
// computer, is not pinned; nor is one too many, and that is said.
func TestTrustsWhatWasCompared(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	desk := w.second("desk")
	old, compared, late := newHost(1), newHost(2), newHost(3)
	fp := func(h host) string { return sshwire.Fingerprint(h.blob) }
	untrusted := func(ev TrustHost, words string) {
		t.Helper()
		pins := len(w.core.Pins())
		if err := w.core.MayTrust(ev); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v may be trusted: %v", ev, err)
		}
		note := one[Note](t, w.do(ev))
		if note.Kind != NoteUntrusted || note.Err == nil || !strings.Contains(note.Err.Error(), words) || len(w.core.Pins()) != pins {
			t.Errorf("%+v: %+v, %d pins of %d", ev, note, len(w.core.Pins()), pins)
		}
	}
	for i, x := range []*world{w, desk} {
		x.ask(x.named(byte(10*i), old, true, "nas.local"))
		x.allow(byte(10*i), policy.Grant{})
		x.refused(x.named(byte(10*i+1), compared, true, "nas.local"), wire.CodeHostKey)
	}
	w.refused(w.named(2, late, true, "nas.local"), wire.CodeHostKey)
	untrusted(TrustHost{"nas.local", w.pairing, fp(compared)}, "another one")
	untrusted(TrustHost{"nas.local", "", fp(late)}, "another one")
	untrusted(TrustHost{"nas.local", w.pairing, ""}, "another one")
	if err := w.core.MayTrust(TrustHost{"nas.local", w.pairing, fp(late)}); err != nil {
		t.Error(err)
	}
	w.do(TrustHost{"nas.local", w.pairing, fp(late)})
	if s, pins := w.core.Strange(), w.core.Pins(); len(pins) != 3 || len(s) != 1 || s[0].Scope != desk.pairing {
		t.Errorf("pinned are %+v, refused %+v", pins, s)
	}
	for seed := byte(4); ; seed++ {
		h := newHost(seed)
		w.refused(w.named(seed, h, true, "nas.local"), wire.CodeHostKey)
		if seed == 10 {
			untrusted(TrustHost{"nas.local", w.pairing, fp(h)}, "no room")
			break
		}
		w.do(TrustHost{"nas.local", w.pairing, fp(h)})
	}
}

// TestPinsOfPrivateNames: belong to the computer that reported them, and go
// with its pairing; public ones stay.
func TestPinsOfPrivateNames(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	desk := w.second("desk")
	a, b := newHost(1), newHost(2)
	for i, name := range []string{"nas.local", "10.0.0.5", "build"} {
		w.ask(w.named(byte(i), a, true, name))
		w.allow(byte(i), policy.Grant{})
		if card := desk.ask(desk.named(byte(10+i), b, true, name)); card.Known != knownhosts.New {
			t.Errorf("%s: another computer's: %d", name, card.Known)
		}
	}
	w.ask(w.named(5, a, true, "server.example"))
	w.allow(5, policy.Grant{})
	desk.refused(desk.named(20, b, true, "server.example"), wire.CodeHostKey, "server.example")
	w.do(Unpair{w.pairing})
	if pins := w.core.Pins(); len(pins) != 1 || pins[0].Name != "server.example" {
		t.Errorf("after the unpair: %+v", pins)
	}
}

// TestDowngrade: who named its host key in each login must go on doing so,
// whatever name the computer gives, or none.
func TestDowngrade(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.ask(w.named(1, h, false, "server.example"))
	w.allow(1, policy.Grant{})
	w.ask(w.named(2, h, false, "server.example")) // never was hostbound: fine
	w.ask(w.named(3, h, true, "server.example"))
	w.allow(3, policy.Grant{})
	for id, name := range map[byte]string{4: "server.example", 5: "", 6: "other.example"} {
		w.refused(w.named(id, h, false, name), wire.CodeHostKey, "server.example")
	}
	if s := w.core.Strange(); len(s) != 0 {
		t.Errorf("to trust its key would mend nothing: %+v", s)
	}
}

// TestRules: what a grant lets through without a question, and what it does not.
func TestRules(t *testing.T) {
	h, other := newHost(1), newHost(2)
	hour := policy.Grant{Scope: policy.Host, For: time.Hour}
	computer := policy.Grant{Scope: policy.Computer, For: time.Hour}
	for name, c := range map[string]struct {
		grant policy.Grant
		then  func(*world) *wire.Request
		asks  bool
	}{
		"the same":                   {hour, func(w *world) *wire.Request { return w.named(9, h, true, "server.example") }, false},
		"without a name":             {hour, func(w *world) *wire.Request { return w.named(9, h, true, "") }, false},
		"another user":               {hour, func(w *world) *wire.Request { return w.user(9, h, "admin") }, true},
		"another user, computer":     {computer, func(w *world) *wire.Request { return w.user(9, h, "admin") }, false},
		"another pinned host":        {hour, func(w *world) *wire.Request { return w.named(9, other, true, "other.example") }, true},
		"another pinned host, comp.": {computer, func(w *world) *wire.Request { return w.named(9, other, true, "other.example") }, false},
		"a new host, computer":       {computer, func(w *world) *wire.Request { return w.named(9, newHost(3), true, "new.example") }, true},
		"vouched only":               {hour, func(w *world) *wire.Request { return w.named(9, newHost(4), false, "plain.example") }, true},
		"no bind":                    {hour, func(w *world) *wire.Request { r := w.named(9, h, true, "server.example"); r.Sign.Binds = nil; return r }, true},
		"forwarded": {computer, func(w *world) *wire.Request {
			r := w.named(9, h, true, "server.example")
			r.Sign.Binds = append([]wire.Bind{newHost(5).bind(true)}, r.Sign.Binds...)
			return r
		}, true},
		"content that was not seen": {computer, func(w *world) *wire.Request { return w.request(9, sshsig()) }, true},
		"after its time": {hour, func(w *world) *wire.Request {
			w.now = w.now.Add(time.Hour)
			return w.named(9, h, true, "server.example")
		}, true},
		"after it was revoked": {hour, func(w *world) *wire.Request {
			w.do(Revoke{w.core.Rules(w.now)[0].ID})
			return w.named(9, h, true, "server.example")
		}, true},
		"after all were": {computer, func(w *world) *wire.Request { w.do(Revoke{"*"}); return w.named(9, h, true, "server.example") }, true},
		"after the host is forgotten": {hour, func(w *world) *wire.Request {
			w.do(ForgetHost{"server.example", "*"})
			return w.named(9, h, true, "server.example")
		}, true},
		"after the clock was set back": {hour, func(w *world) *wire.Request {
			w.now = w.now.Add(-10 * time.Minute)
			w.do(Tick{})
			w.epoch = w.hello(7)
			return w.named(9, h, true, "server.example")
		}, true},
	} {
		w := newWorld(t, ApproveAsk)
		w.do(Forward{w.pairing, true})
		w.ask(w.named(1, other, true, "other.example"))
		w.allow(1, policy.Grant{})
		w.ask(w.named(2, h, true, "server.example"))
		w.allow(2, c.grant)
		if n := len(w.core.Rules(w.now)); n != 1 {
			t.Fatalf("%s: %d rules, want 1", name, n)
		}
		effects := w.send(c.then(w))
		if asks := len(all[Ask](effects)); (asks == 1) != c.asks || (len(all[Sign](effects)) == 1) == c.asks {
			t.Errorf("%s: %d questions, %d payloads", name, asks, len(all[Sign](effects)))
		}
	}
}

// user is a login at h as somebody.
func (w *world) user(id byte, h host, user string) *wire.Request {
	u := sshwire.Userauth{SessionID: h.session, User: user, Method: sshwire.MethodHostbound,
		Algorithm: sshwire.KeyEd25519, PublicKey: w.blob, HostKey: h.blob}
	r := w.request(id, u.Marshal(), h.bind(false))
	r.Sign.Reported = &wire.Reported{Host: "server.example", Port: 22}
	return r
}

func sshsig() []byte {
	return sshwire.SSHSIG{Namespace: "git", Hash: "sha512", Digest: make([]byte, 64)}.Marshal()
}

// TestCountedRule: it allows as many as it says, across restarts, and its
// decisions are in the log with the rule.
func TestCountedRule(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.ask(w.named(1, h, true, "server.example"))
	w.allow(1, policy.Grant{Scope: policy.Host, For: time.Hour, Count: 2})
	for id := range byte(2) {
		if n := len(all[Sign](w.send(w.named(10+id, h, true, "server.example")))); n != 1 {
			t.Fatalf("login %d under the rule: %d payloads", id, n)
		}
	}
	w.ask(w.named(20, h, true, "server.example"))
	entries, _, err := Log(w.disk)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if e.Rule != "1" || e.Host != "server.example" {
			t.Errorf("entry %d: rule %q, host %q", e.Seq, e.Rule, e.Host)
		}
	}
}

// TestCopiesUseNoCount: at-least-once delivery does not use up a rule.
func TestCopiesUseNoCount(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.ask(w.named(1, h, true, "server.example"))
	w.allow(1, policy.Grant{Scope: policy.Host, For: time.Hour, Count: 2})
	req := w.named(10, h, true, "server.example")
	for range 5 {
		w.send(req)
	}
	if r := w.core.Rules(w.now); len(r) != 1 || r[0].Left != 1 {
		t.Errorf("five copies of one request left %+v", r)
	}
}

// TestBlock: everything from that computer is rejected, nothing from others.
func TestBlock(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	desk := w.second("desk")
	h := newHost(1)
	w.ask(w.named(1, h, true, "server.example"))
	w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Grant: policy.Grant{Scope: policy.Block, For: time.Hour}})
	w.refused(w.named(2, h, true, "server.example"), wire.CodeRejected, "blocked")
	w.refused(w.request(3, sshsig()), wire.CodeRejected, "blocked")
	desk.ask(desk.named(4, h, true, "server.example"))
	w.now = w.now.Add(-10 * time.Minute) // setting the clock back ends no block
	w.do(Tick{})
	if n := len(w.core.Rules(w.now.Add(10 * time.Minute))); n != 1 {
		t.Errorf("%d rules after the clock was set back", n)
	}
}

// TestBlockWins: a blocked computer raises no alarm and is told no reason but the
// block, whatever it asks; a block is made, though the card that it was given on would
// be refused by then.
func TestBlockWins(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h, other, hop := newHost(1), newHost(2), newHost(3)
	w.ask(w.named(1, h, true, "server.example"))
	w.allow(1, policy.Grant{})
	w.do(Forward{w.pairing, true})
	forwarded := func(id byte) *wire.Request { return w.request(id, w.login(h, true), hop.bind(true), h.bind(false)) }
	w.ask(forwarded(2))
	w.do(Forward{w.pairing, false})
	effects := w.do(Decide{Pairing: w.pairing, Request: wire.ID{2}, Grant: policy.Grant{Scope: policy.Block, For: time.Hour}})
	if r := w.response(effects); r.Sign.Error != wire.CodeRejected || len(all[Alarm](effects)) != 0 || len(w.core.Rules(w.now)) != 1 {
		t.Fatalf("the block: %+v, rules %+v", r.Sign, w.core.Rules(w.now))
	}
	unknown := w.named(6, h, true, "server.example")
	unknown.Sign.Fingerprint = sshwire.Fingerprint(h.blob)
	for what, r := range map[string]*wire.Request{
		"another host key": w.named(3, other, true, "server.example"), "forwarded": forwarded(4), "nonsense": w.request(5, []byte("x")), "no key of ours": unknown,
	} {
		effects := w.send(r)
		if len(all[Alarm](effects)) != 0 || len(w.core.Strange()) != 0 {
			t.Errorf("%s: a blocked computer raises an alarm: %+v, %+v", what, all[Alarm](effects), w.core.Strange())
		}
		if resp := w.response(effects); resp.Sign.Error != wire.CodeRejected || resp.Sign.Reason != blocked {
			t.Errorf("%s: %+v", what, resp.Sign)
		}
	}
}

// TestGrantsThatMayNotBe: the answer holds, the rule is not made.
func TestGrantsThatMayNotBe(t *testing.T) {
	h := newHost(1)
	for name, c := range map[string]struct {
		request func(*world) *wire.Request
		grant   policy.Grant
	}{
		"vouched, for the computer": {func(w *world) *wire.Request { return w.named(1, h, false, "server.example") }, policy.Grant{Scope: policy.Computer, For: time.Hour}},
		"no name, never pinned":     {func(w *world) *wire.Request { return w.named(1, h, true, "") }, policy.Grant{Scope: policy.Host, For: time.Hour}},
		"content":                   {func(w *world) *wire.Request { return w.request(1, sshsig()) }, policy.Grant{Scope: policy.Computer, For: time.Hour}},
		"for a year":                {func(w *world) *wire.Request { return w.named(1, h, true, "server.example") }, policy.Grant{Scope: policy.Host, For: 365 * 24 * time.Hour}},
	} {
		w := newWorld(t, ApproveAsk)
		w.ask(c.request(w))
		w.allow(1, c.grant)
		if n := len(w.core.Rules(w.now)); n != 0 {
			t.Errorf("%s: %d rules", name, n)
		}
	}
}

// TestRulesAreBounded: a person who grants without end gets no more rules.
func TestRulesAreBounded(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	for i := range policy.MaxRules + 3 {
		r := w.user(byte(i), h, fmt.Sprint("user", i))
		w.ask(r)
		w.allow(byte(i), policy.Grant{Scope: policy.Host, For: time.Hour})
	}
	if n := len(w.core.Rules(w.now)); n != policy.MaxRules {
		t.Errorf("%d rules, %d are allowed", n, policy.MaxRules)
	}
}

// TestKnownByItsKey: a computer that gives another name, or none, does not hide
// which server it is: the name that its key is pinned for leads, on the card, in the
// log and in a rule. The other one is pinned beside it once the person allows it.
func TestKnownByItsKey(t *testing.T) {
	h := newHost(1)
	for _, name := range []knownhosts.Name{"", "innocent.example"} {
		w := newWorld(t, ApproveAsk)
		w.ask(w.named(1, h, true, "server.example"))
		w.allow(1, policy.Grant{})
		card := w.ask(w.named(2, h, true, string(name)))
		if len(card.KnownAs) != 1 || card.HostName != "server.example" || card.Called != name || card.Host.Proof != hostauth.Proved {
			t.Errorf("reported as %q: it is called %q, %q by the computer, and known as %v", name, card.HostName, card.Called, card.KnownAs)
		}
		w.allow(2, policy.Grant{Scope: policy.Host, For: time.Hour})
		entries, _, err := Log(w.disk)
		if rules := w.core.Rules(w.now); err != nil || len(rules) != 1 || rules[0].Name != "server.example" || entries[1].Host != "server.example" {
			t.Errorf("reported as %q: rules %+v, log %+v, %v", name, rules, entries, err)
		}
		if pins := w.core.Pins(); name != "" && (len(pins) != 2 || pins[0].Name != name) {
			t.Errorf("reported as %q, and allowed: %+v", name, pins)
		}
		w.do(Revoke{"*"})
		if card := w.ask(w.named(3, h, true, string(name))); name != "" && (card.Known != knownhosts.Match || card.HostName != name || card.Called != "") {
			t.Errorf("%q, once allowed, is called %q, %q by the computer", name, card.HostName, card.Called)
		}
	}
}

// TestNamesWithoutPins: the first name of a key is the computer's, one without any key
// too; a key that was forwarded has none, whatever the computer says.
func TestNamesWithoutPins(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	w.do(Forward{w.pairing, true})
	h := newHost(1)
	if card := w.ask(w.named(1, h, true, "server.example")); card.HostName != "server.example" || card.Called != "" || len(card.KnownAs) != 0 {
		t.Errorf("new: %q, %q", card.HostName, card.Called)
	}
	unproved := w.named(2, h, false, "server.example")
	unproved.Sign.Binds = nil
	if card := w.ask(unproved); card.HostName != "server.example" || card.Called != "" {
		t.Errorf("without a key: %q, %q", card.HostName, card.Called)
	}
	forwarded := w.named(3, h, true, "server.example")
	forwarded.Sign.Binds = append([]wire.Bind{newHost(2).bind(true)}, forwarded.Sign.Binds...)
	if card := w.ask(forwarded); card.HostName != "" || card.Called != "server.example" {
		t.Errorf("forwarded: %q, %q", card.HostName, card.Called)
	}
	content := w.request(4, sshsig())
	content.Sign.Reported = &wire.Reported{Host: "server.example", Port: 22}
	if card := w.ask(content); card.HostName != "" || card.Called != "" {
		t.Errorf("no login: %q, %q", card.HostName, card.Called)
	}
}

// TestForwardedIsRefused: by default, with the way it came; after the person
// said so, it is asked about, without a name or a rule.
func TestForwardedIsRefused(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h, hop := newHost(1), newHost(2)
	w.ask(w.named(1, hop, true, "hop.example"))
	w.allow(1, policy.Grant{})
	forwarded := func(id byte) *wire.Request {
		r := w.named(id, h, true, "server.example")
		r.Sign.Binds = append([]wire.Bind{hop.bind(true)}, r.Sign.Binds...)
		return r
	}
	one[Alarm](t, w.send(forwarded(2)))
	w.refused(forwarded(3), wire.CodeForwarded, "hop.example")
	w.do(Forward{w.pairing, true})
	card := w.ask(forwarded(4))
	if card.Name != "" || card.NoHostRule == "" || card.Host.Local {
		t.Errorf("a forwarded card: %+v", card)
	}
	w.do(Forward{w.pairing, false})
	w.refused(forwarded(5), wire.CodeForwarded)
}

// TestForwardedContent: what is no login, and came by a forwarded agent, is
// refused and told like a login, and shown with its way once the person said so.
func TestForwardedContent(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	hop := newHost(2)
	w.ask(w.named(1, hop, true, "hop.example"))
	w.allow(1, policy.Grant{})
	alarm := one[Alarm](t, w.send(w.request(2, sshsig(), hop.bind(true))))
	if alarm.Code != wire.CodeForwarded || alarm.Card.Namespace != "git" || len(alarm.Card.Host.Path) != 1 {
		t.Errorf("the alarm says %+v", alarm)
	}
	w.refused(w.request(3, sshsig(), hop.bind(true)), wire.CodeForwarded, "hop.example")
	w.do(Forward{w.pairing, true})
	card := w.ask(w.request(4, sshsig(), hop.bind(true)))
	if card.Namespace != "git" || card.Host.Local || len(card.Host.Path) != 1 || card.Host.Proof != hostauth.Unknown || card.NoComputerRule == "" {
		t.Errorf("the card says %+v", card)
	}
	if card := w.ask(w.request(5, sshsig())); card.Host.Local || len(card.Host.Path) != 0 {
		t.Errorf("without a bind: %+v", card.Host)
	}
	if card := w.ask(w.request(6, sshsig(), hop.bind(false))); !card.Host.Local {
		t.Errorf("by an ssh on the computer itself: %+v", card.Host)
	}
	forged := hop.bind(true)
	forged.Signature = newHost(3).bind(true).Signature
	w.refused(w.request(7, sshsig(), forged), wire.CodeRefused, "not signed by its host key")
	w.refused(w.request(8, sshsig(), hop.bind(false), hop.bind(true)), wire.CodeRefused, "follows one")
}

// TestHiddenKeyEndsItsRules: shown again, the key is asked about again. A block
// stays.
func TestHiddenKeyEndsItsRules(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.ask(w.named(1, h, true, "server.example"))
	w.allow(1, policy.Grant{Scope: policy.Host, For: time.Hour})
	fp := sshwire.Fingerprint(w.blob)
	w.do(AllowKey{w.pairing, fp, false})
	if n := len(w.core.Rules(w.now)); n != 0 {
		t.Errorf("%d rules for a hidden key", n)
	}
	w.do(AllowKey{w.pairing, fp, true})
	w.ask(w.named(2, h, true, "server.example"))
	w.do(Decide{Pairing: w.pairing, Request: wire.ID{2}, Grant: policy.Grant{Scope: policy.Block, For: time.Hour}})
	w.do(AllowKey{w.pairing, fp, false})
	if n := len(w.core.Rules(w.now)); n != 1 {
		t.Errorf("%d rules, want the block", n)
	}
}

// TestFloodOfRefusals: a computer cannot flush the log or the screen with
// requests that are refused by themselves; what may be asked still is.
func TestFloodOfRefusals(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	answered := 0
	for n := range maxRefusals + 50 {
		r := w.request(0, []byte("neither a login nor a signature"))
		r.ID = wire.ID{7, byte(n), byte(n >> 8)}
		plain, err := wire.Encode(wire.Message{Request: r})
		if err != nil {
			t.Fatal(err)
		}
		body, err := w.epoch.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		effects := w.core.Handle(w.now, Frame{w.pairing, wire.NewFrame(wire.HeaderEpoch, body)})
		answered += len(all[Send](effects))
	}
	if answered != maxRefusals || w.core.log.Len() != uint64(maxRefusals) {
		t.Errorf("%d refusals are answered and %d logged, want %d", answered, w.core.log.Len(), maxRefusals)
	}
	plain, _ := wire.Encode(wire.Message{Request: w.named(1, h, true, "server.example")})
	body, _ := w.epoch.Seal(plain)
	one[Ask](t, w.core.Handle(w.now, Frame{w.pairing, wire.NewFrame(wire.HeaderEpoch, body)}))
	w.now = w.now.Add(refusalTime)
	r := w.request(2, []byte("the same again"))
	plain, _ = wire.Encode(wire.Message{Request: r})
	body, _ = w.epoch.Seal(plain)
	if n := len(all[Send](w.core.Handle(w.now, Frame{w.pairing, wire.NewFrame(wire.HeaderEpoch, body)}))); n != 1 {
		t.Errorf("after its time a refusal is answered %d times", n)
	}
}
