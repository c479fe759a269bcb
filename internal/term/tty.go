package term

import "os"

// control calls do with the descriptor of f, which stays as it is: Fd would
// take it from the poller, and with that its deadlines.
func control(f *os.File, do func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return os.NewSyscallError("ioctl", inner)
}
