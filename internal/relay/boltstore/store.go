package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

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
	_, ok := s.x.boxes[addr]
	return ok, nil
}

// Create implements [relay.Store].
func (s *Store) Create(ctx context.Context, addr mailbox.Address, now time.Time, most int) (bool, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false, relay.ErrClosed
	}
	if _, ok := s.x.boxes[addr]; ok {
		s.touch(addr, now)
		s.mu.Unlock()
		return false, nil
	}
	if len(s.x.boxes) >= most {
		s.mu.Unlock()
		return false, relay.ErrTooManyMailboxes
	}
	b := &box{read: millis(now)}
	s.x.boxes[addr] = b
	o := s.enqueue(&op{kind: opTouch, addr: addr, at: b.read, made: b, done: make(chan struct{})})
	s.mu.Unlock()
	return true, s.wait(ctx, o)
}

// Append implements [relay.Store].
func (s *Store) Append(ctx context.Context, p relay.Post) (bool, error) {
	d := digestOf(p.Body)
	o, repeated, err := s.accept(p, d)
	if err != nil || o == nil {
		return repeated, err
	}
	return repeated, s.wait(ctx, o)
}

// accept decides about p and queues it. For a repeat it returns the operation
// to wait for, nil if that is durable already.
func (s *Store) accept(p relay.Post, d digest) (o *op, repeated bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, relay.ErrClosed
	}
	b := s.x.boxes[p.To]
	if b == nil {
		return nil, false, relay.ErrNoMailbox
	}
	s.rotate(p.At)
	key := recordKey{p.To, p.ID}
	if r, ok := s.x.lookup(key); ok {
		if r.digest != d {
			return nil, false, relay.ErrConflict
		}
		return r.put, true, nil
	}
	if err := s.x.room(b, len(p.Body), p.Quota); err != nil {
		return nil, false, err
	}
	if s.seq == s.reserve {
		s.reserve += seqReserve
		s.enqueue(&op{kind: opReserve, seq: s.reserve})
	}
	s.seq++
	o = &op{
		kind: opPut, addr: p.To, id: p.ID, digest: d, seq: s.seq, at: millis(p.At),
		gen: s.x.current.start, body: p.Body, done: make(chan struct{}),
	}
	s.x.add(b, frameRef{seq: o.seq, at: o.at, size: len(o.body)})
	s.x.current.records[key] = record{digest: d, put: o}
	s.enqueue(o)
	if s.deliver != nil {
		s.deliver(p.To, relay.Frame{Seq: o.seq, Body: o.body})
	}
	return o, false, nil
}

// rotate needs mu.
func (s *Store) rotate(now time.Time) {
	if drop := s.x.rotate(millis(now)); drop != 0 {
		s.enqueue(&op{kind: opDrop, gen: drop})
	}
}

// Backlog implements [relay.Store]: it waits for the writer to have written
// what was accepted before, then reads the file.
func (s *Store) Backlog(ctx context.Context, addr mailbox.Address, after uint64, maxFrames, maxBytes int) ([]relay.Frame, error) {
	for {
		seqs, o, err := s.page(addr, after, maxFrames, maxBytes)
		if err != nil || len(seqs) == 0 {
			return nil, err
		}
		if err := s.wait(ctx, o); err != nil {
			return nil, err
		}
		var got []relay.Frame
		err = guard(func() error {
			return s.db.View(func(tx *bbolt.Tx) error {
				b := tx.Bucket(bucketFrames)
				for _, seq := range seqs {
					if v := b.Get(be(seq)); len(v) > frameHeader { // else acknowledged meanwhile
						got = append(got, relay.Frame{Seq: seq, Body: bytes.Clone(v[frameHeader:])})
					}
				}
				return nil
			})
		})
		if err != nil {
			return nil, fmt.Errorf("read relay store %s: %w", s.path, err)
		}
		if len(got) > 0 {
			return got, nil
		}
		after = seqs[len(seqs)-1]
	}
}

// page returns the sequence numbers of the next frames and an operation after
// which those are in the file.
func (s *Store) page(addr mailbox.Address, after uint64, maxFrames, maxBytes int) (seqs []uint64, o *op, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, relay.ErrClosed
	}
	b := s.x.boxes[addr]
	if b == nil {
		return nil, nil, relay.ErrNoMailbox
	}
	size := 0
	for _, f := range b.frames {
		if f.seq <= after {
			continue
		}
		if size += f.size; len(seqs) > 0 && (len(seqs) == maxFrames || size > maxBytes) {
			break
		}
		seqs = append(seqs, f.seq)
	}
	if len(seqs) == 0 {
		return nil, nil, nil
	}
	return seqs, s.enqueue(&op{kind: opBarrier, done: make(chan struct{})}), nil
}

// Ack implements [relay.Store].
func (s *Store) Ack(addr mailbox.Address, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.x.boxes[addr]; b != nil && !s.closed && s.x.remove(b, seq) {
		s.enqueue(&op{kind: opAck, addr: addr, seq: seq})
	}
}

// Touch implements [relay.Store].
func (s *Store) Touch(addr mailbox.Address, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.touch(addr, now)
	}
}

// touch needs mu.
func (s *Store) touch(addr mailbox.Address, now time.Time) {
	if b := s.x.boxes[addr]; b != nil && millis(now)-b.read >= touchGrain.Milliseconds() {
		b.read = millis(now)
		s.enqueue(&op{kind: opTouch, addr: addr, at: b.read})
	}
}

// Delete implements [relay.Store].
func (s *Store) Delete(ctx context.Context, addr mailbox.Address) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return relay.ErrClosed
	}
	// Queued even if it is not in the index: an earlier Delete may not be
	// durable yet.
	s.drop(addr)
	o := s.enqueue(&op{kind: opDelete, addr: addr, done: make(chan struct{})})
	s.mu.Unlock()
	return s.wait(ctx, o)
}

// drop removes the mailbox from the index and queues the end of its frames. It
// needs mu.
func (s *Store) drop(addr mailbox.Address) {
	b := s.x.boxes[addr]
	if b == nil {
		return
	}
	for _, f := range b.frames {
		s.enqueue(&op{kind: opAck, addr: addr, seq: f.seq})
	}
	s.x.removeBox(addr)
}

// Expire implements [relay.Store].
func (s *Store) Expire(ctx context.Context, now, frames, unread time.Time) (relay.Expired, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return relay.Expired{}, relay.ErrClosed
	}
	var n relay.Expired
	s.x.current.noLaterThan(millis(now))
	s.x.previous.noLaterThan(millis(now))
	for addr, b := range s.x.boxes {
		if b.noLaterThan(millis(now)) {
			s.enqueue(&op{kind: opTouch, addr: addr, at: b.read})
		}
		if b.read < millis(unread) {
			n.Mailboxes++
			n.Frames += len(b.frames)
			s.drop(addr)
			s.enqueue(&op{kind: opDelete, addr: addr})
			continue
		}
		var old []uint64
		for _, f := range b.frames {
			if f.at < millis(frames) {
				old = append(old, f.seq)
			}
		}
		for _, seq := range old {
			n.Frames++
			s.x.remove(b, seq)
			s.enqueue(&op{kind: opAck, addr: addr, seq: seq})
		}
	}
	if drop := s.x.forget(millis(frames)); drop != 0 {
		s.enqueue(&op{kind: opDrop, gen: drop})
	}
	o := s.enqueue(&op{kind: opBarrier, done: make(chan struct{})})
	s.mu.Unlock()
	return n, s.wait(ctx, o)
}
