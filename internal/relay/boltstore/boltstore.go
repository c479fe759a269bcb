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
//	records    generation's start, unix ms, or a greater number (8) → bucket:
//	               seq(8) → address(16) ‖ idempotency key(16) ‖ SHA-256(frame)[:16]
//
// All numbers are big-endian. Keys grow with time, so a commit touches few pages.
// A damaged file is reported by name and left alone, never repaired or replaced.
//
// [Open] compacts a file that is mostly free pages. [Store.Snapshot] copies the
// file while it is in use, [OpenSnapshot] while it is not; [Save] and [Check]
// make sure that the copy is one.
package boltstore

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"

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

	// CompactOver is the size in bytes over which a file is compacted by Open if
	// more than half of it is free; 0: 64 MiB, negative: never.
	CompactOver int64

	// For this package's tests:
	step    func(name string) error                      // before each step of a compaction
	copyMax int                                          // bytes that a compaction has room for
	growBy  int                                          // bytes by which the file grows; 0: 16 MiB
	around  func(batch []*op, update func() error) error // runs each change of the file
}

// Store implements [relay.Store].
type Store struct {
	path    string
	db      *bbolt.DB
	log     *slog.Logger
	options Options
	done    chan struct{} // closed when the writer has returned
	wake    chan struct{} // holds a token when the writer has something to look at

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
