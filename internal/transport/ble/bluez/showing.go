package bluez

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"kryptonite/internal/transport/ble"
)

// showFor is how long a service is advertised before another one that finds no room
// has its turn.
const showFor = 2 * time.Second

// rota is the order in which services have their turn at being advertised, where an
// adapter has not room for all. The zero value is ready.
type rota struct {
	mu      sync.Mutex
	waiting []*showing // as they came
}

// wait puts s at the end, unless it waits already.
func (r *rota) wait(s *showing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.waiting, s) {
		r.waiting = append(r.waiting, s)
	}
}

// leave takes s out.
func (r *rota) leave(s *showing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = slices.DeleteFunc(r.waiting, func(o *showing) bool { return o == s })
}

// first is who has the next turn, or nil.
func (r *rota) first() *showing {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return nil
	}
	return r.waiting[0]
}

// wake tells who is first that there may be room.
func (r *rota) wake() {
	if s := r.first(); s != nil {
		select {
		case s.room <- struct{}{}:
		default:
		}
	}
}

// showing is the advertisement of a service. It belongs to one goroutine, but for
// room.
type showing struct {
	rota    *rota
	clock   Clock
	b       *bus
	adapter dbus.ObjectPath
	s       *service
	link    *ble.Link
	on      bool
	turn    <-chan time.Time // when turned has something to do
	room    chan struct{}    // holds one token, when it has before that
}

func (p *Peripheral) newShowing(b *bus, adapter dbus.ObjectPath, s *service, link *ble.Link) *showing {
	return &showing{rota: &p.rota, clock: p.Clock, b: b, adapter: adapter, s: s, link: link, room: make(chan struct{}, 1)}
}

// begin advertises the service, or waits for its turn.
func (a *showing) begin(ctx context.Context) error {
	a.turn = a.clock.after(showFor)
	err := a.b.call(ctx, a.adapter, advertsIf+".RegisterAdvertisement", a.s.advert(), props{}).Err
	if err == nil {
		a.on = true
		a.rota.leave(a)
		return nil
	}
	full := dbus.Error{}
	err, none := fmt.Errorf("advertise the Bluetooth service: %w", err), errors.As(err, &full) && full.Name == "org.bluez.Error.NotPermitted"
	if !none {
		return err
	}
	a.link.Note(err)
	a.rota.wait(a)
	return nil
}

// turned is called when turn or room says so.
func (a *showing) turned(ctx context.Context) error {
	first := a.rota.first()
	switch {
	case a.on && first != nil:
		a.stop()
		a.rota.wait(a)
		a.rota.wake()
	case !a.on && first == a:
		return a.begin(ctx)
	}
	a.turn = a.clock.after(showFor)
	return nil
}

// stop takes the advertisement back. Without bluetoothd there is none.
func (a *showing) stop() {
	if a.on && a.b.running {
		_ = a.b.call(context.Background(), a.adapter, advertsIf+".UnregisterAdvertisement", a.s.advert()).Err // may be gone
	}
	a.on = false
}

// end is the last one's.
func (a *showing) end() {
	a.stop()
	a.rota.leave(a)
	a.rota.wake()
}
