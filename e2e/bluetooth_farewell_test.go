package e2e

import (
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/transport/ble/bluez/bluetest"
)

// TestBluetoothFarewell: a phone that has Bluetooth alone unpairs while the computer is
// not to be seen, and tells it when it asks next.
func TestBluetoothFarewell(t *testing.T) {
	t.Parallel()
	h, bus := newNearHouse(t)
	blue := bus.BlueZ(t, bluetest.Options{}, "hci0", "hci1")
	must(t, h.StartKrd())
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())
	_, err := h.Phones["ana"].Stop(syscall.SIGTERM)
	must(t, err)
	until(t, "nobody says anything", silent(blue))

	unpair, err := h.Phone("ana", "unpair", "laptop")
	must(t, err)
	_, err = unpair.Await(`The computer could not be told yet. kr-phone run goes on trying for two days.`)
	must(t, err)
	if code, err := unpair.Wait(); err != nil || code != 0 {
		t.Errorf("kr-phone unpair: exit %d, %v", code, err)
	}
	if out, err := h.Kr("status"); err != nil || !strings.Contains(out, "ana") || !silent(blue)() {
		t.Errorf("the computer knows already, or asks: %v\n%s", err, out)
	}
	must(t, h.RunPhone("ana", "always"))
	if err := h.Login(); err == nil {
		t.Error("the phone signs for a computer that it has unpaired from")
	}
	_, err = h.Phones["ana"].Await(`laptop has been told that it is unpaired`)
	must(t, err)
	_, err = h.Krd.Await(`the phone has unpaired`)
	must(t, err)
	if out, err := h.Kr("status"); err != nil || !strings.Contains(out, "\nno phone is paired; run: kr pair\n") {
		t.Errorf("kr status: %v\n%s", err, out)
	}
	until(t, "nobody says anything", silent(blue))
}
