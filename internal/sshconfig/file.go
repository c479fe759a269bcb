package sshconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const maxFile = 4 << 20 // bytes

// File is an ssh_config as it was read.
type File struct {
	Path   string // as it was named
	Target string // where Path leads to; Path itself when it is no symbolic link
	Exists bool
	Data   []byte
	mode   fs.FileMode
	roots  bool // it belongs to root, and we are not
}

// ReadOnlyError is a file that its owner has made read-only, or that another
// program manages, as root even.
type ReadOnlyError struct {
	Path string
	Err  error // nil: the mode says so
}

func (e *ReadOnlyError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s cannot be replaced: %v", e.Path, e.Err)
	}
	return e.Path + " is read-only"
}

var errRoots = errors.New("it belongs to root")

// Unwrap returns what the system said, if it did.
func (e *ReadOnlyError) Unwrap() error { return e.Err }

// ChangedError is a file that is no longer what Read saw: somebody has edited it.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return e.Path + " was changed meanwhile; nothing was written to it"
}

// Hint is the next step for people.
func (e *ChangedError) Hint() []string {
	return []string{"try again; what stands there now stays"}
}

// Read reads the file, through symbolic links. A missing one is empty. What is
// no regular file, and another user's than root's, is an error, as it is to ssh.
func Read(path string) (File, error) { return readAs(path, os.Geteuid()) }

func readAs(path string, uid int) (File, error) {
	f := File{Path: path, Target: path, mode: 0o600}
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return f, fmt.Errorf("read ssh's configuration: %s is a symbolic link that leads nowhere", path)
		}
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read ssh's configuration: %w", err)
	}
	f.Target, f.Exists = target, true
	file, err := os.OpenFile(target, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a FIFO
	if err != nil {
		return f, fmt.Errorf("read ssh's configuration: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return f, fmt.Errorf("read ssh's configuration: %w", err)
	}
	if !info.Mode().IsRegular() {
		return f, fmt.Errorf("%s is not a regular file", target)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != uid {
		if st.Uid != 0 {
			return f, fmt.Errorf("%s belongs to another user (uid %d)", target, st.Uid)
		}
		f.roots = true
	}
	f.mode = info.Mode().Perm()
	if f.Data, err = io.ReadAll(io.LimitReader(file, maxFile+1)); err != nil {
		return f, fmt.Errorf("read ssh's configuration: %w", err)
	}
	if len(f.Data) > maxFile {
		return f, fmt.Errorf("%s has more than %d bytes", target, maxFile)
	}
	return f, nil
}

// Writable returns nil when Replace may be expected to work, or a
// *ReadOnlyError.
func (f File) Writable() error {
	if f.roots {
		return &ReadOnlyError{f.Target, errRoots}
	}
	if f.Exists && f.mode&0o200 == 0 {
		return &ReadOnlyError{f.Target, nil}
	}
	return nil
}

// Replace makes data the file's content, in one step: whoever reads it sees the
// old or the new. The mode stays, and a symbolic link keeps leading there. A
// new file is 0600; its directory must exist. Where Path is not what Read saw any
// more it writes nothing and returns a *ChangedError.
func (f File) Replace(data []byte) error {
	if err := f.Writable(); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(f.Target), ".kr-setup-*")
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return &ReadOnlyError{f.Target, err}
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w", f.Target, err)
	}
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Chmod(f.mode)
	}
	if err == nil {
		err = temp.Sync()
	}
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = f.unchanged() // as late as can be
	}
	if err == nil {
		err = os.Rename(temp.Name(), f.Target)
	}
	if err != nil {
		os.Remove(temp.Name())
		return fmt.Errorf("replace %s: %w", f.Target, err)
	}
	return nil
}

// unchanged returns nil while Path is what Read saw.
func (f File) unchanged() error {
	now, err := Read(f.Path)
	if err != nil {
		return err
	}
	if now.Target != f.Target || now.Exists != f.Exists || now.mode != f.mode || !bytes.Equal(now.Data, f.Data) {
		return &ChangedError{f.Path}
	}
	return nil
}
