package hostile

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/transport/transporttest"
)

// judge is a test that may fail.
type judge struct {
	testing.TB
	faults []string
	after  []func()
}

func (j *judge) Helper()             {}
func (j *judge) Failed() bool        { return len(j.faults) > 0 }
func (j *judge) Cleanup(f func())    { j.after = append(j.after, f) }
func (j *judge) Logf(string, ...any) {}
func (j *judge) Errorf(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}

// TestConformance: a channel whose owner does nothing is the Link that it was.
func TestConformance(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) (transport.Link, transport.Link) {
		return New(t, NewScore(t, "none"), 1, Odds{}).Channel(memory.New(memory.Options{}))
	}, transporttest.Stores(), transporttest.Bubble())
}

// frames are what a conversation of one direction has.
func frames(n int) (all [][]byte) {
	for i := range n {
		all = append(all, append([]byte{0x03, byte(i)}, bytes.Repeat([]byte{byte(i) * 7}, 40)...))
	}
	return all
}

// converse sends frames over a channel whose owner only knows act, and returns what
// each end got. honest readers take their sender's frames only; others take all.
func converse(t testing.TB, act Act, seed uint64, honest bool) (there, back [][]byte) {
	var odds Odds
	odds[act] = 1
	all := frames(40)
	a := New(t, NewScore(t, "test"), seed, odds)
	near, far := a.Channel(memory.New(memory.Options{}))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	read := func(l transport.Link, genuine bool, to *[][]byte) {
		l.Receive(ctx, func(f []byte) error {
			*to = append(*to, f)
			if honest && !(genuine && slices.ContainsFunc(all, func(g []byte) bool { return bytes.Equal(f, g) })) {
				return transport.ErrForged
			}
			return nil
		})
		ended <- struct{}{}
	}
	go read(far, true, &there)
	go read(near, false, &back)
	for _, f := range all {
		if err := near.Send(ctx, f); err != nil {
			t.Errorf("Send: %v", err)
		}
	}
	synctest.Wait()
	stop()
	<-ended
	<-ended
	return there, back
}

// TestActs: each does what it says, the same for the same seed, and an honest
// reader is not blamed.
func TestActs(t *testing.T) {
	for act := Pass; act < acts; act++ {
		synctest.Test(t, func(t *testing.T) {
			there, back := converse(t, act, 3, true)
			again, _ := converse(t, act, 3, true)
			other, _ := converse(t, act, 4, true)
			same := func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
			if !same(there, again) {
				t.Errorf("%s: not the same for the same seed", actNames[act])
			}
			if act != Pass && act != Drop && same(there, other) {
				t.Errorf("%s: the same for another seed", actNames[act])
			}
			all, odd, late := frames(40), 0, 0
			for i, f := range there {
				if !slices.ContainsFunc(all, func(g []byte) bool { return bytes.Equal(f, g) }) {
					odd++
				} else if i > 0 && f[1] < there[i-1][1] {
					late++
				}
			}
			want := map[Act]bool{
				Pass:    same(there, all) && len(back) == 0,
				Drop:    len(there)+len(back) == 0,
				Repeat:  len(there) > 80 && odd+late == 0,
				Delay:   len(there) > 25 && len(there) < 40 && late > 0 && odd == 0,
				Replay:  len(there) > 80 && late > 20 && odd == 0,
				Reflect: len(back) == 40 && odd == 0,
				Swap:    len(back) > 5 && odd == 0,
			}
			ok, listed := want[act]
			if listed && !ok || !listed && odd < 20 {
				t.Errorf("%s: %d there, %d of them nobody's, %d late; %d back", actNames[act], len(there), odd, late, len(back))
			}
		})
	}
}

// TestAGullibleReaderIsNoticed, and its test is told the seed.
func TestAGullibleReaderIsNoticed(t *testing.T) {
	for act := Pass; act < acts; act++ {
		synctest.Test(t, func(t *testing.T) {
			j := &judge{TB: t}
			converse(j, act, 77, false)
			if noticed := len(j.faults) > 0; noticed != (act >= Flip) {
				t.Errorf("%s: noticed %t", actNames[act], noticed)
			}
			if act >= Flip && !strings.Contains(j.faults[0], "seed 77") {
				t.Errorf("%s: it says %q", actNames[act], j.faults[0])
			}
		})
	}
}

// TestEveryBit: each frame follows all that it becomes.
func TestEveryBit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(t, NewScore(t, "test"), 1, Odds{})
		a.EveryBit(true)
		near, far := a.Channel(memory.New(memory.Options{}))
		ctx, stop := context.WithCancel(context.Background())
		ended, got := make(chan struct{}), map[string]int{}
		frame := []byte("\x03frame")
		go func() {
			defer close(ended)
			far.Receive(ctx, func(f []byte) error {
				if got[string(f)]++; bytes.Equal(f, frame) {
					return nil
				}
				return transport.ErrForged
			})
		}()
		if err := near.Send(ctx, frame); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		<-ended
		if want := len(frame)*8 + len(frame) - 1 + 1 + 1; len(got) != want || got[string(frame)] != 1 {
			t.Errorf("%d different frames, %d times its own, want %d and 1", len(got), got[string(frame)], want)
		}
	})
}
