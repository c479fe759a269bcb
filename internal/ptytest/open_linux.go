package ptytest

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Open returns a terminal and the side where a person sits. Both are closed when
// the test is over.
func Open(t testing.TB) (person, tty *os.File) {
	t.Helper()
	person = open(t, "/dev/ptmx")
	c, err := person.SyscallConn() // Fd would make reads of it wait without a deadline
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var refused error
	err = c.Control(func(fd uintptr) {
		n, refused = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		refused = errors.Join(refused, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
	})
	if err := errors.Join(err, refused); err != nil {
		t.Fatal(err)
	}
	return person, open(t, fmt.Sprintf("/dev/pts/%d", n))
}

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
