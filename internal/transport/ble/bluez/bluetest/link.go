package bluetest

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// link is a connection of two adapters.
type link struct {
	central, peripheral path
	remote              map[path]*chr // what the central sees, by path below its device
}

// here and there are the devices: the peripheral as the central has it, and the other
// way round.
func (l *link) here() path  { return device(l.central, l.peripheral) }
func (l *link) there() path { return device(l.peripheral, l.central) }

// chr is a characteristic, or a service, of an application as a central sees it.
type chr struct {
	app        *app
	at         path // in the application
	link       *link
	subscriber string   // owner; "": none
	socket     *os.File // for notifications; nil: they go by signal
}

// feed is what an application notifies.
type feed struct {
	of     *chr     // whose subscription it was asked for
	socket *os.File // of AcquireNotify; nil: by signal
}

func (f *feed) close() {
	if f.socket != nil {
		f.socket.Close()
	}
}

func (z *BlueZ) connect(m dbus.Message) *dbus.Error {
	p, _ := called(m)
	z.mu.Lock()
	defer z.mu.Unlock()
	central := path(p[:strings.LastIndexByte(string(p), '/')])
	z.connects[central]++
	if z.links[p] != nil {
		return nil
	}
	for _, a := range z.adverts {
		if device(central, a.adapter) != p || !z.powered(central) {
			continue
		}
		l := &link{central: central, peripheral: a.adapter, remote: map[path]*chr{}}
		z.links[p] = l
		yes := dbus.MakeVariant(true)
		if z.objects[l.there()] == nil {
			z.add(l.there(), newDevice(nil, props{"Connected": yes}))
		} else {
			z.change(l.there(), deviceIf, props{"Connected": yes})
		}
		z.change(p, deviceIf, props{"Connected": yes})
		uuids := union(z.uuids(p), []string{genericAttribute})
		for _, app := range z.apps {
			if app.adapter == a.adapter {
				z.show(l, app)
				for _, o := range app.objects {
					if o[serviceIf] != nil {
						uuids = union(uuids, []string{text(o[serviceIf], "UUID")})
					}
				}
			}
		}
		z.change(p, deviceIf, props{"ServicesResolved": yes, "UUIDs": dbus.MakeVariant(uuids)})
		return nil
	}
	return failed("Failed", "le-connection-abort-by-local")
}

// disconnect works from both sides.
func (z *BlueZ) disconnect(m dbus.Message) *dbus.Error {
	p, _ := called(m)
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, l := range z.links {
		if l.here() == p || l.there() == p {
			z.hangUp(l)
			return nil
		}
	}
	return failed("NotConnected", "")
}

// show gives the central an application's services. The caller holds mu.
func (z *BlueZ) show(l *link, a *app) {
	for at, o := range a.objects {
		p := l.here() + path(strings.ReplaceAll(a.owner, ":", "/app"))
		p = path(strings.ReplaceAll(string(p), ".", "_")) + at
		l.remote[p] = &chr{app: a, at: at, link: l}
		copied := object{}
		for iface, ps := range o {
			copied[iface] = props{"UUID": ps["UUID"]}
			if iface == chrIf {
				copied[iface]["MTU"] = dbus.MakeVariant(z.MTU)
			}
		}
		z.add(p, copied)
	}
}

// forget takes one of them away. The caller holds mu.
func (z *BlueZ) forget(l *link, p path) {
	z.unsubscribe(l.remote[p], z.links[l.here()] != l)
	delete(l.remote, p)
	z.remove(p)
}

// hangUp ends a connection. The caller holds mu.
func (z *BlueZ) hangUp(l *link) {
	delete(z.links, l.here())
	for p := range l.remote {
		z.forget(l, p)
	}
	no := dbus.MakeVariant(false)
	z.change(l.here(), deviceIf, props{"Connected": no, "ServicesResolved": no})
	z.change(l.there(), deviceIf, props{"Connected": no})
}

// unsubscribe ends one subscription, as the central wants, or because it has left. The
// caller holds mu.
func (z *BlueZ) unsubscribe(c *chr, left bool) {
	if c.subscriber == "" {
		return
	}
	c.subscriber = ""
	if c.socket != nil {
		c.socket.Close()
	}
	c.socket = nil
	a, last, ended := c.app, len(z.subscribed(c.app)) == 0, false
	for i, f := range slices.Clone(a.feeds) {
		over := f.of == c || i == 0 && left && z.FirstPays
		if z.Sockets == Shared || z.Sockets == None {
			over = last
		}
		if over {
			f.close()
			a.feeds = slices.DeleteFunc(a.feeds, func(o *feed) bool { return o == f })
			ended = ended || f.socket != nil
		}
	}
	if last && !ended && z.apps[a.owner+string(a.root)] == a {
		z.conn.Object(a.owner, c.at).Go(chrIf+".StopNotify", dbus.FlagNoReplyExpected, nil)
	}
}

// subscribed are the subscriptions to an application. The caller holds mu.
func (z *BlueZ) subscribed(a *app) (out []*chr) {
	for _, l := range z.links {
		for _, c := range l.remote {
			if c.app == a && c.subscriber != "" {
				out = append(out, c)
			}
		}
	}
	return out
}

// find is the characteristic that a method was called of.
func (z *BlueZ) find(m dbus.Message) (c *chr, owner string) {
	p, owner := called(m)
	for _, l := range z.links {
		if c := l.remote[p]; c != nil {
			return c, owner
		}
	}
	return nil, owner
}

// options are what BlueZ tells an application of a call.
func (z *BlueZ) options(c *chr) props {
	return props{"device": dbus.MakeVariant(c.link.there()), "mtu": dbus.MakeVariant(z.MTU), "link": dbus.MakeVariant("LE")}
}

// write is a write with response: it waits for the application.
func (z *BlueZ) write(m dbus.Message, value []byte, _ props) *dbus.Error {
	z.mu.Lock()
	c, _ := z.find(m)
	if c == nil || len(value) > int(z.MTU)-3 {
		z.mu.Unlock()
		return failed("Failed", "not there, or too long")
	}
	options := z.options(c)
	z.mu.Unlock()
	if z.conn.Object(c.app.owner, c.at).Call(chrIf+".WriteValue", 0, value, options).Err != nil {
		return failed("Failed", "Operation failed with ATT error: 0x0e")
	}
	return nil
}

func (z *BlueZ) acquire(m dbus.Message, _ props) (dbus.UnixFD, uint16, *dbus.Error) {
	if z.Sockets == None {
		return 0, 0, failed("NotSupported", "")
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		return 0, 0, failed("Failed", err.Error())
	}
	theirs := os.NewFile(uintptr(fds[1]), "")
	time.AfterFunc(time.Second, func() { theirs.Close() })
	if err := z.subscribe(m, os.NewFile(uintptr(fds[0]), "")); err != nil {
		return 0, 0, err
	}
	return dbus.UnixFD(fds[1]), z.MTU, nil
}

func (z *BlueZ) start(m dbus.Message) *dbus.Error { return z.subscribe(m, nil) }

func (z *BlueZ) stop(m dbus.Message) *dbus.Error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if c, owner := z.find(m); c != nil && c.subscriber == owner {
		z.unsubscribe(c, false)
	}
	return nil
}

// subscribe is a central that subscribes; the application hears of each that has a
// socket of its own, else of the first.
func (z *BlueZ) subscribe(m dbus.Message, socket *os.File) *dbus.Error {
	z.mu.Lock()
	defer z.mu.Unlock()
	c, owner := z.find(m)
	if c == nil || c.subscriber != "" {
		return failed("NotPermitted", "Notify acquired")
	}
	if len(c.app.feeds) == 0 || z.Sockets == Each || z.Sockets == EachForAll {
		options := z.options(c)
		z.mu.Unlock()
		f, err := z.ask(c, options)
		z.mu.Lock()
		if err != nil {
			return failed("Failed", err.Error())
		}
		if z.links[c.link.here()] != c.link {
			f.close()
			return failed("NotConnected", "")
		}
		c.app.feeds = append(c.app.feeds, f)
	}
	c.subscriber, c.socket = owner, socket
	return nil
}

// ask makes an application notify.
func (z *BlueZ) ask(c *chr, options props) (*feed, error) {
	f := &feed{of: c}
	o := z.conn.Object(c.app.owner, c.at)
	if _, can := c.app.objects[c.at][chrIf]["NotifyAcquired"]; !can || z.Sockets == None {
		return f, o.Call(chrIf+".StartNotify", 0).Err
	}
	var fd dbus.UnixFD
	var mtu uint16
	if err := o.Call(chrIf+".AcquireNotify", 0, options).Store(&fd, &mtu); err != nil {
		return nil, err
	}
	unix.SetNonblock(int(fd), true)
	f.socket = os.NewFile(uintptr(fd), "")
	z.bg.Go(func() { z.relay(f) })
	return f, nil
}

// relay hands on what an application writes.
func (z *BlueZ) relay(f *feed) {
	from := f.socket
	read := func() ([]byte, error) {
		b := make([]byte, 512)
		n, err := from.Read(b)
		if err == nil && n == 0 {
			err = io.EOF
		}
		return b[:n], err
	}
	for {
		b, err := read()
		if err != nil {
			return
		}
		if z.Reorder && len(b) > 20 { // the next one overtakes it, if it comes soon
			from.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
			if next, err := read(); err == nil {
				z.notify(f, next)
			}
			from.SetReadDeadline(time.Time{})
		}
		z.notify(f, b)
	}
}

// notifiedBySignal takes a new Value of a characteristic, which goes to all who have
// subscribed, also by sockets.
func (z *BlueZ) notifiedBySignal(owner string, at path, value []byte) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, a := range z.apps {
		if a.owner == owner && a.objects[at][chrIf] != nil {
			z.bring(z.subscribed(a), value)
		}
	}
}

// notify brings a notification to those for whom it is.
func (z *BlueZ) notify(f *feed, value []byte) {
	z.mu.Lock()
	defer z.mu.Unlock()
	to := z.subscribed(f.of.app)
	if z.Sockets == Each {
		to = slices.DeleteFunc(to, func(c *chr) bool { return c != f.of })
	}
	z.bring(to, value)
}

// bring brings a value to centrals, as much as the MTU lets through. The caller holds mu.
func (z *BlueZ) bring(to []*chr, value []byte) {
	value = bytes.Clone(value[:min(len(value), int(z.MTU)-3)])
	for _, c := range to {
		if c.socket != nil {
			c.socket.Write(value)
			continue
		}
		for p, other := range c.link.remote {
			if other == c {
				z.conn.Emit(p, propsIf+".PropertiesChanged", chrIf, props{"Value": dbus.MakeVariant(value)}, []string{})
			}
		}
	}
}
