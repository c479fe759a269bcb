package daemon

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/memstore"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/ble/bluez/bluetest"
	relaylink "kryptonite/internal/transport/relay"
	"kryptonite/internal/wire"
)

// nearDaemon has Bluetooth, but nobody near, who would have hci1; ana has a relay, bob Bluetooth alone.
func nearDaemon(t *testing.T) (d *Daemon, ana, bob *phone, blue *bluetest.BlueZ) {
	t.Helper()
	bus := bluetest.StartBus(t)
	t.Setenv(bluetest.Variable, bus.Address)
	blue = bus.BlueZ(t, bluetest.Options{}, "hci0", "hci1")
	d = newDaemon(t)
	d.peripheral = bluez.NewPeripheral(bluez.Options{Adapter: "hci0", Log: d.cfg.Log})
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
	return d, find("ana"), find("bob"), blue
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
	d, ana, bob, _ := nearDaemon(t)
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
		if strings.Contains(out, `"problem"`) || !slices.Equal(ana.untaken(), []string{nameBluetooth}) {
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
	d, ana, bob, _ := nearDaemon(t)
	relay := []wire.Address{{Relay: &wire.RelayAddress{Origin: "http://127.0.0.1:1", Mailbox: bytes.Repeat([]byte{7}, 16)}}}
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

// TestFarewellWaitsNearby: a phone that has Bluetooth alone, and is not near when it is
// unpaired, hears of it when it comes, for ten minutes without a break.
func TestFarewellWaitsNearby(t *testing.T) {
	d, _, bob, _ := nearDaemon(t)
	at, err := bob.nearby()
	if err != nil {
		t.Fatal(err)
	}
	over, end := context.WithCancel(t.Context())
	end() // whoever unpaired does not wait
	if told, err := d.unpair(over, bob); told || err != nil {
		t.Fatalf("unpair = %t, %v", told, err)
	}
	if now := d.untold(); len(now) != 1 || now[0].Name != "bob" {
		t.Fatalf("untold: %v", now)
	}
	var f farewell
	if err := d.cfg.Dir.ReadJSON(farewellName(bob.ID), recordVersion, &f); err != nil {
		t.Fatal(err)
	}

	heard, link := make(chan []byte, 1), ble.New()
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		_ = bluez.NewCentral(bluez.Options{Adapter: "hci1", Log: d.cfg.Log}).Serve(ctx, sealbox.ServiceUUID(at.Service), link)
	})
	work.Go(func() {
		defer link.Hold()()
		_ = link.Receive(ctx, func(frame []byte) error { heard <- frame; return nil })
	})
	defer work.Wait()
	defer stop()
	if frame := <-heard; !bytes.Equal(frame, f.Frame) {
		t.Errorf("%d bytes were heard, not the %d of the farewell", len(frame), len(f.Frame))
	}
	for len(d.untold()) > 0 {
		time.Sleep(5 * time.Millisecond)
	}
	if names, err := d.cfg.Dir.List(farewellDir); err != nil || len(names) > 0 {
		t.Errorf("on disk: %v, %v", names, err)
	}
}

// TestFarewellTakenElsewhere: what a relay has taken for a phone is not offered by
// Bluetooth any more.
func TestFarewellTakenElsewhere(t *testing.T) {
	d, _, _, blue := nearDaemon(t)
	service := sealbox.ServiceUUID(bytes.Repeat([]byte{9}, 16))
	server, err := relay.New(relay.Config{Store: memstore.New()})
	if err != nil {
		t.Fatal(err)
	}
	box, err := mailbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.URL.Path == mailbox.FramesPath(box.Address()) && !slices.Contains(blue.Ever(), service.String()) {
			time.Sleep(5 * time.Millisecond)
		}
		server.ServeHTTP(w, r)
	}))
	defer func() { server.Close(); web.Close() }()
	client, err := relaylink.NewClient(web.URL, relaylink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Open(t.Context(), box); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := d.sendEverywhere(t.Context(), farewell{Since: begun, Relay: web.URL, To: box.Address(), Bluetooth: &wire.BluetoothAddress{Service: service[:]}, Frame: []byte("goodbye")}); err != nil {
		t.Fatal(err)
	}
	for slices.Contains(blue.Advertised(), service.String()) {
		time.Sleep(5 * time.Millisecond)
	}
	if took := time.Since(begun); took >= farewellLimit {
		t.Errorf("the computer was to be seen for %v", took)
	}
}

func TestFarewellLimit(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		what string
		f    farewell
		want time.Duration
	}{
		{"by Bluetooth alone", farewell{Since: now}, farewellNearby},
		{"for some time", farewell{Since: now.Add(-4 * time.Minute)}, 6 * time.Minute},
		{"for long", farewell{Since: now.Add(-time.Hour)}, farewellLimit},
		{"by a relay, too", farewell{Since: now, Relay: "https://relay.example.com", To: mailbox.Address{1}}, farewellLimit},
		{"by a relay of which the phone does not know", farewell{Since: now, Relay: "https://relay.example.com"}, farewellNearby},
		{"by SQS, too", farewell{Since: now, SQS: &queues{}}, farewellLimit},
		{"of a pairing that was begun", farewell{Since: now, Attempt: true}, farewellLimit},
	} {
		if got := c.f.limit(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
