package bluez

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/segment"
)

// What a computer grants to those who are near. [kr-protocol] §5.9.
const (
	maxCentrals = 4
	ignoreFor   = 60 * time.Second
	maxIgnored  = 256
	leaving     = 2 * time.Second // for centrals to go after the last word
)

// Options are of both ends; all may be empty but Log.
type Options struct {
	Adapter string // "hci1"; "": the first that is on
	Clock   Clock
	Log     *slog.Logger
}

// Peripheral is the radio of a computer. Its method is safe for concurrent use: one
// call for each pairing.
type Peripheral struct {
	Options
	rota rota

	mu      sync.Mutex
	ignored map[dbus.ObjectPath]time.Time // until when
	here    []*central                    // of all services, as they came
}

// NewPeripheral returns the radio of a computer. It does nothing yet.
func NewPeripheral(o Options) *Peripheral {
	return &Peripheral{Options: o, ignored: map[dbus.ObjectPath]time.Time{}}
}

// Serve shows the service to phones while link wants connections, and drives theirs,
// until ctx ends. It returns ctx's error.
func (p *Peripheral) Serve(ctx context.Context, service sealbox.ServiceUUID, link *ble.Link) error {
	return whileWanted(ctx, p.Clock, link, func(on context.Context) error {
		b, err := open(on)
		if err != nil {
			return err
		}
		defer b.close()
		for on.Err() == nil {
			adapter, err := b.adapter(p.Adapter)
			if err == nil {
				err = p.serveOn(on, b, adapter, service, link)
			}
			if state := new(StateError); errors.As(err, &state) {
				link.Note(err)
				_, err = b.next(on)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// serveOn shows the service by one adapter. It returns nil when ctx has ended, and a
// *StateError when the adapter, or bluetoothd, has gone.
func (p *Peripheral) serveOn(ctx context.Context, b *bus, adapter dbus.ObjectPath, uuid sealbox.ServiceUUID, link *ble.Link) (err error) {
	s := newService(b.conn, uuid, p.Clock)
	if err := s.export(); err != nil {
		return err
	}
	defer s.close()
	// BlueZ asks us for the objects before it answers.
	if err := b.call(ctx, adapter, managerIf+".RegisterApplication", s.root, props{}).Err; err != nil {
		return fmt.Errorf("register the Bluetooth service: %w", err)
	}
	show := p.newShowing(b, adapter, s, link)
	if err := show.begin(ctx); err != nil {
		withdraw(b, adapter, s)
		return err
	}
	p.Log.Debug("bluetooth: advertising", "adapter", adapter)
	var centrals sync.WaitGroup
	serving, stop := context.WithCancel(ctx)
	defer func() {
		show.end() // who leaves now is not to come again
		stop()     // each central is told
		centrals.Wait()
		if err == nil {
			s.await(b, leaving)
		}
		withdraw(b, adapter, s)
		p.Log.Debug("bluetooth: not advertising", "adapter", adapter)
	}()
	for {
		select {
		case sig, ok := <-b.signals:
			if !ok {
				return errLost
			}
			if err := b.apply(ctx, sig); err != nil {
				return err
			}
			if sig.Name == ownerMoved { // another bluetoothd knows nothing of us
				return ErrNoService
			}
			if err := b.usable(adapter); err != nil {
				return err
			}
			s.gone(b)
		case greeting := <-s.greeted:
			c := p.admit(s, greeting)
			if c == nil {
				continue
			}
			centrals.Go(func() {
				err := link.Answer(serving, c, greeting.hello, func() { p.know(c) })
				if errors.Is(err, transport.ErrForged) {
					p.ignore(c.device)
				}
				p.Log.Debug("bluetooth: a central has gone", "err", err)
				p.release(s, c)
				if serving.Err() == nil && !errors.Is(err, segment.ErrLeft) {
					s.refuse(c.device)
				}
			})
		case device := <-s.unwanted:
			p.disconnect(ctx, b, device)
		case <-show.turn:
			if err := show.turned(ctx); err != nil {
				return err
			}
		case <-show.room:
			if err := show.turned(ctx); err != nil {
				return err
			}
		case <-s.released: // BlueZ has taken the advertisement away
			return errors.New("BlueZ does not advertise the service any more")
		case <-ctx.Done():
			return nil
		}
	}
}

// withdraw takes the service back. Without bluetoothd there is nothing to.
func withdraw(b *bus, adapter dbus.ObjectPath, s *service) {
	if b.running {
		_ = b.call(context.Background(), adapter, managerIf+".UnregisterApplication", s.root).Err
	}
}

// admit takes a central that has said hello, or sees to it that it goes.
func (p *Peripheral) admit(s *service, g greeting) *central {
	if p.isIgnored(g.device) {
		s.refuse(g.device)
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.makeRoom() {
		s.refuse(g.device)
		return nil
	}
	p.Log.Debug("bluetooth: a central has come", "mtu", g.mtu)
	c := s.welcome(g)
	p.here = append(p.here, c)
	return c
}

// makeRoom reports whether there is room for one more central. If there was none, the
// one goes that came first of those that never brought a frame that opened. The caller
// holds mu.
func (p *Peripheral) makeRoom() bool {
	if len(p.here) < maxCentrals {
		return true
	}
	i := slices.IndexFunc(p.here, func(c *central) bool { return !c.known })
	if i < 0 {
		return false
	}
	p.Log.Debug("bluetooth: a central that says nothing makes room")
	p.here[i].cut()
	p.here = slices.Delete(p.here, i, i+1)
	return true
}

// know notes that a central has brought a frame that opened.
func (p *Peripheral) know(c *central) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.known = true
}

func (p *Peripheral) release(s *service, c *central) {
	s.leave(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here = slices.DeleteFunc(p.here, func(o *central) bool { return o == c })
}

// disconnect sends a central away: not one that another service has, nor one that is
// bonded with this computer, whose music, perhaps, would end, too.
func (p *Peripheral) disconnect(ctx context.Context, b *bus, device dbus.ObjectPath) {
	p.mu.Lock()
	busy := slices.ContainsFunc(p.here, func(c *central) bool { return c.device == device })
	p.mu.Unlock()
	if d := b.objects[device][deviceIf]; busy || d == nil || flag(d, "Paired") || !flag(d, "Connected") {
		return
	}
	if err := b.call(ctx, device, deviceIf+".Disconnect").Err; err != nil {
		p.Log.Debug("bluetooth: a central was not disconnected", "err", err)
	}
}

func (p *Peripheral) ignore(device dbus.ObjectPath) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Clock.now()
	for d, until := range p.ignored {
		if len(p.ignored) >= maxIgnored || !now.Before(until) {
			delete(p.ignored, d)
		}
	}
	p.ignored[device] = now.Add(ignoreFor)
}

func (p *Peripheral) isIgnored(device dbus.ObjectPath) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Clock.now().Before(p.ignored[device])
}
