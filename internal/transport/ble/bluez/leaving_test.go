package bluez_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/ble/bluez/bluetest"
)

// TestGoneWithItsLastCentral: a computer that has said its last word takes its service
// back when the phone has gone, whatever the limit for that is.
func TestGoneWithItsLastCentral(t *testing.T) {
	r := newRig(t, bluetest.Options{})
	unlimited := bluez.Clock{After: func(time.Duration) <-chan time.Time { return nil }}
	radio := bluez.NewPeripheral(bluez.Options{Adapter: "hci0", Clock: unlimited, Log: slog.New(slog.DiscardHandler)})
	computer := ble.New()
	defer computer.Hold()()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = radio.Serve(ctx, uuid, computer) // only ctx's
	}()
	carry(t, computer, r.b, []byte("request"))
	stop()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("it waits for a central that has gone")
	}
}
