// Package webpush wakes a phone's browser by Web Push, straight at the browser
// vendor's service: no server of ours is in between.
//
//	POST the subscription's endpoint
//	Authorization: vapid t=JWT, k=PUBLIC KEY     [RFC 8292]; the phone made that key
//	TTL: 28 · Urgency: high · Topic: HASH        [RFC 8030] §5
//	Content-Encoding: aes128gcm                  [RFC 8291]; the sealed frame in base64, or no body
//
// A [Client] is one program's connections, a [Waker] one subscription's state:
// its token, when it may be tried again, and how it did. The service sees who
// pushes (by address and VAPID key), to whom, when and how much, and not what.
// Endpoints are hostile input: see endpoint.go. No error has an endpoint in it.
//
// Why not a library: the one Go library of note (SherClockHolmes/webpush-go 1.4)
// signs a token for each push, pads each to 4 KiB, computes on crypto/elliptic
// and posts anywhere; what is left to write is small.
package webpush

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"kryptonite/internal/wire"
)

const (
	dialTimeout     = 5 * time.Second // TCP or TLS
	answerTimeout   = 8 * time.Second
	maxAnswer       = 1 << 10 // bytes read of an answer
	maxAnswerHeader = 16 << 10

	firstPause = time.Second // after a 429 or 5xx, then doubled
	maxPause   = 5 * time.Minute
	maxRetry   = time.Hour // of a Retry-After
)

var (
	// ErrGone says that the subscription has ended: nobody is there any more.
	ErrGone = errors.New("webpush: the subscription has ended")
	// ErrPaused says that the service wants to be left alone for now.
	ErrPaused = errors.New("webpush: the push service wants to be left alone for a while")
)

// StatusError is an answer that is no yes.
type StatusError struct {
	Status int
	Reason string // one word that some services give, or ""
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("webpush: the push service answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// Options are how a Client posts; the zero value is good for real use.
type Options struct {
	Now   func() time.Time                      // nil: time.Now
	Proxy func(*http.Request) (*url.URL, error) // nil: from the environment (HTTPS_PROXY, NO_PROXY)
	TLS   *tls.Config                           // nil: the system's roots; for tests
	Local bool                                  // for tests: also addresses of this machine, any port
}

// Client posts pushes. It is safe for concurrent use; Close it in the end.
type Client struct {
	o    Options
	http *http.Client
}

// NewClient returns a client. It does not connect.
func NewClient(o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &Client{o, &http.Client{
		Transport:     newCarrier(o),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Waker wakes one subscription. It is safe for concurrent use.
type Waker struct {
	client *Client
	to     wire.Push
	url    string
	host   string

	mu     sync.Mutex
	token  *token
	after  time.Time // not before
	pause  time.Duration
	status Status
}

// Status is how a Waker did, for people.
type Status struct {
	Host      string    // of the service
	LastOK    time.Time // zero: never
	LastError error     // the newest since LastOK, or nil
	Gone      bool      // the subscription has ended
}

// Waker returns the waker of a subscription. contact is an https or mailto URL
// of who answers for pushes, which Apple insists on; "" for none.
func (c *Client) Waker(to wire.Push, contact string) (*Waker, error) {
	if err := to.Check(); err != nil {
		return nil, err
	}
	u, err := parseEndpoint(to.Endpoint, c.o.Local)
	if err != nil {
		return nil, err
	}
	t, err := newToken(to.VAPID, audience(u), contact)
	if err != nil {
		return nil, err
	}
	return &Waker{client: c, to: to, url: u.String(), host: u.Hostname(), token: t, status: Status{Host: u.Hostname()}}, nil
}

// Status returns the state of now.
func (w *Waker) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Wake sends one push for the request id, and returns when the service has
// taken it. frame, which the service cannot read, goes along if it fits; a nil
// frame is a bare wake-up. ttl is how long the service may keep it. A later push
// for the same request replaces an earlier one that was not delivered. It waits
// for nothing: while the service wants to be left alone it returns ErrPaused.
// Errors: ErrGone, ErrPaused, ctx's, a *StatusError, or the network's.
func (w *Waker) Wake(ctx context.Context, id wire.ID, frame []byte, ttl time.Duration) error {
	now := w.client.o.Now()
	w.mu.Lock()
	switch {
	case w.status.Gone:
		w.mu.Unlock()
		return ErrGone
	case now.Before(w.after) && w.after.Sub(now) <= maxRetry: // or the clock was set back
		w.mu.Unlock()
		return ErrPaused
	}
	authorization, err := w.token.authorization(now)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	var body []byte
	if len(frame) > 0 && len(frame) <= MaxFrame {
		text := base64.StdEncoding.AppendEncode(nil, frame) // Chromium gives no data that is not UTF-8 to its worker
		if body, err = encrypt(text, w.to.P256dh, w.to.Auth); err != nil {
			return err
		}
	}
	a := w.post(ctx, authorization, id, body, ttl)
	if a.status == http.StatusRequestEntityTooLarge && body != nil {
		a = w.post(ctx, authorization, id, nil, ttl)
	}
	return w.took(a, ctx.Err() != nil)
}

// answer is what came of one post.
type answer struct {
	status int
	reason string
	retry  time.Duration // Retry-After; 0: none
	err    error         // of the network
}

func (w *Waker) post(ctx context.Context, authorization string, id wire.ID, body []byte, ttl time.Duration) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return answer{err: errEndpoint}
	}
	h := req.Header
	h.Set("Authorization", authorization)
	h.Set("TTL", strconv.FormatInt(int64(max(ttl+time.Second-1, 0)/time.Second), 10))
	h.Set("Urgency", "high")
	h.Set("Topic", wire.PushTopic(id))
	if body != nil {
		h.Set("Content-Encoding", "aes128gcm")
		h.Set("Content-Type", "application/octet-stream")
	}
	resp, err := w.client.http.Do(req)
	if err != nil {
		if withURL := new(url.Error); errors.As(err, &withURL) {
			err = withURL.Err // the URL is for nobody's eyes
		}
		return answer{err: fmt.Errorf("webpush: post to %s: %w", w.host, err)}
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what cannot be read says nothing
	return answer{status: resp.StatusCode, reason: reason(said), retry: w.retryAfter(resp.Header.Get("Retry-After"))}
}

// took notes what came of a push.
func (w *Waker) took(a answer, gaveUp bool) error {
	now := w.client.o.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.err == nil && (a.status == http.StatusCreated || a.status == http.StatusAccepted || a.status == http.StatusOK) {
		w.status.LastOK, w.status.LastError = now, nil
		w.after, w.pause = time.Time{}, 0
		return nil
	}
	err := a.err
	if err == nil {
		err = &StatusError{a.status, a.reason}
	}
	switch {
	case gaveUp:
		return err // that says nothing of the service
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		w.status.Gone = true
		err = fmt.Errorf("%w (%d)", ErrGone, a.status)
	case a.status == http.StatusTooManyRequests || a.status >= 500:
		w.pause = min(max(2*w.pause, firstPause), maxPause)
		w.after = now.Add(max(a.retry, w.pause))
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		w.token.forget() // perhaps the clock was wrong when it was made
	}
	w.status.LastError = err
	return err
}

// retryAfter reads a Retry-After, seconds or a date. [RFC 9110] §10.2.3.
func (w *Waker) retryAfter(s string) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxRetry)
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(at.Sub(w.client.o.Now()), 0), maxRetry)
	}
	return 0
}

// reason is the one word with which Apple and others say why, if there is one.
func reason(body []byte) string {
	var said struct{ Reason string }
	if json.Unmarshal(body, &said) != nil || len(said.Reason) > 40 ||
		strings.ContainsFunc(said.Reason, func(r rune) bool { return !('a' <= r|0x20 && r|0x20 <= 'z') }) {
		return ""
	}
	return said.Reason
}
