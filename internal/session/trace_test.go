package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/transport/memory"
)

// way is a trace as text: when, a hop, and its channel. Hops of one instant are in
// the order of their names, for timers that are due at once have none.
func way(steps []Step) string {
	slices.SortStableFunc(steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(string(a.Hop), string(b.Hop)))
	})
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%v %s", s.At, s.Hop)
		if s.Via != "" {
			b.WriteString(" " + s.Via)
		}
		if s.Problem != "" {
			b.WriteString(": " + s.Problem)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestTrace: the way of a request in virtual time, over a channel that takes 20 ms
// each way, with a person who takes a second.
func TestTrace(t *testing.T) {
	late := func(int, []byte) memory.Fate { return memory.Fate{Copies: 1, Delay: 20 * time.Millisecond} }
	asleep := func(n int, b []byte) memory.Fate { return memory.Fate{Copies: 1, Delay: 400 * time.Millisecond} }
	for name, c := range map[string]struct {
		link  func(int, []byte) memory.Fate
		first bool
		skew  time.Duration
		waker *bell
		allow bool
		quit  time.Duration
		want  string
	}{
		"allowed": {late, true, 0, nil, true, 0, `0s sealed
0s taken memory
40ms acked memory
1.04s answered memory
1.04s verified
`},
		"no keys yet": {late, false, 0, nil, true, 0, `0s hello
0s taken memory
40ms agreed
40ms sealed
40ms taken memory
80ms acked memory
1.08s answered memory
1.08s verified
`},
		"declined, and woken before": {asleep, true, 0, &bell{}, false, 0, `0s sealed
0s taken memory
300ms waking
300ms woken push.example
420ms acked memory
1.42s answered memory
`},
		"clocks differ": {late, false, time.Hour, nil, true, 0, `0s hello
0s taken memory
40ms agreed
40ms sealed
40ms taken memory
80ms answered memory
80ms sealed
80ms skew
80ms taken memory
120ms acked memory
1.12s answered memory
1.12s verified
`},
		"nobody is there, and Ctrl-C": {deaf, true, 0, &bell{err: errors.New("down")}, true, 5500 * time.Millisecond, `0s sealed
0s taken memory
300ms not_woken: down
300ms waking
2s hello
2s not_woken: down
2s sealed
2s taken memory
2s taken memory
2s waking
4s hello
4s sealed
4s taken memory
4s taken memory
5s slow
5.5s taken memory
5.5s withdrawing
`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memory.Options{AToB: c.link, BToA: late}, c.skew, c.first)
				defer r.close()
				r.thumb = func(phone.Card) (bool, bool) { time.Sleep(time.Second); return c.allow, true }
				if c.waker != nil {
					r.session.cfg.Waker = c.waker
				}
				if c.first {
					time.Sleep(time.Second) // the greeting is over
				}
				ctx := t.Context()
				if c.quit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.quit)
					defer cancel()
				}
				trace := NewTrace(time.Now)
				r.sign(ctx, SignOptions{Trace: trace})
				time.Sleep(time.Second)
				synctest.Wait()
				steps, dropped := trace.Steps()
				if got := way(steps); got != c.want || dropped != 0 {
					t.Errorf("%d dropped\n%swant\n%s", dropped, got, c.want)
				}
				for _, s := range steps {
					told := s.Hop == HopAcked || s.Hop == HopAnswered
					if ends := trace.Began().Add(s.At + c.skew); told == s.Phone.IsZero() || told && ends.Sub(s.Phone).Abs() > 1100*time.Millisecond {
						t.Errorf("%s at %v says the phone's time %v", s.Hop, ends, s.Phone)
					}
				}
			})
		})
	}
}

// TestTraceIsBounded: copies without end are counted, and the end is noted.
func TestTraceIsBounded(t *testing.T) {
	trace := NewTrace(time.Now)
	for range 3 * maxSteps {
		trace.Mark(HopNotTaken, "relay", errors.New(strings.Repeat("ü", maxProblem)+"\xff"))
	}
	trace.Mark(HopEnded, "", ErrNoAck)
	steps, dropped := trace.Steps()
	if len(steps) != maxSteps+1 || dropped != 2*maxSteps || steps[maxSteps].Hop != HopEnded {
		t.Errorf("%d steps, %d dropped, the last %+v", len(steps), dropped, steps[len(steps)-1])
	}
	if p := steps[0].Problem; len(p) > maxProblem || strings.Trim(p, "ü") != "" {
		t.Errorf("the problem is kept as %q", p)
	}
	(*Trace)(nil).Mark(HopEnded, "", nil) // takes no notes
	clock := time.Unix(1000, 0)
	back := NewTrace(func() time.Time { return clock })
	clock = clock.Add(-time.Hour)
	back.Mark(HopAsked, "", nil)
	if steps, _ := back.Steps(); steps[0].At != 0 {
		t.Errorf("a clock that was set back makes it %v", steps[0].At)
	}
}
