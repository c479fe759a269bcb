package siege

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/pairing"
	"kryptonite/internal/phone"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// show starts the computer's side of one code, and the channel to it.
func show(t *testing.T) (a *attempt, far *memory.Link, stop func()) {
	t.Helper()
	near, far := memory.New(memory.Options{})
	a = &attempt{c: shown(t), agreed: make(chan struct{}), shown: make(chan struct{}), over: make(chan error, 1), links: []transport.Link{near}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		near.Receive(ctx, func(f []byte) error { return a.take(ctx, f) })
	}()
	return a, far, func() { cancel(); <-done }
}

// soon waits for c, a minute at most: the phone's clock goes on for ever.
func soon(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Error("it does not come to that")
	}
}

// scanner is who has photographed the code, and speaks as a phone does.
func scanner(t *testing.T, a *attempt) *pairing.Phone {
	t.Helper()
	p, err := pairing.NewPhone(a.c.Invitation().Link(), [16]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (a *attempt) first(t *testing.T, p *pairing.Phone) error {
	t.Helper()
	f, err := p.First()
	if err != nil {
		t.Fatal(err)
	}
	return a.take(t.Context(), f)
}

// TestRaceForACode: one code, one phone. A second scanner that is later gets nothing,
// however often it comes; one that is first pairs with nobody, as the person's phone
// shows no words, whatever hellos the scanner makes up.
func TestRaceForACode(t *testing.T) {
	const tries = 100
	late := attacktest.New(t, "a second scanner, late")
	synctest.Test(t, func(t *testing.T) {
		a, far, stop := show(t)
		defer stop()
		h := newHandset(t, newPerson(t, allows))
		defer h.close()
		id := h.scan(a.c.Invitation().Link(), []transport.Link{far})
		soon(t, a.shown)
		words := a.words()
		for range tries {
			x := scanner(t, a)
			if err := a.first(t, x); !errors.Is(err, transport.ErrForged) || a.words() != words {
				late.Succeeded("a second phone is taken: %v", err)
			} else {
				late.Rejected()
			}
		}
		if got := h.wordsOf(t.Context(), id); got != words {
			t.Errorf("the phone shows %q, the computer %q", got, words)
		}
		h.confirm(id, true)
		soon(t, a.agreed)
	})
	hellos := attacktest.New(t, "hellos to a phone, made up")
	early := attacktest.New(t, "a second scanner, first")
	synctest.Test(t, func(t *testing.T) {
		a, far, stop := show(t)
		defer stop()
		x := scanner(t, a)
		if err := a.first(t, x); err != nil {
			t.Fatal(err)
		}
		ack := take(t, far, func(hello []byte) []byte {
			ack, err := x.Receive(time.Now(), hello, "test", nil)
			if err != nil {
				t.Fatal(err)
			}
			return ack
		})
		if err := a.take(t.Context(), ack); err != nil || a.words() == "" {
			t.Fatalf("the scanner's ack: %v", err)
		}
		h := newHandset(t, newPerson(t, allows)) // now the person scans
		defer h.close()
		id := h.scan(a.c.Invitation().Link(), []transport.Link{far})
		own, err := sealbox.NewKey() // the scanner has neither c nor the phone's s
		if err != nil {
			t.Fatal(err)
		}
		box, err := sealbox.NewShared(own, a.c.Invitation().CPub)
		if err != nil {
			t.Fatal(err)
		}
		eC := own.Public()
		for i := range tries {
			nC := make([]byte, pairing.NonceSize)
			nC[0], nC[1] = byte(i), byte(i>>8)
			f := seal(t, box, wire.Message{Request: &wire.Request{ID: wire.ID{byte(i)}, K: wire.Protocol, EphemeralC: &eC, Me: &wire.MeRequest{NC: nC, Name: "laptop"}}})
			if err := h.frame(id, f); !errors.Is(err, transport.ErrForged) || h.screen(id) != "" {
				hellos.Succeeded("a hello of the scanner is taken: %v", err)
			} else {
				hellos.Rejected()
			}
		}
		time.Sleep(16 * time.Second)
		h.mu.Lock()
		warned := len(h.notes) > 0 && h.notes[len(h.notes)-1] == phone.NoteNoHello
		h.mu.Unlock()
		if h.screen(id) != "" || !warned {
			early.Succeeded("the person's phone shows %q, and warned: %t", h.screen(id), warned)
		} else {
			early.Rejected() // the computer shows words, the phone none: nobody says yes
		}
	})
}

// take reads one frame at the phone's end and returns what f makes of it.
func take(t *testing.T, l *memory.Link, f func([]byte) []byte) (out []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l.Receive(ctx, func(b []byte) error {
		if out == nil {
			out = f(b)
			cancel()
		}
		return nil
	})
	return out
}

// TestOneGuessForEachCode: a phone takes one n_c for a code, ever, and a computer one
// first frame; after a no, the code is dead on both sides.
func TestOneGuessForEachCode(t *testing.T) {
	const tries = 100
	tally := attacktest.New(t, "more guesses for one code")
	m := swap(t)
	nC := make([]byte, pairing.NonceSize)
	if m.hello(nC) == nil {
		t.Fatal("the first hello is not taken")
	}
	words := m.phone.Words()
	for i := range tries {
		nC[0] = byte(i + 1)
		nC[1] = byte((i + 1) >> 8)
		if nS := m.hello(nC); nS != nil || m.phone.Words() != words {
			tally.Succeeded("the phone takes another n_c")
		} else {
			tally.Rejected()
		}
	}
	synctest.Test(t, func(t *testing.T) {
		a, far, stop := show(t)
		defer stop()
		h := newHandset(t, newPerson(t, allows))
		defer h.close()
		var seen [][]byte // all that the phone was sent
		keep := &recorder{Link: far, got: func(f []byte) { seen = append(seen, f) }}
		id := h.scan(a.c.Invitation().Link(), []transport.Link{keep})
		soon(t, a.shown)
		h.wordsOf(t.Context(), id)
		h.confirm(id, false)
		select {
		case err := <-a.over:
			if !errors.Is(err, pairing.ErrUnpaired) {
				t.Errorf("the computer hears %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("the computer hears nothing")
		}
		for _, f := range seen {
			if err := h.frame(id, f); !errors.Is(err, transport.ErrForged) {
				tally.Succeeded("a code that was given up lives on the phone: %v", err)
			} else {
				tally.Rejected()
			}
		}
	})
}

// recorder is a Link that keeps what comes.
type recorder struct {
	transport.Link
	got func([]byte)
}

func (r *recorder) Receive(ctx context.Context, handle func([]byte) error) error {
	return r.Link.Receive(ctx, func(f []byte) error {
		r.got(append([]byte{}, f...))
		return handle(f)
	})
}
