package statedir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// datasync makes the content and the length of f durable. Unlike fsync it does
// not write the times, which saves a journal commit of the file system.
func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
