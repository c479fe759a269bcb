package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilledWhileUnpairing: once either side has said so, the pairing ends on
// both, whatever dies.
func TestKilledWhileUnpairing(t *testing.T) {
	t.Parallel()
	for _, point := range []string{
		"krd.unpair.stored", "krd.unpair.removed", "krd.farewell.taken",
		"phone.Unpair.handled", "phone.Unpair.stored", "phone.Unpair.phone.Close", "phone.Unpair.phone.Send",
		"phone.send.taken", "phone.Told.handled", "phone.Told.stored",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h := newFaultyHouse(t)
			begin(t, h, "ana")
			fault := "KR_FAULT=" + point
			if strings.HasPrefix(point, "krd.") {
				_, err := h.Krd.Stop(syscall.SIGTERM)
				must(t, err)
				must(t, h.StartKrd(fault))
				h.Kr("unpair", "ana", "--yes") // it may not get an answer
				must(t, h.Krd.Killed())
				must(t, h.StartKrd())
			} else {
				unpair, err := h.PhoneWith("ana", []string{fault}, "unpair", "laptop")
				must(t, err)
				must(t, unpair.Killed())
				if point == "phone.Unpair.handled" || point == "phone.send.taken" { // perhaps nothing was stored: say it again
					unpair, err = h.Phone("ana", "unpair", "laptop")
					must(t, err)
					_, err = unpair.Wait()
					must(t, err)
				}
				must(t, h.RunPhone("ana", "never")) // tells the computer, if it does not know
			}
			for end := time.Now().Add(patience); len(h.paired(t)) > 0; {
				if time.Now().After(end) {
					t.Fatal("krd still has the pairing")
				}
				time.Sleep(50 * time.Millisecond) // a program has no other way to say it
			}
			h.mustAgree(t)
			must(t, h.Pair("ana"))
		})
	}
}

// TestUnpairWhileTheOtherIsAway: the phone is off, or nothing reaches it; it
// hears of it when it is back, and until then kr says that it does not know.
func TestUnpairWhileTheOtherIsAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h)
	must(t, h.Pair("ana")) // and the phone is off
	_, err := h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	out, err := h.Kr("unpair", "ana", "--yes")
	must(t, err)
	if !strings.Contains(out, "could not be told yet; krd goes on trying") {
		t.Errorf("kr unpair without any channel: %s", out)
	}
	_, err = h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	must(t, h.StartKrd())
	out, err = h.Kr("status")
	must(t, err)
	if !strings.Contains(out, "ana does not know yet that it is unpaired") {
		t.Errorf("kr status: %s", out)
	}
	must(t, h.StartRelay())
	for end := time.Now().Add(patience); strings.Contains(out, "does not know"); {
		if time.Now().After(end) {
			t.Fatal("krd does not tell the phone")
		}
		out, err = h.Kr("status")
		must(t, err)
	}
	must(t, h.RunPhone("ana", "never"))
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
}
