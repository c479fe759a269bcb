// Package peer makes unix sockets for one user and says who is at the other
// end. A socket is made 0600 inside a directory that only its owner enters;
// the peer's uid is checked all the same.
package peer

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxPath is the longest path a unix socket may have on every system, in bytes
// (sun_path is 104 bytes on macOS, 108 on Linux, with a final zero).
const maxPath = 103

// ErrInUse is returned by Listen when another process answers on the socket.
var ErrInUse = errors.New("another program answers on this socket")

// Credentials is the process at the other end, as it was when it connected.
type Credentials struct {
	PID int
	UID int
}

// Listen makes a unix socket at path, mode 0600. A socket that nobody answers
// on is a leftover and is replaced; anything else at path is an error.
func Listen(path string) (*net.UnixListener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("socket path of %d bytes is longer than %d; set KR_HOME to a shorter path", len(path), maxPath)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// Bound under another name, made private, then renamed: at no moment does
	// path lead to a socket that others may open.
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".s%d", os.Getpid()))
	os.Remove(temp)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(temp, 0o600), os.Rename(temp, path)); err != nil {
		l.Close()
		os.Remove(temp)
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is in the way and is no socket; move it away", path)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return fmt.Errorf("%s: %w", path, ErrInUse)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a leftover socket: %w", err)
	}
	return nil
}

// SameUser returns nil when the process at the other end runs as this user.
func SameUser(conn *net.UnixConn) error {
	c, err := Cred(conn)
	if err != nil {
		return err
	}
	if c.UID != os.Geteuid() {
		return fmt.Errorf("process %d of uid %d is not ours: %w", c.PID, c.UID, syscall.EPERM)
	}
	return nil
}
