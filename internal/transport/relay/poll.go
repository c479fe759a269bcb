package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/backoff"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport"
)

const (
	pollGrace      = 20 * time.Second // for a poll beyond what it waits for: a dead connection is noticed as soon as by pings
	maxWaitSeconds = int(mailbox.MaxPollWait / time.Second)
	maxProofs      = 3 // tries of one poll; each that fails brings a fresh nonce

	noFrames = mailbox.Seq(math.MaxUint64) // as Poll.After: send none
)

// Open makes sure the mailbox of key exists at the relay, durably. It does not
// retry.
func (c *Client) Open(ctx context.Context, key mailbox.Key) error {
	if _, err := c.poll(ctx, key, new([]byte), mailbox.Poll{After: noFrames}); err != nil {
		return fmt.Errorf("open mailbox: %w", err)
	}
	return nil
}

// Delete removes the mailbox of key and all in it, durably. This Client's
// Receive on it ends with ErrDeleted; end those of other programs first, or they
// will make the mailbox anew.
func (c *Client) Delete(ctx context.Context, key mailbox.Key) error {
	if err := c.endReceivers(ctx, key); err != nil {
		return fmt.Errorf("delete mailbox: %w", err)
	}
	reply, err := c.poll(ctx, key, new([]byte), mailbox.Poll{Delete: true})
	if err == nil && !reply.Deleted {
		err = errors.New("relay: it did not say that it is deleted")
	}
	if err != nil {
		return fmt.Errorf("delete mailbox: %w", err)
	}
	return nil
}

// poll sends p with a proof and returns the reply. It uses up *nonce, which may
// be nil, and leaves there the one that the relay gave for the next poll.
func (c *Client) poll(ctx context.Context, key mailbox.Key, nonce *[]byte, p mailbox.Poll) (mailbox.PollReply, error) {
	if key.IsZero() {
		return mailbox.PollReply{}, errors.New("relay: poll: no mailbox key")
	}
	for range maxProofs {
		if p.Nonce, *nonce = *nonce, nil; p.Nonce != nil {
			var err error
			if p.Signature, err = mailbox.SignRead(key, c.origin, p.Nonce); err != nil {
				return mailbox.PollReply{}, err
			}
			p.PublicKey = key.Public()
		}
		code, reply, err := c.pollOnce(ctx, key.Address(), p)
		if len(reply.Nonce) > 0 {
			*nonce = reply.Nonce
		}
		if code != http.StatusUnauthorized || *nonce == nil {
			return reply, err
		}
	}
	return mailbox.PollReply{}, errors.New("relay: it takes none of the nonces that it gives (are there several relays behind this origin?)")
}

// pollOnce makes one request.
func (c *Client) pollOnce(ctx context.Context, addr mailbox.Address, p mailbox.Poll) (code int, reply mailbox.PollReply, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.WaitSeconds)*time.Second+pollGrace)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.origin+mailbox.PollPath(addr), bytes.NewReader(p.Encode()))
	if err != nil {
		return 0, reply, err
	}
	req.Header.Set("Content-Type", "application/json")
	// Not sent, but tells the transport that it may repeat the request if a
	// kept-alive connection turns out to be dead: a nonce counts once.
	req.Header[mailbox.HeaderIdempotencyKey] = nil
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, reply, hideAddress(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mailbox.MaxPollReply+1))
	if err != nil {
		return 0, reply, fmt.Errorf("relay: read the reply to a poll: %w", err)
	}
	code = resp.StatusCode
	reply, err = mailbox.ParsePollReply(body)
	if code == http.StatusOK {
		return code, reply, err
	}
	return code, reply, pollError(code, reply, body)
}

// pollError names what the relay says; who does not speak as a relay is quoted
// by its status.
func pollError(code int, reply mailbox.PollReply, body []byte) error {
	status := statusError(code, body)
	switch {
	case reply.Error == "":
		return status
	case code == http.StatusForbidden:
		return ErrRefused
	case code == http.StatusConflict:
		return errSuperseded
	case code == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %w", ErrTooMany, status)
	}
	return status
}

// polls receives by long polls until one fails, or until d has a WebSocket, and
// then returns that. progress reports that a frame was taken or that a poll
// waited in vain: such polls work.
func (r *receiver) polls(ctx context.Context, d *dialler) (conn *websocket.Conn, progress bool, err error) {
	connected := false
	defer func() {
		if connected {
			r.health.Disconnected()
		}
	}()
	var held held
	idle := r.c.o.MinPause
	for {
		select {
		case conn := <-d.up:
			return conn, progress, nil
		default:
		}
		p := mailbox.Poll{Ack: r.acks}
		if connected { // the first one comes back at once, to see that polls work
			p.WaitSeconds, p.After = held.next(d.polling)
		}
		start := time.Now()
		reply, err := r.c.poll(d.polling, r.key, &r.nonce, p)
		if err != nil {
			return d.instead(ctx, err), progress, err
		}
		r.acks = nil
		if !connected {
			connected = true
			r.up("long poll")
		}
		took, refused := r.take(ctx, reply.Frames)
		held.note(r.c.o, reply.Frames, refused)
		progress = progress || took || p.WaitSeconds > 0
		// An empty reply that comes early was not made by a relay that waited.
		if wait := time.Duration(p.WaitSeconds) * time.Second; len(reply.Frames) > 0 || time.Since(start) >= wait/2 {
			idle = r.c.o.MinPause
		} else {
			_ = backoff.Sleep(d.polling, backoff.Jitter(idle))
			idle = min(2*idle, r.c.o.MaxPause)
		}
	}
}

// take hands frames to handle and notes which to acknowledge.
func (r *receiver) take(ctx context.Context, frames []mailbox.Polled) (took, refused bool) {
	for _, f := range frames {
		if ctx.Err() != nil {
			break
		}
		if err := r.handle(f.Frame); err != nil && !errors.Is(err, transport.ErrForged) {
			r.health.Note(time.Now(), err)
			refused = true
			continue
		}
		took = true
		r.health.Note(time.Now(), nil)
		r.acks = append(r.acks, f.Seq)
	}
	return took, refused
}

// lastAcks tells the relay what no poll has told it yet, when Receive ends.
func (r *receiver) lastAcks(ctx context.Context) {
	if len(r.acks) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if _, err := r.c.poll(ctx, r.key, &r.nonce, mailbox.Poll{Ack: r.acks, After: noFrames}); err != nil {
		r.c.o.Logger.Debug("frames were not acknowledged and will come again", "mailbox", r.key.Address(), "error", err)
	}
}

// held is about frames that handle refused. The relay would send them with
// every poll; so polls ask only for later ones, until it is time to try again.
type held struct {
	after mailbox.Seq   // 0: none is held
	until time.Time     // then they are asked for again
	pause time.Duration // the last one
	more  bool          // there may be later frames now
}

// note takes the outcome of a reply.
func (h *held) note(o Options, frames []mailbox.Polled, refused bool) {
	h.more = len(frames) > 0
	switch {
	case len(frames) == 0:
		return
	case refused && h.after == 0:
		h.pause = min(max(2*h.pause, o.MinPause), o.MaxPause)
		h.until = time.Now().Add(backoff.Jitter(h.pause))
	case h.after == 0:
		h.pause = 0
		return
	}
	h.after = frames[len(frames)-1].Seq
}

// next says how the next poll asks. A poll waits for whole seconds, so it may
// sleep for less than one.
func (h *held) next(ctx context.Context) (waitSeconds int, after mailbox.Seq) {
	if h.after == 0 {
		return maxWaitSeconds, 0
	}
	left := time.Until(h.until)
	if left >= time.Second || h.more {
		return min(int(max(left, 0)/time.Second), maxWaitSeconds), h.after
	}
	_ = backoff.Sleep(ctx, left)
	h.after = 0
	return maxWaitSeconds, 0
}
