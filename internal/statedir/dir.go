// Package statedir keeps state on disk so that it survives a crash or a power
// cut at any moment.
//
// A [Dir] belongs to one user: the directory is 0700, files are 0600, and what
// another user owns is refused. Three things live in it:
//
//	WriteFile, WriteJSON   a file replaced as a whole: old or new, never half
//	Journal                a key-value store in one append-only file: one
//	                       write and one sync a change; ReadJournal reads it
//	                       while another process has it open
//	Lock                   one process at a time
//
// A file that cannot be understood is set aside under a name that says so
// (NAME.damaged-UNIXSECONDS) and named in the error; one that a newer program
// wrote is left alone. Nothing is ever replaced in silence.
//
// The system calls it makes, in their order:
//
//	open a directory   lstat, mkdir, fsync of the parent, open(O_NOFOLLOW),
//	                   fstat, fchmod; lstat of all that lead to it
//	replace a file     open(O_CREAT|O_EXCL, 0600) under a temporary name
//	                   .tmp-NAME-*, write, fsync, rename, fsync of the directory
//	read               open(O_NOFOLLOW|O_NONBLOCK), fstat, read
//	commit             pwrite, fdatasync (Linux) or fcntl(F_FULLFSYNC) (macOS);
//	                   ftruncate when they fail
//	remove, set aside  unlink, or open(O_EXCL) and rename; fsync of the directory
//	lock               open, flock(LOCK_EX|LOCK_NB)
//
// It trusts root and the user's own processes, and refuses a directory in whose
// place others could put another one ([Guarded]). What is deleted is gone from
// the files; a disk may keep old blocks all the same.
package statedir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
)

const maxFile = 16 << 20 // bytes; more is no state file of ours

// TempPrefix begins the names of files that are nothing yet; what a crash left
// of them is deleted.
const TempPrefix = ".tmp-"

// VersionError is a file that a newer program wrote. It is left as it is.
type VersionError struct {
	Path           string
	Version, Known int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s is of version %d, this program knows %d", e.Path, e.Version, e.Known)
}

// Hint is the next step for people.
func (e *VersionError) Hint() []string {
	return []string{"upgrade this program: a newer one has used this directory"}
}

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

// Dir is a state directory. Its methods are safe for concurrent use, also by
// several processes; of two writers of one file the last one wins.
type Dir struct {
	path string

	// fault is set by tests: it is called before each step that changes the
	// disk, and an error of it is that step's.
	fault func(step, path string) error
}

func (d *Dir) step(name, path string) error {
	if d.fault == nil {
		return nil
	}
	return d.fault(name, path)
}

// Path returns the directory's path, with elem joined to it.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// local returns the path of name, which must be relative and stay inside.
func (d *Dir) local(name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("statedir: name %q leaves the directory", name)
	}
	return d.Path(name), d.ownSub(filepath.Dir(filepath.Clean(name)))
}

// WriteFile replaces name durably, mode 0600: after a crash it holds the old
// content or the new. Sub-directories are made, mode 0700.
func (d *Dir) WriteFile(name string, data []byte) error {
	path, err := d.local(name)
	if err != nil {
		return err
	}
	f, _, err := d.replace(path, data)
	if f != nil {
		f.Close() // synced: there is nothing left that could fail
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// replace puts a file that holds data at path, and returns it open. When only
// the last step failed, renamed is true: the file is there, but a crash may
// bring the old one back.
func (d *Dir) replace(path string, data []byte) (f *os.File, renamed bool, err error) {
	dir := filepath.Dir(path)
	if err := d.makeDir(dir); err != nil {
		return nil, false, err
	}
	if err := d.step("create", path); err != nil {
		return nil, false, err
	}
	f, err = os.CreateTemp(dir, TempPrefix+filepath.Base(path)+"-") // O_EXCL, 0600
	if err != nil {
		return nil, false, err
	}
	if err = d.fill(f, path, data); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, false, err
	}
	if err := d.syncDir(dir); err != nil {
		return f, true, err
	}
	return f, true, nil
}

func (d *Dir) fill(f *os.File, path string, data []byte) error {
	if err := d.write(f, data, 0); err != nil {
		return err
	}
	if err := d.step("sync", path); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := d.step("rename", path); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// write writes data at an offset. A fault of a test leaves half of it, as a
// full disk does.
func (d *Dir) write(f *os.File, data []byte, offset int64) error {
	if err := d.step("write", f.Name()); err != nil {
		f.WriteAt(data[:len(data)/2], offset)
		return err
	}
	_, err := f.WriteAt(data, offset)
	return err
}

func (d *Dir) syncDir(path string) error {
	if err := d.step("syncdir", path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}

// ReadFile reads a regular file of ours of at most 16 MiB. A symbolic link,
// anything that is no regular file, and another user's file are refused. The
// error wraps fs.ErrNotExist when there is none.
func (d *Dir) ReadFile(name string) ([]byte, error) { return d.ReadFileMax(name, maxFile) }

// ReadFileMax is ReadFile with a limit in bytes.
func (d *Dir) ReadFileMax(name string, limit int64) ([]byte, error) {
	f, err := d.openFile(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

// openFile opens an existing regular file of ours.
func (d *Dir) openFile(name string, flag int) (*os.File, error) {
	path, err := d.local(name)
	if err != nil {
		return nil, err
	}
	// O_NONBLOCK: a FIFO in the file's place must not hang us.
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("read state: %s is a symbolic link", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if err := regular(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("read state: %s %w", path, err)
	}
	return f, nil
}

func regular(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("is not a regular file")
	}
	if uid, ours := owner(info); !ours {
		return fmt.Errorf("belongs to another user (uid %d)", uid)
	}
	return nil
}

func readAll(f *os.File, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if info, err := f.Stat(); err == nil {
		buf.Grow(int(min(info.Size(), limit)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if int64(buf.Len()) > limit {
		return nil, fmt.Errorf("read state: %s is longer than %d bytes", f.Name(), limit)
	}
	return buf.Bytes(), nil
}

// versioned is how every JSON file begins.
type versioned struct {
	Version int             `json:"version"`
	Data    json.RawMessage `json:"data"`
}

// WriteJSON writes {"version":…,"data":v} durably. Versions count from 1. A file
// of a newer version stays as it is, with a *VersionError.
func (d *Dir) WriteJSON(name string, version int, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	b, err := json.MarshalIndent(versioned{version, data}, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if old, err := d.ReadFile(name); err == nil {
		newer := (*VersionError)(nil)
		if _, err := dataOf(old, d.Path(name), version); errors.As(err, &newer) {
			return newer
		}
	}
	return d.WriteFile(name, append(b, '\n'))
}

// ReadJSON reads what WriteJSON wrote into v, a pointer. An older version is
// read as it is. Errors: fs.ErrNotExist; *VersionError, the file is untouched;
// *DamagedError, the file was set aside. After an error v is unchanged.
func (d *Dir) ReadJSON(name string, version int, v any) error {
	b, err := d.ReadFile(name)
	if err != nil {
		return err
	}
	data, err := dataOf(b, d.Path(name), version)
	if newer := (*VersionError)(nil); errors.As(err, &newer) {
		return newer
	}
	if err == nil {
		err = decode(data, v)
	}
	if err != nil {
		return d.setAside(name, err)
	}
	return nil
}

// dataOf returns the data of a versioned file. A newer file's version is
// believed only if all of it is JSON.
func dataOf(b []byte, path string, known int) (json.RawMessage, error) {
	var file versioned
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	if file.Version > known {
		return nil, &VersionError{path, file.Version, known}
	}
	if file.Version < 1 {
		return nil, errors.New("it has no version")
	}
	if len(file.Data) == 0 {
		return nil, errors.New("it has no data")
	}
	return file.Data, nil
}

// decode fills v only when all of data fits.
func decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("statedir: bug: ReadJSON into %T", v)
	}
	if err := json.Unmarshal(data, reflect.New(p.Type().Elem()).Interface()); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// List returns the names of the regular files in a sub-directory, sorted,
// without temporary ones. A missing sub-directory is empty; "." is the
// directory itself.
func (d *Dir) List(sub string) ([]string, error) {
	path, err := d.local(sub)
	if err == nil {
		err = d.ownSub(filepath.Clean(sub))
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list state: %w", err)
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), TempPrefix) {
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
	if err := d.step("remove", path); err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}
