package bluez

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	bluezName  = "org.bluez"
	adapterIf  = "org.bluez.Adapter1"
	deviceIf   = "org.bluez.Device1"
	serviceIf  = "org.bluez.GattService1"
	chrIf      = "org.bluez.GattCharacteristic1"
	managerIf  = "org.bluez.GattManager1"
	advertsIf  = "org.bluez.LEAdvertisingManager1"
	advertIf   = "org.bluez.LEAdvertisement1"
	objectsIf  = "org.freedesktop.DBus.ObjectManager"
	propsIf    = "org.freedesktop.DBus.Properties"
	propsMoved = propsIf + ".PropertiesChanged"
	ownerMoved = "org.freedesktop.DBus.NameOwnerChanged"

	// A service that devices have, and do not advertise.
	genericAttribute = "00001801-0000-1000-8000-00805f9b34fb"

	// The two characteristics, [kr-protocol] §5.9.
	toComputer = "b27531e6-2f4a-4321-909c-3015e5869d77"
	toPhone    = "9b84207a-2edc-41f1-817d-98f27c7679fe"
)

// AdapterVariable is the environment's word on which adapter to use ("hci1"), where
// there are several.
const AdapterVariable = "KR_BLUETOOTH_ADAPTER"

// callPatience is how long BlueZ may take for what needs no radio.
const callPatience = 10 * time.Second

// StateError says why Bluetooth cannot be used now, and what a person can do.
type StateError struct{ text, hint string }

func (e *StateError) Error() string  { return e.text }
func (e *StateError) Hint() []string { return []string{e.hint} }

// Why Bluetooth cannot be used now.
var (
	ErrUnsupported = &StateError{"Bluetooth is not supported yet on this system", "use the relay, or Amazon SQS: kr channel --help"}
	ErrNoBus       = &StateError{"the system's D-Bus cannot be reached", "Bluetooth on Linux needs D-Bus and BlueZ"}
	ErrNoService   = &StateError{"bluetoothd is not running", "install bluez, and: sudo systemctl start bluetooth"}
	ErrNoAdapter   = &StateError{"there is no Bluetooth adapter that can be used", "is it plugged in? bluetoothctl list"}
	ErrOff         = &StateError{"Bluetooth is off", "switch it on: bluetoothctl power on"}
)

// errLost is a connection to the bus that broke.
var errLost = errors.New("the connection to D-Bus is lost")

// Check reports whether Bluetooth can be used now: nil, or a *StateError. adapter
// is the one to use ("hci0"), or empty.
func Check(ctx context.Context, adapter string) error {
	b, err := open(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	_, err = b.adapter(adapter)
	return err
}

type (
	props  = map[string]dbus.Variant
	object = map[string]props // by interface
)

// bus is a connection to the system bus, with BlueZ's objects as its signals told
// them. It belongs to one goroutine, but for conn.
type bus struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal
	running bool // bluetoothd is
	objects map[dbus.ObjectPath]object
}

func open(ctx context.Context) (*bus, error) {
	if runtime.GOOS != "linux" {
		return nil, ErrUnsupported
	}
	conn, err := dbus.ConnectSystemBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, ErrNoBus
	}
	b := &bus{conn: conn, signals: make(chan *dbus.Signal, 16)}
	conn.Signal(b.signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, bluezName)},
		{dbus.WithMatchSender(bluezName), dbus.WithMatchInterface(objectsIf)},
		{dbus.WithMatchSender(bluezName), dbus.WithMatchInterface(propsIf)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			b.close()
			return nil, fmt.Errorf("ask D-Bus for signals: %w", err)
		}
	}
	if err := b.look(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bus) close() { b.conn.Close() }

// look reads all of BlueZ's objects. It starts no bluetoothd.
func (b *bus) look(ctx context.Context) error {
	b.running, b.objects = false, nil
	call := b.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, bluezName)
	if err := call.Store(&b.running); err != nil {
		return fmt.Errorf("ask D-Bus for bluetoothd: %w", err)
	}
	if !b.running {
		return nil
	}
	var all map[dbus.ObjectPath]object
	if err := b.call(ctx, "/", objectsIf+".GetManagedObjects").Store(&all); err != nil {
		b.running = false // it ended meanwhile, or is about to start: its owner will change
		return nil
	}
	b.objects = all
	return nil
}

// call asks BlueZ something that takes no time.
func (b *bus) call(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return b.callWithin(ctx, callPatience, path, method, args...)
}

func (b *bus) callWithin(ctx context.Context, limit time.Duration, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return b.conn.Object(bluezName, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
}

// next takes one signal in. It returns it, or errLost, or ctx's error.
func (b *bus) next(ctx context.Context) (*dbus.Signal, error) {
	select {
	case s, ok := <-b.signals:
		if !ok {
			return nil, errLost
		}
		return s, b.apply(ctx, s)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// apply keeps objects true to a signal.
func (b *bus) apply(ctx context.Context, s *dbus.Signal) error {
	switch s.Name {
	case ownerMoved:
		return b.look(ctx)
	case objectsIf + ".InterfacesAdded":
		var path dbus.ObjectPath
		var added object
		if dbus.Store(s.Body, &path, &added) == nil && b.objects != nil {
			if b.objects[path] == nil {
				b.objects[path] = object{}
			}
			maps.Copy(b.objects[path], added)
		}
	case objectsIf + ".InterfacesRemoved":
		var path dbus.ObjectPath
		var gone []string
		if dbus.Store(s.Body, &path, &gone) == nil {
			for _, i := range gone {
				delete(b.objects[path], i)
			}
			if len(b.objects[path]) == 0 {
				delete(b.objects, path)
			}
		}
	case propsMoved:
		var iface string
		var changed props
		var gone []string
		if dbus.Store(s.Body, &iface, &changed, &gone) == nil && b.objects[s.Path][iface] != nil {
			maps.Copy(b.objects[s.Path][iface], changed)
			for _, name := range gone {
				delete(b.objects[s.Path][iface], name)
			}
		}
	}
	return nil
}

// adapter is the one with that name, or the first that is on. The error says why
// there is none.
func (b *bus) adapter(name string) (dbus.ObjectPath, error) {
	if !b.running {
		return "", ErrNoService
	}
	err := ErrNoAdapter
	for _, path := range slices.SortedFunc(maps.Keys(b.objects), cmp.Compare[dbus.ObjectPath]) {
		o := b.objects[path]
		if o[adapterIf] == nil || name != "" && !strings.HasSuffix(string(path), "/"+name) {
			continue
		}
		switch {
		case !flag(o[adapterIf], "Powered"):
			err = ErrOff
		case o[managerIf] != nil && o[advertsIf] != nil:
			return path, nil
		}
	}
	return "", err
}

// usable reports whether the adapter still is as adapter wants it.
func (b *bus) usable(path dbus.ObjectPath) error {
	_, name, _ := strings.Cut(strings.TrimPrefix(string(path), "/org/"), "/")
	_, err := b.adapter(name)
	return err
}

// connected reports whether a device is connected.
func (b *bus) connected(device dbus.ObjectPath) bool {
	return flag(b.objects[device][deviceIf], "Connected")
}

func flag(p props, name string) bool {
	yes, _ := p[name].Value().(bool)
	return yes
}
