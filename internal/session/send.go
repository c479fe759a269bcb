package session

import (
	"context"
	"errors"
	"time"
)

// send puts frame on all links at once and does not wait. What becomes of it is
// noted in t, which may be nil.
func (s *Session) send(ctx context.Context, frame []byte, t *Trace) {
	s.sendWithin(ctx, frame, sendLimit, t)
}

// sendWithin is send with a limit for each link.
func (s *Session) sendWithin(ctx context.Context, frame []byte, limit time.Duration, t *Trace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	for _, l := range s.links {
		s.bg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			err := l.Send(ctx, frame)
			switch {
			case err == nil:
				t.Mark(HopTaken, l.Name(), nil)
			case errors.Is(ctx.Err(), context.Canceled):
				t.Mark(HopNotTaken, l.Name(), errOver)
			default:
				t.Mark(HopNotTaken, l.Name(), err)
			}
			if err != nil && ctx.Err() == nil {
				s.cfg.Log.Debug("send failed", "link", l.Name(), "err", err)
			}
		})
	}
}
