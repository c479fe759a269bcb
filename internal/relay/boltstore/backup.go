package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"kryptonite/internal/relay"
)

// Snapshot is a store's file as it was at one moment. While it is open the
// store's file cannot reuse pages, may have to wait to grow, and cannot be
// closed: write it to something fast, and Close it.
type Snapshot struct {
	tx    *bbolt.Tx
	store *Store    // nil: the file was opened for the snapshot
	db    *bbolt.DB // to be closed, or nil
	path  string
}

// Snapshot returns all that is durable now.
func (s *Store) Snapshot() (*Snapshot, error) {
	if s.isClosed() {
		return nil, relay.ErrClosed
	}
	p := &Snapshot{store: s, path: s.path}
	err := guard(func() (err error) {
		p.tx, err = s.db.Begin(false)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read relay store %s: %w", s.path, err)
	}
	return p, nil
}

// OpenSnapshot returns the contents of a file that no relay has open; no relay
// can open it before Close.
func OpenSnapshot(path string) (*Snapshot, error) {
	p := &Snapshot{path: path}
	err := guard(func() (err error) {
		if p.db, err = openReadOnly(path); err != nil {
			return err
		}
		if _, err = check(p.db, path); err != nil {
			return err
		}
		p.tx, err = p.db.Begin(false)
		return err
	})
	if err != nil {
		_ = p.Close()
		return nil, openError(path, err)
	}
	return p, nil
}

func openReadOnly(path string) (*bbolt.DB, error) {
	return openLocked(path, &bbolt.Options{Timeout: lockWait, ReadOnly: true, FreelistType: bbolt.FreelistMapType})
}

// Size is how many bytes WriteTo writes.
func (p *Snapshot) Size() int64 { return p.tx.Size() }

// WriteTo writes the file. It ends with relay.ErrClosed when the store is being
// closed.
func (p *Snapshot) WriteTo(w io.Writer) (n int64, err error) {
	err = guard(func() (err error) {
		n, err = p.tx.WriteTo(whileOpen{w, p.store})
		return err
	})
	switch {
	case err == nil:
		return n, nil
	case p.store != nil && p.store.isClosed(): // bbolt wraps without %w
		return n, relay.ErrClosed
	}
	return n, fmt.Errorf("copy relay store %s: %w", p.path, err)
}

type whileOpen struct {
	w io.Writer
	s *Store
}

func (w whileOpen) Write(b []byte) (int, error) {
	if w.s != nil && w.s.isClosed() {
		return 0, relay.ErrClosed
	}
	return w.w.Write(b)
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close lets go of the file.
func (p *Snapshot) Close() error {
	var err error
	if p.tx != nil {
		err = p.tx.Rollback()
	}
	if p.db != nil {
		err = errors.Join(err, guard(p.db.Close))
	}
	return err
}

// Check reads the whole file at path and says what it holds. Errors are those of
// Open; the file is not changed.
func Check(path string) (Contents, error) {
	x := newIndex()
	err := guard(func() (err error) {
		db, err := openReadOnly(path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, guard(db.Close)) }()
		if _, err := check(db, path); err != nil {
			return err
		}
		return db.View(func(tx *bbolt.Tx) error {
			if _, err := x.load(tx); err != nil {
				return err
			}
			return checkPages(tx)
		})
	})
	if err != nil {
		return Contents{}, openError(path, err)
	}
	return x.contents(), nil
}

// checkPages returns the first fault that bbolt finds in the structure.
func checkPages(tx *bbolt.Tx) (first error) {
	for err := range tx.Check() {
		if first == nil {
			first = err
		}
	}
	return first
}

// Save makes the file at path, mode 0600, from what fill writes. It has that
// name only once it has passed Check and is synced; after an error, and when ctx
// has ended, nothing is left. A file that exists already is an error.
func Save(ctx context.Context, path string, fill func(io.Writer) error) (c Contents, err error) {
	if err := absent(path); err != nil {
		return c, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return c, fmt.Errorf("save relay store: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := fill(f); err != nil {
		return c, errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return c, fmt.Errorf("write %s: %w", path, err)
	}
	if c, err = Check(f.Name()); err != nil {
		return c, fmt.Errorf("check the copy: %w", err)
	}
	if err := errors.Join(ctx.Err(), absent(path)); err != nil {
		return c, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return c, fmt.Errorf("save relay store: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return c, errors.Join(fmt.Errorf("sync the directory of %s: %w", path, err), os.Remove(path))
	}
	return c, nil
}

func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}
