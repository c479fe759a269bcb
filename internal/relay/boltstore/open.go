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
