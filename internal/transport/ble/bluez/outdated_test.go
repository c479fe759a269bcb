package bluez_test

import (
	"context"
	"testing"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez/bluetest"
)

// TestAnotherService: a phone finds the second service of a computer that it knows,
// as BlueZ does not read the advertisements of a device that it has asked.
func TestAnotherService(t *testing.T) {
	r := newRig(t, bluetest.Options{})
	for _, uuid := range []sealbox.ServiceUUID{{2}, {3}} {
		a, b := ble.New(), ble.New()
		r.run(func(ctx context.Context) error { return r.radio.Serve(ctx, uuid, a) })
		r.run(func(ctx context.Context) error { return r.phone.Serve(ctx, uuid, b) })
		release := b.Hold()
		carry(t, a, b, []byte("question"))
		carry(t, b, a, []byte("answer"))
		release()
		until(t, "silence", func() bool { now, _ := r.blue.Connected(); return now == 0 && len(r.blue.Advertised()) == 0 })
	}
}
