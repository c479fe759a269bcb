package boltstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

const (
	compactOver  = 64 << 20   // bytes; smaller files stay as they are
	compactBatch = 4 << 20    // bytes copied in one transaction
	unfinished   = ".compact" // added to the name of the file: a compaction on its way
)

// compact puts a copy without free pages in the place of a file that is mostly
// free pages, because bbolt's files never shrink. The copy has the old name only
// once it is whole, the same as the old one, and synced: whenever this ends, the
// name leads to one of the two. Without room for the copy the old file stays in
// use. An error is one after which the name is not known to be durable.
func (s *Store) compact(path string) error {
	before, free, err := usage(s.db)
	if err != nil || s.options.CompactOver < 0 || before <= s.options.CompactOver || free <= before/2 {
		return err
	}
	began := time.Now()
	db, err := s.smaller(path + unfinished)
	if err == nil {
		if err = s.step("rename"); err == nil {
			err = os.Rename(path+unfinished, path)
		}
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if err != nil {
		_ = os.Remove(path + unfinished) // the next Open tries again
		s.log.Warn("relay store was not compacted and is used as it is", "file", s.path, "bytes", before, "free", free, "error", err)
		return nil
	}
	old := s.db
	s.db = db // locked since it was made: no other process gets in between
	err = old.Close()
	if err == nil {
		err = s.step("sync directory")
	}
	if err := errors.Join(err, syncDir(filepath.Dir(path))); err != nil {
		return err
	}
	after, _, err := usage(s.db)
	s.log.Info("relay store compacted", "file", s.path, "before", before, "after", after, "took", time.Since(began))
	return err
}

// usage returns how many bytes of the file are in use or were once, and how many
// of those are free, as when the file was opened.
func usage(db *bbolt.DB) (size, free int64, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return nil
	})
	return size, int64(db.Stats().FreePageN) * int64(db.Info().PageSize), err
}

// smaller returns a synced copy of the file at path.
func (s *Store) smaller(path string) (db *bbolt.DB, err error) {
	if err := s.step("copy"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && db != nil {
			err = errors.Join(err, guard(db.Close))
			db = nil
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         s.options.LockWait,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapped,
		NoSync:          true, // once at the end
		NoGrowSync:      true,
		MaxSize:         s.options.copyMax,
	})
	if err != nil {
		return nil, err
	}
	if err := guard(func() error { return bbolt.Compact(db, s.db, compactBatch) }); err != nil {
		return db, fmt.Errorf("copy: %w", err)
	}
	if err := s.step("sync"); err != nil {
		return db, err
	}
	if err := db.Sync(); err != nil {
		return db, fmt.Errorf("sync: %w", err)
	}
	db.NoSync, db.NoGrowSync, db.MaxSize = false, false, 0
	return db, guard(func() error { return db.View(s.sameAs) })
}

// sameAs returns an error unless tx holds what the store was loaded with.
func (s *Store) sameAs(tx *bbolt.Tx) error {
	x := newIndex()
	seq, err := x.load(tx)
	if err != nil {
		return fmt.Errorf("read the copy: %w", err)
	}
	if got, want := x.contents(), s.x.contents(); got != want || seq != s.seq {
		return fmt.Errorf("the copy has %+v, sequence %d; the file has %+v, sequence %d", got, seq, want, s.seq)
	}
	return nil
}

// step is where a test ends a compaction, as a crash or a full disk would.
func (s *Store) step(name string) error {
	if s.options.step == nil {
		return nil
	}
	return s.options.step(name)
}
