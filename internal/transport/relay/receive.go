package relay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/backoff"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport"
)

// Receive implements transport.Link's Receive for the mailbox of key, which the
// relay makes if it does not exist. It returns ctx's error or ErrDeleted.
func (c *Client) Receive(ctx context.Context, key mailbox.Key, handle func(frame []byte) error) error {
	return c.receive(ctx, key, handle, new(transport.Health))
}

// receiver is one running Receive.
type receiver struct {
	c      *Client
	key    mailbox.Key
	handle func([]byte) error
	health *transport.Health
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has returned

	// Of polls, for the goroutine that receives.
	nonce []byte        // for the next one; may be nil
	acks  []mailbox.Seq // handled, and not yet known to be acknowledged
}

func (c *Client) receive(ctx context.Context, key mailbox.Key, handle func([]byte) error, health *transport.Health) error {
	if key.IsZero() {
		return errors.New("relay: receive: no mailbox key")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &receiver{c: c, key: key, handle: handle, health: health, cancel: cancel, done: make(chan struct{})}
	defer close(r.done)
	c.add(r)
	defer c.remove(r)
	defer r.lastAcks(ctx)
	pause := c.o.MinPause
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		start := time.Now()
		progress, err := r.once(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		health.Note(time.Now(), err)
		switch {
		case errors.Is(err, errSuperseded), errors.Is(err, ErrRefused), errors.Is(err, ErrTooMany):
			pause = c.o.MaxPause // haste would only make it worse
		case progress || time.Since(start) > steady:
			pause = c.o.MinPause
		}
		wait := backoff.Jitter(pause)
		pause = min(2*pause, c.o.MaxPause)
		c.o.Logger.Debug("receiving ended", "mailbox", key.Address(), "error", err, "again_in", wait)
		if backoff.Sleep(ctx, wait) != nil {
			return context.Cause(ctx)
		}
	}
}

func (c *Client) add(r *receiver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	addr := r.key.Address()
	if c.receivers[addr] == nil {
		c.receivers[addr] = map[*receiver]struct{}{}
	}
	c.receivers[addr][r] = struct{}{}
}

func (c *Client) remove(r *receiver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	addr := r.key.Address()
	if delete(c.receivers[addr], r); len(c.receivers[addr]) == 0 {
		delete(c.receivers, addr)
	}
}

func (c *Client) endReceivers(ctx context.Context, key mailbox.Key) error {
	c.mu.Lock()
	all := slices.Collect(maps.Keys(c.receivers[key.Address()]))
	c.mu.Unlock()
	for _, r := range all {
		r.cancel(ErrDeleted)
	}
	for _, r := range all {
		select {
		case <-r.done:
		case <-ctx.Done(): // also when Delete is called from handle
			return ctx.Err()
		}
	}
	return nil
}

// up tells that receiving works now.
func (r *receiver) up(mode string) {
	r.health.Connected(time.Now(), mode)
	if r.c.o.OnConnect != nil {
		r.c.o.OnConnect(r.key.Address())
	}
}

// wsPatience is how long a WebSocket may take before polls begin beside it.
const wsPatience = 3 * time.Second

// once receives until something fails: over a WebSocket, or by polls until one
// is to be had. If polls fail, too, it is not the WebSocket that is blocked.
// progress reports that it worked for a while.
func (r *receiver) once(ctx context.Context) (progress bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	d := &dialler{up: make(chan *websocket.Conn, 1), failed: make(chan error, 1)}
	d.polling, d.won = context.WithCancel(ctx)
	var dialling sync.WaitGroup
	dialling.Go(func() { d.dial(ctx, r.c, r.key) })
	defer d.drop()
	defer dialling.Wait()
	defer cancel()

	patience := time.NewTimer(wsPatience)
	defer patience.Stop()
	select {
	case conn := <-d.up:
		return r.live(ctx, conn)
	case err := <-d.failed:
		if errors.Is(err, ErrRefused) || errors.Is(err, ErrTooMany) { // the relay's own words, by WebSocket
			return false, err
		}
	case <-patience.C:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	conn, progress, err := r.polls(ctx, d)
	if conn == nil {
		return progress, err
	}
	more, err := r.live(ctx, conn)
	return progress || more, err
}

// dialler tries for a WebSocket until it has one.
type dialler struct {
	polling context.Context // ends when it has: a poll in between is of no use any more
	won     context.CancelFunc
	up      chan *websocket.Conn // gets the one
	failed  chan error           // gets the first failure
}

func (d *dialler) dial(ctx context.Context, c *Client, key mailbox.Key) {
	for pause := min(c.o.MaxPause, c.o.RetryWebSocket); ; pause = min(2*pause, c.o.RetryWebSocket) {
		conn, err := c.connect(ctx, key)
		if err == nil {
			d.up <- conn
			d.won()
			return
		}
		c.o.Logger.Debug("no WebSocket", "mailbox", key.Address(), "error", err)
		select {
		case d.failed <- err:
		default: // not the first
		}
		if backoff.Sleep(ctx, backoff.Jitter(pause)) != nil {
			return
		}
	}
}

// instead returns the WebSocket because of which a poll failed with err, or nil.
// The relay tells the poll that it is replaced perhaps before it tells the
// WebSocket that it is ready.
func (d *dialler) instead(ctx context.Context, err error) *websocket.Conn {
	if d.polling.Err() == nil && !errors.Is(err, errSuperseded) {
		return nil
	}
	soon := time.NewTimer(wsPatience)
	defer soon.Stop()
	select {
	case conn := <-d.up:
		return conn
	case <-soon.C:
	case <-ctx.Done():
	}
	return nil
}

// drop lets go of a WebSocket that came too late. Only after dial has returned.
func (d *dialler) drop() {
	d.won()
	select {
	case conn := <-d.up:
		_ = conn.CloseNow()
	default:
	}
}
