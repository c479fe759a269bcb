package peer

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func dir(t *testing.T) string {
	t.Helper()
	d, err := os.MkdirTemp("", "p") // short: the paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

func TestListen(t *testing.T) {
	path := filepath.Join(dir(t), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
		t.Fatal(info.Mode(), err)
	}
	if _, err := Listen(path); !errors.Is(err, ErrInUse) {
		t.Errorf("a socket that answers: %v, want ErrInUse", err)
	}
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if c, err := Cred(conn); err != nil || c.PID != os.Getpid() || c.UID != os.Geteuid() || SameUser(conn) != nil {
		t.Errorf("Cred = %+v, %v", c, err)
	}
	l.Close() // leaves the socket behind, as a crash does
	if l, err = Listen(path); err != nil {
		t.Fatal("a leftover socket:", err)
	}
	l.Close()
}

func TestListenLeavesOthersFilesAlone(t *testing.T) {
	path := filepath.Join(dir(t), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("a file was replaced by a socket")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Error("the file is gone")
	}
	if _, err := Listen("/" + strings.Repeat("x", 200)); err == nil || !strings.Contains(err.Error(), "KR_HOME") {
		t.Errorf("a long path: %v, want what to do", err)
	}
}
