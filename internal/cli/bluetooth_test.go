package cli

import (
	"strings"
	"testing"

	"kryptonite/internal/control"
	"kryptonite/internal/transport/ble/bluez/bluetest"
)

// TestBluetoothFact: each state in one line, with what to do.
func TestBluetoothFact(t *testing.T) {
	c := newCheckup(&env{home: t.TempDir()})
	says := func(want string) {
		t.Helper()
		facts := lookBluetooth(t.Context(), c)
		if len(facts) == 0 || want == "" {
			if len(facts) > 0 || want != "" {
				t.Errorf("%d facts, want %q", len(facts), want)
			}
			return
		}
		f := facts[0]
		if got := string(f.state) + "|" + f.text + "|" + f.fix; !strings.HasPrefix(got, want) || (f.state == factOK) != (f.fix == "") {
			t.Errorf("%q, want %q", got, want)
		}
	}
	says("") // it is not set up
	if f := lookRelay(t.Context(), c)[0]; f.state != factWarn {
		t.Errorf("with no channel at all: %+v", f)
	}
	if err := setBluetooth(c.env, true); err != nil {
		t.Fatal(err)
	}
	if f := lookRelay(t.Context(), c)[0]; f.state != factOK || !strings.Contains(f.text, "Bluetooth is") {
		t.Errorf("without a relay: %+v", f)
	}
	for _, flag := range []string{"--region", "--profile", "--endpoint", "--prefix", "--platform-application"} {
		if code, _, errs := kr(t, c.home, "channel", "add", "bluetooth", flag, "x"); code != codeUsage || !strings.Contains(errs, flag+" is for s") {
			t.Errorf("with %s: exit code %d, %s", flag, code, errs)
		}
	}
	t.Setenv(bluetest.Variable, "unix:path="+t.TempDir()+"/none")
	says("warn|the system's D-Bus cannot be reached|")
	bus := bluetest.StartBus(t)
	t.Setenv(bluetest.Variable, bus.Address)
	says("warn|bluetoothd is not running|")
	blue := bus.BlueZ(t, bluetest.Options{})
	says("warn|there is no Bluetooth adapter that can be used|")
	blue.Plug("hci0")
	says("ok|it is on|")
	blue.Power("hci0", false)
	says("warn|Bluetooth is off|")
	if got := linkText(control.Link{Name: channelBluetooth}); got != "connects when something is asked" {
		t.Errorf("a phone that is not here: %q", got)
	}
}
