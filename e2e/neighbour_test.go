package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/strangertest"
)

// asStranger returns a command of another user, in the house's environment.
func (h *House) asStranger(t *testing.T, name string, args ...string) *exec.Cmd {
	cmd := strangertest.Command(t, name, args...)
	cmd.Env = h.Env
	return cmd
}

// TestNeighbours: while people log in, another user of the computer goes through
// its files, sockets and processes, and has his own programs at the same paths.
// Other processes of the same user read no memory. No argument of a program that
// is started holds a secret.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	strangertest.Needed(t)
	tally := attacktest.New(t, "another user, at a house of real programs")
	h := newHouse(t)
	must(t, os.Chmod(h.Dir, 0o755)) // a home that others may enter
	args := h.recordStarts(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())

	// Files and sockets.
	for _, dir := range []string{"kr", "phone-ana", "relay"} {
		must(t, filepath.WalkDir(h.Path(dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			for _, try := range []*exec.Cmd{h.asStranger(t, "/bin/cat", path), h.asStranger(t, "/bin/ls", path+"/."), h.asStranger(t, "/bin/mv", path, path+".his"), h.asStranger(t, "/bin/ln", "-sf", "/etc/passwd", path)} {
				if out, err := try.CombinedOutput(); err == nil {
					tally.Succeeded("%v: %s", try.Args, out)
				} else {
					tally.Rejected()
				}
			}
			return nil
		}))
	}
	if out, err := h.asStranger(t, "/usr/bin/ssh-add", "-l").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("ermission denied")) {
		tally.Succeeded("ssh-add -l: %v, %s", err, out)
	} else {
		tally.Rejected()
	}

	// Processes: krd and kr-phone of that user, and another one of his that looks.
	his, err := os.MkdirTemp("", "kr")
	must(t, err)
	defer os.RemoveAll(his)
	for _, name := range []string{"krd", "kr-phone"} {
		must(t, exec.Command("cp", filepath.Join(bin, name), his).Run())
	}
	must(t, exec.Command("cp", "-r", h.Path("phone-ana"), h.Path("passphrase"), his).Run())
	must(t, exec.Command("chown", "-R", fmt.Sprintf("%d:%d", strangertest.UID, strangertest.GID), his).Run())
	env := append(os.Environ(), "HOME="+his, "KR_HOME="+his+"/kr", "KR_PHONE_HOME="+his+"/phone-ana", "SSH_AUTH_SOCK=", "DBUS_SESSION_BUS_ADDRESS=disabled:")
	to := []string{"--reuid", fmt.Sprint(strangertest.UID), "--regid", fmt.Sprint(strangertest.GID), "--clear-groups"}
	for ready, command := range map[string][]string{
		`(?m)^ready$`: {his + "/krd"},
		`ready: `:     {his + "/kr-phone", "--passphrase-file", his + "/passphrase", "run", "--approve", "never"},
	} {
		p, err := Start(env, "setpriv", append(to, command...)...)
		must(t, err)
		_, err = p.Await(ready)
		must(t, err)
		for _, file := range []string{"environ", "maps", "auxv", "io"} {
			if out, err := h.asStranger(t, "/bin/cat", fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)).Output(); err == nil || len(out) > 0 {
				tally.Succeeded("another process of its user reads %s of %s", file, command[0])
			} else {
				tally.Rejected()
			}
		}
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
		if err != nil || !strings.Contains(string(limits), "Max core file size        0 ") {
			t.Errorf("%s may leave a core file: %v\n%s", command[0], err, limits)
		}
		_, err = p.Stop(syscall.SIGTERM)
		must(t, err)
	}

	// Arguments, and the environment beside what was there before.
	must(t, h.Login())
	c, phoneKey := secrets(t, h)
	started := args()
	for what, secret := range map[string][]byte{"the phone's SSH private key": phoneKey, "c_priv": c.Bytes(), "c_pub": pub(c), "the passphrase": []byte("correct horse")} {
		if how := find(started, secret); how != "" {
			tally.Succeeded("%s is in an argument (%s)", what, how)
		} else {
			tally.Rejected()
		}
	}
}

// recordStarts puts a wrapper before each of our programs and those that they
// start by name, which notes how it was started: all arguments, however short
// the program lives.
func (h *House) recordStarts(t *testing.T) (started func() []byte) {
	t.Helper()
	dir, log := h.Path("bin"), h.Path("started")
	must(t, os.Mkdir(dir, 0o755))
	for _, name := range []string{"kr", "krd", "kr-phone", "kr-relay", "ssh", "ssh-add", "ssh-keygen", "systemctl", "git", "loginctl", "notify-send", "xdg-open", "busctl"} {
		real, err := exec.LookPath(filepath.Join(h.Bin, name))
		if err != nil {
			real, err = exec.LookPath(name)
		}
		if errors.Is(err, exec.ErrNotFound) {
			real = "/bin/false"
		} else {
			must(t, err)
		}
		script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\0' %s \"$@\" >>%s\nexec %s \"$@\"\n", name, log, real)
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
	h.Bin = dir
	h.Env = append(h.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	return func() []byte {
		b := read(t, log)
		for _, name := range []string{"kr\x00pair", "krd\x00", "kr-phone\x00", "kr-relay\x00"} {
			if !bytes.Contains(b, []byte(name)) {
				t.Errorf("the record has no %q: %q", name, b)
			}
		}
		return b
	}
}
