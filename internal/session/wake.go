package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/wire"
)

// Waker makes a phone look whose app no link may reach, because it is closed. It
// is a hint, which may be lost. Its methods are safe for concurrent use.
type Waker interface {
	// Wake sends one hint for the request id. frame is sealed for the phone and
	// may be left out; nil: there is none. After ttl the hint is of no use. It
	// returns the push services that took it: none, if there is no way to wake
	// the phone. An error is for people: nobody tries again.
	Wake(ctx context.Context, id wire.ID, frame []byte, ttl time.Duration) (taken []string, err error)
}

// errNoWay is why a phone is not woken that nothing wakes.
var errNoWay = errors.New("it has not told how: no push is set up")

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
	r.trace.Mark(HopWaking, "", nil)
	s.bg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, wakeLimit)
		defer cancel()
		taken, err := s.cfg.Waker.Wake(ctx, r.id, frame, ttl)
		if len(taken) > 0 {
			r.trace.Mark(HopWoken, strings.Join(taken, ", "), nil)
		}
		switch {
		case err == nil && len(taken) == 0:
			r.trace.Mark(HopNotWoken, "", errNoWay)
		case err == nil:
			fault.Point("krd.push.taken")
		case errors.Is(ctx.Err(), context.Canceled):
			r.trace.Mark(HopNotWoken, "", errOver)
		default:
			r.trace.Mark(HopNotWoken, "", err)
			s.cfg.Log.Debug("the phone was not woken", "err", err)
		}
	})
}
