package scenarios

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const computerAdapter, phoneAdapter, strangerAdapter = "hci0", "hci1", "hci2"

const patience = 90 * time.Second // for anything that must happen

// inMachine skips a scenario where there is no virtual Bluetooth, and waits until
// its adapters are on.
func inMachine(t *testing.T) *dbus.Conn {
	t.Helper()
	if _, err := os.Stat("/modules/order"); err != nil {
		t.Skip("runs in the machine of TestVM")
	}
	if os.Getuid() == 0 {
		t.Fatal("this is root")
	}
	bus, err := dbus.ConnectSystemBus()
	must(t, err)
	t.Cleanup(func() { bus.Close() })
	for _, a := range []string{computerAdapter, phoneAdapter, strangerAdapter} {
		until(t, a+" is on", func() bool {
			on, err := adapter(bus, a).GetProperty("org.bluez.Adapter1.Powered")
			return err == nil && on.Value() == true
		})
	}
	return bus
}

type props = map[string]dbus.Variant

func adapter(bus *dbus.Conn, name string) dbus.BusObject {
	return bus.Object("org.bluez", dbus.ObjectPath("/org/bluez/"+name))
}

// neighbour is another program of a computer that advertises something, until the
// test ends. A radio repeats its advertisement. btvirt sends it when it is switched
// on, or somebody's scan is, and the kernel drops the latter where it comes before
// that scan is known to have begun. Two that take turns, as an old controller can
// send only one, are switched on again and again.
func neighbour(t *testing.T, bus *dbus.Conn, at string) {
	t.Helper()
	const path = dbus.ObjectPath("/neighbour")
	all := props{"Type": dbus.MakeVariant("peripheral"), "ServiceUUIDs": dbus.MakeVariant([]string{"180f"}), "Duration": dbus.MakeVariant(uint16(1))}
	must(t, errors.Join(
		bus.ExportMethodTable(map[string]any{"GetAll": func(string) (props, *dbus.Error) { return all, nil }}, path, "org.freedesktop.DBus.Properties"),
		bus.ExportMethodTable(map[string]any{"Release": func() *dbus.Error { return nil }}, path, "org.bluez.LEAdvertisement1"),
		bus.AddMatchSignal(dbus.WithMatchSender("org.bluez"), dbus.WithMatchMember("InterfacesAdded"))))
	register := func() error {
		return adapter(bus, at).Call("org.bluez.LEAdvertisingManager1.RegisterAdvertisement", 0, path, props{}).Err
	}
	signals := make(chan *dbus.Signal, 100)
	bus.Signal(signals)
	must(t, register())
	var bg sync.WaitGroup
	bg.Go(func() {
		for s := range signals {
			var path dbus.ObjectPath
			var added map[string]props
			if dbus.Store(s.Body, &path, &added) != nil || path != adapter(bus, at).Path() || added["org.bluez.LEAdvertisingManager1"] == nil {
				continue
			}
			if err := register(); err != nil { // of another bluetoothd
				t.Errorf("the neighbour: %v", err)
			}
		}
	})
	t.Cleanup(func() { bus.Close(); bg.Wait() })
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
