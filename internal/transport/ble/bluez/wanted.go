package bluez

import (
	"context"
	"errors"
	"time"

	"kryptonite/internal/transport/ble"
)

// Times of both ends.
const (
	linger     = 10 * time.Second // after a Link wants no connections any more: an answer may come
	firstPause = time.Second      // after a failure, then doubled
	maxPause   = 15 * time.Second
)

// Clock is the time that both ends go by. The zero value is the system's.
type Clock struct {
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

func (c Clock) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c Clock) after(d time.Duration) <-chan time.Time {
	if c.After == nil {
		return time.After(d)
	}
	return c.After(d)
}

// whileWanted calls episode whenever link wants connections, until ctx ends; its
// context ends some time after they are not wanted any more. A failure is tried
// again after a pause.
func whileWanted(ctx context.Context, clock Clock, link *ble.Link, episode func(context.Context) error) error {
	pause := firstPause
	for {
		yes, changed := link.Wanted()
		if !yes {
			pause = firstPause
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := once(ctx, clock, link, episode)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil || errors.Is(err, context.Canceled) {
			continue
		}
		link.Note(err)
		select {
		case <-clock.after(pause):
			pause = min(2*pause, maxPause)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func once(ctx context.Context, clock Clock, link *ble.Link, episode func(context.Context) error) error {
	on, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer stop()
		for {
			yes, changed := link.Wanted()
			var late <-chan time.Time
			if !yes {
				late = clock.after(linger)
			}
			select {
			case <-changed:
			case <-late:
				return
			case <-on.Done():
				return
			}
		}
	}()
	err := episode(on)
	stop()
	<-over
	return err
}
