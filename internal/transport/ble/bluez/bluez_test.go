package bluez_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/ble/bluez/bluetest"
	"kryptonite/internal/transport/transporttest"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

var uuid = sealbox.RendezvousService(sealbox.PublicKey{1})

// rig is a computer and a phone near each other: one bluetoothd, two adapters.
type rig struct {
	t     *testing.T
	bus   *bluetest.Bus
	blue  *bluetest.BlueZ
	radio *bluez.Peripheral
	phone *bluez.Central
	a, b  *ble.Link // the computer's, the phone's
}

// quick is a clock whose pauses last a fiftieth.
var quick = bluez.Clock{After: func(d time.Duration) <-chan time.Time { return time.After(d / 50) }}

func newRig(t *testing.T, o bluetest.Options) *rig {
	t.Helper()
	bus := bluetest.StartBus(t)
	t.Setenv(bluetest.Variable, bus.Address)
	r := &rig{t: t, bus: bus, a: ble.New(), b: ble.New()}
	r.start(o)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.radio = bluez.NewPeripheral(bluez.Options{Adapter: "hci0", Clock: quick, Log: log.With("end", "computer")})
	r.phone = bluez.NewCentral(bluez.Options{Adapter: "hci1", Clock: quick, Log: log.With("end", "phone")})
	r.run(func(ctx context.Context) error { return r.radio.Serve(ctx, uuid, r.a) })
	r.run(func(ctx context.Context) error { return r.phone.Serve(ctx, uuid, r.b) })
	t.Cleanup(r.b.Hold()) // it listens
	return r
}

func (r *rig) start(o bluetest.Options) {
	r.blue = r.bus.BlueZ(r.t, o, "hci0", "hci1", "hci2", "hci3", "hci4", "hci5")
}

// run runs f until the test ends.
func (r *rig) run(f func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := f(ctx); !errors.Is(err, context.Canceled) {
			r.t.Errorf("Serve = %v", err)
		}
	})
	r.t.Cleanup(func() { stop(); done.Wait() })
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// carry sends a frame and waits for it.
func carry(t *testing.T, from, to *ble.Link, frame []byte) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	sent := make(chan error, 1)
	go func() { sent <- from.Send(ctx, frame) }()
	came, got := context.WithCancel(ctx)
	defer got()
	err := to.Receive(came, func(f []byte) error {
		if bytes.Equal(f, frame) {
			got()
		}
		return nil
	})
	if ctx.Err() != nil {
		t.Fatalf("%d bytes did not come: %v; computer %v", len(frame), err, from.Status().LastError)
	}
	if err := <-sent; err != nil {
		t.Fatalf("Send = %v", err)
	}
}

// ways are the forms that BlueZ takes.
var ways = map[string]bluetest.Options{
	"MTU 517":           bluetest.Options{},
	"MTU 185":           bluetest.Options{MTU: 185},
	"without sockets":   bluetest.Options{Sockets: bluetest.None},
	"a socket for each": bluetest.Options{Sockets: bluetest.Each},
	"reordered":         bluetest.Options{Reorder: true},
}

func TestConformance(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) (transport.Link, transport.Link) {
				r := newRig(t, way)
				t.Cleanup(r.a.Hold())
				return r.a, r.b
			})
		})
	}
}

// TestShownOnlyWhileWanted: the advertisement says the service and nothing else, and
// only while there is something to say; then the phone goes, and nothing stays behind.
func TestShownOnlyWhileWanted(t *testing.T) {
	r := newRig(t, bluetest.Options{})
	until(t, "the phone looks", func() bool { return r.b.Status().LastError == nil })
	if got := r.blue.Ever(); len(got) > 0 {
		t.Errorf("advertised %q, and nobody wanted it", got)
	}
	release := r.a.Hold()
	until(t, "an advertisement", func() bool { return len(r.blue.Advertised()) > 0 })
	for _, a := range r.blue.Adverts() {
		if len(a) != 2 || a["Type"] != "peripheral" || !slices.Equal(a["ServiceUUIDs"].([]string), []string{uuid.String()}) {
			t.Errorf("it says %v", a)
		}
	}
	for u, flags := range r.blue.Flags() {
		if !slices.Equal(flags, []string{"write"}) && !slices.Equal(flags, []string{"notify"}) {
			t.Errorf("%s allows %q", u, flags)
		}
	}
	carry(t, r.a, r.b, []byte("request"))
	carry(t, r.b, r.a, []byte("answer"))
	release()
	until(t, "silence", func() bool {
		now, _ := r.blue.Connected()
		return now == 0 && len(r.blue.Advertised()) == 0 && len(r.blue.Flags()) == 0
	})
	if got := r.blue.Touched(); len(got) > 0 {
		t.Errorf("properties %q were set", got)
	}
}

func TestSmallestMTU(t *testing.T) {
	r := newRig(t, bluetest.Options{MTU: 23})
	t.Cleanup(r.a.Hold())
	carry(t, r.a, r.b, bytes.Repeat([]byte("computer"), 500))
	carry(t, r.b, r.a, bytes.Repeat([]byte("phone"), 500))
}

// TestComesBack: after whatever happens to Bluetooth, frames go again.
func TestComesBack(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(r *rig)
		why  error // that the computer's status says meanwhile
		mend func(r *rig)
	}{
		"the connection breaks": {func(r *rig) { r.blue.Cut() }, nil, nil},
		"bluetoothd ends":       {func(r *rig) { r.blue.Stop() }, bluez.ErrNoService, func(r *rig) { r.start(bluetest.Options{}) }},
		"Bluetooth is off":      {func(r *rig) { r.blue.Power("hci0", false) }, bluez.ErrOff, func(r *rig) { r.blue.Power("hci0", true) }},
		"the adapter is pulled": {func(r *rig) { r.blue.Unplug("hci0") }, bluez.ErrNoAdapter, func(r *rig) { r.blue.Plug("hci0") }},
		"the phone's is pulled": {func(r *rig) { r.blue.Unplug("hci1") }, nil, func(r *rig) { r.blue.Plug("hci1") }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, bluetest.Options{})
			t.Cleanup(r.a.Hold())
			carry(t, r.a, r.b, []byte("before"))
			c.harm(r)
			if c.why != nil {
				until(t, "the status", func() bool { return errors.Is(r.a.Status().LastError, c.why) })
				if err := bluez.Check(t.Context(), "hci0"); !errors.Is(err, c.why) {
					t.Errorf("Check = %v", err)
				}
			}
			if c.mend != nil {
				c.mend(r)
			}
			carry(t, r.a, r.b, bytes.Repeat([]byte("after"), 1000))
			carry(t, r.b, r.a, []byte("back"))
			if err := bluez.Check(t.Context(), "hci0"); err != nil {
				t.Errorf("Check = %v", err)
			}
			if got := r.blue.Touched(); len(got) > 0 {
				t.Errorf("properties %q were set", got)
			}
		})
	}
}

// TestRejectedAdvertisement: it is said, and tried again.
func TestRejectedAdvertisement(t *testing.T) {
	r := newRig(t, bluetest.Options{RejectAdvert: true})
	t.Cleanup(r.a.Hold())
	until(t, "the status", func() bool { err := r.a.Status().LastError; return err != nil && !errors.Is(err, context.Canceled) })
	if n := len(r.blue.Flags()); n != 0 {
		until(t, "no service that nobody finds", func() bool { return len(r.blue.Flags()) == 0 })
	}
}

// TestBondedStaysConnected: a device that is bonded with the computer is ignored, too,
// but not disconnected: it may play music.
func TestBondedStaysConnected(t *testing.T) {
	r := newRig(t, bluetest.Options{})
	r.blue.Bond("hci0", "hci1")
	t.Cleanup(r.a.Hold())
	var garbage atomic.Int32
	r.run(func(ctx context.Context) error {
		return r.a.Receive(ctx, func([]byte) error { garbage.Add(1); return transport.ErrForged })
	})
	for range 3 {
		ctx, over := context.WithTimeout(t.Context(), patience)
		if err := r.b.Send(ctx, []byte("garbage")); err != nil {
			t.Fatal(err)
		}
		over()
	}
	until(t, "the computer has had enough", func() bool { return garbage.Load() == 3 && !r.a.Status().Connected })
	if now, _ := r.blue.Connected(); now != 1 {
		t.Errorf("%d connections", now)
	}
}

// TestTwoServices: both go over one connection, which stays as long as one is used.
func TestTwoServices(t *testing.T) {
	r := newRig(t, bluetest.Options{})
	second := sealbox.RendezvousService(sealbox.PublicKey{2})
	a, b := ble.New(), ble.New()
	r.run(func(ctx context.Context) error { return r.radio.Serve(ctx, second, a) })
	r.run(func(ctx context.Context) error { return r.phone.Serve(ctx, second, b) })
	release := a.Hold()
	t.Cleanup(b.Hold())
	carry(t, a, b, []byte("by the second"))
	t.Cleanup(r.a.Hold()) // a service that comes while the phone is connected
	carry(t, r.a, r.b, []byte("by the first"))
	carry(t, b, a, []byte("back by the second"))
	if now, tries := r.blue.Connected(); now != 1 || tries > 2 {
		t.Errorf("%d connections, %d tries", now, tries)
	}
	release()
	until(t, "the second is silent", func() bool {
		return slices.Equal(r.blue.Advertised(), []string{uuid.String()}) && !b.Status().Connected
	})
	carry(t, r.a, r.b, []byte("by the first, once more"))
	carry(t, r.b, r.a, []byte("and back"))
	if now, tries := r.blue.Connected(); now != 1 || tries > 2 {
		t.Errorf("then %d connections, %d tries", now, tries)
	}
}

// TestNoBluetooth: the other channels need not know.
func TestNoBluetooth(t *testing.T) {
	t.Setenv(bluetest.Variable, "unix:path="+t.TempDir()+"/none")
	if err := bluez.Check(t.Context(), ""); !errors.Is(err, bluez.ErrNoBus) {
		t.Errorf("without a bus, Check = %v", err)
	}
	bus := bluetest.StartBus(t)
	t.Setenv(bluetest.Variable, bus.Address)
	if err := bluez.Check(t.Context(), ""); !errors.Is(err, bluez.ErrNoService) {
		t.Errorf("without bluetoothd, Check = %v", err)
	}
	blue := bus.BlueZ(t, bluetest.Options{})
	if err := bluez.Check(t.Context(), ""); !errors.Is(err, bluez.ErrNoAdapter) {
		t.Errorf("without an adapter, Check = %v", err)
	}
	blue.Plug("hci3")
	if err := bluez.Check(t.Context(), "hci4"); !errors.Is(err, bluez.ErrNoAdapter) {
		t.Errorf("with another adapter, Check = %v", err)
	}
	blue.Power("hci3", false)
	if err := bluez.Check(t.Context(), ""); !errors.Is(err, bluez.ErrOff) {
		t.Errorf("without power, Check = %v", err)
	}
}
