package bluez

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// maxNotified is how many notifications may wait to be read; more are dropped, as on
// a bad day by the radio.
const maxNotified = 256

// writePatience is how long a computer may take for one write.
const writePatience = 30 * time.Second

// computer is the service of a computer that we are connected to: a ble.Port.
type computer struct {
	b      *bus
	rx, tx dbus.ObjectPath
	mtu    int
	socket *os.File // of AcquireNotify; nil: notifications come by notified
	came   chan []byte
	gone   chan struct{}
	once   sync.Once
}

func newComputer(b *bus, rx, tx dbus.ObjectPath) *computer {
	p := &computer{b: b, rx: rx, tx: tx, mtu: leastMTU, came: make(chan []byte, maxNotified), gone: make(chan struct{})}
	for _, path := range []dbus.ObjectPath{rx, tx} {
		if mtu, ok := b.objects[path][chrIf]["MTU"].Value().(uint16); ok {
			p.mtu = max(p.mtu, int(mtu))
		}
	}
	return p
}

// subscribe takes the socket of the notifications, or asks for signals.
func (p *computer) subscribe(ctx context.Context) error {
	var fd dbus.UnixFD
	var mtu uint16
	err := p.b.call(ctx, p.tx, chrIf+".AcquireNotify", props{}).Store(&fd, &mtu)
	if err != nil {
		if err := p.b.call(ctx, p.tx, chrIf+".StartNotify").Err; err != nil {
			return fmt.Errorf("subscribe to the computer's notifications: %w", err)
		}
		return nil
	}
	unix.CloseOnExec(int(fd))
	if err := unix.SetNonblock(int(fd), true); err != nil {
		return fmt.Errorf("read notifications: %w", err)
	}
	p.socket, p.mtu = os.NewFile(uintptr(fd), "notifications"), max(int(mtu), leastMTU)
	return nil
}

// cut ends it.
func (p *computer) cut() {
	p.once.Do(func() {
		close(p.gone)
		if p.socket != nil {
			p.socket.Close()
		}
	})
}

// notified takes a signal of the characteristic.
func (p *computer) notified(s *dbus.Signal) {
	var iface string
	var changed props
	if len(s.Body) < 2 || dbus.Store(s.Body[:2], &iface, &changed) != nil || p.socket != nil {
		return
	}
	if value, ok := changed["Value"].Value().([]byte); ok {
		select {
		case p.came <- value:
		default:
		}
	}
}

// Most implements ble.Port.
func (p *computer) Most() int { return p.mtu - attOverhead }

// Read implements ble.Port.
func (p *computer) Read(ctx context.Context) ([]byte, error) {
	if p.socket != nil {
		defer context.AfterFunc(ctx, func() { _ = p.socket.SetReadDeadline(time.Unix(1, 0)) })()
		b := make([]byte, maxValue)
		n, err := p.socket.Read(b)
		if err == nil && n == 0 {
			err = io.EOF
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return b[:n], err
	}
	select {
	case b := <-p.came:
		return b, nil
	case <-p.gone:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Write implements ble.Port: with response, so the computer says when it has room.
func (p *computer) Write(ctx context.Context, b []byte) error {
	select {
	case <-p.gone:
		return io.ErrClosedPipe
	default:
	}
	err := p.b.callWithin(ctx, writePatience, p.rx, chrIf+".WriteValue", b, props{"type": variant("request")}).Err
	if said := (dbus.Error{}); errors.As(err, &said) {
		return fmt.Errorf("write to the computer: %s", said.Name)
	}
	return err
}
