package peer

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Cred returns the process that connected, by LOCAL_PEERCRED and LOCAL_PEERPID
// (unix(4)).
func Cred(conn *net.UnixConn) (Credentials, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Credentials{}, fmt.Errorf("read peer credentials: %w", err)
	}
	var c Credentials
	var cerr error
	if err := raw.Control(func(fd uintptr) {
		var x *unix.Xucred
		if x, cerr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); cerr != nil {
			return
		}
		c.UID = int(x.Uid)
		c.PID, cerr = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	}); err != nil {
		return Credentials{}, fmt.Errorf("read peer credentials: %w", err)
	}
	if cerr != nil {
		return Credentials{}, fmt.Errorf("read peer credentials: %w", cerr)
	}
	return c, nil
}
