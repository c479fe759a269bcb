// Package bluetest is a BlueZ for tests: a private D-Bus, and an org.bluez on it whose
// adapters hear each other without any radio.
//
// A [BlueZ] plays both counterparts: what one program advertises by one adapter, another
// finds by another, connects to, subscribes to and writes to. It behaves as BlueZ 5.66
// where package bluez depends on it, and, by [Options], as older and newer ones: a
// notification goes to all centrals that have subscribed, a write waits for the application's answer, a connection ends for both, and
// what a program has registered goes with its connection to the bus. The virtual machine of
// the end-to-end tests, with a real bluetoothd, is the check on this package.
//
//	bus := bluetest.StartBus(t)           // programs: DBUS_SYSTEM_BUS_ADDRESS = bus.Address
//	blue := bus.BlueZ(t, bluetest.Options{}, "hci0", "hci1")
package bluetest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Variable is the variable by which programs find the bus.
const Variable = "DBUS_SYSTEM_BUS_ADDRESS"

// Bus is a private D-Bus.
type Bus struct{ Address string }

// StartBus runs a dbus-daemon until the test ends. The test is skipped where there is
// none, unless this is CI.
func StartBus(t testing.TB) *Bus {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	switch {
	case err != nil && os.Getenv("CI") == "":
		t.Skip("there is no dbus-daemon here; install it: apt-get install dbus-daemon")
	case err != nil:
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "bus") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	daemon := exec.Command(program, "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:path="+filepath.Join(dir, "bus"))
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.Process.Kill()
		daemon.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon: %v", err)
	}
	return &Bus{strings.TrimSpace(line)}
}
