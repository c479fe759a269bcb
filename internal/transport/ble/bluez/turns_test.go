package bluez

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/transport/ble/segment"
)

// part is a segment of a frame of 26 bytes.
func part(offset int) []byte {
	return segment.Segment{Kind: segment.Data, Total: 26, Offset: offset, Data: make([]byte, 13)}.Append(nil)
}

// TestTurns: a frame that is on its way goes on, what is no frame goes in between,
// and another frame waits until that one has ended, has stopped, or has no central
// any more.
func TestTurns(t *testing.T) {
	for name, end := range map[string]func(s *service, a *central){
		"it ends":             func(s *service, a *central) { must(t, s, a, part(13)) },
		"it stops":            func(*service, *central) { time.Sleep(stalled) },
		"its central is gone": func(s *service, a *central) { s.leave(a) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(nil, [16]byte{}, Clock{})
				a, b := newCentral(s, greeting{device: "/a"}), newCentral(s, greeting{device: "/b"})
				must(t, s, a, part(0))
				must(t, s, b, segment.Segment{Kind: segment.Ack}.Append(nil))
				in := make(chan error, 1)
				go func() { _, err := s.turns.take(t.Context(), b, part(0)); in <- err }()
				synctest.Wait()
				if len(in) > 0 {
					t.Fatal("two frames at once")
				}
				end(s, a)
				synctest.Wait()
				if len(in) == 0 || <-in != nil {
					t.Error("the other frame waits on")
				}
			})
		})
	}
}

func must(t *testing.T, s *service, c *central, b []byte) {
	t.Helper()
	done, err := s.turns.take(context.Background(), c, b)
	if err != nil {
		t.Fatal(err)
	}
	done()
}

// TestTurnOfNobody: who has gone does not wait.
func TestTurnOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(nil, [16]byte{}, Clock{})
		a, b := newCentral(s, greeting{device: "/a"}), newCentral(s, greeting{device: "/b"})
		must(t, s, a, part(0))
		b.cut()
		if _, err := s.turns.take(t.Context(), b, part(0)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("take = %v", err)
		}
	})
}
