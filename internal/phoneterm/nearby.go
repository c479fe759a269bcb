package phoneterm

import (
	"context"
	"errors"
	"os"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/wire"
)

// askLimit is how long D-Bus may take to say whether there is Bluetooth.
const askLimit = 3 * time.Second

// partLimit is how long a frame may still look for its computer when kr-phone ends,
// unless it is the last of a pairing.
const partLimit = 3 * time.Second

// farewellLimit is how long the last word of a pairing looks for its computer, which is
// to be found only when it asks.
const farewellLimit = 48 * time.Hour

// canBluetooth reports whether this machine has Bluetooth, if perhaps switched off.
func canBluetooth() error {
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	if err := bluez.Check(ctx, os.Getenv(bluez.AdapterVariable)); err != nil && !errors.Is(err, bluez.ErrOff) {
		return err
	}
	return nil
}

// near is the phone's end of a service over Bluetooth. A computer is looked for while
// something listens, or a frame waits.
func (r *runner) near(at wire.BluetoothAddress) *ble.Link {
	var service sealbox.ServiceUUID
	copy(service[:], at.Service)
	if l := r.services[service]; l != nil {
		return l
	}
	l := ble.New()
	r.services[service] = l
	r.radios.Go(func() { _ = r.central.Serve(r.air, service, l) }) // only air's error
	return l
}

func (r *runner) listenNearby(ctx context.Context, e phone.Listen) {
	name := string(e.Bluetooth.Service)
	if _, listens := r.ears[name]; listens {
		return
	}
	l := r.near(*e.Bluetooth)
	r.hear(ctx, name, "", e.Pairing, func(ctx context.Context, handle func([]byte) error) error {
		defer l.Hold()()
		return l.Receive(ctx, handle)
	})
}

// soon is ctx, but ends at most parting after outer does.
func (r *runner) soon(ctx, outer context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(outer, func() { time.AfterFunc(r.parting, cancel) })
	return ctx, func() { stop(); cancel() }
}
