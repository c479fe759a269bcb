// Package backoff waits between two tries of one thing.
//
//	for pause := time.Second; try() != nil; pause = min(2*pause, time.Minute) {
//		if err := backoff.Sleep(ctx, backoff.Jitter(pause)); err != nil {
//			return err
//		}
//	}
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Sleep returns nil after d, at once if d is not positive. It returns ctx.Err() as
// soon as ctx is over, also if it was before.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Jitter returns a random time from d/2 to d: those who failed together do not
// come back together.
func Jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) } // #nosec G404 -- no secret
