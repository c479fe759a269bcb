package phone

import (
	"testing"
	"time"

	"kryptonite/internal/policy"
	"kryptonite/internal/wire"
)

// TestSignSaysWhatFor: who is asked for the key is told what is signed, and the rule
// that allowed it; not another one, and also when that was its last.
func TestSignSaysWhatFor(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	known, other := newHost(1), newHost(2)
	w.ask(w.named(1, known, true, "server.example"))
	w.allow(1, policy.Grant{Scope: policy.Host, For: time.Hour, Count: 1})

	last := one[Sign](t, w.send(w.named(2, known, true, "server.example")))
	if last.Rule != "1" || last.Card.Name != "server.example" || last.Card.User != "root" || last.Card.Request != last.Request || !last.Card.Expires.Equal(last.Expires) {
		t.Errorf("the last login of a rule: rule %q, %+v", last.Rule, last.Card)
	}
	if n := len(w.core.Rules(w.now)); n != 0 {
		t.Fatalf("%d rules are left", n)
	}
	w.ask(w.named(3, known, true, "server.example"))
	w.allow(3, policy.Grant{Scope: policy.Host, For: time.Hour})
	for name, c := range map[string]struct {
		request *wire.Request
		fits    func(Card) bool
	}{
		"a login once":     {w.named(4, other, true, "other.example"), func(c Card) bool { return c.Name == "other.example" }},
		"a signature once": {w.request(5, sshsig()), func(c Card) bool { return c.Namespace == "git" && c.Name == "" }},
	} {
		w.ask(c.request)
		s := one[Sign](t, w.do(Decide{Pairing: w.pairing, Request: c.request.ID, Allow: true}))
		if s.Rule != "" || !c.fits(s.Card) || s.Card.KeyName != "default" || s.Card.Computer != "laptop" {
			t.Errorf("%s: rule %q, %+v", name, s.Rule, s.Card)
		}
		w.do(Signed{Pairing: w.pairing, Request: c.request.ID, Signature: []byte("sig")})
	}
	w.send(w.named(6, known, true, "server.example"))
	again := map[wire.ID]Sign{}
	for _, s := range all[Sign](w.do(Start{})) {
		again[s.Request] = s
	}
	if a, b := again[wire.ID{2}], again[wire.ID{6}]; a.Rule != "1" || b.Rule == "" || a.Card.Name != "server.example" || b.Card.Name != "server.example" {
		t.Errorf("after a start: %+v, %+v", a, b)
	}
}
