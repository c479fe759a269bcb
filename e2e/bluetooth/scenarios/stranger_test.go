package scenarios

import (
	"context"
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
)

// flood is a stranger, who sends krd frames that nobody made and bytes that are no
// segments, as fast as it takes them. stop ends it, and fails the test if krd took
// none.
func flood(t *testing.T, bus *dbus.Conn) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var bg sync.WaitGroup
	var frames, writes atomic.Int64
	link := ble.New()
	bg.Go(func() {
		service := serviceOfKrd(ctx, bus)
		bluez.NewCentral(options(t, strangerAdapter)).Serve(ctx, service, link)
	})
	bg.Go(func() {
		for ctx.Err() == nil {
			if link.Send(ctx, random(2000)) == nil {
				frames.Add(1)
			}
		}
	})
	bg.Go(func() {
		for ctx.Err() == nil {
			for _, path := range characteristics(bus) {
				err := bus.Object("org.bluez", path).CallWithContext(ctx, "org.bluez.GattCharacteristic1.WriteValue", 0,
					random(100), props{"type": dbus.MakeVariant("request")}).Err
				if err == nil {
					writes.Add(1)
				}
			}
			pause(ctx)
		}
	})
	return sync.OnceFunc(func() {
		for end := time.Now().Add(patience); frames.Load() == 0 && time.Now().Before(end); {
			pause(ctx)
		}
		cancel()
		bg.Wait()
		t.Logf("krd took %d frames and %d writes of the stranger", frames.Load(), writes.Load())
		if frames.Load() == 0 {
			t.Error("the stranger has done nothing")
		}
	})
}

func pause(ctx context.Context) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
}

// serviceOfKrd waits until krd shows a service.
func serviceOfKrd(ctx context.Context, bus *dbus.Conn) (s sealbox.ServiceUUID) {
	for ; ctx.Err() == nil; pause(ctx) {
		v, err := adapter(bus, krdAdapter).GetProperty("org.bluez.Adapter1.UUIDs")
		if err != nil {
			continue
		}
		uuids, _ := v.Value().([]string)
		for _, u := range uuids {
			b, err := hex.DecodeString(strings.ReplaceAll(u, "-", ""))
			if err == nil && len(b) == len(s) && b[6]>>4 == 8 { // the version, which is of ours alone
				return sealbox.ServiceUUID(b)
			}
		}
	}
	return s
}

// characteristics are those that the stranger sees.
func characteristics(bus *dbus.Conn) (out []dbus.ObjectPath) {
	var all map[dbus.ObjectPath]map[string]props
	if bus.Object("org.bluez", "/").Call("org.freedesktop.DBus.ObjectManager.GetManagedObjects", 0).Store(&all) != nil {
		return nil
	}
	for path, o := range all {
		if o["org.bluez.GattCharacteristic1"] != nil && strings.HasPrefix(string(path), "/org/bluez/"+strangerAdapter+"/") {
			out = append(out, path)
		}
	}
	return out
}
