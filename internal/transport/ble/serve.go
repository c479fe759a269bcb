package ble

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

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
	queue []*sending
	woken chan struct{} // holds one token when queue has grown
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
// ends, and says why it ended. The caller owns the port, and closes it then.
func (l *Link) Serve(ctx context.Context, p Port) error {
	c := l.join()
	defer l.leave(c)
	reads, writes := make(chan []byte), make(chan []byte)
	g, ctx := errgroup.WithContext(ctx)
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
		why := l.talk(ctx, c, p, reads, writes)
		close(writes)
		select {
		case <-written: // the last word, too
		case <-time.After(farewell):
		case <-ctx.Done():
		}
		return why
	})
	err := g.Wait()
	l.note(err)
	return err
}

// farewell is how long the last segments may take.
const farewell = 2 * time.Second

// talk owns the connection's state, until all is said.
func (l *Link) talk(ctx context.Context, c *conn, p Port, reads <-chan []byte, writes chan<- []byte) error {
	s := segment.New(time.Now(), start(), p.Most())
	tick := time.NewTimer(0)
	defer tick.Stop()
	var out []byte
	var current *sending // is on its way
	var ended error
	for {
		now := time.Now()
		s.SetMost(p.Most())
		if current == nil && ended == nil {
			if current = l.next(c); current != nil {
				if err := s.Send(current.frame); err != nil {
					l.note(err)
					current = nil
				}
			}
		}
		if out == nil {
			out = s.Next(now)
		}
		if ended != nil && out == nil {
			return ended
		}
		w := writes
		if out == nil {
			w = nil
		}
		if due := s.Due(); !due.IsZero() {
			tick.Reset(due.Sub(now))
		}
		var events []segment.Event
		select {
		case w <- out:
			out = nil
		case b := <-reads:
			events = s.Receive(time.Now(), b)
		case <-c.woken:
		case <-tick.C:
			events = s.Tick(time.Now())
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, e := range events {
			switch e := e.(type) {
			case segment.Arrived:
				if l.put(c, e.Frame) {
					s.Ack(e.ID)
				} else {
					s.Refuse(e.ID)
				}
			case segment.Taken:
				signal(current.taken)
				current = nil
			case segment.Failed:
				l.note(e.Err)
				current = nil
			case segment.Ended:
				ended = e.Err
			}
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
func (l *Link) join() *conn {
	c := &conn{woken: make(chan struct{}, 1)}
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
