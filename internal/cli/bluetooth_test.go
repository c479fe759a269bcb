package cli

import (
	"strings"
	"testing"

	"kryptonite/internal/control"
	"kryptonite/internal/transport/ble/bluez/bluetest"
)

// TestBluetoothFact: each state in one line, with what to do.
func TestBluetoothFact(t *testing.T) {
	says := func(want string) {
		t.Helper()
		f := bluetoothFact(t.Context())
		if got := f.What + "|" + f.Problem; !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	t.Setenv(bluetest.Variable, "unix:path="+t.TempDir()+"/none")
	says("Bluetooth|the system's D-Bus cannot be reached: ")
	bus := bluetest.StartBus(t)
	t.Setenv(bluetest.Variable, bus.Address)
	says("Bluetooth|bluetoothd is not running: ")
	blue := bus.BlueZ(t, bluetest.Options{})
	says("Bluetooth|there is no Bluetooth adapter that can be used: ")
	blue.Plug("hci0")
	says("Bluetooth is on|")
	blue.Power("hci0", false)
	says("Bluetooth|Bluetooth is off: ")
	if got := linkText(control.Link{Name: channelBluetooth}); got != "connects when something is asked" {
		t.Errorf("a phone that is not here: %q", got)
	}
}
