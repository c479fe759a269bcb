package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"kryptonite/internal/backoff"
	"kryptonite/internal/fault"
	"kryptonite/internal/wire"
)

const (
	greetPause    = 5 * time.Second // before a greeting is sent again, then doubled
	greetMaxPause = 30 * time.Minute
)

// greet tells the phone of a pairing that was just made that it is in use: any
// frame under its first epoch does, and one that cancels a request which never
// was changes nothing else. It goes on until a link has taken one; from then on
// the link's memory has it, should the phone be offline. [kr-protocol] §3.4.
func (s *Session) greet(ctx context.Context) {
	for pause := greetPause; !s.greetOnce(ctx); pause = min(2*pause, greetMaxPause) {
		if backoff.Sleep(ctx, pause) != nil {
			return
		}
	}
	fault.Point("krd.pair.greeted")
}

// greetOnce reports whether a link has taken the greeting.
func (s *Session) greetOnce(ctx context.Context) bool {
	nothing, err := wire.NewID()
	if err != nil {
		return false
	}
	frame := s.withdrawal(nothing)
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	var taken atomic.Bool // one link is enough
	var sends sync.WaitGroup
	for _, l := range s.linkList() {
		sends.Go(func() {
			if err := l.Send(ctx, frame); err != nil {
				s.cfg.Log.Debug("greeting not sent", "link", l.Name(), "err", err)
				return
			}
			taken.Store(true)
		})
	}
	sends.Wait()
	return taken.Load()
}
