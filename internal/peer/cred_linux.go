package peer

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Cred returns the process that connected, by SO_PEERCRED (unix(7)).
func Cred(conn *net.UnixConn) (Credentials, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Credentials{}, fmt.Errorf("read peer credentials: %w", err)
	}
	var u *unix.Ucred
	var uerr error
	if err := raw.Control(func(fd uintptr) {
		u, uerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Credentials{}, fmt.Errorf("read peer credentials: %w", err)
	}
	if uerr != nil {
		return Credentials{}, fmt.Errorf("read peer credentials: %w", uerr)
	}
	return Credentials{PID: int(u.Pid), UID: int(u.Uid)}, nil
}
