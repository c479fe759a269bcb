package scenarios

import (
	"os"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// inMachine skips a scenario where there is no virtual Bluetooth.
func inMachine(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/modules/order"); err != nil {
		t.Skip("runs in the machine of TestVM")
	}
}

// TestAdapters: bluetoothd has all controllers, powered, and lets an ordinary
// user ask.
func TestAdapters(t *testing.T) {
	inMachine(t)
	if os.Getuid() == 0 {
		t.Error("this is root")
	}
	bus, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	for _, a := range []string{"hci0", "hci1", "hci2"} {
		o := bus.Object("org.bluez", dbus.ObjectPath("/org/bluez/"+a))
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			v, err := o.GetProperty("org.bluez.Adapter1.Powered")
			if err == nil && v.Value() == true {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: powered %v, %v", a, v, err)
			}
		}
	}
}
