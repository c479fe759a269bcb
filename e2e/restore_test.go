package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRestoredBackups: the state of either side, or of both, is put back to an
// earlier day. Logins go on; what was unpaired since then is not back.
func TestRestoredBackups(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	l := &ledger{}
	must(t, h.runWatched("ana", l))
	must(t, h.Login())
	stop := func() {
		t.Helper()
		for _, p := range []*Proc{h.Krd, h.Phones["ana"]} {
			_, err := p.Stop(syscall.SIGTERM)
			must(t, err)
		}
	}
	start := func() {
		t.Helper()
		must(t, h.StartKrd())
		must(t, h.runWatched("ana", l))
	}
	stop()
	dirs := map[string]string{"kr": h.Path("kr"), "phone": h.Path("phone-ana")}
	copyAll := func(from, to string) {
		t.Helper()
		if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v: %s", err, out)
		}
	}
	for name, dir := range dirs {
		copyAll(dir, h.Path("old-"+name))
	}
	restore := func(names ...string) {
		t.Helper()
		stop()
		for _, name := range names {
			must(t, os.RemoveAll(dirs[name]))
			copyAll(h.Path("old-"+name), dirs[name])
		}
		start()
	}
	start()
	for _, names := range [][]string{{"phone"}, {"kr"}, {"kr", "phone"}, {"phone"}} {
		for range 2 {
			must(t, h.Login())
		}
		restore(names...)
		if err := h.Login(); err != nil {
			t.Errorf("restored %q: %v", names, err)
		}
	}
	l.mu.Lock()
	if len(l.twice) > 0 {
		t.Errorf("two payloads were signed for one decision: %q", l.twice)
	}
	l.mu.Unlock()

	// Unpaired, then the phone is put back: it lists the computer and says when
	// it last heard of it, and the computer takes nothing from it.
	_, err := h.Kr("unpair", "ana", "--yes")
	must(t, err)
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
	restore("phone")
	if err := h.Login(); err == nil {
		t.Error("a login by a pairing that the computer ended")
	}
	if n := len(h.paired(t)); n != 0 {
		t.Errorf("krd has %d pairings, want none", n)
	}
	files, err := filepath.Glob(h.Path("kr", "pairings", "*"))
	must(t, err)
	if len(files) > 0 {
		t.Errorf("left: %q", files)
	}
	_, err = h.Phones["ana"].Stop(syscall.SIGTERM)
	must(t, err)
	list, err := h.Phone("ana", "list")
	must(t, err)
	list.Wait()
	if !strings.Contains(list.Output(), "laptop") {
		t.Errorf("the phone's list: %s", list.Output())
	}
	// Both can begin anew.
	must(t, h.Pair("ana"))
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())
}
