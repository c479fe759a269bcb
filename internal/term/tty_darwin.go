package term

import (
	"os"

	"golang.org/x/sys/unix"
)

// The requests are those of tty(4).

func getTermios(f *os.File) (*unix.Termios, error) {
	var t *unix.Termios
	err := control(f, func(fd int) (err error) {
		t, err = unix.IoctlGetTermios(fd, unix.TIOCGETA)
		return err
	})
	return t, err
}

// setTermios changes the terminal; flush drops what was typed and not read.
func setTermios(f *os.File, t *unix.Termios, flush bool) error {
	req := uint(unix.TIOCSETAW)
	if flush {
		req = unix.TIOCSETAF
	}
	return control(f, func(fd int) error { return unix.IoctlSetTermios(fd, req, t) })
}

// flushInput drops what was typed and not read.
func flushInput(f *os.File) error {
	const fread = 1 // FREAD, sys/fcntl.h
	return control(f, func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, fread) })
}
