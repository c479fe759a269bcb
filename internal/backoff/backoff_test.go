package backoff

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		for _, c := range []struct {
			d, at time.Duration
			want  error
		}{{0, 0, nil}, {-1, 0, nil}, {2 * time.Second, 2 * time.Second, nil}, {2 * time.Second, 3 * time.Second, context.DeadlineExceeded}, {0, 3 * time.Second, context.DeadlineExceeded}} {
			if err := Sleep(ctx, c.d); !errors.Is(err, c.want) || time.Since(start) != c.at {
				t.Errorf("Sleep(%s): %v at %s, want %v at %s", c.d, err, time.Since(start), c.want, c.at)
			}
		}
	})
}

func TestJitter(t *testing.T) {
	low, high := false, false
	for range 10_000 {
		d := Jitter(time.Second)
		if d < time.Second/2 || d > time.Second {
			t.Fatal(d)
		}
		low, high = low || d < 600*time.Millisecond, high || d > 900*time.Millisecond
	}
	if !low || !high || Jitter(0) != 0 {
		t.Error("it is not spread")
	}
}
