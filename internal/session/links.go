package session

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/transport"
	"kryptonite/internal/wire"
)

// maxSeq bounds the numbers of addresses: every reader of JSON keeps what is less.
const maxSeq = 1 << 53

// remindAfter is how long after a hello a phone that seems not to have taken its
// addresses is told them again.
const remindAfter = time.Hour

// Addresses are where the computer listens. They are numbered: the phone takes a
// list only if its number is higher than that of the last. [kr-protocol] §5.1.
type Addresses struct {
	Seq  int64 // 0: those of the pairing, which are told to nobody
	List []wire.Address
}

// SetLinks makes links the ones that are used from now on. Those that were there
// before go on undisturbed. If the number of addresses is new, the phone is told.
func (s *Session) SetLinks(links []transport.Link, at Addresses) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = slices.Clone(links)
	if at.Seq != s.addrs.Seq {
		s.tell = true
		if s.hello != nil && s.hello.frame != nil {
			s.hello = nil // it has the old ones
		}
	}
	s.addrs = at
	close(s.changed)
	s.changed = make(chan struct{})
}

// whereabouts is what a hello says of the computer: nothing, if the phone has it
// from the pairing. The caller holds mu.
func (s *Session) whereabouts() *wire.MeRequest {
	if s.addrs.Seq == 0 {
		return &wire.MeRequest{}
	}
	return &wire.MeRequest{Addresses: s.addrs.List, AddressesSeq: s.addrs.Seq}
}

// linkList is the links of now; the slice is not changed any more.
func (s *Session) linkList() []transport.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links
}

// keepLinks receives on the links there are, by goroutines of g, and tells the phone
// when there are others.
func (s *Session) keepLinks(ctx context.Context, g *errgroup.Group) error {
	running := map[transport.Link]context.CancelFunc{}
	for {
		s.mu.Lock()
		links, changed, tell := s.links, s.changed, s.tell
		s.tell = false
		s.mu.Unlock()
		for l, stop := range running {
			if !slices.Contains(links, l) {
				stop()
				delete(running, l)
			}
		}
		for _, l := range links {
			if running[l] != nil {
				continue
			}
			on, stop := context.WithCancel(ctx)
			running[l] = stop
			g.Go(func() error {
				defer stop()
				err := l.Receive(on, func(frame []byte) error { return s.receive(l.Name(), frame) })
				if ctx.Err() == nil && (on.Err() != nil || !slices.Contains(s.linkList(), l)) {
					return nil // the link was given up, and what is behind it may be gone already
				}
				return err
			})
		}
		if tell {
			s.sayHello(ctx, nil)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// told takes what a response says of our addresses: the number of the newest list
// that the phone took, and, in the ack of a hello, where it listens. An error: that
// could not be made durable, and the response comes again.
func (s *Session) told(r *wire.Response, h wire.Header) error {
	var at []wire.Address
	s.mu.Lock()
	ours, fresh := s.addrs.Seq, false
	_, waits := s.waiting[r.ID]
	switch {
	case r.AddressesSeq < 0 || r.AddressesSeq >= maxSeq:
	case h == wire.HeaderSession:
		if fresh = s.hello != nil && s.hello.frame != nil && s.hello.id == r.ID && r.AddressesSeq > 0; fresh {
			at = r.Ack.Addresses
		}
	case !waits: // late, or repeated by anyone
	case r.AddressesSeq < ours && time.Since(s.reminded) > remindAfter:
		// The hello was lost, or the phone is a restored copy.
		s.reminded, s.tell = time.Now(), true
		close(s.changed)
		s.changed = make(chan struct{})
	case r.AddressesSeq > ours: // we are one
		fresh = true
	}
	s.mu.Unlock()
	if !fresh || s.cfg.Told == nil {
		return nil
	}
	if err := s.cfg.Told(r.AddressesSeq, at); err != nil {
		return fmt.Errorf("session: addresses: %w", err)
	}
	return nil
}
