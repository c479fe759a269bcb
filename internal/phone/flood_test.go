package phone

import (
	"bytes"
	"testing"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/auditlog"
	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// TestFloods: a paired computer sends 1,000 requests of a kind within a second. The
// phone asks, warns, logs and stores no more than its limits; nothing is signed, and
// another computer's login is asked about at once.
func TestFloods(t *testing.T) {
	const requests = 1000
	known, other := newHost(1), newHost(2)
	long := string(bytes.Repeat([]byte("\u202e"), 340)) // 1,020 bytes
	tally := attacktest.New(t, "floods of 1,000 requests")
	for name, request := range map[string]func(w *world, n int) *wire.Request{
		"logins":            func(w *world, n int) *wire.Request { return w.user(0, newHost(byte(3+n)), "root") },
		"long names":        func(w *world, n int) *wire.Request { return w.user(0, newHost(byte(3+n)), long) },
		"signatures":        func(w *world, _ int) *wire.Request { return w.request(0, sshsig()) },
		"changed host keys": func(w *world, _ int) *wire.Request { return w.named(0, other, true, "good.example") },
		"forwarded": func(w *world, _ int) *wire.Request {
			return w.request(0, w.login(known, true), other.bind(true), known.bind(false))
		},
		"long fingerprints": func(w *world, _ int) *wire.Request {
			r := w.request(0, sshsig())
			r.Sign.Fingerprint = string(bytes.Repeat([]byte("\u202e"), 15_000))
			return r
		},
		"no logins":         func(w *world, _ int) *wire.Request { return w.request(0, []byte("neither")) },
		"44 KiB":            func(w *world, _ int) *wire.Request { return w.request(0, make([]byte, 44<<10)) },
		"clocks":            func(w *world, _ int) *wire.Request { r := w.request(0, nil); r.Unix = 1; return r },
		"kinds of tomorrow": func(w *world, _ int) *wire.Request { r := w.request(0, nil); r.Sign = nil; return r },
		"cancels of nothing": func(w *world, n int) *wire.Request {
			r := w.request(0, nil)
			r.Sign, r.Cancel = nil, &wire.CancelRequest{ID: wire.ID{5, byte(n), byte(n >> 8)}}
			return r
		},
		"new epochs": func(w *world, n int) *wire.Request {
			r := w.request(0, []byte("neither"))
			e, err := sealbox.NewKey()
			if err != nil {
				w.t.Fatal(err)
			}
			pub := e.Public()
			r.EphemeralC = &pub
			return r
		},
	} {
		w := newWorld(t, ApproveAsk)
		honest := w.pairing
		w.ask(w.named(1, known, true, "good.example"))
		w.allow(1, policy.Grant{})
		epoch := w.epoch
		w.pair("evil")
		before, entries := size(w.disk), w.core.log.Len()
		shown, answered := 0, 0
		for n := range requests {
			r := request(w, n)
			r.ID = wire.ID{7, byte(n), byte(n >> 8)}
			effects := w.core.Handle(w.now, Frame{w.pairing, w.sealed(r, w.epoch)})
			for _, s := range all[Store](effects) {
				if w.disk[s.Key] = s.Value; s.Value == nil {
					delete(w.disk, s.Key)
				}
			}
			shown += len(all[Ask](effects)) + len(all[Alarm](effects)) + len(all[Note](effects))
			answered += len(all[Send](effects))
			if len(all[Sign](effects)) > 0 {
				tally.Succeeded("%s: request %d is signed", name, n)
			} else if len(all[Send](effects)) > 0 {
				tally.Harmless()
			} else {
				tally.Rejected()
			}
		}
		grown, logged := size(w.disk)-before, w.core.log.Len()-entries
		if shown > maxRefusals+1 || logged > maxRefusals || grown > 2<<20 || len(w.core.requests) > maxRemembered+maxPending {
			tally.Succeeded("%s: %d things are shown, %d logged, %d requests kept, %d bytes stored", name, shown, logged, len(w.core.requests), grown)
		}
		if n := asked(w); n > maxPending {
			tally.Succeeded("%s: %d cards wait", name, n)
		}
		w.pairing, w.epoch = honest, epoch
		one[Ask](t, w.core.Handle(w.now, Frame{honest, w.sealed(w.named(2, known, true, "good.example"), epoch)}))
		t.Logf("%s: %d shown, %d answered, %d logged, %d bytes stored", name, shown, answered, logged, grown)
	}
}

// asked is how many requests of the world's pairing wait for the person.
func asked(w *world) (n int) {
	for _, r := range w.core.open() {
		if r.pairing == w.pairing {
			n++
		}
	}
	return n
}

func size(disk map[string][]byte) (n int) {
	for k, v := range disk {
		n += len(k) + len(v)
	}
	return n
}

// sealed is a request as it travels.
func (w *world) sealed(r *wire.Request, e sealbox.Epoch) []byte {
	w.t.Helper()
	plain, err := wire.Encode(wire.Message{Request: r})
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := e.Seal(plain)
	if err != nil {
		w.t.Fatal(err)
	}
	return wire.NewFrame(wire.HeaderEpoch, body)
}

// TestBlockEndsWhatWaits: a person who blocks a computer that floods them is rid of
// all its cards, and of no other computer's.
func TestBlockEndsWhatWaits(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	honest, epoch := w.pairing, w.epoch
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	w.pair("evil")
	for n := range byte(5) {
		w.send(w.request(10+n, w.login(newHost(n), true), newHost(n).bind(false)))
	}
	effects := w.do(Decide{Pairing: w.pairing, Request: wire.ID{12}, Grant: policy.Grant{Scope: policy.Block, For: time.Hour}})
	gone := all[Withdraw](effects)
	if len(gone) != 5 || asked(w) != 0 {
		t.Errorf("%d cards are taken away, %d are left", len(gone), asked(w))
	}
	for _, e := range gone {
		if e.Why != wire.CodeRejected {
			t.Errorf("of request %s people hear %q", e.Request, e.Why)
		}
	}
	for _, f := range all[Send](effects) {
		if r := w.response([]Effect{f}); r.Sign == nil || r.Sign.Error != wire.CodeRejected {
			t.Errorf("the computer hears %+v", r)
		}
	}
	if n := w.core.log.Len(); n != 5 {
		t.Errorf("the log has %d entries", n)
	}
	list, _, err := Log(w.disk)
	for i, e := range list {
		if e.Decision != auditlog.Rejected || (i > 0) != (e.Reason == blocked) {
			t.Errorf("entry %d: %s, %q", i, e.Decision, e.Reason)
		}
	}
	if err != nil {
		t.Error(err)
	}
	w.pairing, w.epoch = honest, epoch
	if n := asked(w); n != 1 {
		t.Errorf("%d cards of the other computer are left", n)
	}
}
