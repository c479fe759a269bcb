package bluetest

import (
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

func (z *BlueZ) registerApp(m dbus.Message, root path, _ props) *dbus.Error {
	adapter, owner := called(m)
	var objects map[path]object
	if err := z.conn.Object(owner, root).Call(objectsIf+".GetManagedObjects", 0).Store(&objects); err != nil {
		return failed("Failed", "No object received")
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.apps[owner+string(root)] != nil {
		return failed("AlreadyExists", "")
	}
	a := &app{owner: owner, root: root, adapter: adapter, objects: objects}
	z.apps[owner+string(root)] = a
	for _, l := range z.links {
		if l.peripheral == adapter {
			z.show(l, a)
		}
	}
	return nil
}

func (z *BlueZ) unregisterApp(m dbus.Message, root path) *dbus.Error {
	_, owner := called(m)
	z.mu.Lock()
	defer z.mu.Unlock()
	a := z.apps[owner+string(root)]
	if a == nil {
		return failed("DoesNotExist", "")
	}
	z.dropApp(a)
	return nil
}

// dropApp needs mu.
func (z *BlueZ) dropApp(a *app) {
	delete(z.apps, a.owner+string(a.root))
	for _, f := range a.feeds {
		f.close()
	}
	a.feeds = nil
	for _, l := range z.links {
		for p, c := range l.remote {
			if c.app == a {
				z.forget(l, p)
			}
		}
	}
}

func (z *BlueZ) registerAdvert(m dbus.Message, root path, _ props) *dbus.Error {
	adapter, owner := called(m)
	var ps props
	if err := z.conn.Object(owner, root).Call(propsIf+".GetAll", 0, "org.bluez.LEAdvertisement1").Store(&ps); err != nil {
		return failed("Failed", err.Error())
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	switch {
	case z.RejectAdvert:
		return failed("Failed", "Failed to register advertisement")
	case z.Slots > 0 && z.shown(adapter) >= z.Slots:
		return failed("NotPermitted", "Maximum advertisements reached")
	case !z.powered(adapter):
		return failed("Failed", "Failed to register advertisement")
	}
	a := &advert{owner, root, adapter, ps}
	if len(a.uuids()) != 1 { // two do not fit 31 bytes
		return failed("InvalidLength", "Advertising data too long")
	}
	z.adverts[owner+string(root)] = a
	z.ever = append(z.ever, a.uuids()...)
	z.hear()
	return nil
}

// shown is how many advertisements an adapter has. The caller holds mu.
func (z *BlueZ) shown(adapter path) (n int) {
	for _, a := range z.adverts {
		if a.adapter == adapter {
			n++
		}
	}
	return n
}

func (z *BlueZ) unregisterAdvert(m dbus.Message, root path) *dbus.Error {
	_, owner := called(m)
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.adverts[owner+string(root)] == nil {
		return failed("DoesNotExist", "")
	}
	delete(z.adverts, owner+string(root))
	return nil
}

func (a *advert) uuids() []string {
	uuids, _ := a.props["ServiceUUIDs"].Value().([]string)
	return uuids
}

func (z *BlueZ) setFilter(m dbus.Message, filter props) *dbus.Error {
	adapter, owner := called(m)
	uuids, _ := filter["UUIDs"].Value().([]string)
	z.mu.Lock()
	defer z.mu.Unlock()
	z.looking[owner] = &lookup{adapter: adapter, uuids: uuids}
	return nil
}

func (z *BlueZ) startDiscovery(m dbus.Message) *dbus.Error {
	adapter, owner := called(m)
	z.mu.Lock()
	defer z.mu.Unlock()
	if !z.powered(adapter) {
		return failed("NotReady", "Resource Not Ready")
	}
	d := z.looking[owner]
	if d == nil || d.on {
		return failed("InProgress", "Operation already in progress")
	}
	d.on = true
	z.hear()
	return nil
}

func (z *BlueZ) stopDiscovery(m dbus.Message) *dbus.Error {
	_, owner := called(m)
	z.mu.Lock()
	defer z.mu.Unlock()
	d := z.looking[owner]
	if d == nil || !d.on {
		return failed("Failed", "No discovery started")
	}
	z.stopLooking(owner)
	return nil
}

// stopLooking needs mu. What nobody looks for any more has no strength.
func (z *BlueZ) stopLooking(owner string) {
	d := z.looking[owner]
	delete(z.looking, owner)
	for _, o := range z.looking {
		if o.on && o.adapter == d.adapter {
			return
		}
	}
	for p, o := range z.objects {
		if _, heard := o[deviceIf]["RSSI"]; heard && strings.HasPrefix(string(p), string(d.adapter)+"/") {
			z.change(p, deviceIf, props{}, "RSSI")
		}
	}
}

// hear lets all who look find what is advertised. The caller holds mu.
func (z *BlueZ) hear() {
	for _, d := range z.looking {
		for _, a := range z.adverts {
			if !d.on || a.adapter == d.adapter || !slices.ContainsFunc(d.uuids, func(u string) bool { return slices.Contains(a.uuids(), u) }) {
				continue
			}
			p := device(d.adapter, a.adapter)
			rssi := dbus.MakeVariant(int16(-60))
			if z.objects[p] == nil {
				z.add(p, newDevice(a.uuids(), props{"RSSI": rssi}))
				continue
			}
			changed := props{"RSSI": rssi}
			if uuids := z.uuids(p); !slices.Contains(uuids, genericAttribute) { // else it knows better
				changed["UUIDs"] = dbus.MakeVariant(union(uuids, a.uuids()))
			}
			z.change(p, deviceIf, changed)
		}
	}
}

// uuids are those of a device. The caller holds mu.
func (z *BlueZ) uuids(device path) []string {
	uuids, _ := z.objects[device][deviceIf]["UUIDs"].Value().([]string)
	return uuids
}

func union(a, b []string) []string {
	for _, u := range b {
		if !slices.Contains(a, u) {
			a = append(slices.Clip(a), u)
		}
	}
	return a
}

// removeDevice forgets a device, which is heard anew if somebody listens.
func (z *BlueZ) removeDevice(_ dbus.Message, device path) *dbus.Error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.objects[device] == nil {
		return failed("DoesNotExist", "Does Not Exist")
	}
	if l := z.links[device]; l != nil {
		z.hangUp(l)
	}
	z.remove(device)
	z.hear()
	return nil
}

func newDevice(uuids []string, more props) object {
	d := props{"Connected": dbus.MakeVariant(false), "Paired": dbus.MakeVariant(false), "ServicesResolved": dbus.MakeVariant(false),
		"UUIDs": dbus.MakeVariant(append([]string{}, uuids...))}
	maps.Copy(d, more)
	return object{deviceIf: d}
}

// listen takes signals of programs: that they have gone, and what they notify.
func (z *BlueZ) listen(signals <-chan *dbus.Signal) {
	for s := range signals {
		switch s.Name {
		case "org.freedesktop.DBus.NameOwnerChanged":
			if name, _ := s.Body[0].(string); s.Body[2] == "" {
				z.left(name)
			}
		case propsIf + ".PropertiesChanged":
			var iface string
			var changed props
			if len(s.Body) < 2 || dbus.Store(s.Body[:2], &iface, &changed) != nil || iface != chrIf {
				continue
			}
			if value, ok := changed["Value"].Value().([]byte); ok {
				z.notifiedBySignal(s.Sender, s.Path, value)
			}
		}
	}
}

// left forgets a program that has gone.
func (z *BlueZ) left(owner string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	maps.DeleteFunc(z.adverts, func(_ string, a *advert) bool { return a.owner == owner })
	for _, a := range z.apps {
		if a.owner == owner {
			z.dropApp(a)
		}
	}
	if z.looking[owner] != nil {
		z.stopLooking(owner)
	}
	for _, l := range z.links {
		for _, c := range l.remote {
			if c.subscriber == owner {
				z.unsubscribe(c, false)
			}
		}
	}
}
