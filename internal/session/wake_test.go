package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// bell is a Waker that keeps what it was asked for.
type bell struct {
	start time.Time
	err   error

	mu    sync.Mutex
	rings []ring
}

type ring struct {
	after time.Duration
	id    wire.ID
	frame []byte
	ttl   time.Duration
}

func (b *bell) Wake(_ context.Context, id wire.ID, frame []byte, ttl time.Duration) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rings = append(b.rings, ring{time.Since(b.start), id, frame, ttl})
	if b.err != nil {
		return nil, b.err
	}
	return []string{"push.example"}, nil
}

// TestPushes: at 300 ms and 2 s, not after an acknowledgement, nor when nobody
// waits any more.
func TestPushes(t *testing.T) {
	slow := func(d time.Duration) func(int, []byte) memory.Fate {
		return func(int, []byte) memory.Fate { return memory.Fate{Copies: 1, Delay: d} }
	}
	for name, c := range map[string]struct {
		link  func(int, []byte) memory.Fate
		first bool
		quit  time.Duration
		err   error
		want  []time.Duration
	}{
		"phone asleep":                {deaf, true, 0, nil, []time.Duration{300 * time.Millisecond, 2 * time.Second}},
		"a push service that is down": {deaf, true, 0, errors.New("down"), []time.Duration{300 * time.Millisecond, 2 * time.Second}},
		"no epoch yet":                {deaf, false, 0, nil, []time.Duration{300 * time.Millisecond, 2 * time.Second}},
		"phone awake":                 {nil, true, 0, nil, nil},
		"ack after 100 ms":            {slow(100 * time.Millisecond), true, 0, nil, nil},
		"ack after 400 ms":            {slow(400 * time.Millisecond), true, 0, nil, []time.Duration{300 * time.Millisecond}},
		"Ctrl-C after 200 ms":         {deaf, true, 200 * time.Millisecond, nil, nil},
		"Ctrl-C after 1 s":            {deaf, true, time.Second, nil, []time.Duration{300 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memory.Options{AToB: c.link}, 0, c.first)
				defer r.close()
				b := &bell{start: time.Now(), err: c.err}
				r.session.cfg.Waker = b
				ctx := t.Context()
				if c.quit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.quit)
					defer cancel()
				}
				r.sign(ctx, SignOptions{})
				synctest.Wait()
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(b.rings) != len(c.want) {
					t.Fatalf("%d pushes, want %d", len(b.rings), len(c.want))
				}
				for i, got := range b.rings {
					if got.after != c.want[i] || got.id != b.rings[0].id || got.ttl != ackPatience-got.after {
						t.Errorf("push %d after %s with a TTL of %s, want %s", i, got.after, got.ttl, c.want[i])
					}
					if (got.frame != nil) != c.first {
						t.Errorf("push %d has a frame of %d bytes", i, len(got.frame))
					} else if got.frame != nil {
						r.handle(t.Context(), phone.Frame{Pairing: r.id, Data: got.frame})
					}
				}
				asks := r.count(func(e phone.Effect) bool { _, ok := e.(phone.Ask); return ok })
				if want := c.first && (c.quit == 0 || len(c.want) > 0); (asks == 1) != want || asks > 1 {
					t.Errorf("the phone asks %d times about what came by link or push", asks)
				}
			})
		})
	}
}
