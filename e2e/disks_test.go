package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport/relay"
)

// disks are small disks of a house at some of its directories, which the programs
// that are named see, and nobody else.
type disks struct {
	h    *House
	root string // of the programs' files
}

// newDisks puts a disk of 2 MiB at each directory, for programs that start from
// now on. They live in a mount namespace, so nothing is left of them.
func newDisks(t *testing.T, h *House, programs, dirs []string) *disks {
	t.Helper()
	if err := exec.Command("unshare", "-rm", "true").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("unshare -rm: %v: a kernel that lets users make namespaces is needed", err)
		}
		t.Skip("needs unshare -rm")
	}
	var paths []string
	for _, d := range dirs {
		paths = append(paths, h.Path(d))
		must(t, os.MkdirAll(h.Path(d), 0o700))
	}
	holder, err := Start(h.Env, "unshare", append([]string{"-rm", "sh", "-c",
		`for d; do mount -t tmpfs -o size=2m,mode=700 none "$d" || exit; done; echo ready; exec cat`, "sh"}, paths...)...)
	must(t, err)
	t.Cleanup(func() { holder.Stop(syscall.SIGKILL) })
	_, err = holder.Await(`ready`)
	must(t, err)
	pid := holder.cmd.Process.Pid
	own := h.Path("bin")
	must(t, os.Mkdir(own, 0o700))
	all, err := os.ReadDir(h.Bin)
	must(t, err)
	for _, e := range all {
		must(t, os.Symlink(filepath.Join(h.Bin, e.Name()), filepath.Join(own, e.Name())))
	}
	for _, name := range programs {
		script := fmt.Sprintf("#!/bin/sh\nexec nsenter -t %d -U -m --preserve-credentials %s \"$@\"\n", pid, filepath.Join(h.Bin, name))
		must(t, errors.Join(os.Remove(filepath.Join(own, name)), os.WriteFile(filepath.Join(own, name), []byte(script), 0o700)))
	}
	h.Bin = own
	return &disks{h, fmt.Sprintf("/proc/%d/root", pid)}
}

// fill leaves no free byte on the disk at dir; free makes room again.
func (d *disks) fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(d.zero(dir), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	must(t, err)
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 16
		} else {
			must(t, err)
		}
	}
}

func (d *disks) free(t *testing.T, dir string) { t.Helper(); must(t, os.Remove(d.zero(dir))) }

func (d *disks) zero(dir string) string { return filepath.Join(d.root, d.h.Path(dir), "zero") }

// TestFullDisks: the disk of the phone, and that of the relay, is full while people
// log in. Nothing is answered that is not stored; who is full says so; when there is
// room again, the logins that waited go on, by one decision each.
func TestFullDisks(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := newDisks(t, h, []string{"kr-phone", "kr-relay"}, []string{"phone-ana", "relay"})
	must(t, h.InitPhone("ana"))
	must(t, os.Rename(h.Path("phone-ana", "key.json"), h.Path("key.json")))
	b, err := os.ReadFile(h.Path("key.json"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(d.root, h.Path("phone-ana"), "key.json"), b, 0o600))
	must(t, os.WriteFile(h.Path("phone-ana", "key.json"), b, 0o600)) // so that it is not made anew
	begin(t, h, "ana")
	must(t, h.StartSshd())
	l := &ledger{}
	must(t, h.runWatched("ana", l))
	must(t, h.Login())

	logins := func() <-chan error {
		done := make(chan error, 3)
		for range 3 {
			go func() { done <- h.Login() }()
		}
		return done
	}
	wait := func(what string, done <-chan error) {
		t.Helper()
		for range 3 {
			if err := <-done; err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	d.fill(t, "phone-ana")
	signed := strings.Count(h.Phones["ana"].Output(), "signed for")
	done := logins()
	code, err := h.Phones["ana"].Wait()
	must(t, err)
	out := h.Phones["ana"].Output()
	if code != 1 || !strings.Contains(out, "no space left on device") || strings.Count(out, "signed for") != signed {
		t.Errorf("the phone on a full disk: exit %d\n%s", code, lastLines(out, 10))
	}
	d.free(t, "phone-ana")
	must(t, h.runWatched("ana", l))
	wait("the phone has room again", done)

	// Mail for somebody else takes what room there is in the relay's file.
	c, err := relay.NewClient(h.Origin, relay.Options{})
	must(t, err)
	defer c.Close()
	key, err := mailbox.NewKey()
	must(t, err)
	must(t, c.Open(t.Context(), key))
	d.fill(t, "relay")
	taken := 0
	for ; taken < 100 && err == nil; taken++ {
		err = c.Post(t.Context(), key.Address(), make([]byte, 60<<10))
	}
	if err == nil {
		t.Errorf("%d posts of 60 KiB fit on a full disk of 2 MiB", taken)
	}
	t.Logf("after %d posts the relay says: %v", taken, err)
	done = logins() // small ones may fit; those that do not wait
	d.free(t, "relay")
	wait("the relay has room again", done)
	must(t, c.Post(t.Context(), key.Address(), make([]byte, 60<<10)))
	must(t, h.Login())
	l.check(t, h)
}
