// Package transporttest holds the suite that every Link must pass.
//
// A Link's own test calls [Run] with a function that makes a fresh pair of
// connected Links. The suite asks only for what [transport.Link] promises: it
// accepts repeats and any order, and never sleeps to see that something has
// happened.
//
// References: [kr-protocol] docs/protocol.md §5.
package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/transport"
)

// patience is how long the suite waits for something that must happen.
const patience = 20 * time.Second

// prompt is how long a cancelled call may take to return.
const prompt = 3 * time.Second

// Option widens the suite.
type Option func(*config)

type config struct{ stores, bubble bool }

// Stores adds the tests for Links that keep frames while the receiver is away.
func Stores() Option { return func(c *config) { c.stores = true } }

// Bubble runs each test, and pair, in a bubble of testing/synctest, for Links
// that use no network and keep somebody waiting.
func Bubble() Option { return func(c *config) { c.bubble = true } }

// Run runs the suite. pair returns two ends of a new link, ready to use; it
// registers its own clean-up with t.
func Run(t *testing.T, pair func(t *testing.T) (a, b transport.Link), opts ...Option) {
	var c config
	for _, o := range opts {
		o(&c)
	}
	tests := []struct {
		name   string
		stores bool
		run    func(*testing.T, transport.Link, transport.Link)
	}{
		{"DeliversBothWays", false, deliversBothWays},
		{"SmallestAndLargestFrame", false, smallestAndLargest},
		{"RefusesEmptyAndOversizeFrames", false, refusesSizes},
		{"RefusedFrameComesAgain", false, refusedComesAgain},
		{"RefusedFrameDoesNotBlockOthers", false, refusedDoesNotBlock},
		{"AcknowledgedFrameDoesNotComeAgain", false, acknowledgedStaysAway},
		{"ForgedFrameDoesNotComeAgain", false, forgedStaysAway},
		{"ReceiveEndsWithItsContext", false, receiveEnds},
		{"SendEndsWithItsContext", false, sendEnds},
		{"ConcurrentSendsAllArriveOneAtATime", false, concurrentSends},
		{"FrameBelongsToHandle", false, frameBelongsToHandle},
		{"SendKeepsNothingOfTheFrame", false, sendKeepsNothing},
		{"HasNameAndStatus", false, nameAndStatus},
		{"FramesWaitForAnAbsentReceiver", true, framesWait},
	}
	for _, test := range tests {
		if test.stores && !c.stores {
			continue
		}
		run := func(t *testing.T) {
			a, b := pair(t)
			test.run(t, a, b)
		}
		if c.bubble {
			outside := run
			run = func(t *testing.T) { synctest.Test(t, outside) }
		}
		t.Run(test.name, run)
	}
}

// inbox runs Receive on one Link and keeps what came.
type inbox struct {
	t      *testing.T
	stop   context.CancelFunc
	ended  chan error
	frames chan string
}

// receive starts Receive; answer decides about each frame (nil: take all).
func receive(t *testing.T, l transport.Link, answer func(frame []byte) error) *inbox {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	in := &inbox{t: t, stop: cancel, ended: make(chan error, 1), frames: make(chan string, 10_000)}
	go func() {
		in.ended <- l.Receive(ctx, func(frame []byte) error {
			var err error
			if answer != nil {
				err = answer(frame)
			}
			in.frames <- string(frame)
			return err
		})
	}()
	t.Cleanup(in.end)
	return in
}

func (in *inbox) end() {
	in.t.Helper()
	in.stop()
	select {
	case err := <-in.ended:
		if !errors.Is(err, context.Canceled) {
			in.t.Errorf("Receive = %v, want context.Canceled", err)
		}
		in.ended <- err
	case <-time.After(patience):
		in.t.Error("Receive did not return after its context ended")
	}
}

// want waits until each of the frames came at least once; others are ignored.
func (in *inbox) want(frames ...string) {
	in.t.Helper()
	missing := map[string]bool{}
	for _, f := range frames {
		missing[f] = true
	}
	deadline := time.After(patience)
	for len(missing) > 0 {
		select {
		case f := <-in.frames:
			delete(missing, f)
		case <-deadline:
			in.t.Fatalf("%d of %d frames did not arrive", len(missing), len(frames))
		}
	}
}

func send(t *testing.T, l transport.Link, frame string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.Send(ctx, []byte(frame)); err != nil {
		t.Fatalf("Send of %d bytes: %v", len(frame), err)
	}
}

func deliversBothWays(t *testing.T, a, b transport.Link) {
	ina, inb := receive(t, a, nil), receive(t, b, nil)
	send(t, a, "to b")
	send(t, b, "to a")
	ina.want("to a")
	inb.want("to b")
}

func smallestAndLargest(t *testing.T, a, b transport.Link) {
	in := receive(t, b, nil)
	large := bytes.Repeat([]byte("0123456789abcdef"), transport.MaxFrame/16)
	send(t, a, "1")
	send(t, a, string(large))
	send(t, a, "\x00")
	in.want("1", string(large), "\x00")
}

func refusesSizes(t *testing.T, a, b transport.Link) {
	in := receive(t, b, nil)
	for _, n := range []int{0, transport.MaxFrame + 1} {
		if err := a.Send(context.Background(), make([]byte, n)); !errors.Is(err, transport.ErrTooLarge) {
			t.Errorf("Send of %d bytes = %v, want ErrTooLarge", n, err)
		}
	}
	send(t, a, "after")
	in.want("after")
}

func refusedComesAgain(t *testing.T, a, b transport.Link) {
	var calls atomic.Int32
	in := receive(t, b, func([]byte) error {
		if calls.Add(1) < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	send(t, a, "stubborn")
	for range 3 {
		in.want("stubborn")
	}
}

func refusedDoesNotBlock(t *testing.T, a, b transport.Link) {
	in := receive(t, b, func(frame []byte) error {
		if string(frame) == "poison" {
			return errors.New("never")
		}
		return nil
	})
	send(t, a, "poison")
	in.want("poison")
	send(t, a, "good")
	in.want("good")
}

func acknowledgedStaysAway(t *testing.T, a, b transport.Link) {
	in := receive(t, b, nil)
	send(t, a, "first")
	in.want("first")
	send(t, a, "second")
	in.want("second") // now "first" is acknowledged: handle runs one call at a time
	in.end()

	again := receive(t, b, func(frame []byte) error {
		if string(frame) == "first" {
			t.Error("an acknowledged frame came again")
		}
		return nil
	})
	send(t, a, "third")
	again.want("third")
}

// forgedStaysAway: a frame that is said to be forged is done with, and those after
// it come.
func forgedStaysAway(t *testing.T, a, b transport.Link) {
	in := receive(t, b, func(frame []byte) error {
		if string(frame) == "forged" {
			return transport.ErrForged
		}
		return nil
	})
	send(t, a, "forged")
	in.want("forged")
	send(t, a, "second")
	in.want("second")
	in.end()

	again := receive(t, b, func(frame []byte) error {
		if string(frame) == "forged" {
			t.Error("a forged frame came again")
		}
		return nil
	})
	send(t, a, "third")
	again.want("third")
}

func receiveEnds(t *testing.T, a, b transport.Link) {
	in := receive(t, b, nil)
	send(t, a, "up")
	in.want("up")
	start := time.Now()
	in.end()
	if took := time.Since(start); took > prompt {
		t.Errorf("Receive took %v to end", took)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Receive(ended, func([]byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive with an ended context = %v", err)
	}
}

func sendEnds(t *testing.T, a, b transport.Link) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	start := time.Now()
	if err := a.Send(ended, []byte("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("Send with an ended context = %v", err)
	}
	if took := time.Since(start); took > prompt {
		t.Errorf("Send took %v to end", took)
	}
}

func concurrentSends(t *testing.T, a, b transport.Link) {
	const senders, each = 8, 12
	var inside, most atomic.Int32
	in := receive(t, b, func([]byte) error {
		if n := inside.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer inside.Add(-1)
		return nil
	})
	var all []string
	var wg sync.WaitGroup
	for s := range senders {
		for i := range each {
			all = append(all, fmt.Sprintf("frame %d of sender %d", i, s))
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for i := range each {
				if err := a.Send(ctx, fmt.Appendf(nil, "frame %d of sender %d", i, s)); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	wg.Wait()
	in.want(all...)
	if n := most.Load(); n > 1 {
		t.Errorf("handle was called %d times at once", n)
	}
}

func frameBelongsToHandle(t *testing.T, a, b transport.Link) {
	var kept [][]byte
	done := make(chan struct{})
	in := receive(t, b, func(frame []byte) error {
		kept = append(kept, frame)
		if len(kept) == 2 {
			close(done)
		}
		return nil
	})
	send(t, a, "keep me")
	in.want("keep me")
	send(t, a, "and me!")
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("second frame did not arrive")
	}
	if string(kept[0]) != "keep me" {
		t.Errorf("a kept frame became %q", kept[0])
	}
}

func sendKeepsNothing(t *testing.T, a, b transport.Link) {
	frame := []byte("original")
	if err := a.Send(context.Background(), frame); err != nil {
		t.Fatal(err)
	}
	copy(frame, "OVERRIDE")
	receive(t, b, nil).want("original")
}

func nameAndStatus(t *testing.T, a, b transport.Link) {
	if a.Name() == "" || a.Name() != b.Name() {
		t.Errorf("names are %q and %q", a.Name(), b.Name())
	}
	in := receive(t, b, nil)
	send(t, a, "one")
	in.want("one")
	if s := b.Status(); !s.Connected || s.LastOK.IsZero() {
		t.Errorf("Status while receiving = %+v", s)
	}
	if s := a.Status(); s.LastOK.IsZero() || s.LastError != nil {
		t.Errorf("Status after Send = %+v", s)
	}
	in.end()
	if s := b.Status(); s.Connected {
		t.Errorf("Status after Receive = %+v", s)
	}
}

func framesWait(t *testing.T, a, b transport.Link) {
	send(t, a, "one")
	send(t, a, "two")
	in := receive(t, b, nil)
	in.want("one", "two")
	in.end()
	send(t, a, "three")
	receive(t, b, nil).want("three")
}
