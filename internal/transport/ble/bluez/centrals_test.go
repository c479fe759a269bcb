package bluez_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/ble/bluez/bluetest"
)

// whosever runs a test of several centrals with each kind of BlueZ: whose sockets are
// whose.
func whosever(t *testing.T, test func(*testing.T, bluetest.Options)) {
	for name, o := range map[string]bluetest.Options{
		"a socket for all":               {Sockets: bluetest.Shared},
		"a socket for each":              {Sockets: bluetest.Each},
		"a socket for each, read by all": {Sockets: bluetest.EachForAll},
	} {
		t.Run(name, func(t *testing.T) { test(t, o) })
	}
}

// another is one more who has found the service, by an adapter of its own.
func (r *rig) another(adapter string) *ble.Link {
	l := ble.New()
	c := bluez.NewCentral(bluez.Options{Adapter: adapter, Clock: quick, Log: slog.New(slog.DiscardHandler)})
	r.run(func(ctx context.Context) error { return c.Serve(ctx, uuid, l) })
	r.t.Cleanup(l.Hold())
	return l
}

// TestStrangersComeAndGo: a stranger who subscribes, or leaves, does not end the phone's
// connection.
func TestStrangersComeAndGo(t *testing.T) {
	whosever(t, strangersComeAndGo)
	t.Run("the first pays", func(t *testing.T) {
		strangersComeAndGo(t, bluetest.Options{Sockets: bluetest.Each, FirstPays: true})
	})
}

func strangersComeAndGo(t *testing.T, o bluetest.Options) {
	r := newRig(t, o)
	t.Cleanup(r.a.Hold())
	talk := func(when string) {
		t.Helper()
		carry(t, r.a, r.b, []byte("request "+when))
		carry(t, r.b, r.a, []byte("answer "+when))
	}
	talk("before")
	for range 2 {
		stranger := ble.New()
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		radio := bluez.NewCentral(bluez.Options{Adapter: "hci2", Clock: quick, Log: slog.New(slog.DiscardHandler)})
		done.Go(func() { _ = radio.Serve(ctx, uuid, stranger) })
		done.Go(func() { _ = stranger.Receive(ctx, func([]byte) error { return nil }) })
		release := stranger.Hold()
		until(t, "a stranger is there", func() bool { return stranger.Status().Connected })
		talk("with a stranger")
		release()
		until(t, "the stranger has left", func() bool { now, _ := r.blue.Connected(); return now == 1 })
		stop()
		done.Wait()
		talk("after it")
	}
	if n := r.blue.Tries("hci1"); n != 1 {
		t.Errorf("the phone had to connect %d times", n)
	}
}

// TestStrangerIsCutOff: who brings three frames that are not the phone's is sent away
// and ignored, while phone and computer talk.
func TestStrangerIsCutOff(t *testing.T) { whosever(t, strangerIsCutOff) }

func strangerIsCutOff(t *testing.T, o bluetest.Options) {
	o.MTU = 100
	r := newRig(t, o)
	stranger := r.another("hci2")
	t.Cleanup(r.a.Hold())
	var garbage atomic.Int32
	answers := make(chan []byte, 100)
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer stop()
	done.Go(func() {
		r.a.Receive(ctx, func(f []byte) error {
			if bytes.HasPrefix(f, []byte("garbage")) {
				garbage.Add(1)
				return transport.ErrForged
			}
			answers <- f
			return nil
		})
	})
	done.Go(func() {
		for ctx.Err() == nil {
			sending, over := context.WithTimeout(ctx, time.Second)
			stranger.Send(sending, bytes.Repeat([]byte("garbage"), 500))
			over()
		}
	})
	until(t, "garbage", func() bool { return garbage.Load() >= 3 })
	_, before := r.blue.Connected()
	until(t, "the stranger has come again, and again", func() bool { _, tries := r.blue.Connected(); return tries >= before+3 })
	for i := range 5 {
		answer := bytes.Repeat([]byte{byte(i)}, 5000)
		sending, over := context.WithTimeout(ctx, patience)
		if err := r.b.Send(sending, answer); err != nil {
			t.Errorf("the phone's Send = %v", err)
		}
		over()
		if got := <-answers; !bytes.Equal(got, answer) {
			t.Error("another answer came")
		}
	}
	if n := garbage.Load(); n > 8 { // some may have waited already
		t.Errorf("%d frames of garbage came", n)
	}
}

// TestFourCentrals: each reads all frames, as they go one after the other; a fifth
// finds no place where each has brought a frame that opened.
func TestFourCentrals(t *testing.T) { whosever(t, fourCentrals) }

func fourCentrals(t *testing.T, o bluetest.Options) {
	o.MTU, o.Reorder = 100, true
	r := newRig(t, o)
	phones := []*ble.Link{r.b}
	for _, adapter := range []string{"hci2", "hci3", "hci4"} {
		phones = append(phones, r.another(adapter))
	}
	t.Cleanup(r.a.Hold())
	for _, p := range phones {
		carry(t, p, r.a, []byte("answer"))
	}
	got := make([]atomic.Int32, len(phones))
	for i, p := range phones {
		r.run(func(ctx context.Context) error {
			return p.Receive(ctx, func([]byte) error { got[i].Add(1); return nil })
		})
	}
	r.another("hci5")
	until(t, "a fifth has come, and come again", func() bool { return r.blue.Tries("hci5") >= 3 })
	for i := range 3 {
		ctx, over := context.WithTimeout(t.Context(), patience)
		if err := r.a.Send(ctx, bytes.Repeat([]byte{byte(i)}, 8000)); err != nil {
			t.Fatal(err)
		}
		over()
	}
	until(t, "all who are there have all", func() bool {
		for i := range got {
			if got[i].Load() < 3 {
				return false
			}
		}
		return true
	})
	for _, adapter := range []string{"hci1", "hci2", "hci3", "hci4"} {
		if n := r.blue.Tries(adapter); n != 1 {
			t.Errorf("%s had to connect %d times", adapter, n)
		}
	}
}

// TestSilentStrangersMakeRoom: four who have nothing to say, at any service, are no
// more than four: the phone finds a place, and keeps it while they come back.
func TestSilentStrangersMakeRoom(t *testing.T) { whosever(t, silentStrangersMakeRoom) }

func silentStrangersMakeRoom(t *testing.T, o bluetest.Options) {
	r := newRig(t, o) // whose phone says nothing
	second := sealbox.RendezvousService(sealbox.PublicKey{2})
	a, phone := ble.New(), ble.New()
	r.run(func(ctx context.Context) error { return r.radio.Serve(ctx, second, a) })
	strangers := []*ble.Link{r.b, r.another("hci2"), r.another("hci3"), r.another("hci4")}
	for _, s := range strangers {
		r.run(func(ctx context.Context) error { return s.Receive(ctx, func([]byte) error { return nil }) })
	}
	t.Cleanup(r.a.Hold())
	until(t, "four strangers are there", func() bool {
		return !slices.ContainsFunc(strangers, func(s *ble.Link) bool { return !s.Status().Connected })
	})

	t.Cleanup(a.Hold())
	c := bluez.NewCentral(bluez.Options{Adapter: "hci5", Clock: quick, Log: slog.New(slog.DiscardHandler)})
	r.run(func(ctx context.Context) error { return c.Serve(ctx, second, phone) })
	t.Cleanup(phone.Hold())
	carry(t, a, phone, []byte("request"))
	carry(t, phone, a, []byte("ack"))
	mine := r.blue.Tries("hci5")
	tries := func() (n int) {
		_, all := r.blue.Connected()
		return all - r.blue.Tries("hci5")
	}
	before := tries()
	until(t, "strangers come back, and take each other's place", func() bool { return tries() >= before+8 })
	carry(t, phone, a, []byte("answer"))
	if n := r.blue.Tries("hci5"); n != mine {
		t.Errorf("the phone had to connect %d times more", n-mine)
	}
}
