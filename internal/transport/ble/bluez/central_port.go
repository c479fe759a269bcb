package bluez

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	writeLimit  = 5 * time.Second
	maxUnread   = 8 // segments of a central that wait
	attOverhead = 3 // bytes of the MTU
)

// central is one phone, or stranger, that is connected to a service: a ble.Port.
type central struct {
	s      *service
	device dbus.ObjectPath
	known  bool // has brought a frame that opened; guarded by the Peripheral's mu
	mtu    atomic.Int32
	unread chan []byte
	gone   chan struct{}
	once   sync.Once
}

func newCentral(s *service, g greeting) *central {
	c := &central{s: s, device: g.device, unread: make(chan []byte, maxUnread), gone: make(chan struct{})}
	c.mtu.Store(int32(g.mtu))
	return c
}

func (c *central) cut() { c.once.Do(func() { close(c.gone) }) }

// put waits until there is room: the central's next write waits for this one.
func (c *central) put(b []byte, mtu int) *dbus.Error {
	c.mtu.Store(int32(mtu))
	select {
	case c.unread <- b:
		return nil
	case <-c.gone:
		return failed("say hello first")
	}
}

// Most implements ble.Port.
func (c *central) Most() int { return max(int(c.mtu.Load()), leastMTU) - attOverhead }

// Read implements ble.Port.
func (c *central) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-c.unread:
		return b, nil
	case <-c.gone:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Write implements ble.Port. Other centrals may read it, too.
func (c *central) Write(ctx context.Context, b []byte) error {
	done, err := c.s.turns.take(ctx, c, b)
	if err != nil {
		return err
	}
	defer done()
	select {
	case <-c.gone:
		return io.ErrClosedPipe
	default:
	}
	return c.s.notify(c.device, b)
}
