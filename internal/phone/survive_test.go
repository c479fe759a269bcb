package phone

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// TestFarewellIsRepeatedUntilTaken: the frame that tells the computer is sent
// again, across restarts, with growing pauses, until a channel took it or 48 h
// are over. No key stays behind for it.
func TestFarewellIsRepeatedUntilTaken(t *testing.T) {
	for name, c := range map[string]struct {
		told  time.Duration // after which time a channel takes it; -1: at once, 0: never
		tries [2]int        // how many sends are sensible, from and to
	}{
		"at once":      {-1, [2]int{1, 1}},
		"after a day":  {24 * time.Hour, [2]int{45, 70}},
		"nobody takes": {0, [2]int{95, 120}},
	} {
		w := newWorld(t, ApproveAsk)
		begin, sends := w.now, 0
		effects := w.core.Handle(w.now, Unpair{w.pairing})
		for w.now.Sub(begin) < 60*time.Hour {
			for _, e := range effects {
				switch e := e.(type) {
				case Store:
					w.disk[e.Key] = e.Value
					if e.Value == nil {
						delete(w.disk, e.Key)
					}
				case Send:
					sends++
					if !e.Farewell {
						t.Fatalf("%s: %+v is no farewell", name, e)
					}
					w.farewell(e.Frame)
				}
			}
			if c.told != 0 && w.now.Sub(begin) >= c.told {
				effects, c.told = w.core.Handle(w.now, Told{w.pairing}), 0
				one[Note](t, effects)
				if got := w.core.Untold(); len(got) != 0 {
					t.Errorf("%s: %q are still to be told", name, got)
				}
				continue
			}
			at, ok := w.core.Next()
			if !ok {
				break
			}
			w.now = maxTime(at, w.now.Add(100*time.Millisecond))
			effects = w.core.Handle(w.now, Tick{})
		}
		if sends < c.tries[0] || sends > c.tries[1] {
			t.Errorf("%s: sent %d times, want %d to %d", name, sends, c.tries[0], c.tries[1])
		}
		for k := range w.disk {
			if k != clockKey {
				t.Errorf("%s: %s is still on disk", name, k)
			}
		}
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// farewell checks that the frame ends the pairing at the computer.
func (w *world) farewell(frame []byte) {
	w.t.Helper()
	_, body, err := wire.SplitFrame(frame)
	if err != nil {
		w.t.Fatal(err)
	}
	plain, err := w.box.Open(body)
	if err != nil {
		w.t.Fatal(err)
	}
	if m, err := wire.Decode(plain); err != nil || m.Notice == nil || m.Notice.Unpair == nil {
		w.t.Fatalf("the farewell says %+v, %v", m, err)
	}
}

// TestFarewellSurvivesARestart: it is sent at once by the next start, and the
// record holds no key.
func TestFarewellSurvivesARestart(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	w.do(Unpair{w.pairing})
	rec := string(w.disk[farewellPrefix+w.pairing])
	if rec == "" || strings.Contains(rec, "priv") || strings.Contains(rec, "seed") || strings.Contains(rec, "k_") {
		t.Errorf("the record: %s", rec)
	}
	w.farewell(one[Send](t, w.do(Start{})).Frame)
	if got := w.core.Untold(); !slices.Equal(got, []string{"laptop"}) {
		t.Errorf("to be told: %q", got)
	}
	w.do(Told{w.pairing})
	if n := len(all[Send](w.do(Start{}))); n != 0 {
		t.Errorf("%d frames for a computer that was told", n)
	}
}

// TestMemoryIsBounded: a paired computer cannot make the phone remember without
// end, and what is forgotten can do no harm.
func TestMemoryIsBounded(t *testing.T) {
	w := newWorld(t, ApproveNever)
	h := newHost(1)
	var first wire.Request
	ask := func(n int) []Effect {
		r := w.request(0, w.login(h, true), h.bind(false))
		r.ID = wire.ID{1, byte(n), byte(n >> 8)}
		if n == 0 {
			first = *r
		}
		plain, err := wire.Encode(wire.Message{Request: r})
		if err != nil {
			t.Fatal(err)
		}
		body, err := w.epoch.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		return w.core.Handle(w.now, Frame{w.pairing, wire.NewFrame(wire.HeaderEpoch, body)})
	}
	for n := range maxRemembered {
		if len(all[Send](ask(n))) != 1 {
			t.Fatalf("request %d is not answered", n)
		}
	}
	if n := len(all[Send](ask(maxRemembered))); n != 0 {
		t.Errorf("one more is answered by %d frames; all others may still come again", n)
	}
	w.now = w.now.Add(2 * time.Minute)
	if n := len(all[Send](ask(maxRemembered + 1))); n != 1 {
		t.Errorf("after their expiry one more gets %d answers", n)
	}
	if n := len(w.core.requests); n != maxRemembered {
		t.Errorf("%d requests are remembered, %d are allowed", n, maxRemembered)
	}
	plain, _ := wire.Encode(wire.Message{Request: &first})
	body, _ := w.epoch.Seal(plain)
	effects := w.core.Handle(w.now, Frame{w.pairing, wire.NewFrame(wire.HeaderEpoch, body)})
	if len(all[Ask](effects))+len(all[Sign](effects)) != 0 {
		t.Error("a copy of a forgotten request is asked about or signed again")
	}
}

// TestLogHasOneEntryADecision: written by the call that makes the decision
// durable, whatever the decision was.
func TestLogHasOneEntryADecision(t *testing.T) {
	h := newHost(1)
	for name, c := range map[string]struct {
		approve Approve
		then    func(*world)
		want    auditlog.Decision // "": none
	}{
		"asked":    {ApproveAsk, func(*world) {}, ""},
		"allowed":  {ApproveAsk, func(w *world) { w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true}) }, auditlog.Allowed},
		"always":   {ApproveAlways, func(*world) {}, auditlog.Allowed},
		"rejected": {ApproveAsk, func(w *world) { w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: false}) }, auditlog.Rejected},
		"never":    {ApproveNever, func(*world) {}, auditlog.Rejected},
		"expired":  {ApproveAsk, func(w *world) { w.now = w.now.Add(2 * time.Minute); w.do(Tick{}) }, auditlog.Expired},
	} {
		w := newWorld(t, c.approve)
		req := w.request(1, w.login(h, true), h.bind(false))
		w.send(req)
		c.then(w)
		w.send(req) // a copy decides nothing
		w.do(Start{})
		entries, end, err := Log(w.disk)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.want == "" && len(entries) == 0:
		case len(entries) != 1 || entries[0].Decision != c.want || entries[0].User != "root" || entries[0].Proof != "proved" || entries[0].HostKey == "":
			t.Errorf("%s: the log is %+v, want one entry %q", name, entries, c.want)
		}
		if end != w.core.log {
			t.Errorf("%s: the core's log ends at %+v, the disk's at %+v", name, w.core.log, end)
		}
	}
	w := newWorld(t, ApproveAlways)
	w.send(w.request(1, []byte("neither login nor SSHSIG")))
	if entries, _, _ := Log(w.disk); len(entries) != 1 || entries[0].Decision != auditlog.Refused || entries[0].Reason == "" {
		t.Errorf("a refusal is logged as %+v", entries)
	}
}

// TestLogIsDurableBeforeTheSignature: entry and decision are stored by the call
// that asks for the signature.
func TestLogIsDurableBeforeTheSignature(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	effects := w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true})
	one[Sign](t, effects)
	if !slices.ContainsFunc(all[Store](effects), func(s Store) bool { return s.Key == logKey(1) && s.Value != nil }) {
		t.Error("the signature is asked for before the log entry is stored")
	}
}

// TestLogKeepsItsEnd: old entries go, and the rest still verifies.
func TestLogKeepsItsEnd(t *testing.T) {
	w := newWorld(t, ApproveNever)
	h := newHost(1)
	req := w.request(1, w.login(h, true), h.bind(false))
	rec := &reqRecord{pairing: w.pairing, id: req.ID, Request: req}
	for range auditlog.Kept + 5 {
		for _, e := range w.core.note(w.now, rec, auditlog.Rejected, "") {
			s := e.(Store)
			if w.disk[s.Key] = s.Value; s.Value == nil {
				delete(w.disk, s.Key)
			}
		}
	}
	entries, end, err := Log(w.disk)
	if err != nil || len(entries) != auditlog.Kept || end.Len() != auditlog.Kept+5 || end.First() != 6 || end.Head() != w.core.log.Head() {
		t.Errorf("%d entries, %+v, %v", len(entries), end, err)
	}
	w.reload()
	if w.core.log != end {
		t.Error("the log does not go on where it ended")
	}
	delete(w.disk, logKey(6))
	if _, _, err := Log(w.disk); !errors.As(err, new(*auditlog.BrokenError)) {
		t.Errorf("one more is gone from the front: %v", err)
	}
}

// TestComputersHaveDifferentNames: so that a person can tell them apart.
func TestComputersHaveDifferentNames(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	for _, want := range []string{"laptop 2", "laptop 3"} {
		c, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}}, pairing.Self{Name: "laptop", Version: "test",
			Addresses: []wire.Address{{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}}})
		if err != nil {
			t.Fatal(err)
		}
		first := one[Send](t, w.do(OpenLink{c.Invitation().Link()}))
		hello, _, err := c.Accept(w.now, first.Frame)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a repeated hello changes nothing
			w.do(Frame{first.Pairing, hello})
		}
		var names []string
		for _, c := range w.core.Computers() {
			names = append(names, c.Name)
		}
		if !slices.Contains(names, want) {
			t.Errorf("computers are %q, want one %q", names, want)
		}
	}
}

// TestTwoComputersDoNotDisturbEachOther: requests with the same id, an unpair
// of one, and a flood of one.
func TestTwoComputersDoNotDisturbEachOther(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	other := w.second("desk")
	for n := range byte(maxPending) {
		other.send(other.request(n, other.login(h, true), h.bind(false)))
	}
	if n := len(all[Ask](w.send(w.request(1, w.login(h, true), h.bind(false))))); n != 1 {
		t.Fatalf("a flood of another computer: %d cards", n)
	}
	w.do(Decide{Pairing: other.pairing, Request: wire.ID{1}, Allow: false})
	if w.core.requests[(&reqRecord{pairing: w.pairing, id: wire.ID{1}}).key()].State != reqPending {
		t.Error("a decision for one computer decided the other's request of the same id")
	}
	w.do(Unpair{other.pairing})
	if r := w.approve(1); r.Sign == nil || r.Sign.Signature == nil {
		t.Errorf("after the other's unpair: %+v", r)
	}
}

// second pairs another computer with the same phone and returns its view.
func (w *world) second(name string) *world {
	w.t.Helper()
	c, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{7}}, pairing.Self{Name: name, Version: "test",
		Addresses: []wire.Address{{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	first := one[Send](w.t, w.do(OpenLink{c.Invitation().Link()}))
	hello, _, err := c.Accept(w.now, first.Frame)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.Receive(one[Send](w.t, w.do(Frame{first.Pairing, hello})).Frame); err != nil {
		w.t.Fatal(err)
	}
	if done, err := c.Receive(one[Send](w.t, w.do(Confirm{first.Pairing, true})).Frame); err != nil || !done {
		w.t.Fatal(done, err)
	}
	v := *w
	v.pairing = first.Pairing
	v.c, v.s, v.epoch = c.Keys()
	if v.box, err = sealbox.NewShared(v.c, v.s); err != nil {
		w.t.Fatal(err)
	}
	return &v
}

// TestAgreedAndCrashed: the ack and the me_response that a crash swallowed go out at the
// next start, until the computer uses the pairing.
func TestAgreedAndCrashed(t *testing.T) {
	w := newWorld(t, ApproveNever) // it saw the first me_response
	sends := all[Send](w.do(Start{}))
	if len(sends) != 2 {
		t.Fatalf("%d frames at the start after the agreement, want an ack and a me_response", len(sends))
	}
	ack, again := w.response([]Effect{sends[0]}), w.response([]Effect{sends[1]})
	if ack.Ack == nil || len(ack.Ack.NS) == 0 || again.Me == nil || len(again.Me.Keys) != 1 {
		t.Errorf("at the start after the agreement: %+v, %+v, want an ack and a me_response", ack, again)
	}
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	if n := len(all[Send](w.do(Start{}))); n != 0 {
		t.Errorf("%d frames at a start after the pairing was used", n)
	}
}
