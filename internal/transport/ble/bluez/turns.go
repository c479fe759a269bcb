package bluez

import (
	"context"
	"io"
	"sync"
	"time"

	"kryptonite/internal/transport/ble/segment"
)

// turns lets one central's frame go after the other: all centrals read all of them,
// and each has room for two in the making only. What is no part of a frame goes in
// between. The zero value is ready.
type turns struct {
	mu     sync.Mutex
	writer *central      // whose frame is on its way, or nil
	since  time.Time     // of its newest segment
	freed  chan struct{} // closed when it has ended
}

// stalled is how long a frame may stop without keeping the others waiting: its
// connection may have given it up.
const stalled = time.Second

// take waits until c may write b. done is called when it is written.
func (t *turns) take(ctx context.Context, c *central, b []byte) (done func(), err error) {
	s, err := segment.Parse(b)
	if err != nil || s.Kind != segment.Data {
		return func() {}, nil
	}
	for {
		t.mu.Lock()
		free := t.writer == nil || t.writer == c || c.s.clock.now().Sub(t.since) >= stalled
		if free {
			if t.writer != c {
				t.free()
				t.writer, t.freed = c, make(chan struct{})
			}
			t.since = c.s.clock.now()
			t.mu.Unlock()
			last := s.Offset+len(s.Data) == s.Total
			return func() {
				if last {
					t.leave(c)
				}
			}, nil
		}
		freed := t.freed
		t.mu.Unlock()
		select {
		case <-freed:
		case <-c.s.clock.after(stalled):
		case <-c.gone:
			return nil, io.ErrClosedPipe
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// leave ends c's turn, if it has it.
func (t *turns) leave(c *central) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.writer == c {
		t.free()
	}
}

// free needs mu.
func (t *turns) free() {
	if t.freed != nil {
		close(t.freed)
	}
	t.writer, t.freed = nil, nil
}
