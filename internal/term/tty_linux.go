package term

import (
	"os"

	"golang.org/x/sys/unix"
)

// The requests are those of ioctl_tty(2).

func getTermios(f *os.File) (*unix.Termios, error) {
	var t *unix.Termios
	err := control(f, func(fd int) (err error) {
		t, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	})
	return t, err
}

// setTermios changes the terminal; flush drops what was typed and not read.
func setTermios(f *os.File, t *unix.Termios, flush bool) error {
	req := uint(unix.TCSETSW)
	if flush {
		req = unix.TCSETSF
	}
	return control(f, func(fd int) error { return unix.IoctlSetTermios(fd, req, t) })
}

// flushInput drops what was typed and not read.
func flushInput(f *os.File) error {
	return control(f, func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) })
}
