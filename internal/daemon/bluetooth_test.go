package daemon

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/ble/bluez/bluetest"
	"kryptonite/internal/wire"
)

// nearDaemon has Bluetooth, but nobody near; ana has a relay, bob Bluetooth alone.
func nearDaemon(t *testing.T) (d *Daemon, ana, bob *phone) {
	t.Helper()
	bus := bluetest.StartBus(t)
	t.Setenv(bluetest.Variable, bus.Address)
	bus.BlueZ(t, bluetest.Options{}, "hci0")
	d = newDaemon(t)
	d.peripheral = bluez.NewPeripheral(bluez.Options{Log: d.cfg.Log})
	alive(t, d)
	a, b := newRecord(t), newRecord(t)
	a.Name, b.Name = "ana", "bob"
	b.Relay, b.Mailbox, b.Peer, b.Bluetooth = "", nil, mailbox.Address{}, true
	store(t, d, a)
	store(t, d, b)
	if err := d.loadPhones(); err != nil {
		t.Fatal(err)
	}
	find := func(name string) *phone {
		p, err := d.find(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	return d, find("ana"), find("bob")
}

func (p *phone) names() (out []string) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	for _, l := range p.links {
		out = append(out, l.Name())
	}
	return out
}

// TestBluetoothComesAndGoes: all phones may come by it, and lose it who have another
// channel; it is on disk, and the phone is told.
func TestBluetoothComesAndGoes(t *testing.T) {
	d, ana, bob := nearDaemon(t)
	call := func(path string) string {
		w := httptest.NewRecorder()
		d.api().ServeHTTP(w, request("POST", path, "{}"))
		return w.Body.String()
	}
	stored := func(p *phone) (r record) {
		if err := d.cfg.Dir.ReadJSON(recordName(p.ID), recordVersion, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for range 2 {
		out := call("/v1/bluetooth/add")
		if r := stored(ana); !r.Bluetooth || r.AddressesSeq == 0 || !listensNearby(r.addresses().List) || !slices.Equal(ana.names(), []string{nameRelay, nameBluetooth}) {
			t.Errorf("ana: %v, %s", ana.names(), out)
		}
		if strings.Contains(out, `"problem"`) || !ana.untold() {
			t.Errorf("add: %s", out)
		}
	}
	over := ana.asking()
	if yes, _ := ana.radio.link.Wanted(); !yes {
		t.Error("a request is open, and the phone cannot come")
	}
	over()
	out := call("/v1/bluetooth/remove")
	if r := stored(ana); r.Bluetooth || listensNearby(r.addresses().List) || !slices.Equal(ana.names(), []string{nameRelay}) || ana.radio != nil {
		t.Errorf("ana: %v, %s", ana.names(), out)
	}
	if !strings.Contains(out, "no other channel") || !stored(bob).Bluetooth || !slices.Equal(bob.names(), []string{nameBluetooth}) {
		t.Errorf("bob: %v, %s", bob.names(), out)
	}
	ana.asking()() // nothing to keep on
}

// TestBluetoothNotTaken: a phone that does not repeat the address does not come by it,
// unless it has nothing else.
func TestBluetoothNotTaken(t *testing.T) {
	d, ana, bob := nearDaemon(t)
	relay := []wire.Address{{Relay: &wire.RelayAddress{Origin: "http://127.0.0.1:1", Mailbox: make([]byte, 16)}}}
	if _, err := d.gainBluetooth(ana); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*phone{ana, bob} {
		p.list.mu.Lock()
		seq := p.AddressesSeq
		p.list.mu.Unlock()
		if err := d.addressesTold(p, seq, relay); err != nil {
			t.Fatal(err)
		}
	}
	if ana.Bluetooth || ana.radio != nil || !bob.Bluetooth || bob.radio == nil {
		t.Errorf("ana %t, bob %t", ana.Bluetooth, bob.Bluetooth)
	}
}
