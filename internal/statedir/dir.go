// Package statedir keeps state on disk so that it survives a crash at any
// moment. A directory belongs to one user (0700, files 0600). [Dir.WriteFile]
// replaces a file durably: write to a temporary name, fsync, rename, fsync the
// directory. A file that cannot be read is set aside under a name that says
// so, and never replaced in silence. [Journal] is a small key-value store for
// state that changes often: one append and one fsync a change.
package statedir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const maxFile = 16 << 20 // bytes; more is no state file of ours

// ErrLocked is returned by Lock when another process holds the lock.
var ErrLocked = errors.New("statedir: held by another process")

// VersionError is a file that a newer program wrote. It is left as it is.
type VersionError struct {
	Path           string
	Version, Known int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s is of version %d, this program knows %d", e.Path, e.Version, e.Known)
}

// Hint is the next step for people.
func (e *VersionError) Hint() []string { return []string{"install the newer version again"} }

// DamagedError is a file that cannot be read. It was set aside as Aside.
type DamagedError struct {
	Path, Aside string
	Err         error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged (%v); it was kept as %s", e.Path, e.Err, e.Aside)
}

// Unwrap returns what was wrong.
func (e *DamagedError) Unwrap() error { return e.Err }

// Dir is a state directory. Its methods are safe for concurrent use as long as
// nobody writes one file twice at once.
type Dir struct{ path string }

// Open makes the directory when it is missing and makes it private (0700). A
// symbolic link or another user's directory is refused.
func Open(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	if err := private(abs); err != nil {
		return nil, err
	}
	return &Dir{abs}, nil
}

func private(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("open state directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("state directory %s is not a directory (symbolic links are refused)", path)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("state directory %s belongs to another user (uid %d)", path, st.Uid)
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(path, 0o700); err != nil {
			return fmt.Errorf("make state directory private: %w", err)
		}
	}
	return nil
}

// Path returns the directory's path, with elem joined to it.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

func (d *Dir) local(name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("statedir: bug: name %q leaves the directory", name)
	}
	return d.Path(name), nil
}

// WriteFile replaces name durably, mode 0600. Sub-directories are made.
func (d *Dir) WriteFile(name string, data []byte) error {
	path, err := d.local(name)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.CreateTemp(dir, ".tmp-") // O_EXCL, 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(dir)
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}

// ReadFile reads a regular file of ours; symbolic links are refused.
func (d *Dir) ReadFile(name string) ([]byte, error) {
	path, err := d.local(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a state file of ours", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

// versioned is how every JSON file begins.
type versioned struct {
	Version int             `json:"version"`
	Data    json.RawMessage `json:"data"`
}

// WriteJSON writes {"version":…,"data":v} durably.
func (d *Dir) WriteJSON(name string, version int, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	b, err := json.MarshalIndent(versioned{version, data}, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return d.WriteFile(name, append(b, '\n'))
}

// ReadJSON reads what WriteJSON wrote. Errors: fs.ErrNotExist; *VersionError,
// the file is untouched; *DamagedError, the file was set aside.
func (d *Dir) ReadJSON(name string, version int, v any) error {
	b, err := d.ReadFile(name)
	if err != nil {
		return err
	}
	var file versioned
	err = json.Unmarshal(b, &file)
	if err == nil && file.Version > version {
		return &VersionError{d.Path(name), file.Version, version}
	}
	if err == nil && (file.Version < 1 || len(file.Data) == 0) {
		err = errors.New("no version or no data")
	}
	if err == nil {
		err = json.Unmarshal(file.Data, v)
	}
	if err != nil {
		return d.setAside(name, err)
	}
	return nil
}

// setAside renames a damaged file, never over another.
func (d *Dir) setAside(name string, cause error) error {
	path := d.Path(name)
	aside := fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix())
	for i := 1; ; i++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s.damaged-%d-%d", path, time.Now().Unix(), i)
	}
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("%s is damaged (%w) and cannot be set aside: %w", path, cause, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	return &DamagedError{path, aside, cause}
}

// List returns the names of the regular files in a sub-directory, sorted; a
// missing one is empty.
func (d *Dir) List(sub string) ([]string, error) {
	path, err := d.local(sub)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Remove deletes a file durably; a missing one is fine.
func (d *Dir) Remove(name string) error {
	path, err := d.local(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// Lock is a lock on a directory that lasts until Unlock or the process's end.
type Lock struct{ f *os.File }

// Lock takes the lock, or returns ErrLocked at once. It uses flock(2).
func (d *Dir) Lock(name string) (*Lock, error) {
	path, err := d.local(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lock{f}, nil
}

// Unlock gives the lock back.
func (l *Lock) Unlock() error { return l.f.Close() }
