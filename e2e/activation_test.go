package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// activated is krd as systemd starts it: with sockets at these paths, and mode.
func activated(t *testing.T, h *House, mode os.FileMode, paths ...string) *exec.Cmd {
	t.Helper()
	must(t, os.MkdirAll(h.Path("kr"), 0o700))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "sh", "-c", "LISTEN_PID=$$ exec krd")
	for _, path := range paths {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		must(t, err)
		l.SetUnlinkOnClose(false)
		must(t, os.Chmod(path, mode))
		f, err := l.File()
		must(t, err)
		must(t, l.Close()) // f holds it
		t.Cleanup(func() { f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	cmd.Env = append(h.Env, "LISTEN_FDS="+string(rune('0'+len(paths))))
	return cmd
}

// TestSocketActivation: who connects before krd runs is answered as soon as it
// does, krd's child processes know nothing of it, and the next krd takes the
// same sockets.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	cmd := activated(t, h, 0o600, h.Path("kr", "agent.sock"), h.Path("kr", "krd.sock"))
	inode := func() uint64 {
		info, err := os.Lstat(h.Path("kr", "agent.sock"))
		must(t, err)
		return info.Sys().(*syscall.Stat_t).Ino
	}
	before := inode()
	for range 2 {
		again := exec.CommandContext(t.Context(), cmd.Path, cmd.Args[1:]...)
		again.Env, again.ExtraFiles = cmd.Env, cmd.ExtraFiles
		early := exec.Command("ssh-add", "-l")
		early.Env = h.Env
		said := make(chan string, 1)
		go func() {
			out, _ := early.CombinedOutput() // exit 1: no identities
			said <- string(out)
		}()
		must(t, again.Start())
		select {
		case out := <-said:
			if !strings.Contains(out, "no identities") {
				t.Errorf("ssh-add: %s", out)
			}
		case <-time.After(patience):
			t.Error("ssh-add waits for ever")
		}
		out, err := h.Kr("status")
		must(t, err)
		if !strings.Contains(out, "no phone") {
			t.Errorf("kr status: %s", out)
		}
		if now := inode(); now != before {
			t.Error("krd made another socket in the place of the one it was passed")
		}
		must(t, again.Process.Signal(syscall.SIGTERM))
		must(t, again.Wait())
	}
}

// TestSocketActivationRefuses what is open to others, and what is elsewhere.
func TestSocketActivationRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		mode  os.FileMode
		other bool
		want  string
	}{
		{"a socket that others may open", 0o666, false, "SocketMode=0600"},
		{"sockets of another directory", 0o600, true, "kr setup"},
	} {
		h := newHouse(t)
		dir := h.Path("kr")
		if c.other {
			dir = filepath.Join(h.Dir, "o")
			must(t, os.Mkdir(dir, 0o700))
		}
		cmd := activated(t, h, c.mode, filepath.Join(dir, "agent.sock"), filepath.Join(dir, "krd.sock"))
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: krd ends with %v: %s; want %q", c.name, err, out, c.want)
		}
	}
}
