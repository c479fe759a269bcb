package bluetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

const (
	adapterIf = "org.bluez.Adapter1"
	deviceIf  = "org.bluez.Device1"
	serviceIf = "org.bluez.GattService1"

	genericAttribute = "00001801-0000-1000-8000-00805f9b34fb" // what a device has whose services are known
	chrIf            = "org.bluez.GattCharacteristic1"
	managerIf        = "org.bluez.GattManager1"
	advertsIf        = "org.bluez.LEAdvertisingManager1"
	objectsIf        = "org.freedesktop.DBus.ObjectManager"
	propsIf          = "org.freedesktop.DBus.Properties"
)

type (
	props  = map[string]dbus.Variant
	object = map[string]props
	path   = dbus.ObjectPath
)

// Options are how a BlueZ is.
type Options struct {
	MTU          uint16  // of all connections; 0: 517
	Sockets      Sockets // of AcquireNotify
	FirstPays    bool    // who disconnects ends the socket of who subscribed first, too: BlueZ's issue 1452
	Reorder      bool    // notifications overtake each other
	RejectAdvert bool    // as an adapter that cannot
	Slots        int     // how many advertisements an adapter has room for; 0: any number
}

// Sockets are whose the sockets of AcquireNotify are.
type Sockets int

// One for all centrals, as in BlueZ 5.66; one for each, which it alone reads, as in
// today's; one for each, and all read it, as from 5.69 until April 2024; none, as
// before 5.46.
const (
	Shared Sockets = iota
	Each
	EachForAll
	None
)

// BlueZ is one life of bluetoothd.
type BlueZ struct {
	Options
	conn *dbus.Conn
	bg   sync.WaitGroup

	mu       sync.Mutex
	objects  map[path]object
	apps     map[string]*app    // by owner and path
	adverts  map[string]*advert // the same
	looking  map[string]*lookup // by owner
	links    map[path]*link     // by the device at the central's adapter
	ever     []string           // UUIDs that were advertised
	touched  []string           // what somebody wanted to change
	connects map[path]int       // calls of Connect, by the central's adapter
}

// app is what a program has registered.
type app struct {
	owner   string
	root    path
	adapter path
	objects map[path]object
	feeds   []*feed // to those who have subscribed, as they came
}

// advert is one advertisement.
type advert struct {
	owner   string
	root    path
	adapter path
	props   props
}

// lookup is a program that discovers.
type lookup struct {
	adapter path
	uuids   []string
	on      bool
}

// BlueZ starts a bluetoothd with these adapters, all of them on. It ends with the test,
// or by Stop.
func (b *Bus) BlueZ(t testing.TB, o Options, adapters ...string) *BlueZ {
	t.Helper()
	o.MTU = cmp.Or(o.MTU, 517)
	z := &BlueZ{Options: o, objects: map[path]object{}, apps: map[string]*app{}, adverts: map[string]*advert{},
		looking: map[string]*lookup{}, links: map[path]*link{}, connects: map[path]int{}}
	var err error
	if z.conn, err = dbus.Connect(b.Address, dbus.WithSignalHandler(dbus.NewSequentialSignalHandler())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Stop)
	for _, name := range adapters {
		z.Plug(name)
	}
	signals := make(chan *dbus.Signal, 16)
	z.conn.Signal(signals)
	for _, m := range [][]dbus.MatchOption{
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged")},
		{dbus.WithMatchInterface(propsIf), dbus.WithMatchMember("PropertiesChanged")},
	} {
		if err := z.conn.AddMatchSignal(m...); err != nil {
			t.Fatal(err)
		}
	}
	z.bg.Go(func() { z.listen(signals) })
	for iface, methods := range map[string]map[string]any{
		adapterIf: {"SetDiscoveryFilter": z.setFilter, "StartDiscovery": z.startDiscovery, "StopDiscovery": z.stopDiscovery,
			"RemoveDevice": z.removeDevice},
		deviceIf:  {"Connect": z.connect, "Disconnect": z.disconnect},
		managerIf: {"RegisterApplication": z.registerApp, "UnregisterApplication": z.unregisterApp},
		advertsIf: {"RegisterAdvertisement": z.registerAdvert, "UnregisterAdvertisement": z.unregisterAdvert},
		chrIf:     {"WriteValue": z.write, "AcquireNotify": z.acquire, "StartNotify": z.start, "StopNotify": z.stop},
		propsIf:   {"Set": z.set},
	} {
		if err := z.conn.ExportSubtreeMethodTable(methods, "/org/bluez", iface); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.conn.ExportMethodTable(map[string]any{"GetManagedObjects": z.managed}, "/", objectsIf); err != nil {
		t.Fatal(err)
	}
	if _, err := z.conn.RequestName("org.bluez", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return z
}

// Stop ends bluetoothd, as a crash does.
func (z *BlueZ) Stop() {
	z.mu.Lock()
	for _, l := range z.links {
		z.hangUp(l)
	}
	z.mu.Unlock()
	z.conn.Close()
	z.bg.Wait()
}

// adapterPath is /org/bluez/NAME.
func adapterPath(name string) path { return path("/org/bluez/" + name) }

// Plug adds an adapter, which is on.
func (z *BlueZ) Plug(name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.add(adapterPath(name), object{adapterIf: {"Powered": dbus.MakeVariant(true), "Discoverable": dbus.MakeVariant(false)}, managerIf: {}, advertsIf: {}})
}

// Unplug takes an adapter away, with all that goes by it.
func (z *BlueZ) Unplug(name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.silence(adapterPath(name))
	for p := range maps.Clone(z.objects) {
		if strings.HasPrefix(string(p), string(adapterPath(name))+"/") {
			z.remove(p)
		}
	}
	z.remove(adapterPath(name))
}

// Power switches an adapter on or off.
func (z *BlueZ) Power(name string, on bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if !on {
		z.silence(adapterPath(name))
	}
	z.change(adapterPath(name), adapterIf, props{"Powered": dbus.MakeVariant(on)})
}

// silence ends what goes by an adapter. The caller holds mu.
func (z *BlueZ) silence(adapter path) {
	for _, l := range z.links {
		if l.central == adapter || l.peripheral == adapter {
			z.hangUp(l)
		}
	}
	maps.DeleteFunc(z.adverts, func(_ string, a *advert) bool { return a.adapter == adapter })
	maps.DeleteFunc(z.looking, func(_ string, d *lookup) bool { return d.adapter == adapter })
}

// Cut breaks all connections.
func (z *BlueZ) Cut() {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, l := range z.links {
		z.hangUp(l)
	}
}

// Bond makes one adapter a bonded device of another, as a person does in the settings.
func (z *BlueZ) Bond(at, other string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	p, bonded := device(adapterPath(at), adapterPath(other)), props{"Paired": dbus.MakeVariant(true)}
	if z.objects[p] == nil {
		z.add(p, newDevice(nil, bonded))
		return
	}
	z.change(p, deviceIf, bonded)
}

// Advertised are the UUIDs that are advertised now; Ever those that were.
func (z *BlueZ) Advertised() (now []string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, a := range z.adverts {
		now = append(now, a.uuids()...)
	}
	slices.Sort(now)
	return now
}

// Ever lists the UUIDs that were advertised, as they came.
func (z *BlueZ) Ever() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.ever)
}

// Adverts are the properties of the advertisements of now.
func (z *BlueZ) Adverts() (out []map[string]any) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, a := range z.adverts {
		m := map[string]any{}
		for k, v := range a.props {
			m[k] = v.Value()
		}
		out = append(out, m)
	}
	return out
}

// Flags are those of the characteristics of the applications of now, by UUID.
func (z *BlueZ) Flags() map[string][]string {
	z.mu.Lock()
	defer z.mu.Unlock()
	out := map[string][]string{}
	for _, a := range z.apps {
		for _, o := range a.objects {
			if c := o[chrIf]; c != nil {
				flags, _ := c["Flags"].Value().([]string)
				out[text(c, "UUID")] = flags
			}
		}
	}
	return out
}

// Connected is how many connections there are, and how many tries there were.
func (z *BlueZ) Connected() (now, tries int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, n := range z.connects {
		tries += n
	}
	return len(z.links), tries
}

// Tries is how often an adapter was to connect to another.
func (z *BlueZ) Tries(adapter string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.connects[adapterPath(adapter)]
}

// Touched lists the properties that somebody wanted to change, as "Powered".
func (z *BlueZ) Touched() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.touched)
}

func (z *BlueZ) set(_, name string, _ dbus.Variant) *dbus.Error {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.touched = append(z.touched, name)
	return failed("NotPermitted", "")
}

func (z *BlueZ) managed() (map[path]object, *dbus.Error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	out := map[path]object{}
	for p, o := range z.objects {
		out[p] = object{}
		for i, ps := range o {
			out[p][i] = maps.Clone(ps)
		}
	}
	return out, nil
}

// add, change and remove keep objects, and tell all. The caller holds mu.
func (z *BlueZ) add(p path, o object) {
	z.objects[p] = o
	z.conn.Emit("/", objectsIf+".InterfacesAdded", p, o)
}

func (z *BlueZ) change(p path, iface string, changed props, gone ...string) {
	if z.objects[p] == nil {
		return
	}
	maps.Copy(z.objects[p][iface], changed)
	for _, name := range gone {
		delete(z.objects[p][iface], name)
	}
	z.conn.Emit(p, propsIf+".PropertiesChanged", iface, changed, append([]string{}, gone...))
}

func (z *BlueZ) remove(p path) {
	o := z.objects[p]
	if o == nil {
		return
	}
	delete(z.objects, p)
	z.conn.Emit("/", objectsIf+".InterfacesRemoved", p, slices.Sorted(maps.Keys(o)))
}

func text(p props, name string) string {
	s, _ := p[name].Value().(string)
	return s
}

func failed(name, what string) *dbus.Error {
	return dbus.NewError("org.bluez.Error."+name, []any{what})
}

// called is which object a method was called of, and by whom.
func called(m dbus.Message) (p path, owner string) {
	p, _ = m.Headers[dbus.FieldPath].Value().(path)
	owner, _ = m.Headers[dbus.FieldSender].Value().(string)
	return p, owner
}

func (z *BlueZ) powered(adapter path) bool {
	on, _ := z.objects[adapter][adapterIf]["Powered"].Value().(bool)
	return on
}

// device is what one adapter calls another.
func device(at, other path) path {
	return path(fmt.Sprintf("%s/dev_%s", at, strings.TrimPrefix(string(other), "/org/bluez/")))
}
