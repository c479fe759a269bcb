package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const tempLife = time.Hour // older temporary files were left by a crash

// Open makes the directory, with its parents, when it is missing, and makes it
// private (0700). A symbolic link in the place of the last component, another
// user's directory, and one that others can change the way to (*ReachableError)
// are refused. Temporary files that a crash left more than an hour ago are
// deleted.
func Open(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	d := &Dir{path: abs}
	if _, err := os.Lstat(abs); errors.Is(err, fs.ErrNotExist) {
		// Also below: it may change meanwhile.
		if _, err := guardedWay(abs, filepath.Dir(abs)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err := d.makeDir(abs); err != nil {
			return nil, fmt.Errorf("make state directory: %w", err)
		}
	}
	if err := private(abs); err != nil {
		return nil, err
	}
	if _, err := guardedWay(abs, filepath.Dir(abs)); err != nil {
		return nil, err
	}
	d.sweep(time.Now())
	return d, nil
}

// Existing is Open for who only looks: it makes and changes nothing, also not the
// directory's mode. The error wraps fs.ErrNotExist when there is none.
func Existing(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	f, _, err := openOwn(abs)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	if _, err := guardedWay(abs, filepath.Dir(abs)); err != nil {
		return nil, err
	}
	return &Dir{path: abs}, nil
}

// private makes sure that path is a directory of ours and closed to others.
func private(path string) error {
	f, info, err := openOwn(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Mode().Perm() != 0o700 {
		if err := f.Chmod(0o700); err != nil {
			return fmt.Errorf("make state directory private: %w", err)
		}
	}
	return nil
}

// openOwn opens a directory of ours.
func openOwn(path string) (*os.File, fs.FileInfo, error) {
	// O_NONBLOCK: what is in the way may be a FIFO.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil, fmt.Errorf("state directory %s is not a directory (symbolic links are refused)", path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open state directory: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("open state directory: %w", err)
	}
	if uid, ours := owner(info); !ours {
		f.Close()
		return nil, nil, fmt.Errorf("state directory %s belongs to another user (uid %d)", path, uid)
	}
	return f, info, nil
}

// owner returns whose file it is, and whether that is this process's user.
func owner(info fs.FileInfo) (uid int, ours bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	return int(st.Uid), int(st.Uid) == os.Geteuid()
}

// makeDir makes path and its parents, durably; existing ones are fine.
func (d *Dir) makeDir(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := d.makeDir(parent); err != nil {
		return err
	}
	if err := d.step("mkdir", path); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// A parent that we may enter and write but not read cannot be synced.
	if err := d.syncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// sweep deletes temporary files that a crash left here or one level below. It
// does what it can: a failure hurts nobody.
func (d *Dir) sweep(now time.Time) {
	for _, pattern := range []string{TempPrefix + "*", "*/" + TempPrefix + "*"} {
		files, _ := fs.Glob(os.DirFS(d.path), pattern)
		for _, name := range files {
			path := d.Path(name)
			if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > tempLife {
				os.Remove(path)
			}
		}
	}
}
