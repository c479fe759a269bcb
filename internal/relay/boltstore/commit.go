package boltstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

type kind int

const (
	opPut kind = iota
	opAck
	opTouch // also creates
	opDelete
	opDrop    // a generation of records
	opReserve // sequence numbers
	opBarrier
)

// op is one change on its way to the file.
type op struct {
	kind   kind
	addr   mailbox.Address
	id     mailbox.PostID
	digest digest
	seq    uint64
	at     int64 // unix ms; for opPut the frame's
	gen    int64 // start of the generation, for opPut and opDrop
	body   []byte
	made   *box // by opTouch, in the index; nil: it was there

	done chan struct{} // nil: nobody waits
	err  error         // read after done; before, the writer's alone
}

// enqueue needs mu.
func (s *Store) enqueue(o *op) *op {
	s.queue = append(s.queue, o)
	s.urgent = s.urgent || o.done != nil
	if o.done != nil || len(s.queue) == 1 || len(s.queue) == wakeAt {
		s.signal()
	}
	return o
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) wait(ctx context.Context, o *op) error {
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the writer goroutine; it ends when the store is closed and nothing
// is left to commit.
func (s *Store) write() {
	defer close(s.done)
	pause := time.NewTimer(linger)
	defer pause.Stop()
	for {
		s.mu.Lock()
		due := s.urgent || s.closed || len(s.queue) >= wakeAt
		idle := len(s.queue) == 0
		if idle && s.closed {
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if idle {
			<-s.wake
			continue
		}
		if !due { // acknowledgements only: let them wait for company
			pause.Reset(linger)
			for !due {
				select {
				case <-pause.C:
					due = true
				case <-s.wake:
					s.mu.Lock()
					due = s.urgent || s.closed || len(s.queue) >= wakeAt
					s.mu.Unlock()
				}
			}
		}
		s.mu.Lock()
		batch := s.queue
		s.queue, s.urgent = nil, false
		closed := s.closed
		s.mu.Unlock()
		fault.Point("relay.store.commit")
		err := s.commit(batch)
		fault.Point("relay.store.committed")
		s.finish(batch, err)
		if err != nil && !closed {
			s.log.Error("relay store did not commit", "file", s.path, "operations", len(batch), "error", err)
			pause.Reset(retryPause)
			for waiting := true; waiting; {
				select {
				case <-pause.C:
					waiting = false
				case <-s.wake: // somebody waits: try again at once
					s.mu.Lock()
					waiting = !s.urgent && !s.closed
					s.mu.Unlock()
				}
			}
		}
	}
}

func (s *Store) commit(batch []*op) error {
	acked := map[uint64]bool{}
	changes := false
	for _, o := range batch {
		if o.kind == opAck {
			acked[o.seq] = true
		}
		changes = changes || o.kind != opBarrier
	}
	if !changes {
		return nil
	}
	return guard(func() error {
		return s.committed(batch, func() error {
			return s.db.Update(func(tx *bbolt.Tx) error {
				for _, o := range batch {
					if err := apply(tx, o, acked); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// committed runs update, which commits batch.
func (s *Store) committed(batch []*op, update func() error) error {
	if s.options.around != nil {
		return s.options.around(batch, update)
	}
	return update()
}

func apply(tx *bbolt.Tx, o *op, acked map[uint64]bool) error {
	switch o.kind {
	case opPut:
		if tx.Bucket(bucketMailboxes).Get(o.addr[:]) == nil { // its creation failed, or it was deleted
			o.err = relay.ErrNoMailbox
			return nil
		}
		gen, err := tx.Bucket(bucketRecords).CreateBucketIfNotExists(be(uint64(o.gen)))
		if err != nil {
			return err
		}
		v := make([]byte, 0, mailbox.AddressSize+mailbox.PostIDSize+len(o.digest))
		v = append(append(append(v, o.addr[:]...), o.id[:]...), o.digest[:]...)
		if err := gen.Put(be(o.seq), v); err != nil {
			return err
		}
		if acked[o.seq] {
			return nil
		}
		v = make([]byte, 0, frameHeader+len(o.body))
		v = append(binary.BigEndian.AppendUint64(append(v, o.addr[:]...), uint64(o.at)), o.body...)
		return tx.Bucket(bucketFrames).Put(be(o.seq), v)
	case opAck:
		return tx.Bucket(bucketFrames).Delete(be(o.seq))
	case opTouch:
		boxes := tx.Bucket(bucketMailboxes)
		if o.made == nil && boxes.Get(o.addr[:]) == nil {
			return nil
		}
		return boxes.Put(o.addr[:], be(uint64(o.at)))
	case opDelete:
		return tx.Bucket(bucketMailboxes).Delete(o.addr[:])
	case opDrop:
		records := tx.Bucket(bucketRecords)
		var old [][]byte // this generation and, after a crash, older ones
		c := records.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if start, ok := number(k); ok && int64(start) <= o.gen {
				old = append(old, append([]byte(nil), k...))
			}
		}
		for _, k := range old {
			if err := records.DeleteBucket(k); err != nil {
				return err
			}
		}
		return nil
	case opReserve:
		return tx.Bucket(bucketMeta).Put(keySeq, be(o.seq))
	case opBarrier:
		return nil
	}
	panic("boltstore: bug: unknown operation")
}

// finish brings the index in line with what happened and answers who waits.
// Of a failed batch, new frames and new mailboxes are taken back; the rest has
// happened as far as anybody can see, and is queued again.
func (s *Store) finish(batch []*op, err error) {
	s.mu.Lock()
	var again []*op
	for _, o := range batch {
		switch {
		case o.kind == opPut:
			s.settle(o, err == nil && o.err == nil)
		case err == nil, o.kind == opBarrier:
		case o.kind == opTouch && o.made != nil:
			if s.x.boxes[o.addr] == o.made { // else it was deleted, and perhaps made again, meanwhile
				s.drop(o.addr)
			}
		default:
			again = append(again, &op{kind: o.kind, addr: o.addr, seq: o.seq, at: o.at, gen: o.gen})
		}
	}
	if len(again) > 0 && !s.closed {
		s.queue = append(again, s.queue...)
	}
	s.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("write relay store %s: %w", s.path, err)
	}
	for _, o := range batch {
		o.body = nil
		if err != nil {
			o.err = err
		}
		if o.done != nil {
			close(o.done)
		}
	}
}

// settle notes that a frame is durable, or takes it back. It needs mu.
func (s *Store) settle(o *op, durable bool) {
	key := recordKey{o.addr, o.id}
	for _, g := range []*generation{&s.x.current, &s.x.previous} {
		r, ok := g.records[key]
		switch {
		case !ok || r.put != o:
		case durable:
			g.records[key] = record{digest: r.digest}
		default:
			delete(g.records, key)
		}
	}
	if b := s.x.boxes[o.addr]; b != nil && !durable {
		s.x.remove(b, o.seq)
	}
}
