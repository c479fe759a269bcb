package e2e

import (
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/ble/bluez/bluetest"
)

// newNearHouse is a house without any network, whose computer and phones have
// Bluetooth adapters of their own, near each other.
func newNearHouse(t *testing.T) (*House, *bluetest.Bus) {
	t.Helper()
	h, bus := newHouse(t), bluetest.StartBus(t)
	h.Env = append(h.Env, bluetest.Variable+"="+bus.Address, bluez.AdapterVariable+"=hci0")
	h.PhoneMore = []string{bluez.AdapterVariable + "=hci1"}
	for _, args := range [][]string{{"config", "set", "app", "https://app.example.com"}, {"channel", "add", "bluetooth"}} {
		_, err := h.Kr(args...)
		must(t, err)
	}
	return h, bus
}

// silent is that the computer advertises nothing, and nobody is connected.
func silent(blue *bluetest.BlueZ) func() bool {
	return func() bool {
		now, _ := blue.Connected()
		return now == 0 && len(blue.Advertised()) == 0
	}
}

// TestBluetoothAlone: phone and computer pair, log in, also after both and bluetoothd
// started anew, and part, by Bluetooth alone; the computer is not to be seen but then.
func TestBluetoothAlone(t *testing.T) {
	t.Parallel()
	h, bus := newNearHouse(t)
	must(t, h.StartKrd())
	if out, err := h.Kr("pair"); err == nil || !strings.Contains(out, "bluetoothd is not running") {
		t.Errorf("kr pair without bluetoothd: %v\n%s", err, out)
	}
	blue := bus.BlueZ(t, bluetest.Options{MTU: 185}, "hci0", "hci1")
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always")) // until then the computer says that it uses the pairing, again and again
	must(t, h.Login())
	until(t, "nobody says anything", silent(blue))

	_, err := h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	_, err = h.Phones["ana"].Stop(syscall.SIGKILL)
	must(t, err)
	blue.Stop()
	must(t, h.StartKrd())
	must(t, h.RunPhone("ana", "always"))
	blue = bus.BlueZ(t, bluetest.Options{Reorder: true, Sockets: bluetest.Each}, "hci0", "hci1")
	must(t, h.Login())
	blue.Cut()
	must(t, h.Login())
	out, err := h.Kr("channel", "list")
	must(t, err)
	if !strings.Contains(out, "\nbluetooth    on\n") || !strings.Contains(out, "\n  bluetooth  connected; worked ") {
		t.Errorf("kr channel list:\n%s", out)
	}
	blue.Power("hci0", false)
	out, err = h.Kr("channel", "list")
	must(t, err)
	if !strings.Contains(out, "\nbluetooth    Bluetooth is off: switch it on: bluetoothctl power on\n") || !strings.Contains(out, "\n  bluetooth  not connected: Bluetooth is off") {
		t.Errorf("kr channel list:\n%s", out)
	}
	blue.Power("hci0", true)
	if out, err := h.Kr("channel", "remove", "bluetooth"); err == nil || !strings.Contains(out, "has no other channel") {
		t.Errorf("kr channel remove: %v\n%s", err, out)
	}

	out, err = h.Kr("unpair", "ana", "--yes")
	must(t, err)
	if strings.Contains(out, "could not be told") {
		t.Errorf("kr unpair: %s", out)
	}
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
	until(t, "nobody says anything", silent(blue))
	if got := blue.Touched(); len(got) > 0 {
		t.Errorf("properties %q were set", got)
	}
}
