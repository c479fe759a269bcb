package phone

import (
	"maps"
	"testing"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/policy"
	"kryptonite/internal/wire"
)

// locked is a phone that has allowed request 1, whose key waits for the person.
func locked(t *testing.T) (w *world, req *wire.Request) {
	t.Helper()
	w = newWorld(t, ApproveAsk)
	w.send(w.cancelOf(99)) // the pairing is in use
	h := newHost(1)
	req = w.request(1, w.login(h, true), h.bind(false))
	w.send(req)
	one[Sign](t, w.do(Decide{Pairing: w.pairing, Request: req.ID, Allow: true}))
	return w, req
}

// ended checks that the prompt for request 1 was taken away, that nothing signs
// it any more, and that there is one log entry, the decision.
func (w *world) ended(effects []Effect, why wire.Code) {
	w.t.Helper()
	if got := one[Withdraw](w.t, effects); got != (Withdraw{w.pairing, wire.ID{1}, why}) {
		w.t.Errorf("%+v, want why %q", got, why)
	}
	if effects := w.do(Signed{Pairing: w.pairing, Request: wire.ID{1}, Signature: []byte("late")}); len(effects) != 0 {
		w.t.Errorf("a signature that comes after the end has effects: %#v", effects)
	}
	if effects := w.do(Start{}); len(all[Sign](effects))+len(all[Ask](effects)) != 0 {
		w.t.Errorf("the next start goes on with it: %#v", effects)
	}
	entries, _, err := Log(w.disk)
	if err != nil || len(entries) != 1 || entries[0].Decision != auditlog.Allowed {
		w.t.Errorf("the log %+v, %v", entries, err)
	}
}

// TestCancelOfWhatIsAllowed: Ctrl-C ends a prompt for the key. Copies of the
// request, and of the cancel, change nothing and are no error.
func TestCancelOfWhatIsAllowed(t *testing.T) {
	w, req := locked(t)
	cancel := w.cancelOf(1)
	effects := w.send(cancel)
	if n := len(all[Send](effects)); n != 0 {
		t.Errorf("a cancelled request is answered by %d frames", n)
	}
	w.ended(effects, wire.CodeCancelled)
	for name, r := range map[string]*wire.Request{"request": req, "cancel": cancel} {
		if rs, _ := w.heard(w.send(r)); len(rs) != 0 {
			t.Errorf("a copy of the %s is answered: %+v", name, rs[0])
		}
	}
	w.now = w.now.Add(2 * time.Hour)
	w.do(Tick{})
	if _, ok := w.stored(1); ok {
		t.Error("it is still remembered after two hours")
	}
}

// TestCancelAfterTheAnswer changes nothing: copies still get the signature. The
// person is told, once, that the computer had not got it.
func TestCancelAfterTheAnswer(t *testing.T) {
	w, req := locked(t)
	w.do(Signed{Pairing: w.pairing, Request: req.ID, Signature: []byte("sig")})
	effects := w.send(w.cancelOf(1))
	if note := one[Note](t, effects); note.Kind != NoteUnheard || note.Computer == "" || len(effects) != 2 {
		t.Errorf("a cancel after the answer: %#v", effects)
	}
	if effects := w.send(w.cancelOf(1)); len(effects) != 0 {
		t.Errorf("another cancel: %#v", effects)
	}
	if r := w.response(w.send(req)); string(r.Sign.Signature) != "sig" {
		t.Errorf("a copy gets %+v", r)
	}
}

// TestAllowedExpires: the prompt goes when the computer waits no longer, which is
// before the request expires, and a tick is due then. Until it expires a copy is
// still known.
func TestAllowedExpires(t *testing.T) {
	w, req := locked(t)
	until := w.now.Add(askLife)
	if at, ok := w.core.Next(); !ok || !at.Equal(until) || until.Unix() >= req.Expires {
		t.Errorf("a tick is due at %s, %v, want %s", at, ok, until)
	}
	w.now = until.Add(-time.Second)
	if effects := w.do(Tick{}); len(all[Withdraw](effects)) != 0 {
		t.Error("it ended before its time")
	}
	w.now = until
	effects := w.do(Tick{})
	if r := w.response(effects); r.Sign == nil || r.Sign.Error != wire.CodeExpired {
		t.Errorf("the answer %+v", r)
	}
	w.ended(effects, wire.CodeExpired)
	if r := w.response(w.send(req)); r.Sign == nil || r.Sign.Error != wire.CodeExpired {
		t.Errorf("a copy gets %+v", r)
	}
}

// TestSignedTooLate: a signature that was made after the time is not sent, tick
// or no tick.
func TestSignedTooLate(t *testing.T) {
	w, req := locked(t)
	w.now = time.Unix(req.Expires, 0)
	effects := w.do(Signed{Pairing: w.pairing, Request: req.ID, Signature: []byte("late")})
	if r := w.response(effects); r.Sign == nil || r.Sign.Error != wire.CodeExpired || len(r.Sign.Signature) != 0 {
		t.Errorf("the answer %+v", r.Sign)
	}
	w.ended(effects, wire.CodeExpired)
}

// TestUnpairEndsPrompts, on either side.
func TestUnpairEndsPrompts(t *testing.T) {
	w, _ := locked(t)
	w.ended(w.do(Unpair{w.pairing}), wire.CodeCancelled)
	w, _ = locked(t)
	plain, err := wire.Encode(wire.Message{Request: &wire.Request{ID: wire.ID{9}, Unix: w.now.Unix(), K: 1, Unpair: &wire.Unpair{}}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := w.box.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	w.ended(w.do(Frame{w.pairing, wire.NewFrame(wire.HeaderSession, body)}), wire.CodeCancelled)
}

// TestHiddenWhileItWaits: a key that is hidden, or deleted, between the answer
// and the signature signs nothing.
func TestHiddenWhileItWaits(t *testing.T) {
	for name, hide := range map[string]func(*world) []Effect{
		"hidden":  func(w *world) []Effect { return w.see(w.blob, false) },
		"deleted": func(w *world) []Effect { return w.keys() },
	} {
		w, _ := locked(t)
		effects := hide(w)
		if r := w.final(effects); r.Sign == nil || r.Sign.Error != wire.CodeUnknownKey || r.Sign.Reason != noSuchKey {
			t.Errorf("%s: the answer %+v", name, r)
		}
		w.ended(effects, wire.CodeUnknownKey)
	}
}

// TestSecondTapKeepsThePrompt: the answer that the first tap gave is on its way.
func TestSecondTapKeepsThePrompt(t *testing.T) {
	w, req := locked(t)
	before := maps.Clone(w.disk)
	for _, allow := range []bool{true, false} {
		if effects := w.do(Decide{Pairing: w.pairing, Request: req.ID, Allow: allow}); len(effects) != 0 {
			t.Errorf("a second answer, %v: %#v", allow, effects)
		}
	}
	if len(w.disk) != len(before) {
		t.Error("a second answer was stored")
	}
	if r := w.response(w.do(Signed{Pairing: w.pairing, Request: req.ID, Signature: []byte("sig")})); string(r.Sign.Signature) != "sig" {
		t.Errorf("the answer %+v", r)
	}
}

// TestPromptsAreBounded: a computer with a rule cannot fill the phone with
// prompts for a key that is locked.
func TestPromptsAreBounded(t *testing.T) {
	w := newWorld(t, ApproveAlways)
	h := newHost(1)
	signs := 0
	for i := range byte(maxPending + 5) {
		signs += len(all[Sign](w.send(w.request(i, w.login(h, true), h.bind(false)))))
	}
	if signs != maxPending {
		t.Errorf("%d prompts, want %d", signs, maxPending)
	}
	w.send(w.cancelOf(0))
	if n := len(all[Sign](w.send(w.request(250, w.login(h, true), h.bind(false))))); n != 1 {
		t.Error("after one was cancelled there is no room for another")
	}
}

// TestCancelledUseCounts: a login under a rule uses up a count when it is
// allowed, whether or not it is signed: what was decided is in the log.
func TestCancelledUseCounts(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.ask(w.named(1, h, true, "server.example"))
	w.allow(1, policy.Grant{Scope: policy.Host, For: time.Hour, Count: 2})
	one[Sign](t, w.send(w.named(2, h, true, "server.example")))
	one[Withdraw](t, w.send(w.cancelOf(2)))
	if r := w.core.Rules(w.now); len(r) != 1 || r[0].Left != 1 {
		t.Errorf("the rules %+v, want one login left", r)
	}
}

// TestCancelForgetsTheHalves: a key that was to be wrapped for a rule is not,
// and the next login wraps it.
func TestCancelForgetsTheHalves(t *testing.T) {
	w := newClosedWorld(t)
	ask, r := w.asks()
	handled(w.core, w.now, ask, w.disk)
	grant := policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true}
	s := one[Sign](t, handled(w.core, w.now, Decide{Pairing: w.pairing, Request: r.ID, Allow: true, Grant: grant}, w.disk))
	if len(s.Wrap) == 0 {
		t.Fatal("the key is not to be wrapped")
	}
	plain, err := wire.Encode(wire.Message{Request: w.cancelOf(r.ID[0])})
	if err != nil {
		t.Fatal(err)
	}
	body, err := w.epoch.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	handled(w.core, w.now, Frame{w.pairing, wire.NewFrame(wire.HeaderEpoch, body)}, w.disk)
	if w.core.requests[(&reqRecord{pairing: w.pairing, id: r.ID}).key()].halves != nil {
		t.Error("the halves are still there")
	}
	if effects := handled(w.core, w.now, w.vault.sign(s), w.disk); len(effects) != 0 {
		t.Errorf("what was wrapped too late has effects: %#v", effects)
	}
	ask, r = w.asks()
	if a := w.answer(w.play(ask), r); a.LeaseToken.Rule == "" {
		t.Errorf("the next login brings no token: %+v", a)
	}
}

// TestStaleCancelMakesLive: krd's first frame waits at the relay while the phone
// is off. It says that the pairing is in use, though it fits no clock any more.
func TestStaleCancelMakesLive(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	greeting := w.cancelOf(1)
	w.now = w.now.Add(40 * time.Hour)
	if n := one[Note](t, w.send(greeting)); n.Kind != NoteLive {
		t.Errorf("the person is told %d, want NoteLive", n.Kind)
	}
	if effects := w.send(greeting); len(effects) != 0 {
		t.Errorf("a copy: %#v", effects)
	}
	if _, ok := w.stored(1); ok {
		t.Error("what fits no clock is remembered")
	}
}
