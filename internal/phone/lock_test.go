package phone

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/policy"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

func (w *world) lock(on bool) []Effect { return w.do(Lock{w.pairing, on}) }

// codes are the answers to requests among effects.
func (w *world) codes(effects []Effect) map[byte]wire.Code {
	w.t.Helper()
	out := map[byte]wire.Code{}
	rs, _ := w.heard(effects)
	for _, r := range rs {
		if r.Sign != nil {
			out[r.ID[0]] = r.Sign.Error
		}
	}
	return out
}

// shown are the effects that a person would see, or that sign.
func shown(effects []Effect) int {
	return len(all[Ask](effects)) + len(all[Alarm](effects)) + len(all[Sign](effects)) + len(all[Note](effects))
}

// TestLocked: nothing is signed for a locked computer, and nothing shown, by
// whatever way it might be; the phone is started anew after each event here.
func TestLocked(t *testing.T) {
	for _, approve := range []Approve{ApproveAsk, ApproveAlways} {
		w := newKeysWorld(t, approve)
		w.lock(true)
		h := newHost(1)
		for id, r := range map[byte]*wire.Request{
			1: w.request(1, w.login(h, true), h.bind(false)),
			2: w.loginWith(2, workBlob), // a key that it never saw
			3: w.request(3, w.login(h, true), h.bind(true)),
			4: w.request(4, []byte("no login")),
		} {
			effects := w.send(r)
			rs, n := w.heard(effects)
			if len(rs) != 1 || rs[0].Sign == nil || rs[0].Sign.Error != wire.CodeLocked || rs[0].Sign.Reason != isLocked || rs[0].Sign.Signature != nil {
				t.Fatalf("request %d is answered %+v", id, rs)
			}
			if n == nil || !n.Locked {
				t.Errorf("request %d does not know that it is locked, and is not told: %+v", id, n)
			}
			if shown(effects) != 0 {
				t.Errorf("request %d shows %#v", id, effects)
			}
			if again := w.send(r); !maps.Equal(w.codes(again), map[byte]wire.Code{id: wire.CodeLocked}) || shown(again) != 0 {
				t.Errorf("its copy is answered %v", w.codes(again))
			}
			if tap := w.do(Decide{Pairing: w.pairing, Request: wire.ID{id}, Allow: true}); shown(tap) != 0 {
				t.Errorf("a late tap on request %d has %#v", id, tap)
			}
		}
		if effects := w.do(Start{}); shown(effects) != 0 || len(w.signed) != 0 {
			t.Errorf("a start shows %#v; %d payloads", effects, len(w.signed))
		}
		entries, _, err := Log(w.disk)
		if err != nil || len(entries) != 4 || entries[0].Decision != auditlog.Refused || entries[0].Reason != isLocked {
			t.Errorf("the log is %+v, %v", entries, err)
		}
	}
}

// TestLockEndsWhatWaits: cards go, what is allowed but not signed is not signed,
// and the computer hears so.
func TestLockEndsWhatWaits(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	for id := range byte(2) {
		h := newHost(id)
		w.send(w.request(id, w.login(h, true), h.bind(false)))
	}
	sign := one[Sign](t, w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true}))
	effects := w.lock(true)
	if got := w.codes(effects); !maps.Equal(got, map[byte]wire.Code{0: wire.CodeLocked, 1: wire.CodeLocked}) {
		t.Errorf("the requests that waited are answered %v", got)
	}
	for _, e := range all[Withdraw](effects) {
		if e.Why != wire.CodeLocked {
			t.Errorf("a card goes because of %q", e.Why)
		}
	}
	if n := len(all[Withdraw](effects)); n != 2 {
		t.Errorf("%d cards are withdrawn", n)
	}
	late := w.do(Signed{Pairing: w.pairing, Request: sign.Request, Signature: sshwire.SignEd25519(w.key, sign.Payload)})
	if len(all[Send](late)) != 0 {
		t.Error("a signature that came after the lock is sent")
	}
	w.lock(false)
	if effects := append(w.do(Start{}), w.do(Tick{})...); shown(effects) != 0 {
		t.Errorf("what was refused comes back once it is unlocked: %#v", effects)
	}
}

// TestLockIsDurableFirst: whatever is lost after its stores, the computer stays
// locked, and a crash before leaves all as it was.
func TestLockIsDurableFirst(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	disk := maps.Clone(w.disk)
	effects := w.core.Handle(w.now, Lock{w.pairing, true})
	for _, e := range effects {
		if s, ok := e.(Store); ok && s.Value != nil {
			disk[s.Key] = s.Value
		}
	}
	w.reload() // nothing of it became durable
	if one[Ask](t, w.do(Start{})).Card.Request != (wire.ID{1}) {
		t.Error("the card is gone without a lock")
	}
	w.disk = disk
	w.reload()
	if w.core.Computers()[0].Locked.IsZero() || shown(w.do(Start{})) != 0 {
		t.Error("the lock is not on disk when its effects begin")
	}
}

// TestLockEndsRules: those that let it sign, with what opens a key for them; not
// a block, not those of others, and they do not come back.
func TestLockEndsRules(t *testing.T) {
	w := newClosedWorld(t)
	_, r := w.grants(policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true})
	if r.LeaseToken.Rule == "" || len(w.core.Rules(w.now)) != 1 || w.halves() != 1 {
		t.Fatalf("there is no rule to end: %+v", r)
	}
	effects := w.play(Lock{w.pairing, true})
	if len(w.core.Rules(w.now)) != 0 || w.halves() != 0 {
		t.Errorf("%d rules and %d halves are left", len(w.core.Rules(w.now)), w.halves())
	}
	over := ""
	for _, s := range all[Send](effects) {
		if n := w.notice(s.Frame); n != nil {
			over += strings.Join(n.LeasesOver, " ")
		}
	}
	if over != r.LeaseToken.Rule {
		t.Errorf("the computer is told that the rules %q are over", over)
	}
	w.play(Lock{w.pairing, false})
	ev, request := w.asks(wire.LeaseToken{Rule: r.LeaseToken.Rule, Token: r.LeaseToken.Token})
	effects = w.play(ev)
	if len(all[Ask](effects)) != 1 || len(all[Sign](effects)) != 0 {
		t.Errorf("after the unlock request %s has %#v, want a card", request.ID, effects)
	}
}

// TestLockIsOfOne computer, and a block outlives it.
func TestLockIsOfOne(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Grant: policy.Grant{Scope: policy.Block, For: time.Hour}})
	desk := w.second("desk")
	w.lock(true)
	if rules := w.core.Rules(w.now); len(rules) != 1 || rules[0].Scope != policy.Block {
		t.Errorf("the rules are %+v, want the block", rules)
	}
	if effects := desk.send(desk.request(2, desk.login(h, true), h.bind(false))); len(all[Ask](effects)) != 1 {
		t.Error("another computer is locked, too")
	}
	w.lock(false)
	if got := w.codes(w.send(w.request(3, w.login(h, true), h.bind(false)))); got[3] != wire.CodeRejected {
		t.Errorf("a block that was there before the lock gives %v", got)
	}
}

// TestLockIsTold with the list of keys, in order, until the computer has it.
func TestLockIsTold(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	w.send(w.cancelOf(99))
	n := w.told(w.lock(true), "[default]")
	if !n.Locked {
		t.Fatal("the notice does not say so")
	}
	if len(w.lock(true)) != 0 {
		t.Error("locking it again has effects")
	}
	if again := w.told(w.do(Start{}), "[default]"); !again.Locked || again.Seq != n.Seq {
		t.Errorf("a start tells %+v, want the same", again)
	}
	un := w.told(w.lock(false), "[default]")
	if un.Locked || un.Seq <= n.Seq {
		t.Errorf("unlocked by %+v after %d", un, n.Seq)
	}
	r := w.cancelOf(98)
	r.KeysSeq = un.Seq
	w.send(r)
	if _, n := w.heard(w.do(Start{})); n != nil {
		t.Errorf("what the computer has is told again: %+v", n)
	}
	if c := w.core.Computers()[0]; !c.Locked.IsZero() {
		t.Errorf("%+v", c)
	}
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	if r := w.approve(1); r.Sign == nil || r.Sign.Signature == nil {
		t.Errorf("an unlocked computer gets %+v", r)
	}
}

// TestLockOfWhatIsNotPaired does nothing.
func TestLockOfWhatIsNotPaired(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	first := one[Send](t, w.do(OpenLink{mustLink(t)}))
	for _, ev := range []Event{Lock{"nobody", true}, Lock{first.Pairing, true}, Lock{w.pairing, false}, NameComputer{"nobody", "x"}, NameComputer{first.Pairing, "x"}} {
		if effects := w.do(ev); len(effects) != 0 {
			t.Errorf("%+v has %#v", ev, effects)
		}
	}
}

// TestNameComputer: the name is the person's, for cards, the log and farewells;
// the computer does not hear it.
func TestNameComputer(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	w.send(w.cancelOf(99))
	w.second("desk")
	for _, c := range []struct{ to, want string }{
		{"  Ana's old one ", "Ana's old one"}, {"", "Ana's old one"}, {" \t", "Ana's old one"}, {"DESK", "DESK 2"}, {"\xff\u202ex", "\ufffd\u202ex"},
		{strings.Repeat("é", 70), strings.Repeat("é", 64)}, {"laptop", "laptop"},
	} {
		effects := w.do(NameComputer{w.pairing, c.to})
		if len(all[Send](effects)) != 0 {
			t.Errorf("%q is told to somebody", c.to)
		}
		if got := w.core.pairings[w.pairing].Computer; got != c.want {
			t.Errorf("called %q it is %q, want %q", c.to, got, c.want)
		}
	}
	w.do(NameComputer{w.pairing, "mine"})
	h := newHost(1)
	if card := one[Ask](t, w.send(w.request(1, w.login(h, true), h.bind(false)))).Card; card.Computer != "mine" {
		t.Errorf("the card says %q", card.Computer)
	}
	w.approve(1)
	entries, _, err := Log(w.disk)
	if err != nil || entries[0].Computer != "mine" {
		t.Errorf("the log is %+v, %v", entries, err)
	}
}

// TestRecordsOfBefore: a pairing of before there were locks is not locked.
func TestRecordsOfBefore(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	if b := w.disk[PairingPrefix+w.pairing]; bytes.Contains(b, []byte("locked")) {
		t.Errorf("an unlocked pairing is stored as %s", b)
	}
	if c := w.core.Computers()[0]; !c.Locked.IsZero() {
		t.Errorf("%+v", c)
	}
}
