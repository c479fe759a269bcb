// Package relay carries frames through a relay: the client of package
// kryptonite/internal/relay's server, and a [transport.Link].
//
// Posts go over kept-alive HTTP connections and are retried for 10 s with one
// Idempotency-Key. A mailbox is read over a WebSocket that comes back by itself;
// where there is none to be had, by long polls, until a WebSocket works again.
// [Client.Open] and [Client.Delete] are one poll each. Proxies are taken from
// the environment. A frame is acknowledged only after its handler took it; one
// that the handler refused is left with the relay and asked for again later,
// while later frames are not held up.
//
// At most one connection or waiting poll reads a mailbox: the newest. Delete
// ends the Client's own Receive.
//
// References: [kr-protocol] docs/protocol.md §5; package mailbox.
package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport"
)

const (
	tryTimeout   = 5 * time.Second        // one try of a post
	firstPause   = 50 * time.Millisecond  // between two tries of a post, then doubled
	longestPause = time.Second            // between two tries of a post
	maxAnswer    = 1 << 10                // bytes read of an HTTP answer
	maxIdle      = 64                     // kept-alive connections
	idleTimeout  = 90 * time.Second       // less than the relay's 120 s
	dialTimeout  = 10 * time.Second       // TCP or TLS
	farewell     = 500 * time.Millisecond // for a close handshake, or a last poll, when Receive ends
	steady       = 30 * time.Second       // a connection that lived longer resets the back-off
)

var (
	// ErrRefused is returned by Open and Delete when the relay does not accept
	// the proof: often its configured origin is another than ours.
	ErrRefused = errors.New("relay: proof of the mailbox key was refused (is this the relay's public origin?)")
	// ErrDeleted is returned by Receive when the same Client deleted the mailbox.
	ErrDeleted = errors.New("relay: mailbox was deleted")
	// ErrTooMany is returned by Open when the relay grants us no more now, new
	// mailboxes or requests.
	ErrTooMany = errors.New("relay: the relay grants no more now")

	errSuperseded = errors.New("relay: another reads this mailbox")
)

// StatusError is an HTTP answer other than success.
type StatusError struct {
	Code int    // the HTTP status
	Text string // the relay's words, made printable; may be empty
}

func (e *StatusError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("relay answered %d %s", e.Code, http.StatusText(e.Code))
	}
	return fmt.Sprintf("relay answered %d: %s", e.Code, e.Text)
}

// Options for NewClient; the zero value is good.
type Options struct {
	Logger   *slog.Logger  // nil: discard
	RetryFor time.Duration // how long a post is retried; 0: 10 s (a relay cluster's leader change takes 5)

	// Pauses before a new receiving connection, exponential with jitter.
	// 0: 250 ms and 15 s.
	MinPause, MaxPause time.Duration

	// RetryWebSocket is the longest pause between two tries for a WebSocket
	// while polls work; the first is MaxPause. 0: 5 minutes.
	RetryWebSocket time.Duration

	// OnConnect is called whenever a receiving connection is up, or the first
	// poll was answered, from the goroutine that receives. It must not block.
	OnConnect func(mailbox.Address)

	// RoundTripper replaces the HTTP transport; the default one takes proxies
	// from the environment (HTTPS_PROXY, NO_PROXY). If it cannot upgrade to a
	// WebSocket, mailboxes are read by polls.
	RoundTripper http.RoundTripper

	PingInterval time.Duration // 0: mailbox.PingInterval
}

// Client talks to one relay. It is safe for concurrent use. Close it to let go
// of idle connections.
type Client struct {
	origin string
	o      Options
	http   *http.Client

	mu        sync.Mutex
	receivers map[mailbox.Address]map[*receiver]struct{}
}

// NewClient returns a client of the relay at origin, for example
// "https://relay.example" or "http://localhost:8080". It does not connect.
func NewClient(origin string, o Options) (*Client, error) {
	canonical, err := mailbox.CanonicalOrigin(origin)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.RetryFor <= 0 {
		o.RetryFor = 10 * time.Second
	}
	if o.MinPause <= 0 {
		o.MinPause = 250 * time.Millisecond
	}
	if o.MaxPause <= 0 {
		o.MaxPause = 15 * time.Second
	}
	o.MaxPause = max(o.MaxPause, o.MinPause)
	if o.RetryWebSocket <= 0 {
		o.RetryWebSocket = 5 * time.Minute
	}
	if o.PingInterval <= 0 {
		o.PingInterval = mailbox.PingInterval
	}
	if o.RoundTripper == nil {
		o.RoundTripper = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConns:        maxIdle,
			MaxIdleConnsPerHost: maxIdle,
			IdleConnTimeout:     idleTimeout,
			ForceAttemptHTTP2:   true,
			DisableCompression:  true,
		}
	}
	return &Client{
		origin: canonical,
		o:      o,
		http: &http.Client{
			Transport: o.RoundTripper,
			// A relay does not redirect; whoever does is not one.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		receivers: map[mailbox.Address]map[*receiver]struct{}{},
	}, nil
}

// Origin returns the relay's canonical origin.
func (c *Client) Origin() string { return c.origin }

// Close lets go of idle connections. Running calls are not ended.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Post puts a frame into a mailbox and returns when the relay has stored it
// durably. Network faults, 5xx and 429 are retried for Options.RetryFor with
// the same Idempotency-Key. Errors: transport.ErrTooLarge, transport.ErrNoMailbox,
// ctx's, a *StatusError, or the network's.
func (c *Client) Post(ctx context.Context, to mailbox.Address, frame []byte) error {
	if len(frame) == 0 || len(frame) > transport.MaxFrame {
		return transport.ErrTooLarge
	}
	// The HTTP transport may still read a body after it gave up on it.
	frame = bytes.Clone(frame)
	id := mailbox.NewPostID()
	deadline := time.Now().Add(c.o.RetryFor)
	pause := firstPause
	for try := 1; ; try++ {
		wait, err := c.try(ctx, to, id, frame, min(tryTimeout, max(time.Until(deadline), firstPause)))
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("post to relay: %w", ctx.Err())
		}
		if wait < 0 {
			return fmt.Errorf("post to relay: %w", err)
		}
		wait = max(wait, jitter(pause))
		pause = min(2*pause, longestPause)
		if time.Until(deadline) <= wait {
			return fmt.Errorf("post to relay, %d tries: %w", try, err)
		}
		c.o.Logger.Debug("post is tried again", "mailbox", to, "try", try, "error", err)
		if err := sleep(ctx, wait); err != nil {
			return fmt.Errorf("post to relay: %w", err)
		}
	}
}

// try posts once. After an error, wait is how long the relay asks to wait
// before the next try, or negative if there is no use in one.
func (c *Client) try(ctx context.Context, to mailbox.Address, id mailbox.PostID, frame []byte, timeout time.Duration) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.origin+mailbox.FramesPath(to), bytes.NewReader(frame))
	if err != nil {
		return -1, err
	}
	req.Header.Set(mailbox.HeaderIdempotencyKey, id.String())
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, hideAddress(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // to the end, so that the connection is kept
	switch code := resp.StatusCode; {
	case code == http.StatusOK || code == http.StatusAccepted || code == http.StatusNoContent:
		return 0, nil
	case code == http.StatusNotFound:
		return -1, transport.ErrNoMailbox
	case code == http.StatusTooManyRequests || code >= 500:
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 && s < 3600 {
			wait = time.Duration(s) * time.Second
		}
		return wait, statusError(code, body)
	default:
		return -1, statusError(code, body)
	}
}

// statusError keeps the relay's words if they are short and printable.
func statusError(code int, body []byte) *StatusError {
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Error) > 200 || strings.ContainsFunc(answer.Error, func(r rune) bool { return r < ' ' || r > '~' }) {
		answer.Error = ""
	}
	return &StatusError{Code: code, Text: answer.Error}
}

// hideAddress drops the URL, and with it the mailbox address, from an error of
// package net/http.
func hideAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) } // #nosec G404 -- no secret

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Link returns a Link that posts to peer and receives what is posted to own's
// mailbox. Its name is "relay". Open own's mailbox before the other side learns
// its address. A zero peer has told no mailbox yet: Send fails with
// transport.ErrNoMailbox then, and posts nothing.
func (c *Client) Link(own mailbox.Key, peer mailbox.Address) transport.Link {
	return &link{c: c, own: own, peer: peer}
}

type link struct {
	c    *Client
	own  mailbox.Key
	peer mailbox.Address

	health transport.Health
}

func (l *link) Name() string { return "relay" }

func (l *link) Send(ctx context.Context, frame []byte) error {
	if l.peer.IsZero() {
		return transport.ErrNoMailbox
	}
	start := time.Now()
	err := l.c.Post(ctx, l.peer, frame)
	if err == nil || ctx.Err() == nil && !errors.Is(err, transport.ErrTooLarge) {
		l.health.Sent(start, time.Now(), err)
	}
	return err
}

func (l *link) Receive(ctx context.Context, handle func(frame []byte) error) error {
	return l.c.receive(ctx, l.own, handle, &l.health)
}

func (l *link) Status() transport.Status { return l.health.Status() }
