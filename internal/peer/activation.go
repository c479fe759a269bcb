package peer

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/coreos/go-systemd/v22/activation"
)

// Passed returns the unix sockets that systemd made for this process, by their
// paths; none when it was started in another way. It may be called once: it takes
// the variables out of the environment, so that no child takes the sockets for
// its own. Anything else that was passed is an error.
//
// References: sd_listen_fds(3).
func Passed() (map[string]*net.UnixListener, error) {
	passed, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take the sockets from systemd: %w", err)
	}
	out := map[string]*net.UnixListener{}
	for i, l := range passed {
		u, ok := l.(*net.UnixListener)
		if !ok {
			return nil, fmt.Errorf("take the sockets from systemd: number %d is no listening unix socket", i+1)
		}
		out[u.Addr().String()] = u
	}
	return out, nil
}

// CheckPassed returns nil when the socket at path is as Listen makes one: ours,
// closed to others, in a directory of this user that nobody else may write to.
func CheckPassed(path string) error {
	if err := checkDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("listen on %s: %w", path, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("look at the socket from systemd: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is no socket", path)
	}
	if uid, ours := owner(info); !ours {
		return fmt.Errorf("socket %s belongs to another user (uid %d)", path, uid)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others may open socket %s (mode %#o): its unit must say SocketMode=0600", path, info.Mode().Perm())
	}
	return nil
}
