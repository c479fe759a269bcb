package ble

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble/segment"
)

// A Port is one connection: what one end writes the other reads, whole, in any
// order, perhaps twice. Read and Write are each called by one goroutine.
type Port interface {
	// Read waits for the next segment of the other end. It belongs to the caller.
	Read(ctx context.Context) ([]byte, error)
	// Write hands a segment over, and waits while the radio takes no more.
	Write(ctx context.Context, segment []byte) error
	// Most is how many bytes one Write can have: the MTU less 3.
	Most() int
}

// conn is one connection. The Link's mu guards it.
type conn struct {
	queue  []*sending
	woken  chan struct{} // holds one token when queue has grown
	bad    int           // frames in a row that were not the other side's
	forged chan struct{} // holds one token when those are too many
	opened func()        // called when a frame was the other side's
}

// enqueue needs mu. Of too many, those go first that nobody waits for.
func (c *conn) enqueue(s *sending) {
	if len(c.queue) >= maxQueue {
		if i := slices.IndexFunc(c.queue, func(s *sending) bool { return s.state != wanted }); i >= 0 {
			c.queue = slices.Delete(c.queue, i, i+1)
		}
	}
	c.queue = append(c.queue, s)
	signal(c.woken)
}

// next returns the frame that is to go over c now, or nil.
func (l *Link) next(c *conn) *sending {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(c.queue) > 0 {
		s := c.queue[0]
		c.queue = c.queue[1:]
		if s.state != abandoned {
			return s
		}
	}
	return nil
}

// Serve drives one connection until it breaks, the other end leaves, or ctx
// ends, and says why it ended; transport.ErrForged: three frames in a row were not
// the other side's. When ctx ends, the other end is told. The caller owns the port,
// and closes it then.
func (l *Link) Serve(ctx context.Context, p Port) error { return l.serve(ctx, p, nil, func() {}) }

// Answer is Serve for an end that says hello only to one that has said so: hello,
// which was read from p. What a computer writes, other centrals may read. opened is
// called by Receive for each frame of p that was the other side's.
func (l *Link) Answer(ctx context.Context, p Port, hello []byte, opened func()) error {
	return l.serve(ctx, p, hello, opened)
}

func (l *Link) serve(outer context.Context, p Port, hello []byte, opened func()) error {
	c := l.join(opened)
	defer l.leave(c)
	reads, writes := make(chan []byte), make(chan []byte)
	g, ctx := errgroup.WithContext(context.WithoutCancel(outer)) // the last word takes a moment
	g.Go(func() error {
		for {
			b, err := p.Read(ctx)
			if err != nil {
				return fmt.Errorf("read a segment: %w", err)
			}
			select {
			case reads <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	written := make(chan struct{})
	g.Go(func() error {
		defer close(written)
		for {
			select {
			case b, more := <-writes:
				if !more {
					return nil
				}
				if err := p.Write(ctx, b); err != nil {
					return fmt.Errorf("write a segment: %w", err)
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	g.Go(func() error {
		t := talk{l: l, c: c, p: p, s: segment.New(time.Now(), start(), p.Most()), leave: outer.Done()}
		if hello != nil {
			t.take(t.s.Receive(time.Now(), hello))
		}
		why := t.run(ctx, reads, writes)
		if outer.Err() != nil {
			why = outer.Err()
		}
		close(writes)
		select {
		case <-written: // the last word, too
		case <-time.After(farewell):
		case <-ctx.Done():
		}
		return why
	})
	err := g.Wait()
	if !errors.Is(err, segment.ErrLeft) { // all was said
		l.note(err)
	}
	return err
}

// farewell is how long the last segments may take.
const farewell = 2 * time.Second

// talk owns the state of one connection.
type talk struct {
	l *Link
	c *conn
	p Port
	s *segment.Conn

	leave   <-chan struct{}  // closed when this end is to say farewell
	late    <-chan time.Time // when that has taken too long
	current *sending         // is on its way
	ended   error
}

// run goes on until all is said.
func (t *talk) run(ctx context.Context, reads <-chan []byte, writes chan<- []byte) error {
	tick := time.NewTimer(0)
	defer tick.Stop()
	var out []byte
	for {
		now := time.Now()
		t.s.SetMost(t.p.Most())
		t.begin()
		if out == nil {
			out = t.s.Next(now)
		}
		if t.ended != nil && out == nil {
			return t.ended
		}
		w := writes
		if out == nil {
			w = nil
		}
		if due := t.s.Due(); !due.IsZero() {
			tick.Reset(due.Sub(now))
		}
		select {
		case w <- out:
			out = nil
		case b := <-reads:
			t.take(t.s.Receive(time.Now(), b))
		case <-t.c.woken:
		case <-tick.C:
			t.take(t.s.Tick(time.Now()))
		case <-t.c.forged:
			return transport.ErrForged
		case <-t.leave:
			t.leave, t.late = nil, time.After(farewell)
			t.s.Close(segment.Done)
			t.ended = segment.ErrClosed
		case <-t.late:
			return t.ended
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin puts the next frame on its way, if none is.
func (t *talk) begin() {
	if t.current != nil || t.ended != nil {
		return
	}
	if t.current = t.l.next(t.c); t.current == nil {
		return
	}
	if err := t.s.Send(t.current.frame); err != nil {
		t.l.note(err)
		t.current = nil
	}
}

func (t *talk) take(events []segment.Event) {
	for _, e := range events {
		switch e := e.(type) {
		case segment.Arrived:
			if t.l.put(t.c, e.Frame) {
				t.s.Ack(e.ID)
			} else {
				t.s.Refuse(e.ID)
			}
		case segment.Taken:
			signal(t.current.taken)
			t.current = nil
		case segment.Failed:
			t.l.note(e.Err)
			t.current = nil
		case segment.Ended:
			t.ended = e.Err
		}
	}
}

// start draws a name for a new life; of four random bytes, never all zeros.
func start() (s segment.Start) {
	rand.Read(s[:]) // never fails
	s[3] |= 1
	return s
}

// join makes a connection, for which all waits that no other has taken.
func (l *Link) join(opened func()) *conn {
	c := &conn{woken: make(chan struct{}, 1), forged: make(chan struct{}, 1), opened: opened}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	for _, s := range l.waiting {
		c.enqueue(s)
	}
	return c
}

func (l *Link) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = slices.DeleteFunc(l.conns, func(o *conn) bool { return o == c })
}
