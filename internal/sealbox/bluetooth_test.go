package sealbox

import (
	"errors"
	"testing"
)

// TestServices: both sides name the same service as Python does.
func TestServices(t *testing.T) {
	for _, v := range read[struct {
		Name, C, S, Rendezvous, Pairing string
		CPub                            string `json:"c_pub"`
		SPub                            string `json:"s_pub"`
	}](t, "ble_service.json") {
		c, s := private(t, v.C), private(t, v.S)
		if got := RendezvousService(PublicKey(unhex(t, v.CPub))); got.String() != v.Rendezvous {
			t.Errorf("%s: rendezvous %v, want %s", v.Name, got, v.Rendezvous)
		}
		a, errA := ComputerService(c, PublicKey(unhex(t, v.SPub)))
		b, errB := PhoneService(s, PublicKey(unhex(t, v.CPub)))
		if errA != nil || errB != nil || a != b || a.String() != v.Pairing {
			t.Errorf("%s: %v, %v and %v, %v, want %s", v.Name, a, errA, b, errB, v.Pairing)
		}
		var again ServiceUUID
		if err := again.UnmarshalText([]byte(v.Pairing)); err != nil || again != a {
			t.Errorf("%s: read again %v, %v", v.Name, again, err)
		}
	}
}

func TestServiceOfLowOrderKey(t *testing.T) {
	own, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ComputerService(own, PublicKey{}); !errors.Is(err, ErrKey) {
		t.Errorf("ComputerService = %v", err)
	}
	if _, err := PhoneService(own, PublicKey{1}); !errors.Is(err, ErrKey) {
		t.Errorf("PhoneService = %v", err)
	}
}

func TestNoServiceUUID(t *testing.T) {
	for _, s := range []string{"", "0000", "00112233-4455-8677-8899-aabbccddeef", "00112233-4455-4677-8899-aabbccddeeff", // version 4
		"00112233-4455-8677-c899-aabbccddeeff", "00112233-4455-8677-8899-AABBCCDDEEFF", "001122334455-8677-8899-aabbccddeeff",
		"00112233-4455-8677-8899-aabbccddeeff-", "0011223g-4455-8677-8899-aabbccddeeff", "00112233-4455-8677-8899-aabbccddeeff00"} {
		if u := (ServiceUUID{}); u.UnmarshalText([]byte(s)) == nil {
			t.Errorf("%q was taken for a UUID", s)
		}
	}
	if u := (ServiceUUID{}); u.UnmarshalText([]byte("00112233-4455-8677-8899-aabbccddeeff")) != nil {
		t.Error("a UUID was not taken")
	}
}
