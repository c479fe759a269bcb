package bluez

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
)

const (
	connectPatience = 30 * time.Second
	resolvePatience = 20 * time.Second
)

// errNotNear is a computer that went away before its service was found.
var errNotNear = errors.New("the computer has gone, or does not have the service any more")

// Central is the radio of a phone. Its method is safe for concurrent use: one call
// for each service.
type Central struct {
	Options

	mu    sync.Mutex
	users map[dbus.ObjectPath]int // connections that we made, and how many services use them
}

// NewCentral returns the radio of a phone. It does nothing yet.
func NewCentral(o Options) *Central { return &Central{Options: o, users: map[dbus.ObjectPath]int{}} }

// Serve looks for the service while link wants connections, connects, and drives the
// connection, again and again until ctx ends. It returns ctx's error.
func (c *Central) Serve(ctx context.Context, service sealbox.ServiceUUID, link *ble.Link) error {
	return whileWanted(ctx, c.Clock, link, func(on context.Context) error {
		b, err := open(on)
		if err != nil {
			return err
		}
		defer b.close()
		s := &search{Central: c, b: b, uuid: service.String(), link: link, pause: firstPause}
		for on.Err() == nil {
			s.adapter, err = b.adapter(c.Adapter)
			if err == nil {
				err = s.run(on)
			}
			if state := new(StateError); errors.As(err, &state) {
				link.Note(err)
				s.looking = false
				_, err = b.next(on)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// search is one life of Serve's connection to the bus.
type search struct {
	*Central
	b       *bus
	adapter dbus.ObjectPath
	uuid    string
	link    *ble.Link
	looking bool             // BlueZ discovers for us
	pause   time.Duration    // after the next failure
	again   <-chan time.Time // until then nothing is tried; nil: now
}

// run finds the service and serves it until ctx ends or the adapter goes.
func (s *search) run(ctx context.Context) error {
	defer s.look(context.WithoutCancel(ctx), false)
	for ctx.Err() == nil {
		if err := s.b.usable(s.adapter); err != nil {
			return err
		}
		if old, heard := s.outdated(); heard {
			if err := s.forget(ctx, old); err != nil {
				return err
			}
			continue
		}
		device, found := s.find()
		if found && s.again == nil {
			if err := s.visit(ctx, device); err != nil {
				return err
			}
			continue
		}
		if err := s.look(ctx, true); err != nil {
			return err
		}
		select {
		case sig, ok := <-s.b.signals:
			if !ok {
				return errLost
			}
			if err := s.b.apply(ctx, sig); err != nil {
				return err
			}
			if sig.Name == ownerMoved {
				s.looking = false // another bluetoothd does not know of it
			}
		case <-s.again:
			s.again = nil
		case <-ctx.Done():
		}
	}
	return nil
}

// find returns a device that has the service, or that was heard saying so.
func (s *search) find() (device dbus.ObjectPath, found bool) {
	for _, path := range slices.SortedFunc(maps.Keys(s.b.objects), cmp.Compare[dbus.ObjectPath]) {
		d := s.b.objects[path][deviceIf]
		if d == nil || !strings.HasPrefix(string(path), string(s.adapter)+"/") {
			continue
		}
		if flag(d, "Connected") {
			if _, here := s.service(path); here {
				return path, true
			}
		}
		uuids, _ := d["UUIDs"].Value().([]string)
		if _, near := d["RSSI"]; near && slices.Contains(uuids, s.uuid) && !flag(d, "Connected") {
			return path, true
		}
	}
	return "", false
}

// outdated returns a device that was heard advertising something of which BlueZ does
// not tell: once it has found out what services a device has, it keeps those, and
// takes no more from advertisements.
func (s *search) outdated() (device dbus.ObjectPath, heard bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, o := range s.b.objects {
		d := o[deviceIf]
		if d == nil || !strings.HasPrefix(string(path), string(s.adapter)+"/") {
			continue
		}
		uuids, _ := d["UUIDs"].Value().([]string)
		_, near := d["RSSI"]
		if near && slices.Contains(uuids, genericAttribute) && !slices.Contains(uuids, s.uuid) &&
			!flag(d, "Connected") && !flag(d, "Paired") && !flag(d, "Trusted") && s.users[path] == 0 {
			return path, true
		}
	}
	return "", false
}

// forget lets BlueZ forget a device that is nothing to anybody, so that it reads what
// it advertises the next time.
func (s *search) forget(ctx context.Context, device dbus.ObjectPath) error {
	delete(s.b.objects, device) // its signal is yet to come
	if err := s.b.call(ctx, s.adapter, adapterIf+".RemoveDevice", device).Err; err != nil {
		s.Log.Debug("bluetooth: a device was not forgotten", "err", err)
	}
	return ctx.Err()
}

// service is that of a device, once BlueZ has found out what it has.
func (s *search) service(device dbus.ObjectPath) (dbus.ObjectPath, bool) {
	for path, o := range s.b.objects {
		if text(o[serviceIf], "UUID") == s.uuid && strings.HasPrefix(string(path), string(device)+"/") {
			return path, true
		}
	}
	return "", false
}

func (s *search) characteristic(service dbus.ObjectPath, uuid string) (dbus.ObjectPath, bool) {
	for path, o := range s.b.objects {
		if text(o[chrIf], "UUID") == uuid && strings.HasPrefix(string(path), string(service)+"/") {
			return path, true
		}
	}
	return "", false
}

func text(p props, name string) string {
	s, _ := p[name].Value().(string)
	return s
}

// look begins or ends to discover devices.
func (s *search) look(ctx context.Context, yes bool) error {
	if s.looking == yes {
		return nil
	}
	if !yes {
		s.looking = false
		_ = s.b.call(ctx, s.adapter, adapterIf+".StopDiscovery").Err // it ends with the bus in any case
		return nil
	}
	filter := props{"UUIDs": variant([]string{s.uuid}), "Transport": variant("le")}
	if err := s.b.call(ctx, s.adapter, adapterIf+".SetDiscoveryFilter", filter).Err; err != nil {
		return fmt.Errorf("look for the computer by Bluetooth: %w", err)
	}
	if err := s.b.call(ctx, s.adapter, adapterIf+".StartDiscovery").Err; err != nil {
		return fmt.Errorf("look for the computer by Bluetooth: %w", err)
	}
	s.looking = true
	return nil
}

// visit connects to a device and serves it. What goes wrong with the device makes
// for a pause; an error is for the bus, or the adapter.
func (s *search) visit(ctx context.Context, device dbus.ObjectPath) error {
	began := s.Clock.now()
	if err := s.look(ctx, false); err != nil { // adapters connect badly while they scan
		return err
	}
	err := s.connect(ctx, device)
	if err == nil {
		err = s.serve(ctx, device)
		s.release(ctx, device)
	}
	s.Log.Debug("bluetooth: the computer has gone", "err", err)
	if ctx.Err() != nil {
		return nil
	}
	if fatal := new(StateError); errors.As(err, &fatal) || errors.Is(err, errLost) {
		return err
	}
	if s.Clock.now().Sub(began) > maxPause {
		s.pause = firstPause
	}
	s.again, s.pause = s.Clock.after(s.pause), min(2*s.pause, maxPause)
	return nil
}

// connect connects to the device, unless it is, and waits until its service is there.
func (s *search) connect(ctx context.Context, device dbus.ObjectPath) error {
	s.mu.Lock()
	ours := s.users[device] > 0 || !s.b.connected(device)
	if ours {
		s.users[device]++
	}
	s.mu.Unlock()
	if !s.b.connected(device) {
		if err := s.b.callWithin(ctx, connectPatience, device, deviceIf+".Connect").Err; err != nil {
			s.release(ctx, device)
			return fmt.Errorf("connect to the computer by Bluetooth: %w", err)
		}
	}
	err := s.resolve(ctx, device)
	if err != nil {
		s.release(ctx, device)
	}
	return err
}

func (s *search) resolve(ctx context.Context, device dbus.ObjectPath) error {
	late := s.Clock.after(resolvePatience)
	was := s.b.connected(device)
	for {
		if _, here := s.service(device); here && flag(s.b.objects[device][deviceIf], "ServicesResolved") {
			return nil
		}
		select {
		case sig, ok := <-s.b.signals:
			if !ok {
				return errLost
			}
			if err := s.b.apply(ctx, sig); err != nil {
				return err
			}
			now := s.b.connected(device)
			if was && !now {
				return errNotNear
			}
			was = was || now
		case <-late:
			return errNotNear
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release disconnects from a device that we have connected to, if no other service
// is used.
func (s *search) release(ctx context.Context, device dbus.ObjectPath) {
	s.mu.Lock()
	n := s.users[device]
	if n > 1 {
		s.users[device]--
	} else {
		delete(s.users, device)
	}
	s.mu.Unlock()
	if n != 1 {
		return
	}
	if err := s.b.call(context.WithoutCancel(ctx), device, deviceIf+".Disconnect").Err; err != nil {
		s.Log.Debug("bluetooth: not disconnected", "err", err)
	}
}

// serve subscribes, and drives the connection until it ends.
func (s *search) serve(ctx context.Context, device dbus.ObjectPath) error {
	service, _ := s.service(device)
	rx, ok := s.characteristic(service, toComputer)
	tx, also := s.characteristic(service, toPhone)
	if !ok || !also {
		return errNotNear
	}
	p := newComputer(s.b, rx, tx)
	if err := p.subscribe(ctx); err != nil {
		return err
	}
	s.Log.Debug("bluetooth: a computer was found", "most", p.Most())
	ended := make(chan error, 1)
	go func() {
		defer p.cut()
		ended <- s.link.Serve(ctx, p)
	}()
	var why error // the bus's, the adapter's
	for {
		select {
		case sig, ok := <-s.b.signals:
			switch {
			case !ok:
				why = errLost
			case sig.Name == propsMoved && sig.Path == tx:
				p.notified(sig)
			default:
				if err := s.b.apply(ctx, sig); err != nil && ctx.Err() == nil {
					why = err
				}
			}
			if _, here := s.service(device); !here || !s.b.connected(device) || why != nil {
				p.cut()
			}
			if !ok {
				return errors.Join(why, <-ended)
			}
		case err := <-ended:
			return errors.Join(why, err)
		}
	}
}
