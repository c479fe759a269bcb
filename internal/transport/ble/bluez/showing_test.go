package bluez_test

import (
	"context"
	"log/slog"
	"testing"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/ble/bluez/bluetest"
)

// TestTurnsAtTheOneAdvertisement: three pairings ask, and the adapter has room for one
// advertisement. Their phones find them, each by an adapter of its own, and when two
// are silent, the third has it for itself.
func TestTurnsAtTheOneAdvertisement(t *testing.T) {
	r := newRig(t, bluetest.Options{Slots: 1})
	services := []sealbox.ServiceUUID{uuid, sealbox.RendezvousService(sealbox.PublicKey{2}), sealbox.RendezvousService(sealbox.PublicKey{3})}
	computers, phones := []*ble.Link{r.a, ble.New(), ble.New()}, []*ble.Link{r.b, ble.New(), ble.New()}
	for i, adapter := range []string{"", "hci2", "hci3"} {
		if i == 0 {
			continue // the rig's
		}
		c := bluez.NewCentral(bluez.Options{Adapter: adapter, Clock: quick, Log: slog.New(slog.DiscardHandler)})
		r.run(func(ctx context.Context) error { return r.radio.Serve(ctx, services[i], computers[i]) })
		r.run(func(ctx context.Context) error { return c.Serve(ctx, services[i], phones[i]) })
		t.Cleanup(phones[i].Hold())
	}
	var release []func()
	for _, c := range computers {
		release = append(release, c.Hold())
	}
	t.Cleanup(release[2])
	for i := range services {
		carry(t, computers[i], phones[i], []byte("request"))
		carry(t, phones[i], computers[i], []byte("answer"))
	}
	until(t, "each has its turn again and again, in one order", func() bool {
		ever := r.blue.Ever()
		if len(ever) < 9 {
			return false
		}
		for i := range 3 {
			if ever[len(ever)-1-i] != ever[len(ever)-4-i] {
				t.Errorf("%q, not the same three", ever)
			}
		}
		return true
	})
	release[0]()
	release[1]()
	until(t, "the third alone", func() bool {
		n := len(r.blue.Flags())
		return n == 2 && len(r.blue.Advertised()) == 1 && r.blue.Advertised()[0] == services[2].String()
	})
}
