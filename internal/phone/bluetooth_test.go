package phone

import (
	"bytes"
	"testing"
	"time"

	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// nearWorld is a phone that has opened the link of a computer, and the effects of that.
func nearWorld(t *testing.T, can bool, where wire.Invitation, addresses ...wire.Address) (*world, *pairing.Computer, []Effect) {
	t.Helper()
	w := &world{t: t, now: time.Unix(1_795_000_000, 0), device: &device{disk: map[string][]byte{}}, signed: map[string]bool{}}
	w.cfg = Config{Name: "ana", Version: "test", Keys: []wire.SSHKey{{PublicKey: sshwire.Ed25519Blob(make([]byte, 32)), Name: "default"}}, Bluetooth: can}
	w.reload()
	computer, err := pairing.NewComputer(where, pairing.Self{Name: "laptop", Version: "test", Addresses: addresses, Bluetooth: true})
	if err != nil {
		t.Fatal(err)
	}
	return w, computer, w.do(OpenLink{computer.Invitation().Link()})
}

// meet lets the computer say hello, and returns the effects of that.
func (w *world) meet(t *testing.T, computer *pairing.Computer, first Send) []Effect {
	t.Helper()
	w.pairing = first.Pairing
	hello, _, err := computer.Accept(w.now, first.Frame)
	if err != nil {
		t.Fatal(err)
	}
	effects := w.do(Frame{w.pairing, hello})
	if _, err := computer.Receive(one[Send](t, effects).Frame); err != nil {
		t.Fatal(err)
	}
	return effects
}

// services are those of Bluetooth in a list of addresses.
func services(list []wire.Address) (out [][]byte) {
	for _, a := range list {
		if a.Bluetooth != nil {
			out = append(out, a.Bluetooth.Service)
		}
	}
	return out
}

// near are the services that the phone listens to by these effects.
func near(t *testing.T, effects []Effect) (out [][]byte) {
	for _, l := range all[Listen](effects) {
		if l.Bluetooth != nil {
			out = append(out, l.Bluetooth.Service)
		}
	}
	return out
}

func same(got [][]byte, want ...sealbox.ServiceUUID) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i][:]) {
			return false
		}
	}
	return true
}

func serviceOf(t *testing.T, computer *pairing.Computer) sealbox.ServiceUUID {
	t.Helper()
	own, s, _ := computer.Keys()
	u, err := sealbox.ComputerService(own, s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestMeetNearby: by Bluetooth alone the phone begins where the link leads, goes over
// to the pairing's own service, leaves the first in time, and parts by its own.
func TestMeetNearby(t *testing.T) {
	w, computer, effects := nearWorld(t, true, wire.Invitation{App: origin, Bluetooth: true})
	place := sealbox.RendezvousService(computer.Invitation().CPub)
	first := one[Send](t, effects)
	if !same(near(t, effects), place) || !same(services(first.To), place) || len(first.To) != 1 {
		t.Fatal("the phone does not begin where the link leads")
	}
	if !same(near(t, w.do(Start{})), place) {
		t.Error("after a restart it listens elsewhere")
	}
	effects = w.meet(t, computer, first)
	own := serviceOf(t, computer)
	if !same(near(t, effects), own) || !same(services(one[Send](t, effects).To), own) || !same(services(computer.Peer().Addresses), own) {
		t.Error("it does not go over to the pairing's own service")
	}
	w.do(Confirm{w.pairing, true})
	if !same(near(t, w.do(Start{})), place, own) {
		t.Error("before the pairing is in use it does not listen in both places")
	}
	w.now = w.now.Add(attemptLife)
	if c := one[Close](t, w.do(Tick{})); c.Bluetooth == nil || !bytes.Equal(c.Bluetooth.Service, place[:]) {
		t.Error("it leaves another place than the one where it began")
	}
	effects = w.do(Unpair{w.pairing})
	if c := one[Close](t, effects); c.Bluetooth == nil || !bytes.Equal(c.Bluetooth.Service, own[:]) || !same(services(one[Send](t, effects).To), own) {
		t.Error("it does not part by its own service")
	}
}

// TestNearbyNotWanted: a phone without Bluetooth does not take it, and nobody takes the
// service of another pairing.
func TestNearbyNotWanted(t *testing.T) {
	relay := wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}}
	at := wire.Address{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}
	other := wire.Address{Bluetooth: &wire.BluetoothAddress{Service: make([]byte, 16)}}
	for _, can := range []bool{true, false} {
		w, computer, effects := nearWorld(t, can, relay, at, other)
		effects = w.meet(t, computer, one[Send](t, effects))
		own := serviceOf(t, computer)
		if got := services(computer.Peer().Addresses); can && !same(got, own) || !can && len(got) != 0 {
			t.Errorf("Bluetooth %t: it takes %x", can, got)
		}
		if got := near(t, effects); can && !same(got, own) || !can && len(got) != 0 {
			t.Errorf("Bluetooth %t: it listens to %x", can, got)
		}
	}
	_, _, effects := nearWorld(t, false, wire.Invitation{App: origin, Bluetooth: true})
	if n := one[Note](t, effects); n.Kind != NoteBadLink || n.Err == nil || len(effects) > 2 {
		t.Errorf("a link to Bluetooth: %+v", effects)
	}
}

// TestNearbyComesAndGoes: a later hello brings Bluetooth, and takes it away.
func TestNearbyComesAndGoes(t *testing.T) {
	w, computer, effects := nearWorld(t, true, wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}},
		wire.Address{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}})
	w.meet(t, computer, one[Send](t, effects))
	w.do(Confirm{w.pairing, true})
	p := w.core.pairings[w.pairing]
	relay := p.To[:1]
	moved, effects := w.core.moved(p, &wire.MeRequest{Addresses: relay, AddressesSeq: 5})
	if c := one[Close](t, effects); !moved || c.Bluetooth == nil || hasService(p.ownAddresses()) {
		t.Errorf("lost: %t, %+v", moved, effects)
	}
	moved, effects = w.core.moved(p, &wire.MeRequest{Addresses: append(relay, wire.Address{Bluetooth: p.service()}), AddressesSeq: 6})
	if !moved || !same(near(t, effects), serviceOf(t, computer)) || !hasService(p.ownAddresses()) {
		t.Errorf("gained: %t, %+v", moved, effects)
	}
	moved, _ = w.core.moved(p, &wire.MeRequest{Addresses: []wire.Address{{Bluetooth: p.service()}}, AddressesSeq: 7})
	if !moved {
		t.Error("Bluetooth alone was not taken")
	}
}
