package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilledWhileKeysChange: kr-phone is killed while it shows or deletes a key.
// Done again, it is done, and the computer learns of it when the phone runs.
func TestKilledWhileKeysChange(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"handled", "stored", "phone.Send"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h := newFaultyHouse(t)
			begin(t, h, "ana")
			h.mustPhone(t, "key", "new", "work", "--type", "p256")

			h.killedPhone(t, "phone.AllowKey."+point, "key", "allow", "work", "laptop")
			h.mustPhone(t, "key", "allow", "work", "laptop")
			must(t, h.RunPhone("ana", "always"))
			h.untilKeys(t, 2)
			_, err := h.Phones["ana"].Stop(syscall.SIGTERM)
			must(t, err)

			h.killedPhone(t, "phone.KeysChanged."+point, "key", "delete", "work", "--yes")
			if out := h.mustPhone(t, "key", "list"); point != "handled" && !strings.HasSuffix(out, "\t-\n") { // work is the last row
				t.Errorf("a key that was being deleted is seen:\n%s", out)
			}
			h.mustPhone(t, "key", "delete", "work", "--yes")
			must(t, h.RunPhone("ana", "always"))
			h.untilKeys(t, 1)
			must(t, h.StartSshd())
			must(t, h.Login())
			h.checkLog(t, "ana")
		})
	}
}

// mustPhone runs kr-phone of ana to its end.
func (h *House) mustPhone(t *testing.T, args ...string) string {
	t.Helper()
	p, err := h.Phone("ana", args...)
	must(t, err)
	if code, err := p.Wait(); err != nil || code != 0 {
		t.Fatalf("kr-phone %v: exit %d, %v\n%s", args, code, err, p.Output())
	}
	return p.Output()
}

// killedPhone runs kr-phone of ana until it dies at a point.
func (h *House) killedPhone(t *testing.T, point string, args ...string) {
	t.Helper()
	p, err := h.PhoneWith("ana", []string{"KR_FAULT=" + point}, args...)
	must(t, err)
	must(t, p.Killed())
}

// untilKeys waits until krd offers so many keys.
func (h *House) untilKeys(t *testing.T, want int) {
	t.Helper()
	var out []byte
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		cmd := exec.Command("ssh-add", "-L")
		cmd.Env = h.Env
		if out, _ = cmd.Output(); strings.Count(string(out), "\n") == want {
			return
		}
	}
	t.Fatalf("krd offers, instead of %d keys:\n%s", want, out)
}
