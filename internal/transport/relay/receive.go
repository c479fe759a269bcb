package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/mailbox"
)

// Open makes sure the mailbox of key exists at the relay, durably: it connects,
// proves the key and disconnects. It does not retry.
func (c *Client) Open(ctx context.Context, key mailbox.Key) error {
	conn, err := c.connect(ctx, key)
	if err != nil {
		return fmt.Errorf("open mailbox: %w", err)
	}
	part(conn)
	return nil
}

// Delete removes the mailbox of key and all in it, durably. This Client's
// Receive on it ends with ErrDeleted; end those of other programs first, or they
// will make the mailbox anew.
func (c *Client) Delete(ctx context.Context, key mailbox.Key) error {
	if err := c.endReceivers(ctx, key.Address()); err != nil {
		return fmt.Errorf("delete mailbox: %w", err)
	}
	conn, err := c.connect(ctx, key)
	if err != nil {
		return fmt.Errorf("delete mailbox: %w", err)
	}
	defer conn.CloseNow()
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, mailbox.Control{Type: mailbox.TypeDelete}.Encode()); err != nil {
		return fmt.Errorf("delete mailbox: %w", err)
	}
	for {
		typ, b, err := conn.Read(ctx)
		if websocket.CloseStatus(err) == mailbox.CloseDeleted {
			return nil
		}
		if err != nil {
			return fmt.Errorf("delete mailbox: %w", closeReason(err))
		}
		if typ != websocket.MessageText {
			continue // backlog on its way
		}
		if m, err := mailbox.ParseControl(b); err == nil && m.Type == mailbox.TypeDeleted {
			part(conn)
			return nil
		}
	}
}

// Receive implements transport.Link's Receive for the mailbox of key, which the
// relay makes if it does not exist. It returns ctx's error or ErrDeleted.
func (c *Client) Receive(ctx context.Context, key mailbox.Key, handle func(frame []byte) error) error {
	return c.receive(ctx, key, handle, nobody{})
}

// observer is told how a receiver does; a link is one.
type observer interface {
	connected(yes bool)
	note(err error)
}

type nobody struct{}

func (nobody) connected(bool) {}
func (nobody) note(error)     {}

// receiver is one running Receive.
type receiver struct {
	c       *Client
	key     mailbox.Key
	handle  func([]byte) error
	observe observer
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed when it has returned
}

func (c *Client) receive(ctx context.Context, key mailbox.Key, handle func([]byte) error, observe observer) error {
	if key.IsZero() {
		return errors.New("relay: receive: no mailbox key")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &receiver{c: c, key: key, handle: handle, observe: observe, cancel: cancel, done: make(chan struct{})}
	defer close(r.done)
	c.add(r)
	defer c.remove(r)
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
		observe.note(err)
		switch {
		case errors.Is(err, errSuperseded), errors.Is(err, ErrRefused), errors.Is(err, ErrTooMany):
			pause = c.o.MaxPause // haste would only make it worse
		case progress || time.Since(start) > steady:
			pause = c.o.MinPause
		}
		wait := jitter(pause)
		pause = min(2*pause, c.o.MaxPause)
		c.o.Logger.Debug("receiving connection ended", "mailbox", key.Address(), "error", err, "again_in", wait)
		if sleep(ctx, wait) != nil {
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

func (c *Client) endReceivers(ctx context.Context, addr mailbox.Address) error {
	c.mu.Lock()
	var all []*receiver
	for r := range c.receivers[addr] {
		all = append(all, r)
	}
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

// errAgain ends a connection so that the next one brings a refused frame again.
var errAgain = errors.New("relay: a frame was refused by its handler and is asked for again")

// once runs one connection. progress reports that a frame was taken.
func (r *receiver) once(ctx context.Context) (progress bool, err error) {
	conn, err := r.c.connect(ctx, r.key)
	if err != nil {
		return false, err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(mailbox.MaxDelivery)
	r.observe.connected(true)
	defer r.observe.connected(false)
	if r.c.o.OnConnect != nil {
		r.c.o.OnConnect(r.key.Address())
	}

	// Reading has a context of its own: when ctx ends, the keeper says goodbye
	// first, so that acknowledgements on their way are not lost.
	reading, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	refused := make(chan struct{}, 1)
	var keeper sync.WaitGroup
	keeper.Go(func() { r.keep(ctx, reading, conn, stop, refused) })
	defer keeper.Wait()
	defer stop(nil)

	for {
		typ, b, err := conn.Read(reading)
		if err != nil {
			if cause := context.Cause(reading); cause != nil {
				err = cause
			}
			return progress, closeReason(err)
		}
		if ctx.Err() != nil {
			return progress, ctx.Err()
		}
		if typ != websocket.MessageBinary {
			continue // pong, or something newer than we are
		}
		seq, frame, err := mailbox.ParseDelivery(b)
		if err != nil {
			return progress, err
		}
		if err := r.handle(frame); err != nil {
			r.observe.note(err)
			select {
			case refused <- struct{}{}:
			default:
			}
			continue
		}
		progress = true
		r.observe.note(nil)
		if err := conn.Write(reading, websocket.MessageBinary, mailbox.EncodeAck(seq)); err != nil {
			return progress, closeReason(err)
		}
	}
}

// keep looks after a connection until reading ends: it pings, it ends the
// connection when ctx ends, and some time after a frame was refused, so that
// the next connection brings the frame again.
func (r *receiver) keep(ctx, reading context.Context, conn *websocket.Conn, stop context.CancelCauseFunc, refused <-chan struct{}) {
	// bye closes politely, but cuts when that takes long.
	bye := func(cause error) {
		cut := time.AfterFunc(farewell, func() { stop(cause) })
		_ = conn.Close(websocket.StatusNormalClosure, "")
		cut.Stop()
		stop(cause)
	}
	ping := time.NewTicker(r.c.o.PingInterval)
	defer ping.Stop()
	var again <-chan time.Time
	for {
		select {
		case <-reading.Done():
			return
		case <-ctx.Done():
			bye(ctx.Err())
			return
		case <-refused:
			if again == nil {
				again = time.After(jitter(r.c.o.MinPause))
			}
		case <-again:
			bye(errAgain)
			return
		case <-ping.C:
			pong, cancel := context.WithTimeout(reading, min(mailbox.PongTimeout, r.c.o.PingInterval))
			unhook := context.AfterFunc(ctx, cancel)
			err := conn.Ping(pong)
			unhook()
			cancel()
			if err != nil && ctx.Err() == nil {
				stop(errors.New("relay: no answer to a ping"))
				return
			}
		}
	}
}

// connect dials, proves the key and waits for "ready".
func (c *Client) connect(ctx context.Context, key mailbox.Key) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+mailbox.ProofTimeout)
	defer cancel()
	addr := key.Address()
	conn, resp, err := websocket.Dial(ctx, c.origin+mailbox.LivePath(addr), &websocket.DialOptions{HTTPClient: c.http})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			var body []byte
			if resp.Body != nil {
				body, _ = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
			}
			return nil, statusError(resp.StatusCode, body)
		}
		return nil, hideAddress(err)
	}
	conn.SetReadLimit(mailbox.MaxControl)
	if err := c.prove(ctx, conn, key); err != nil {
		_ = conn.CloseNow()
		return nil, closeReason(err)
	}
	return conn, nil
}

func (c *Client) prove(ctx context.Context, conn *websocket.Conn, key mailbox.Key) error {
	challenge, err := readControl(ctx, conn, mailbox.TypeChallenge)
	if err != nil {
		return err
	}
	sig, err := mailbox.SignRead(key, c.origin, challenge.Nonce)
	if err != nil {
		return err
	}
	proof := mailbox.Control{Type: mailbox.TypeProof, PublicKey: key.Public(), Signature: sig}
	if err := conn.Write(ctx, websocket.MessageText, proof.Encode()); err != nil {
		return err
	}
	_, err = readControl(ctx, conn, mailbox.TypeReady)
	return err
}

func readControl(ctx context.Context, conn *websocket.Conn, want string) (mailbox.Control, error) {
	typ, b, err := conn.Read(ctx)
	if err != nil {
		return mailbox.Control{}, err
	}
	m, err := mailbox.ParseControl(b)
	if err != nil || typ != websocket.MessageText || m.Type != want {
		return mailbox.Control{}, fmt.Errorf("relay: expected %q and got something else", want)
	}
	return m, nil
}

// part says goodbye on a connection that nobody reads any more. The context of
// CloseRead bounds the close handshake.
func part(conn *websocket.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	conn.CloseRead(ctx)
	_ = conn.Close(websocket.StatusNormalClosure, "")
}

// closeReason names the relay's close codes.
func closeReason(err error) error {
	switch websocket.CloseStatus(err) {
	case mailbox.CloseSuperseded:
		return errSuperseded
	case mailbox.CloseRefused:
		return ErrRefused
	case mailbox.CloseTooMany:
		return ErrTooMany
	}
	return err
}
