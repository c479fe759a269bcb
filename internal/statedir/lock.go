package statedir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrLocked is returned, wrapped with the holder's process id where it is
// known, by Lock when another process holds the lock.
var ErrLocked = errors.New("statedir: held by another process")

// Lock is a lock on a directory that lasts until Unlock or the process's end.
type Lock struct{ f *os.File }

// Lock takes the lock, or returns ErrLocked at once. It uses flock(2): a crash
// frees it. The file stays and says, for people, which process holds it.
func (d *Dir) Lock(name string) (*Lock, error) {
	path, err := d.local(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := regular(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %s %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if pid := holder(f); pid > 0 {
			return nil, fmt.Errorf("%w (process %d)", ErrLocked, pid)
		}
		return nil, ErrLocked
	}
	// The lock holds without the number: on a full disk it is missing.
	if f.Truncate(0) == nil {
		f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return &Lock{f}, nil
}

// holder returns the process id in a lock file, or 0.
func holder(f *os.File) int {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// Unlock gives the lock back.
func (l *Lock) Unlock() error {
	l.f.Truncate(0) // nobody holds it; the next holder writes its own
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("unlock: %w", err)
	}
	return nil
}
