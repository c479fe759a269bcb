package e2e

import (
	"context"
	"io"
	"sync"
	"time"
)

// airPort is one connection: a ble.Port.
type airPort struct {
	in, out chan []byte
	gone    chan struct{}
	over    chan struct{} // nobody serves it any more
	once    sync.Once
}

func (p *airPort) cut() { p.once.Do(func() { close(p.gone) }) }

func (p *airPort) Most() int { return 182 } // as phones often have it

func (p *airPort) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.in:
		return b, nil
	case <-p.gone:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *airPort) Write(ctx context.Context, b []byte) error {
	select {
	case p.out <- b:
		return nil
	case <-p.gone:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return context.DeadlineExceeded
	}
}
