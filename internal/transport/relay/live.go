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

	"kryptonite/internal/backoff"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport"
)

// errAgain ends a connection so that the next one brings a refused frame again.
var errAgain = errors.New("relay: a frame was refused by its handler and is asked for again")

// live receives over conn until it ends. progress reports that a frame was
// taken.
func (r *receiver) live(ctx context.Context, conn *websocket.Conn) (progress bool, err error) {
	defer conn.CloseNow()
	conn.SetReadLimit(mailbox.MaxDelivery)
	r.acks = nil // what polls could not bring home comes again here
	r.up("WebSocket")
	defer r.health.Disconnected()

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
		if err := r.handle(frame); err != nil && !errors.Is(err, transport.ErrForged) {
			r.health.Note(time.Now(), err)
			select {
			case refused <- struct{}{}:
			default:
			}
			continue
		}
		progress = true
		r.health.Note(time.Now(), nil)
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
				again = time.After(backoff.Jitter(r.c.o.MinPause))
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
