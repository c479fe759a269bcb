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

	"kryptonite/e2e"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble/bluez"
)

// standard is how the UUIDs end that the Bluetooth SIG gives out.
const standard = "-0000-1000-8000-00805f9b34fb"

// loginAfterFlood logs in with a phone that comes only when a stranger has found krd,
// by what it advertises, and was sent away: two centrals at a time break the kernel.
func loginAfterFlood(t *testing.T, bus *dbus.Conn, h *e2e.House) error {
	login := make(chan error, 1)
	go func() {
		err := h.Login()
		for end := time.Now().Add(patience); err != nil && time.Now().Before(end); {
			err = h.Login() // a request waits 30 s for its phone
		}
		login <- err
	}()
	_, err := h.Krd.Await(`asked by`)
	must(t, err)
	flood(t, h.Krd, overhear(t, bus, strangerAdapter))
	must(t, h.RunPhone("ana", "always"))
	return <-login
}

// overhear is what a computer near advertises that is not a standard's.
func overhear(t *testing.T, bus *dbus.Conn, at string) (service sealbox.ServiceUUID) {
	t.Helper()
	a := adapter(bus, at)
	must(t, a.Call("org.bluez.Adapter1.SetDiscoveryFilter", 0, props{"Transport": dbus.MakeVariant("le")}).Err)
	must(t, a.Call("org.bluez.Adapter1.StartDiscovery", 0).Err)
	until(t, "the stranger hears a service", func() bool {
		var all map[dbus.ObjectPath]map[string]props
		must(t, bus.Object("org.bluez", "/").Call("org.freedesktop.DBus.ObjectManager.GetManagedObjects", 0).Store(&all))
		for path, o := range all {
			uuids, _ := o["org.bluez.Device1"]["UUIDs"].Value().([]string)
			for _, u := range uuids {
				if strings.HasPrefix(string(path), string(a.Path())+"/") && !strings.HasSuffix(u, standard) {
					n, err := hex.Decode(service[:], []byte(strings.ReplaceAll(u, "-", "")))
					return err == nil && n == len(service)
				}
			}
		}
		return false
	})
	must(t, a.Call("org.bluez.Adapter1.StopDiscovery", 0).Err)
	return service
}

// flood is a stranger who sends krd what nobody made, as fast as it is taken, until it is
// sent away. Then it leaves.
func flood(t *testing.T, krd *e2e.Proc, service sealbox.ServiceUUID) {
	t.Helper()
	stranger := newEnd(t)
	stranger.serve(t, bluez.NewCentral(options(t, strangerAdapter)), service)
	defer stranger.stop()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	var taken atomic.Int32
	var sending sync.WaitGroup
	sending.Go(func() {
		for ctx.Err() == nil {
			if stranger.Send(ctx, random(2000)) == nil {
				taken.Add(1)
			}
		}
	})
	defer sending.Wait()
	defer stop()
	_, err := krd.AwaitFor(patience, "a central has gone\" err=\""+transport.ErrForged.Error())
	must(t, err)
	until(t, "krd sends the stranger away", func() bool { return !stranger.Status().Connected })
	t.Logf("krd took %d frames of the stranger", taken.Load())
	if taken.Load() > 11 { // eight may have waited
		t.Error("those are too many")
	}
}
