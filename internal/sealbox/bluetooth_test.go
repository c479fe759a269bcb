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
