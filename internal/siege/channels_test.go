package siege

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/sqstest"
	"kryptonite/internal/wire"
)

// kind makes the ends of new channels of one kind, the computer's first.
type kind struct {
	name   string
	bubble bool // it needs no network, and runs in a bubble of testing/synctest
	open   func(t *testing.T) (pair func() (near, far transport.Link), shut func())
}

var kinds = []kind{
	{"memory", true, func(*testing.T) (func() (transport.Link, transport.Link), func()) {
		return func() (transport.Link, transport.Link) { return memory.New(memory.Options{}) }, func() {}
	}},
	{"relay", false, openRelay},
	{"sqs", true, openSQS},
	{"bluetooth", true, openBluetooth},
}

// openRelay has a real relay, and a mailbox at it for each end.
func openRelay(t *testing.T) (func() (transport.Link, transport.Link), func()) {
	r := relaytest.New(t)
	end := func() (*relay.Client, mailbox.Key) {
		c, err := relay.NewClient(r.Origin(), relay.Options{MinPause: 10 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		k, err := mailbox.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Open(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		return c, k
	}
	return func() (transport.Link, transport.Link) {
		near, kn := end()
		far, kf := end()
		return near.Link(kn, kf.Address()), far.Link(kf, kn.Address())
	}, func() {}
}

// openSQS has a double of SQS, and two queues for each pair.
func openSQS(t *testing.T) (func() (transport.Link, transport.Link), func()) {
	server, n := sqstest.New(), 0
	client := sqs.NewClient(server)
	return func() (transport.Link, transport.Link) {
		n++
		a := wire.SQSAddress{Region: sqstest.Region, Account: sqstest.Account,
			ToComputer: "kr-" + strings.Repeat(string(rune('a'+n%6)), 32), ToPhone: "kr-" + strings.Repeat(string(rune('0'+n%10)), 32)}
		for _, q := range []string{a.ToComputer, a.ToPhone} {
			server.Make(q, "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage")
		}
		toComputer, toPhone, err := sqs.Queues(a, "")
		if err != nil {
			t.Fatal(err)
		}
		return sqs.NewLink(client, toPhone, toComputer, nil), sqs.NewLink(client, toComputer, toPhone, nil)
	}, client.Close
}

// openBluetooth has a connection in memory for each pair, and the next one when it
// ends.
func openBluetooth(*testing.T) (func() (transport.Link, transport.Link), func()) {
	ctx, stop := context.WithCancel(context.Background())
	var bg sync.WaitGroup
	return func() (transport.Link, transport.Link) {
			near, far := ble.New(), ble.New()
			bg.Go(func() {
				for ctx.Err() == nil {
					connect(ctx, near, far)
					select {
					case <-time.After(time.Second):
					case <-ctx.Done():
					}
				}
			})
			return near, far
		}, func() {
			stop()
			bg.Wait()
		}
}

// connect is one connection between two ends, until one of them leaves.
func connect(ctx context.Context, near, far *ble.Link) {
	ab, ba, cut := make(chan []byte, 8), make(chan []byte, 8), make(chan struct{})
	hangUp := sync.OnceFunc(func() { close(cut) })
	var ends sync.WaitGroup
	for l, p := range map[*ble.Link]*gatt{near: {ab, ba, cut}, far: {ba, ab, cut}} {
		ends.Go(func() {
			defer hangUp()
			_ = l.Serve(ctx, p)
		})
	}
	ends.Wait()
}

// gatt is one side of two characteristics in memory.
type gatt struct {
	out chan<- []byte
	in  <-chan []byte
	cut <-chan struct{}
}

func (g *gatt) Most() int { return 182 }

func (g *gatt) Write(ctx context.Context, b []byte) error {
	select {
	case g.out <- b:
		return nil
	case <-g.cut:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gatt) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-g.in:
		return b, nil
	case <-g.cut:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
