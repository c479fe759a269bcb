// Package boltstore keeps the relay's mailboxes in one bbolt file.
//
// Decisions (does the mailbox exist, is it full, is this a repeat) are made at
// once in an index in memory. One writer goroutine then commits everything that
// came in since its last commit in a single transaction, fsyncs, and answers all
// who wait: under load many frames share one fsync. Acknowledgements wait up to
// 50 ms for a frame to travel with. A frame that is acknowledged before its
// commit is never written; only its idempotency record is.
//
// The file's buckets:
//
//	meta       "format" → 1; "seq" → sequence numbers up to here may be in use
//	mailboxes  address(16) → last read, unix ms (8)
//	frames     seq(8) → address(16) ‖ appended, unix ms (8) ‖ frame
//	records    generation's start, unix ms (8) → bucket:
//	               seq(8) → address(16) ‖ idempotency key(16) ‖ SHA-256(frame)[:16]
//
// All numbers are big-endian. Keys grow with time, so a commit touches few pages. A damaged file is reported by name and left
// alone, never repaired or replaced.
package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

const (
	format     = 1
	linger     = 50 * time.Millisecond // how long acknowledgements wait for company
	retryPause = time.Second           // after a failed commit, before acknowledgements are tried again
	wakeAt     = 4096                  // operations that are committed without waiting for more
	seqReserve = 1 << 20               // sequence numbers reserved at a time
	touchGrain = time.Hour             // reads closer together than this are not written
)

// frameHeader stands before each frame in the file: address and time, bytes.
const frameHeader = mailbox.AddressSize + 8

var (
	bucketMeta      = []byte("meta")
	bucketMailboxes = []byte("mailboxes")
	bucketFrames    = []byte("frames")
	bucketRecords   = []byte("records")
	keyFormat       = []byte("format")
	keySeq          = []byte("seq")
)

// Options for Open; the zero value is good.
type Options struct {
	Logger   *slog.Logger  // nil: discard
	LockWait time.Duration // how long to wait for another program's lock; 0: one second
}

// Store implements [relay.Store].
type Store struct {
	path string
	db   *bbolt.DB
	log  *slog.Logger
	done chan struct{} // closed when the writer has returned
	wake chan struct{} // holds a token when the writer has something to look at

	mu      sync.Mutex
	deliver func(mailbox.Address, relay.Frame)
	x       index
	seq     uint64 // last used
	reserve uint64 // numbers up to here are reserved, once the queue is committed
	queue   []*op
	urgent  bool // somebody waits for something in queue
	closed  bool
}

var _ relay.Store = (*Store)(nil)

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
	create bool // opTouch that made the mailbox

	done chan struct{} // nil: nobody waits
	err  error         // read after done; before, the writer's alone
}

// Open opens the file at path, or makes it with mode 0600. A file that another
// process has open, that is damaged, or that is not a relay's store is an error
// that names it.
func Open(path string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LockWait <= 0 {
		o.LockWait = time.Second
	}
	s := &Store{
		path: path,
		log:  o.Logger,
		done: make(chan struct{}),
		wake: make(chan struct{}, 1),
		x:    newIndex(),
	}
	_, statErr := os.Stat(path)
	fresh := errors.Is(statErr, fs.ErrNotExist)
	if err := guard(func() error { return s.open(o.LockWait) }); err != nil {
		if s.db != nil {
			_ = guard(s.db.Close)
		}
		return nil, s.openError(err)
	}
	if fresh {
		if err := syncDir(filepath.Dir(path)); err != nil {
			_ = s.db.Close()
			return nil, s.openError(err)
		}
	}
	go s.write()
	return s, nil
}

func (s *Store) openError(err error) error {
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("relay store %s is in use by another process (is kr-relay running already?)", s.path)
	case errors.As(err, &pathErr):
		return fmt.Errorf("open relay store: %w", err)
	}
	return fmt.Errorf("relay store %s is damaged or is no relay store; it was left as it is, move it away to start with an empty one: %w", s.path, err)
}

// open loads the whole index; it may panic on a damaged file.
func (s *Store) open(lockWait time.Duration) error {
	db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{
		Timeout:         lockWait,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 64 << 20,
	})
	if err != nil {
		return err
	}
	s.db = db
	empty, err := s.check()
	if err != nil {
		return err
	}
	if empty {
		return db.Update(func(tx *bbolt.Tx) error {
			for _, name := range [][]byte{bucketMeta, bucketMailboxes, bucketFrames, bucketRecords} {
				if _, err := tx.CreateBucket(name); err != nil {
					return err
				}
			}
			return tx.Bucket(bucketMeta).Put(keyFormat, be(format))
		})
	}
	return db.View(s.load)
}

// check reports whether the file is a database without any buckets, and
// refuses files shorter than their own header says.
func (s *Store) check() (empty bool, err error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return false, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("file has %d bytes, its header says %d", info.Size(), tx.Size())
		}
		k, _ := tx.Cursor().First()
		empty = k == nil
		return nil
	})
	return empty, err
}

func (s *Store) load(tx *bbolt.Tx) error {
	meta, boxes, frames, records := tx.Bucket(bucketMeta), tx.Bucket(bucketMailboxes), tx.Bucket(bucketFrames), tx.Bucket(bucketRecords)
	if meta == nil || boxes == nil || frames == nil || records == nil {
		return errors.New("its buckets are missing")
	}
	if v, ok := number(meta.Get(keyFormat)); !ok || v != format {
		return fmt.Errorf("its format is %d, this program knows %d", v, format)
	}
	s.seq, _ = number(meta.Get(keySeq))
	err := boxes.ForEach(func(k, v []byte) error {
		read, ok := number(v)
		if len(k) != mailbox.AddressSize || !ok {
			return errors.New("a mailbox entry has the wrong size")
		}
		s.x.boxes[mailbox.Address(k)] = &box{read: int64(read)}
		return nil
	})
	if err != nil {
		return err
	}
	err = frames.ForEach(func(k, v []byte) error {
		seq, ok := number(k)
		if !ok || len(v) <= frameHeader || len(v) > frameHeader+mailbox.MaxFrame {
			return errors.New("a frame entry has the wrong size")
		}
		b := s.x.boxes[mailbox.Address(v[:mailbox.AddressSize])]
		if b == nil {
			return errors.New("a frame has no mailbox")
		}
		f := frameRef{
			seq:  seq,
			at:   int64(binary.BigEndian.Uint64(v[mailbox.AddressSize:])),
			size: len(v) - frameHeader,
		}
		s.x.add(b, f)
		s.seq = max(s.seq, f.seq)
		return nil
	})
	if err != nil {
		return err
	}
	s.reserve = s.seq
	// Generations come in the order of their start; only the newest two count,
	// and the next rotation's drop removes all older ones.
	return records.ForEachBucket(func(k []byte) error {
		start, ok := number(k)
		if !ok {
			return errors.New("a record generation has the wrong name")
		}
		g := generation{start: int64(start), records: map[recordKey]record{}}
		err := records.Bucket(k).ForEach(func(k, v []byte) error {
			const ids = mailbox.AddressSize + mailbox.PostIDSize
			if len(k) != 8 || len(v) != ids+len(digest{}) {
				return errors.New("an idempotency record has the wrong size")
			}
			key := recordKey{mailbox.Address(v[:mailbox.AddressSize]), mailbox.PostID(v[mailbox.AddressSize:ids])}
			g.records[key] = record{digest: digest(v[ids:])}
			return nil
		})
		s.x.previous, s.x.current = s.x.current, g
		return err
	})
}

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
	s.x.boxes[addr] = &box{read: millis(now)}
	o := s.enqueue(&op{kind: opTouch, addr: addr, at: millis(now), create: true, done: make(chan struct{})})
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
func (s *Store) Expire(ctx context.Context, frames, unread time.Time) (relay.Expired, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return relay.Expired{}, relay.ErrClosed
	}
	var n relay.Expired
	for addr, b := range s.x.boxes {
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
	o := s.enqueue(&op{kind: opBarrier, done: make(chan struct{})})
	s.mu.Unlock()
	return n, s.wait(ctx, o)
}

// Close implements [relay.Store].
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return nil
	}
	s.closed = true
	s.signal()
	s.mu.Unlock()
	<-s.done
	if err := guard(s.db.Close); err != nil {
		return fmt.Errorf("close relay store %s: %w", s.path, err)
	}
	return nil
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
		err := s.commit(batch)
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
		return s.db.Update(func(tx *bbolt.Tx) error {
			for _, o := range batch {
				if err := apply(tx, o, acked); err != nil {
					return err
				}
			}
			return nil
		})
	})
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
		if !o.create && boxes.Get(o.addr[:]) == nil {
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
		case o.kind == opTouch && o.create:
			s.drop(o.addr)
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

// guard turns a panic of bbolt, and a fault in the mapped file, into an error:
// both mean that the file is not what bbolt wrote.
func guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	return f()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func be(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func number(b []byte) (uint64, bool) {
	if len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}
