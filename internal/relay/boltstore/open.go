package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"kryptonite/internal/mailbox"
)

// ErrInUse is what Open, OpenSnapshot and Check return when another process has
// the file open.
var ErrInUse = errors.New("in use by another process")

// Open opens the file at path, or makes it with mode 0600. A file that is mostly
// free pages is compacted first. A file that another process has open, that is
// damaged, or that is not a relay's store is an error that names it.
func Open(path string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LockWait <= 0 {
		o.LockWait = lockWait
	}
	if o.CompactOver == 0 {
		o.CompactOver = compactOver
	}
	s := &Store{
		path:    path,
		log:     o.Logger,
		options: o,
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		x:       newIndex(),
	}
	if err := guard(s.open); err != nil {
		if s.db != nil {
			_ = guard(s.db.Close)
		}
		return nil, openError(path, err)
	}
	go s.write()
	return s, nil
}

func openError(path string, err error) error {
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("relay store %s is %w (is kr-relay running already, or a backup?)", path, ErrInUse)
	case errors.As(err, &pathErr):
		return fmt.Errorf("open relay store: %w", err)
	}
	return fmt.Errorf("relay store %s is damaged or is no relay store; it was left as it is, move it away to start with an empty one: %w", path, err)
}

// open loads the whole index; it may panic on a damaged file.
func (s *Store) open() error {
	path := s.path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // compaction replaces the file, not a link to it
	}
	var err error
	s.db, err = openLocked(path, &bbolt.Options{
		Timeout:         s.options.LockWait,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapped,
	})
	if err != nil {
		return err
	}
	if s.options.growBy > 0 {
		s.db.AllocSize = s.options.growBy
	}
	if err := os.Remove(path + unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	empty, err := check(s.db, path)
	if err != nil {
		return err
	}
	if empty {
		err = s.committed(nil, func() error { return s.db.Update(makeBuckets) })
	} else {
		err = s.db.View(func(tx *bbolt.Tx) error {
			s.seq, err = s.x.load(tx)
			return err
		})
	}
	if err != nil {
		return err
	}
	s.reserve = s.seq
	// Every time: whoever made the file, or put it there, may have been killed
	// before its name was durable.
	if err := syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	return s.compact(path)
}

// openLocked opens the file that path leads to once it is locked. While another
// process compacts the file we may be waiting for the lock of the old one.
func openLocked(path string, o *bbolt.Options) (*bbolt.DB, error) {
	for {
		var file *os.File
		o.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		}
		db, err := bbolt.Open(path, 0o600, o)
		if err != nil {
			return nil, err
		}
		same, err := leadsTo(path, file)
		if same {
			return db, nil
		}
		if err := errors.Join(err, db.Close()); err != nil {
			return nil, err
		}
	}
}

func leadsTo(path string, file *os.File) (bool, error) {
	own, err := file.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(own, there), err
}

// check reports whether the file is a database without any buckets, and
// refuses files shorter than their own header says.
func check(db *bbolt.DB, path string) (empty bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("file has %d bytes, its header says %d", info.Size(), tx.Size())
		}
		k, _ := tx.Cursor().First()
		empty = k == nil
		return nil
	})
	return empty, err
}

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketMailboxes, bucketFrames, bucketRecords} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyFormat, be(format))
}

// load reads the file into an empty index and returns the highest sequence
// number that may be in use.
func (x *index) load(tx *bbolt.Tx) (seq uint64, err error) {
	meta, boxes, frames, records := tx.Bucket(bucketMeta), tx.Bucket(bucketMailboxes), tx.Bucket(bucketFrames), tx.Bucket(bucketRecords)
	if meta == nil || boxes == nil || frames == nil || records == nil {
		return 0, errors.New("its buckets are missing")
	}
	if v, ok := number(meta.Get(keyFormat)); !ok || v != format {
		return 0, fmt.Errorf("its format is %d, this program knows %d", v, format)
	}
	seq, _ = number(meta.Get(keySeq))
	if err := boxes.ForEach(x.loadBox); err != nil {
		return 0, err
	}
	err = frames.ForEach(func(k, v []byte) error {
		n, err := x.loadFrame(k, v)
		seq = max(seq, n)
		return err
	})
	if err != nil {
		return 0, err
	}
	// Generations come in the order of their start; only the newest two count,
	// and the next rotation's drop removes all older ones.
	return seq, records.ForEachBucket(func(k []byte) error {
		g, err := loadGeneration(k, records.Bucket(k))
		x.previous, x.current = x.current, g
		return err
	})
}

func (x *index) loadBox(k, v []byte) error {
	read, ok := number(v)
	if len(k) != mailbox.AddressSize || !ok {
		return errors.New("a mailbox entry has the wrong size")
	}
	x.boxes[mailbox.Address(k)] = &box{read: int64(read)}
	return nil
}

func (x *index) loadFrame(k, v []byte) (seq uint64, err error) {
	seq, ok := number(k)
	if !ok || len(v) <= frameHeader || len(v) > frameHeader+mailbox.MaxFrame {
		return 0, errors.New("a frame entry has the wrong size")
	}
	b := x.boxes[mailbox.Address(v[:mailbox.AddressSize])]
	if b == nil {
		return 0, errors.New("a frame has no mailbox")
	}
	x.add(b, frameRef{
		seq:  seq,
		at:   int64(binary.BigEndian.Uint64(v[mailbox.AddressSize:])),
		size: len(v) - frameHeader,
	})
	return seq, nil
}

func loadGeneration(name []byte, records *bbolt.Bucket) (generation, error) {
	start, ok := number(name)
	if !ok {
		return generation{}, errors.New("a record generation has the wrong name")
	}
	g := generation{start: int64(start), since: int64(start), records: map[recordKey]record{}}
	err := records.ForEach(func(k, v []byte) error {
		const ids = mailbox.AddressSize + mailbox.PostIDSize
		if len(k) != 8 || len(v) != ids+len(digest{}) {
			return errors.New("an idempotency record has the wrong size")
		}
		key := recordKey{mailbox.Address(v[:mailbox.AddressSize]), mailbox.PostID(v[mailbox.AddressSize:ids])}
		g.records[key] = record{digest: digest(v[ids:])}
		return nil
	})
	return g, err
}

const (
	lockWait = time.Second
	// mapped is how much of the file is mapped from the start; it grows by
	// doubling, which waits for readers.
	mapped = 64 << 20
)
