package bluez

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble/segment"
)

const (
	leastMTU = 23
	maxValue = 512 // bytes; ATT has no longer ones
)

// service is one GATT service, and its advertisement, as objects on the bus. BlueZ
// calls their methods, each call in a goroutine of package dbus.
type service struct {
	conn *dbus.Conn
	uuid string
	root dbus.ObjectPath // the application

	greeted  chan greeting        // hellos of those who are no centrals yet
	unwanted chan dbus.ObjectPath // devices that should go
	released chan struct{}        // closed when BlueZ has taken the advertisement away
	dropped  chan struct{}        // holds one token when a subscription has ended
	once     sync.Once
	over     chan struct{} // closed by close
	bg       sync.WaitGroup
	turns    turns
	clock    Clock

	mu       sync.Mutex
	centrals map[dbus.ObjectPath]*central
	sockets  map[dbus.ObjectPath]*socket // of AcquireNotify, by the device that it was for
	started  bool                        // by StartNotify
}

// greeting is a hello of a device that is no central yet.
type greeting struct {
	device dbus.ObjectPath
	mtu    int
	hello  []byte
}

func newService(conn *dbus.Conn, uuid sealbox.ServiceUUID, clock Clock) *service {
	return &service{conn: conn, clock: clock, uuid: uuid.String(), root: "/kryptonite", centrals: map[dbus.ObjectPath]*central{}, sockets: map[dbus.ObjectPath]*socket{},
		greeted: make(chan greeting), unwanted: make(chan dbus.ObjectPath, 16), released: make(chan struct{}), dropped: make(chan struct{}, 1), over: make(chan struct{})}
}

func (s *service) advert() dbus.ObjectPath { return s.root + "/advertisement0" }
func (s *service) path() dbus.ObjectPath   { return s.root + "/service0" }
func (s *service) rx() dbus.ObjectPath     { return s.path() + "/char0" }
func (s *service) tx() dbus.ObjectPath     { return s.path() + "/char1" }
func variant(v any) dbus.Variant           { return dbus.MakeVariant(v) }
func failed(format string, a ...any) *dbus.Error {
	return dbus.NewError("org.bluez.Error.Failed", []any{fmt.Sprintf(format, a...)})
}

// objects is what BlueZ asks for.
func (s *service) objects() map[dbus.ObjectPath]object {
	return map[dbus.ObjectPath]object{
		s.path(): {serviceIf: {"UUID": variant(s.uuid), "Primary": variant(true)}},
		s.rx():   {chrIf: {"UUID": variant(toComputer), "Service": variant(s.path()), "Flags": variant([]string{"write"})}},
		s.tx(): {chrIf: {"UUID": variant(toPhone), "Service": variant(s.path()), "Flags": variant([]string{"notify"}),
			"NotifyAcquired": variant(false)}},
	}
}

// export puts the objects on the bus.
func (s *service) export() error {
	advert := properties{s.advert(): {advertIf: {"Type": variant("peripheral"), "ServiceUUIDs": variant([]string{s.uuid})}}}
	for _, e := range []struct {
		methods map[string]any
		path    dbus.ObjectPath
		iface   string
	}{
		{map[string]any{"GetManagedObjects": func() (map[dbus.ObjectPath]object, *dbus.Error) { return s.objects(), nil }}, s.root, objectsIf},
		{advert.methods(), s.advert(), propsIf},
		{map[string]any{"Release": s.release}, s.advert(), advertIf},
		{properties(s.objects()).methods(), s.path(), propsIf},
		{properties(s.objects()).methods(), s.rx(), propsIf},
		{properties(s.objects()).methods(), s.tx(), propsIf},
		{map[string]any{"WriteValue": s.writeValue}, s.rx(), chrIf},
		{map[string]any{"AcquireNotify": s.acquireNotify, "StartNotify": s.startNotify, "StopNotify": s.stopNotify}, s.tx(), chrIf},
	} {
		if err := s.conn.ExportMethodTable(e.methods, e.path, e.iface); err != nil {
			return fmt.Errorf("show the Bluetooth service on D-Bus: %w", err)
		}
	}
	return nil
}

// properties are those of objects that do not change.
type properties map[dbus.ObjectPath]object

func (p properties) methods() map[string]any {
	return map[string]any{
		"GetAll": func(m dbus.Message, iface string) (props, *dbus.Error) {
			path, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
			return p[path][iface], nil
		},
		"Get": func(m dbus.Message, iface, name string) (dbus.Variant, *dbus.Error) {
			path, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
			v, ok := p[path][iface][name]
			if !ok {
				return v, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
			}
			return v, nil
		},
	}
}

// close ends all that goes on; nothing is called any more once the bus is closed.
func (s *service) close() {
	s.once.Do(func() { close(s.over) })
	s.mu.Lock()
	for _, f := range s.sockets {
		f.close()
	}
	s.cutAll()
	s.mu.Unlock()
	s.bg.Wait()
}

func (s *service) release() *dbus.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.released:
	default:
		close(s.released)
	}
	return nil
}

// writeValue takes what a central wrote. BlueZ lets that central write on when it
// returns.
func (s *service) writeValue(value []byte, options props) *dbus.Error {
	device, _ := options["device"].Value().(dbus.ObjectPath)
	mtu, _ := options["mtu"].Value().(uint16)
	if offset, _ := options["offset"].Value().(uint16); offset != 0 || len(value) > maxValue {
		return dbus.NewError("org.bluez.Error.InvalidOffset", nil) // a long write
	}
	value = bytes.Clone(value)
	seg, err := segment.Parse(value)
	hello := err == nil && seg.Kind == segment.Hello
	if hello && seg.Greeting.Version < segment.Version {
		return failed("no version in common") // the answer, BYE, would go to all
	}
	s.mu.Lock()
	c, subscribed := s.centrals[device], s.subscribed()
	s.mu.Unlock()
	if c != nil {
		return c.put(value, int(mtu))
	}
	if !hello || !subscribed {
		return failed("say hello first") // the phone need not wait to find out
	}
	select {
	case s.greeted <- greeting{device, int(mtu), value}:
		return nil
	case <-s.over:
		return failed("the service has ended")
	}
}

// welcome makes a central of who said hello.
func (s *service) welcome(g greeting) *central {
	c := newCentral(s, g)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.centrals[g.device] = c
	if !s.subscribed() {
		c.cut() // it has unsubscribed meanwhile
	}
	return c
}

func (s *service) leave(c *central) {
	c.cut()
	s.turns.leave(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.centrals[c.device] == c {
		delete(s.centrals, c.device)
	}
}

// refuse asks for a device to be sent away, if it does not go by itself.
func (s *service) refuse(device dbus.ObjectPath) {
	select {
	case s.unwanted <- device:
	default:
	}
}

// gone cuts the centrals that are not connected any more.
func (s *service) gone(b *bus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for device, c := range s.centrals {
		if b.objects[device] != nil && !b.connected(device) {
			c.cut()
		}
	}
}

// await waits until no central has subscribed any more, or d is over.
func (s *service) await(b *bus, d time.Duration) {
	late := s.clock.after(d)
	for {
		s.mu.Lock()
		there := s.subscribed()
		s.mu.Unlock()
		if !there {
			return
		}
		select {
		case _, ok := <-b.signals:
			if !ok {
				return
			}
		case <-s.dropped:
		case <-late:
			return
		}
	}
}
