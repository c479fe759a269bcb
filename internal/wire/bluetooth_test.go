package wire

import (
	"errors"
	"strings"
	"testing"

	"kryptonite/internal/sealbox"
)

// TestLinkToBluetooth: it says that they meet nearby, and nothing else.
func TestLinkToBluetooth(t *testing.T) {
	inv := Invitation{App: "https://app.example", Bluetooth: true, CPub: sealbox.PublicKey{1}}
	link := inv.Link()
	if !strings.HasSuffix(link, "/B") {
		t.Errorf("Link = %s", link)
	}
	for _, s := range []string{link, strings.ToLower(link)} {
		if got, err := ParseLink(s); err != nil || got != inv {
			t.Errorf("ParseLink(%s) = %+v, %v", s, got, err)
		}
	}
	other := inv
	other.Rendezvous = [16]byte{1}
	for _, s := range []string{link + "B", link + "/", link + ":", link + "/R:RELAY.EXAMPLE", strings.TrimSuffix(link, "B") + "b:", other.Link()} {
		if got, err := ParseLink(s); !errors.Is(err, ErrLink) {
			t.Errorf("ParseLink(%s) = %+v, %v", s, got, err)
		}
	}
}

func TestBluetoothAddress(t *testing.T) {
	service := make([]byte, 16)
	relay := &RelayAddress{Origin: "https://r.example", Mailbox: service}
	for name, c := range map[string]struct {
		a    Address
		fits bool
	}{
		"a service":     {Address{Bluetooth: &BluetoothAddress{service}}, true},
		"a short one":   {Address{Bluetooth: &BluetoothAddress{service[1:]}}, false},
		"none":          {Address{Bluetooth: &BluetoothAddress{}}, false},
		"and a mailbox": {Address{Bluetooth: &BluetoothAddress{service}, Relay: relay}, false},
	} {
		m := Message{Request: &Request{Me: &MeRequest{Addresses: []Address{c.a}}}}
		if m.addressesFit() != c.fits {
			t.Errorf("%s: %t", name, !c.fits)
		}
	}
}
