// Package peer makes unix sockets for one user and says who is at the other
// end.
//
//	l, err := peer.Listen(path)     // 0600 from its first moment on
//	own := peer.NewListener(l)      // Accept gives this user's connections only
//	who, err := peer.Cred(conn)     // process and user, as the kernel saw them
//
// A socket stands in a directory that only its owner writes; the peer's uid is
// checked all the same. Listen does not settle which of two programs that start
// at once is the one: they take a lock first (statedir).
//
// References: unix(7) for Linux, unix(4) for macOS.
package peer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// maxPath is the longest path a unix socket may have on every system, in bytes
// (sun_path is 104 bytes on macOS, 108 on Linux, with a final zero).
const maxPath = 103

// ErrInUse is returned by Listen when another process answers on the socket.
var ErrInUse = errors.New("another program answers on this socket")

// Credentials is the process at the other end, as it was when it connected. By
// now the PID may be that of another process.
type Credentials struct {
	PID int
	UID int
}

// Listen makes a unix socket at path, mode 0600, in a directory of this user
// that nobody else may write to. A socket of ours that nobody answers on is a
// leftover and is replaced; anything else at path is an error, ErrInUse when a
// program answers. Closing the listener leaves the socket there, a leftover for
// the next Listen.
func Listen(path string) (*net.UnixListener, error) {
	if len(path) > maxPath {
		return nil, tooLong(path)
	}
	if err := checkDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := checkFree(path); err != nil {
		return nil, err
	}
	l, err := bind(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

func tooLong(path string) error {
	return fmt.Errorf("socket path %s has %d bytes, the system allows %d: use a shorter path (KR_HOME; kr-relay: --data)", path, len(path), maxPath)
}

// checkDir refuses a directory where others could put another socket in our
// socket's place.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if uid, ours := owner(info); !ours {
		return fmt.Errorf("directory %s belongs to another user (uid %d)", dir, uid)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write to directory %s (mode %#o): make it 0700", dir, info.Mode().Perm())
	}
	return nil
}

func owner(info fs.FileInfo) (uid int, ours bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	return int(st.Uid), int(st.Uid) == os.Geteuid()
}

// checkFree returns nil when there is nothing at path, or a leftover of ours.
func checkFree(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a leftover socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way and is no socket; move it away", path)
	}
	if uid, ours := owner(info); !ours {
		return fmt.Errorf("socket %s belongs to another user (uid %d); move it away", path, uid)
	}
	c, err := net.Dial("unix", path)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("%s: %w", path, ErrInUse)
	case errors.Is(err, syscall.EAGAIN): // so busy that it takes no more connections
		return fmt.Errorf("%s: %w", path, ErrInUse)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("see whether a program answers on %s: %w", path, err)
}

// bind makes the socket where nobody else can come, gives it its mode, and
// moves it to path, over a leftover. So there is no moment when path leads to a
// socket that others may open, and the umask of the process stays alone.
func bind(path string) (*net.UnixListener, error) {
	private, err := makePrivate(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	temp := filepath.Join(private, "s")
	if len(temp) > maxPath {
		return nil, tooLong(temp)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would unlink temp
	err = os.Chmod(temp, 0o600)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// makePrivate makes a directory, mode 0700, with a name that adds as little to
// a path as a socket's own name does: os.MkdirTemp's are longer.
func makePrivate(dir string) (string, error) {
	for {
		name := filepath.Join(dir, ".s"+rand.Text()[:4])
		err := os.Mkdir(name, 0o700)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

// SameUser returns nil when the process at the other end runs as this user.
func SameUser(conn *net.UnixConn) error {
	c, err := Cred(conn)
	if err != nil {
		return err
	}
	return c.ours()
}

func (c Credentials) ours() error {
	if c.UID != os.Geteuid() {
		return fmt.Errorf("process %d of uid %d is not ours: %w", c.PID, c.UID, syscall.EPERM)
	}
	return nil
}

// Listener is a unix listener for one user: its Accept closes connections of
// other users, counts them and goes on. It is safe for concurrent use.
type Listener struct {
	*net.UnixListener
	refused atomic.Int64
	same    func(*net.UnixConn) error // SameUser
}

// NewListener returns a Listener on l.
func NewListener(l *net.UnixListener) *Listener {
	return &Listener{UnixListener: l, same: SameUser}
}

// Accept waits for the next connection of this user.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, err // not a nil *net.UnixConn in an interface
	}
	return c, nil
}

// AcceptUnix is Accept for who needs the connection's own type.
func (l *Listener) AcceptUnix() (*net.UnixConn, error) {
	for {
		conn, err := l.UnixListener.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if l.same(conn) == nil {
			return conn, nil
		}
		l.refused.Add(1)
		conn.Close()
	}
}

// Refused is how many connections of other users were closed.
func (l *Listener) Refused() int64 { return l.refused.Load() }
