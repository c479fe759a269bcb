// Package memstore keeps the relay's mailboxes in memory, for tests.
//
// It is the plainest thing that passes storetest: one lock, no durability.
//
// References: the contract is [kryptonite/internal/relay.Store].
package memstore

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

// Store implements [relay.Store]. Use [New].
type Store struct {
	mu      sync.Mutex
	deliver func(mailbox.Address, relay.Frame)
	boxes   map[mailbox.Address]*box
	seq     uint64
	bytes   int64 // with relay.FrameOverhead for each frame
	closed  bool
}

type box struct {
	read   time.Time
	frames []frame
	seen   map[mailbox.PostID]seen
}

type frame struct {
	relay.Frame
	at time.Time
}

type seen struct {
	body []byte
	at   time.Time
}

var _ relay.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{boxes: map[mailbox.Address]*box{}} }

// Watch implements [relay.Store].
func (s *Store) Watch(deliver func(mailbox.Address, relay.Frame)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliver = deliver
}

// Exists implements [relay.Store].
func (s *Store) Exists(_ context.Context, addr mailbox.Address) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, relay.ErrClosed
	}
	return s.boxes[addr] != nil, nil
}

// Create implements [relay.Store].
func (s *Store) Create(_ context.Context, addr mailbox.Address, now time.Time, most int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch b := s.boxes[addr]; {
	case s.closed:
		return false, relay.ErrClosed
	case b != nil:
		b.read = now
		return false, nil
	case len(s.boxes) >= most:
		return false, relay.ErrTooManyMailboxes
	}
	s.boxes[addr] = &box{read: now, seen: map[mailbox.PostID]seen{}}
	return true, nil
}

// Append implements [relay.Store].
func (s *Store) Append(_ context.Context, p relay.Post) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, relay.ErrClosed
	}
	b := s.boxes[p.To]
	if b == nil {
		return false, relay.ErrNoMailbox
	}
	if old, ok := b.seen[p.ID]; ok && p.At.Sub(old.at) < mailbox.IdempotencyWindow {
		if !bytes.Equal(old.body, p.Body) {
			return false, relay.ErrConflict
		}
		return true, nil
	}
	var size int64
	for _, f := range b.frames {
		size += int64(len(f.Body))
	}
	n := int64(len(p.Body))
	if len(b.frames) >= p.Quota.MailboxFrames || size+n > p.Quota.MailboxBytes {
		return false, relay.ErrMailboxFull
	}
	if s.bytes+n+relay.FrameOverhead > p.Quota.TotalBytes {
		return false, relay.ErrStoreFull
	}
	s.seq++
	s.bytes += n + relay.FrameOverhead
	f := relay.Frame{Seq: s.seq, Body: p.Body}
	b.frames = append(b.frames, frame{f, p.At})
	b.seen[p.ID] = seen{p.Body, p.At}
	if s.deliver != nil {
		s.deliver(p.To, f)
	}
	return false, nil
}

// Backlog implements [relay.Store].
func (s *Store) Backlog(_ context.Context, addr mailbox.Address, after uint64, maxFrames, maxBytes int) ([]relay.Frame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[addr]
	if s.closed {
		return nil, relay.ErrClosed
	}
	if b == nil {
		return nil, relay.ErrNoMailbox
	}
	var got []relay.Frame
	size := 0
	for _, f := range b.frames {
		if f.Seq <= after {
			continue
		}
		if size += len(f.Body); len(got) > 0 && (len(got) == maxFrames || size > maxBytes) {
			break
		}
		got = append(got, f.Frame)
	}
	return got, nil
}

// Ack implements [relay.Store].
func (s *Store) Ack(addr mailbox.Address, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[addr]; b != nil {
		s.remove(b, func(f frame) bool { return f.Seq == seq })
	}
}

// remove needs mu.
func (s *Store) remove(b *box, which func(frame) bool) (n int) {
	b.frames = slices.DeleteFunc(b.frames, func(f frame) bool {
		if !which(f) {
			return false
		}
		n++
		s.bytes -= int64(len(f.Body)) + relay.FrameOverhead
		return true
	})
	return n
}

// Touch implements [relay.Store].
func (s *Store) Touch(addr mailbox.Address, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boxes[addr]; b != nil {
		b.read = now
	}
}

// Delete implements [relay.Store].
func (s *Store) Delete(_ context.Context, addr mailbox.Address) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return relay.ErrClosed
	}
	if b := s.boxes[addr]; b != nil {
		s.remove(b, func(frame) bool { return true })
		delete(s.boxes, addr)
	}
	return nil
}

// Expire implements [relay.Store].
func (s *Store) Expire(_ context.Context, now, frames, unread time.Time) (relay.Expired, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return relay.Expired{}, relay.ErrClosed
	}
	var n relay.Expired
	for addr, b := range s.boxes {
		b.noLaterThan(now)
		if b.read.Before(unread) {
			n.Mailboxes++
			n.Frames += s.remove(b, func(frame) bool { return true })
			delete(s.boxes, addr)
			continue
		}
		n.Frames += s.remove(b, func(f frame) bool { return f.at.Before(frames) })
	}
	return n, nil
}

// noLaterThan makes times after now into now.
func (b *box) noLaterThan(now time.Time) {
	if b.read.After(now) {
		b.read = now
	}
	for i := range b.frames {
		if b.frames[i].at.After(now) {
			b.frames[i].at = now
		}
	}
	for id, old := range b.seen {
		if old.at.After(now) {
			b.seen[id] = seen{old.body, now}
		}
	}
}

// Close implements [relay.Store].
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
