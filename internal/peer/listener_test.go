package peer

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kryptonite/internal/strangertest"
)

// home is a directory as statedir makes it, with a short path.
func home(t *testing.T) string {
	t.Helper()
	d, err := os.MkdirTemp("", "p")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

// TestListenerRefusesOthers lets the second of three connections be another
// user's: it is closed and counted, the third is served.
func TestListenerRefusesOthers(t *testing.T) {
	path := filepath.Join(home(t), "s")
	raw, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l := NewListener(raw)
	n := 0
	l.same = func(c *net.UnixConn) error {
		if n++; n == 2 {
			return errors.New("another user")
		}
		return SameUser(c)
	}
	var clients [3]net.Conn
	for i := range clients {
		if clients[i], err = net.Dial("unix", path); err != nil {
			t.Fatal(err)
		}
		defer clients[i].Close()
		clients[i].SetDeadline(time.Now().Add(20 * time.Second)) // where all are let in, the last one waits
	}
	for _, want := range []string{"a", "c"} {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, want); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	for i, want := range []string{"a", "", "c"} {
		if got, err := io.ReadAll(clients[i]); string(got) != want || err != nil {
			t.Errorf("connection %d got %q, %v, want %q", i, got, err, want)
		}
	}
	if l.Refused() != 1 {
		t.Errorf("Refused = %d, want 1", l.Refused())
	}
	l.Close()
	if conn, err := l.Accept(); conn != nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close = %v, %v, want net.ErrClosed", conn, err)
	}
}

// TestOthersAreNotOurs: only what runs as this very user is.
func TestOthersAreNotOurs(t *testing.T) {
	if err := (Credentials{PID: 1, UID: os.Geteuid()}).ours(); err != nil {
		t.Errorf("our own process: %v", err)
	}
	for _, uid := range []int{os.Geteuid() + 1, -1, 1 << 30} {
		if err := (Credentials{PID: 1, UID: uid}).ours(); !errors.Is(err, syscall.EPERM) {
			t.Errorf("uid %d: %v, want EPERM", uid, err)
		}
	}
}

func TestListenInsecureDirectory(t *testing.T) {
	for _, mode := range []os.FileMode{0o770, 0o702, 0o777 | os.ModeSticky} {
		d := home(t)
		if err := os.Chmod(d, mode); err != nil {
			t.Fatal(err)
		}
		if l, err := Listen(filepath.Join(d, "s")); err == nil {
			l.Close()
			t.Errorf("a socket was made in a directory of mode %v", mode)
		}
	}
}

func TestListenInAnothersDirectory(t *testing.T) {
	strangertest.Needed(t)
	d := home(t)
	if err := os.Chown(d, strangertest.UID, -1); err != nil {
		t.Fatal(err)
	}
	if l, err := Listen(filepath.Join(d, "s")); err == nil {
		l.Close()
		t.Error("a socket was made in another user's directory")
	}
}

// TestOthersLeftover: a socket of another user is not ours to replace.
func TestOthersLeftover(t *testing.T) {
	strangertest.Needed(t)
	path := filepath.Join(home(t), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := os.Lchown(path, strangertest.UID, -1); err != nil {
		t.Fatal(err)
	}
	if l, err := Listen(path); err == nil {
		l.Close()
		t.Error("another user's socket was replaced")
	}
}

// TestBusySocketIsNotALeftover: a program that accepts too slowly lives.
func TestBusySocketIsNotALeftover(t *testing.T) {
	path := filepath.Join(home(t), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 5 { // the queue is full after one or two
		c, err := net.Dial("unix", path)
		if err != nil {
			break
		}
		defer c.Close()
	}
	if l, err := Listen(path); !errors.Is(err, ErrInUse) {
		if err == nil {
			l.Close()
		}
		t.Errorf("Listen = %v, want ErrInUse", err)
	}
}

// TestLongestPath: what is said to fit fits, with the name it is bound under.
func TestLongestPath(t *testing.T) {
	d := home(t)
	dir := filepath.Join(d, strings.Repeat("d", maxPath-len(d)-len("//krd.sock")))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "krd.sock")
	if len(path) != maxPath {
		t.Fatalf("%d bytes, want %d", len(path), maxPath)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, want the socket alone", left)
	}
	if _, err := Listen(path + "x"); err == nil || !strings.Contains(err.Error(), "KR_HOME") {
		t.Errorf("one byte more: %v, want what to do", err)
	}
}
