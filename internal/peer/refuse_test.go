package peer

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dial connects and returns both ends.
func dial(t *testing.T, l *net.UnixListener, path string) (client, server *net.UnixConn) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.UnixConn), s
}

func listen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestSocketIsAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l := listen(t, path)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket's mode is %v, want a socket of 0600", info.Mode())
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("the directory holds %v, want the socket alone", names)
	}
	_, server := dial(t, l, path)
	if err := SameUser(server); err != nil {
		t.Error("SameUser of ourselves:", err)
	}
	c, err := Cred(server)
	if err != nil || c != (Credentials{PID: os.Getpid(), UID: os.Geteuid()}) {
		t.Errorf("Cred = %+v, %v", c, err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	live := listen(t, filepath.Join(dir, "live"))
	for name, path := range map[string]string{
		"a file": "file", "a symbolic link": "link", "a directory": "dir", "no directory": "none/s",
		"a path too long": strings.Repeat("x", maxPath),
	} {
		if l, err := Listen(filepath.Join(dir, path)); err == nil {
			l.Close()
			t.Errorf("%s: a socket was made", name)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "precious" {
		t.Error("a file in the way was touched:", err)
	}
	if _, err := Listen(filepath.Join(dir, "live")); !errors.Is(err, ErrInUse) {
		t.Errorf("a live socket: %v, want ErrInUse", err)
	}
	c, err := live.AcceptUnix() // the question whether someone lives here
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	dial(t, live, filepath.Join(dir, "live"))
}

func TestCredOfAClosedConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	_, server := dial(t, listen(t, path), path)
	server.Close()
	if err := SameUser(server); err == nil {
		t.Error("a closed connection is of this user")
	}
}
