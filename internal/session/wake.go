package session

import (
	"context"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/wire"
)

// wake has the phone woken for a request that it has not acknowledged, and does
// not wait. Without an epoch, or for a frame that is too large, the hint is bare:
// the phone finds in its mailbox what there is.
func (r *request) wake(ctx context.Context, ttl time.Duration) {
	r.pushes++
	s := r.s
	if s.cfg.Waker == nil {
		return
	}
	var frame []byte
	if e := s.current(); e != nil {
		if body, err := e.Seal(r.plain); err == nil {
			frame = wire.NewFrame(wire.HeaderEpoch, body)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.bg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, wakeLimit)
		defer cancel()
		err := s.cfg.Waker.Wake(ctx, r.id, frame, ttl)
		switch {
		case err == nil:
			fault.Point("krd.push.taken")
		case ctx.Err() == nil:
			s.cfg.Log.Debug("the phone was not woken", "err", err)
		}
	})
}
