package phone

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/pairing"
	"kryptonite/internal/wire"
)

// stored is the record of a request on disk.
func (w *world) stored(id byte) (r reqRecord, ok bool) {
	b, ok := w.disk[(&reqRecord{pairing: w.pairing, id: wire.ID{id}}).key()]
	if ok && json.Unmarshal(b, &r) != nil {
		w.t.Fatal("a record does not decode")
	}
	return r, ok
}

// TestDiskComesFirst: the decision is stored by the call that asks to sign, and
// the answer by the call that sends it.
func TestDiskComesFirst(t *testing.T) {
	h := newHost(1)
	for name, c := range map[string]struct {
		approve Approve
		last    Event
		state   reqState
	}{
		"asked":    {ApproveAsk, nil, reqPending},
		"allowed":  {ApproveAsk, Decide{Request: wire.ID{1}, Allow: true}, reqDecided},
		"rejected": {ApproveAsk, Decide{Request: wire.ID{1}}, reqAnswered},
		"always":   {ApproveAlways, nil, reqDecided},
		"never":    {ApproveNever, nil, reqAnswered},
		"signed":   {ApproveAlways, Signed{Request: wire.ID{1}, Signature: []byte("sig")}, reqAnswered},
		"failed":   {ApproveAlways, Signed{Request: wire.ID{1}, Failed: "locked"}, reqAnswered},
	} {
		w := newWorld(t, c.approve)
		effects := w.send(w.request(1, w.login(h, true), h.bind(false)))
		switch ev := c.last.(type) {
		case Decide:
			ev.Pairing = w.pairing
			effects = w.do(ev)
		case Signed:
			ev.Pairing = w.pairing
			effects = w.do(ev)
		}
		var state reqState
		for _, s := range all[Store](effects) {
			var r reqRecord
			if json.Unmarshal(s.Value, &r) == nil && s.Key == (&reqRecord{pairing: w.pairing, id: wire.ID{1}}).key() {
				state = r.State
			}
		}
		if state != c.state {
			t.Errorf("%s: the same call stores %q, want %q", name, state, c.state)
		}
		if n := len(all[Sign](effects)); (n == 1) != (c.state == reqDecided) {
			t.Errorf("%s: %d payloads to sign", name, n)
		}
		if n := len(all[Send](effects)); (n == 1) != (c.state != reqDecided) {
			t.Errorf("%s: %d frames to send", name, n)
		}
	}
}

// TestCrashAfterEachStore: what was stored is durable and nothing else of the
// call happened. The computer asks again, and all goes on.
func TestCrashAfterEachStore(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	req := w.request(1, w.login(h, true), h.bind(false))
	w.send(req) // ack and card are lost
	effects := w.do(Start{})
	if got := one[Ask](t, effects).Card.Request; got != (wire.ID{1}) {
		t.Fatalf("after the restart it asks about %s", got)
	}
	w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true}) // the Sign is lost
	s := one[Sign](t, w.do(Start{}))
	w.do(Signed{Pairing: w.pairing, Request: s.Request, Signature: []byte("first")}) // the Send is lost
	if effects := w.do(Start{}); len(all[Sign](effects))+len(all[Ask](effects)) != 0 {
		t.Fatalf("an answered request starts again: %#v", effects)
	}
	if r := w.response(w.send(req)); string(r.Sign.Signature) != "first" {
		t.Errorf("asked again: %+v", r.Sign)
	}
	w.do(Signed{Pairing: w.pairing, Request: s.Request, Signature: []byte("second")})
	if r := w.response(w.send(req)); string(r.Sign.Signature) != "first" || len(w.signed) != 1 {
		t.Errorf("a second signature replaced the answer: %+v, %d payloads", r.Sign, len(w.signed))
	}
}

// TestRestartAfterExpiry: what nobody decided in time is not asked or signed.
func TestRestartAfterExpiry(t *testing.T) {
	for _, decided := range []bool{false, true} {
		w := newWorld(t, ApproveAsk)
		h := newHost(1)
		w.send(w.request(1, w.login(h, true), h.bind(false)))
		if decided {
			w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true})
		}
		clear(w.signed)
		w.now = w.now.Add(2 * time.Minute)
		effects := w.do(Start{})
		if len(w.signed)+len(all[Ask](effects)) != 0 {
			t.Errorf("decided = %v: asked or signed after its time", decided)
		}
		if r := w.response(effects); r.Sign == nil || r.Sign.Error != wire.CodeExpired {
			t.Errorf("decided = %v: %+v, want expired", decided, r)
		}
	}
}

// TestNothingBeforeConfirm: a computer that has not been agreed to gets nothing
// signed, though it knows the epoch's key already.
func TestNothingBeforeConfirm(t *testing.T) {
	w := newWorld(t, ApproveAlways)
	computer, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{2}}, pairing.Self{Name: "eager", Version: "test",
		Addresses: []wire.Address{{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}}})
	if err != nil {
		t.Fatal(err)
	}
	first := one[Send](t, w.do(OpenLink{computer.Invitation().Link()}))
	if effects := w.do(Confirm{first.Pairing, true}); len(effects) != 0 {
		t.Errorf("a yes before there are words: %#v", effects)
	}
	hello, _, err := computer.Accept(w.now, first.Frame)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := computer.Receive(one[Send](t, w.do(Frame{first.Pairing, hello})).Frame); err != nil {
		t.Fatal(err)
	}
	w.pairing = first.Pairing
	_, _, w.epoch = computer.Keys()
	h := newHost(1)
	if effects := w.send(w.request(1, w.login(h, true), h.bind(false))); len(effects) != 0 {
		t.Errorf("before the person agreed: %#v", effects)
	}
	if effects := w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true}); len(all[Sign](effects)) != 0 {
		t.Error("signed before the person agreed")
	}
	effects := w.do(Confirm{w.pairing, false})
	if done, err := computer.Receive(one[Send](t, effects).Frame); done || err != pairing.ErrUnpaired {
		t.Errorf("the computer hears %v, %v, want ErrUnpaired", done, err)
	}
	if effects := w.do(Confirm{w.pairing, true}); len(effects) != 0 {
		t.Errorf("a yes after the no: %#v", effects)
	}
}

// TestOwnFramesAreDropped: what the phone sent comes back, and what only a
// phone says comes from the computer's side.
func TestOwnFramesAreDropped(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	var frames [][]byte
	for _, effects := range [][]Effect{
		w.send(w.request(1, w.login(h, true), h.bind(false))), w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: false}),
	} {
		frames = append(frames, one[Send](t, effects).Frame)
	}
	notice, err := pairing.UnpairNotice(w.box, w.now, "test")
	if err != nil {
		t.Fatal(err)
	}
	frames = append(frames, notice, nil, []byte{0}, []byte{9, 9}, bytes.Repeat([]byte{3}, wire.MaxFrame+1))
	for _, m := range []wire.Message{
		{Response: &wire.Response{ID: wire.ID{2}, K: 1, Ack: &wire.Ack{}}},
		{Notice: &wire.Notice{ID: wire.ID{3}, K: 1}},
		{Request: &wire.Request{ID: wire.ID{4}, K: 1, Me: &wire.MeRequest{}}},  // belongs under 0x00
		{Request: &wire.Request{ID: wire.ID{5}, K: 1, Unpair: &wire.Unpair{}}}, // too
	} {
		plain, err := wire.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		body, err := w.epoch.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, wire.NewFrame(wire.HeaderEpoch, body))
	}
	for i, f := range frames {
		before := maps.Clone(w.disk)
		core := w.core
		if effects := w.do(Frame{w.pairing, f}); len(effects) != 0 || core.Dropped() != 1 {
			t.Errorf("frame %d: %d dropped, %#v", i, core.Dropped(), effects)
		}
		if !maps.EqualFunc(before, w.disk, bytes.Equal) {
			t.Errorf("frame %d changed what is stored", i)
		}
	}
	if effects := w.do(Frame{"nobody", frames[0]}); len(effects) != 0 {
		t.Errorf("a frame for no pairing: %#v", effects)
	}
}

// TestFlippedFrames: any bit of a good request wrong, and nothing happens.
func TestFlippedFrames(t *testing.T) {
	w := newWorld(t, ApproveAlways)
	h := newHost(1)
	plain, err := wire.Encode(wire.Message{Request: w.request(1, w.login(h, true), h.bind(false))})
	if err != nil {
		t.Fatal(err)
	}
	body, err := w.epoch.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	frame := wire.NewFrame(wire.HeaderEpoch, body)
	tally := attacktest.New(t, "a request, flipped")
	for i := range 8 * len(frame) {
		bad := bytes.Clone(frame)
		bad[i/8] ^= 1 << (i % 8)
		if effects := w.core.Handle(w.now, Frame{w.pairing, bad}); len(effects) != 0 {
			tally.Succeeded("bit %d flipped: %#v", i, effects)
			continue
		}
		tally.Rejected()
	}
	if len(all[Sign](w.do(Frame{w.pairing, frame}))) != 1 {
		t.Error("the good frame is not signed")
	}
}

// TestPendingIsBounded: a computer cannot fill the phone with cards.
func TestPendingIsBounded(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	asked := 0
	for i := range byte(maxPending + 5) {
		asked += len(all[Ask](w.send(w.request(i, w.login(h, true), h.bind(false)))))
	}
	if asked != maxPending {
		t.Errorf("%d cards, want %d", asked, maxPending)
	}
	w.do(Decide{Pairing: w.pairing, Request: wire.ID{0}, Allow: false})
	if n := len(all[Ask](w.send(w.request(200, w.login(h, true), h.bind(false))))); n != 1 {
		t.Error("after one was answered there is no room for another")
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	for key, value := range w.disk {
		for name, bad := range map[string][]byte{
			"cut": value[:len(value)-1], "no json": []byte("x"), "newer": bytes.Replace(value, []byte(`"v":1`), []byte(`"v":2`), 1),
		} {
			if bytes.Equal(bad, value) || key == clockKey && name == "cut" { // a shorter number is a number
				continue
			}
			disk := maps.Clone(w.disk)
			disk[key] = bad
			if _, err := New(w.cfg, disk); err == nil {
				t.Errorf("%s, %s: New succeeds", key, name)
			}
		}
	}
	for _, cfg := range []Config{{Name: "ana"}, {Version: "test"}} {
		if _, err := New(cfg, nil); err == nil {
			t.Errorf("New(%+v) succeeds", cfg)
		}
	}
}

// TestNextIsWhenTickHasWork: a program that ticks at Next neither spins nor
// sleeps over anything.
func TestNextIsWhenTickHasWork(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	w.do(OpenLink{mustLink(t)})
	for range 20 {
		at, ok := w.core.Next()
		if !ok {
			break
		}
		if at.After(w.now) {
			w.now = at
		}
		w.do(Tick{})
		if next, ok := w.core.Next(); ok && !next.After(w.now) {
			t.Fatalf("after the tick at %s the next one is at %s", w.now, next)
		}
	}
	if _, ok := w.core.Next(); ok {
		t.Error("there is always something to do")
	}
	if _, ok := w.stored(1); ok {
		t.Error("the request is still remembered")
	}
	if n := len(w.core.Computers()); n != 1 {
		t.Errorf("%d pairings are left, want the live one", n)
	}
}

func mustLink(t *testing.T) string {
	t.Helper()
	c, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{7}}, pairing.Self{Name: "x", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c.Invitation().Link()
}
