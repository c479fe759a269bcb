package session

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
)

func isLive(e phone.Effect) bool {
	n, ok := e.(phone.Note)
	return ok && n.Kind == phone.NoteLive
}

// TestNewPairingIsLiveAtOnce: without any login; and it costs one frame. A
// session that knows no epoch says hello only, which is no use of the pairing.
func TestNewPairingIsLiveAtOnce(t *testing.T) {
	for _, first := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var frames atomic.Int32
			r := newRig(t, memory.Options{AToB: func(int, []byte) memory.Fate { frames.Add(1); return memory.Deliver }}, 0, first)
			defer r.close()
			synctest.Wait()
			want := map[bool]int{true: 1}[first]
			if n := r.count(isLive); n != want {
				t.Errorf("first = %v: the phone says %d times that it is in use, want %d", first, n, want)
			}
			time.Sleep(time.Hour) // virtual
			if n := frames.Load(); n != 1 {
				t.Errorf("first = %v: %d frames in an hour without a login, want one", first, n)
			}
			if n := r.core.Dropped(); n != 0 {
				t.Errorf("the phone dropped %d frames", n)
			}
		})
	}
}

// TestGreetingWaitsForALink: it is sent again until one link takes it, ever less
// often, and then no more.
func TestGreetingWaitsForALink(t *testing.T) {
	own, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	phone, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var heard []time.Duration
		start := time.Now()
		broken, _ := memory.New(memory.Options{})
		near, far := memory.New(memory.Options{AToB: func(int, []byte) memory.Fate {
			heard = append(heard, time.Since(start))
			return memory.Deliver
		}})
		broken.SetDown(true)
		near.SetDown(true)
		s, err := New(Config{Own: own, Phone: phone.Public(), Links: []transport.Link{broken, near}, Version: "test",
			Log: slog.New(slog.DiscardHandler), FirstEpoch: &sealbox.Epoch{Send: sealbox.Key32{1}, Recv: sealbox.Key32{2}},
			Unpaired: func() error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var ends sync.WaitGroup
		ends.Go(func() { s.Run(ctx) })
		ends.Go(func() { far.Receive(ctx, func([]byte) error { return nil }) })
		time.Sleep(20 * time.Second) // virtual; tries at 0, 5 and 15 s
		near.SetDown(false)
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if len(heard) != 1 || heard[0] != 35*time.Second {
			t.Errorf("frames at %v, want one at 35s", heard)
		}
		stop()
		ends.Wait() // the end does not wait for a pause

		broken.SetDown(true)
		near.SetDown(true)
		ctx, stop = context.WithCancel(t.Context())
		begun := time.Now()
		ends.Go(func() { s.greet(ctx) })
		time.Sleep(time.Minute)
		stop()
		ends.Wait()
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("a greeting ends %s after its context", took-time.Minute)
		}
	})
}
