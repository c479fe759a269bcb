package e2e

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// beside is a second computer with the same relay and the same phones.
func (h *House) beside(t *testing.T, name string) *House {
	t.Helper()
	other := newHouseOf(t, h.Bin)
	other.Name, other.PhoneDir, other.Origin = name, h.Dir, h.Origin
	_, err := other.Kr("config", "set", "relay", h.Origin)
	must(t, err)
	must(t, other.StartKrd())
	return other
}

// TestTwoPhonesTwoComputers: each computer works with each phone, ends of
// pairings touch nobody else, and many logins at once all go through.
func TestTwoPhonesTwoComputers(t *testing.T) {
	t.Parallel()
	laptop := newHouse(t)
	begin(t, laptop)
	desk := laptop.beside(t, "laptop") // of the same name: the phones tell them apart
	for _, h := range []*House{laptop, desk} {
		must(t, h.Pair("ana"))
		must(t, h.Pair("bo"))
		must(t, h.StartSshd())
	}
	list, err := laptop.Phone("ana", "list")
	must(t, err)
	list.Wait()
	if !strings.Contains(list.Output(), "\tlaptop\t") || !strings.Contains(list.Output(), "\tlaptop 2\t") {
		t.Errorf("two computers of one name are listed as:\n%s", list.Output())
	}
	must(t, laptop.RunPhone("ana", "always"))
	must(t, laptop.RunPhone("bo", "always"))

	// 50 logins at once, on both computers.
	start := time.Now()
	var logins sync.WaitGroup
	for i := range 50 {
		h := []*House{laptop, desk}[i%2]
		logins.Go(func() {
			if err := h.Login(); err != nil {
				t.Error(err)
			}
		})
	}
	logins.Wait()
	t.Logf("50 logins: %s", time.Since(start).Round(time.Millisecond))

	// A phone that is off: the other one's key, after 5 s, and then at once.
	_, err = laptop.Phones["ana"].Stop(syscall.SIGTERM)
	must(t, err)
	must(t, laptop.Login())
	out, err := laptop.Kr("status")
	must(t, err)
	if strings.Index(out, "phone     bo") > strings.Index(out, "phone     ana") || !strings.Contains(out, "not heard from since") {
		t.Errorf("the phone that answers does not come first:\n%s", out)
	}
	start = time.Now()
	must(t, laptop.Login())
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("with a phone known to be away a login takes %s", took)
	}

	// The end of one pairing: the phone's other computer and the computer's
	// other phone do not notice.
	must(t, laptop.RunPhone("ana", "always"))
	_, err = laptop.Kr("unpair", "bo", "--yes")
	must(t, err)
	for _, h := range []*House{laptop, desk} {
		must(t, h.Login())
	}
	if n := len(laptop.paired(t)) + len(desk.paired(t)); n != 3 {
		t.Errorf("%d pairings are left, want 3", n)
	}
	// Two requests waited for ana while she was away; when she is back, each may
	// come to her before its withdrawal does.
	if n := laptop.checkLog(t, "ana") + laptop.checkLog(t, "bo"); n < 54 || n > 56 {
		t.Errorf("54 logins, %d decisions", n)
	}
}

// TestRejectHoldsForTheOtherPhone: ssh offers the other phone's key after a
// reject; that phone is not asked about this session.
func TestRejectHoldsForTheOtherPhone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h, "ana", "bo")
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "never"))
	must(t, h.RunPhone("bo", "always"))
	if err := h.Login(); err == nil {
		t.Error("ana rejected, and the login went through by bo")
	}
	if n := h.checkLog(t, "bo"); n != 0 {
		t.Errorf("bo was asked %d times", n)
	}
	// Another login is another session. Without ana's key, bo may allow it.
	keys, err := h.Kr("me")
	must(t, err)
	_, bo, _ := strings.Cut(keys, "\n")
	must(t, os.WriteFile(h.Path("authorized_keys"), []byte(bo), 0o600))
	must(t, h.RunPhone("bo", "always"))
	if err := h.Login(); err != nil {
		t.Error("the next session:", err)
	}
}
