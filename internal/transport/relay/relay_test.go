package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/mailbox"
	relayserver "kryptonite/internal/relay"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/transport/transporttest"
)

func newKey(t testing.TB) mailbox.Key {
	t.Helper()
	k, err := mailbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newClient(t testing.TB, origin string, o relay.Options) *relay.Client {
	t.Helper()
	if o.MinPause == 0 {
		o.MinPause = 10 * time.Millisecond
	}
	c, err := relay.NewClient(origin, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func openKey(t testing.TB, c *relay.Client) mailbox.Key {
	t.Helper()
	k := newKey(t)
	if err := c.Open(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestConformance(t *testing.T) {
	r := relaytest.New(t)
	transporttest.Run(t, func(t *testing.T) (transport.Link, transport.Link) {
		return pair(t, r.Origin())
	}, transporttest.Stores())
}

func pair(t *testing.T, origin string) (a, b transport.Link) {
	t.Helper()
	ca, cb := newClient(t, origin, relay.Options{}), newClient(t, origin, relay.Options{})
	ka, kb := openKey(t, ca), openKey(t, cb)
	return ca.Link(ka, kb.Address()), cb.Link(kb, ka.Address())
}

// fakeRelay answers posts with the given statuses in turn, then 202.
type fakeRelay struct {
	mu      sync.Mutex
	answers []int
	header  http.Header
	keys    []string
	bodies  []string
}

func (f *fakeRelay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, r.Header.Get(mailbox.HeaderIdempotencyKey))
	f.bodies = append(f.bodies, string(body))
	code := http.StatusAccepted
	if len(f.answers) > 0 {
		code, f.answers = f.answers[0], f.answers[1:]
	}
	for k, v := range f.header {
		w.Header()[k] = v
	}
	if code == 0 { // hang up
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"error":"code %d"}`, code)
}

func TestPostRetries(t *testing.T) {
	rows := []struct {
		name    string
		answers []int
		header  http.Header
		tries   int
		want    func(error) bool
	}{
		{"at once", nil, nil, 1, func(err error) bool { return err == nil }},
		{"after faults", []int{500, 503, 429, 0}, nil, 5, func(err error) bool { return err == nil }},
		{"repeated", []int{502, 200}, nil, 2, func(err error) bool { return err == nil }},
		{"no mailbox", []int{404}, nil, 1, func(err error) bool { return errors.Is(err, transport.ErrNoMailbox) }},
		{"conflict", []int{409}, nil, 1, isStatus(409)},
		{"too large", []int{413}, nil, 1, isStatus(413)},
		{"redirect", []int{307}, http.Header{"Location": {"https://evil.example/"}}, 1, isStatus(307)},
		{"asked to wait too long", []int{429}, http.Header{"Retry-After": {"60"}}, 1, isStatus(429)},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			fake := &fakeRelay{answers: r.answers, header: r.header}
			srv := httptest.NewServer(fake)
			defer srv.Close()
			c := newClient(t, srv.URL, relay.Options{})
			err := c.Post(t.Context(), mailbox.Address{1}, []byte("frame"))
			if !r.want(err) || len(fake.keys) < r.tries {
				t.Errorf("Post = %v after %d tries, want %d", err, len(fake.keys), r.tries)
			}
			if err != nil && strings.Contains(err.Error(), mailbox.Address{1}.String()) {
				t.Errorf("the error shows the address: %v", err)
			}
			for i := range fake.keys {
				if fake.keys[i] != fake.keys[0] || fake.bodies[i] != "frame" {
					t.Errorf("try %d: key %q, body %q", i, fake.keys[i], fake.bodies[i])
				}
			}
		})
	}
}

func isStatus(code int) func(error) bool {
	return func(err error) bool {
		var s *relay.StatusError
		return errors.As(err, &s) && s.Code == code
	}
}

func TestPostGivesUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + l.Addr().String()
	l.Close() // nobody listens there
	c := newClient(t, origin, relay.Options{RetryFor: 300 * time.Millisecond})
	err = c.Post(t.Context(), mailbox.Address{1}, []byte("x"))
	if err == nil || strings.Contains(err.Error(), mailbox.Address{1}.String()) {
		t.Errorf("Post to nobody = %v", err)
	}
	if s := c.Link(newKey(t), mailbox.Address{1}); s.Send(t.Context(), []byte("x")) == nil || s.Status().LastError == nil {
		t.Errorf("Status after a failed Send = %+v", s.Status())
	}
}

func TestPostToUnknownMailbox(t *testing.T) {
	r := relaytest.New(t)
	c := newClient(t, r.Origin(), relay.Options{})
	if err := c.Post(t.Context(), newKey(t).Address(), []byte("x")); !errors.Is(err, transport.ErrNoMailbox) {
		t.Errorf("Post = %v, want ErrNoMailbox", err)
	}
}

func TestOpenRefused(t *testing.T) {
	r := relaytest.New(t, func(c *relayserver.Config) { c.Origins = []string{"https://relay.example"} })
	c := newClient(t, r.Origin(), relay.Options{})
	if err := c.Open(t.Context(), newKey(t)); !errors.Is(err, relay.ErrRefused) {
		t.Errorf("Open = %v, want ErrRefused", err)
	}
	r = relaytest.New(t, func(c *relayserver.Config) { c.Limits.NewPerHour = 1 })
	c = newClient(t, r.Origin(), relay.Options{})
	openKey(t, c)
	if err := c.Open(t.Context(), newKey(t)); !errors.Is(err, relay.ErrTooMany) {
		t.Errorf("Open = %v, want ErrTooMany", err)
	}
}

// receiving runs Receive and returns its frames and its end.
func receiving(t *testing.T, c *relay.Client, key mailbox.Key) (frames chan string, ended chan error, stop context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	frames, ended = make(chan string, 100), make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- c.Receive(ctx, key, func(f []byte) error { frames <- string(f); return nil })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return frames, ended, cancel
}

func get[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

func TestReceiveSurvivesRestart(t *testing.T) {
	r := relaytest.New(t)
	up := make(chan mailbox.Address, 10)
	c := newClient(t, r.Origin(), relay.Options{MaxPause: 50 * time.Millisecond, OnConnect: func(a mailbox.Address) { up <- a }})
	key := openKey(t, c)
	frames, _, _ := receiving(t, c, key)
	if got := get(t, up, "connection"); got != key.Address() {
		t.Errorf("OnConnect(%v)", got)
	}
	if err := c.Post(t.Context(), key.Address(), []byte("before")); err != nil {
		t.Fatal(err)
	}
	get(t, frames, "frame")
	r.Restart()
	get(t, up, "second connection")
	if err := c.Post(t.Context(), key.Address(), []byte("after")); err != nil {
		t.Fatal(err)
	}
	for get(t, frames, "frame") != "after" {
	}
}

func TestDeleteEndsReceive(t *testing.T) {
	r := relaytest.New(t)
	up := make(chan mailbox.Address, 10)
	c := newClient(t, r.Origin(), relay.Options{OnConnect: func(a mailbox.Address) { up <- a }})
	key := openKey(t, c)
	_, ended, _ := receiving(t, c, key)
	get(t, up, "connection")
	if err := c.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := get(t, ended, "end of Receive"); !errors.Is(err, relay.ErrDeleted) {
		t.Errorf("Receive = %v, want ErrDeleted", err)
	}
	if err := c.Post(t.Context(), key.Address(), []byte("x")); !errors.Is(err, transport.ErrNoMailbox) {
		t.Errorf("Post after Delete = %v", err)
	}
}

func TestDeleteWithBacklog(t *testing.T) {
	r := relaytest.New(t)
	c := newClient(t, r.Origin(), relay.Options{})
	key := openKey(t, c)
	for range 5 {
		if err := c.Post(t.Context(), key.Address(), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Open(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// A connection on which nothing comes back, as after a NAT forgot it, is noticed
// by its pings.
func TestDeadConnectionIsNoticed(t *testing.T) {
	r := relaytest.New(t)
	up := make(chan mailbox.Address, 10)
	deaf := &deafDialer{}
	rt := &http.Transport{DialContext: deaf.dial}
	defer rt.CloseIdleConnections()
	c := newClient(t, r.Origin(), relay.Options{
		RoundTripper: rt, PingInterval: 50 * time.Millisecond, MaxPause: 50 * time.Millisecond,
		OnConnect: func(a mailbox.Address) { up <- a },
	})
	receiving(t, c, newKey(t))
	get(t, up, "connection")
	deaf.silence()
	get(t, up, "second connection")
}

// deafDialer makes connections that can be told to hear nothing any more.
type deafDialer struct {
	mu    sync.Mutex
	conns []*deafConn
}

type deafConn struct {
	net.Conn
	deaf atomic.Bool
}

func (d *deafDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &deafConn{Conn: conn}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c)
	return c, nil
}

func (d *deafDialer) silence() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		c.deaf.Store(true)
	}
}

// cut ends all connections.
func (d *deafDialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		_ = c.Close()
	}
}

func (c *deafConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.deaf.Load() {
			return n, err
		}
	}
}

// A relay that says odd things costs the receiver nothing but the connection.
func TestHostileRelay(t *testing.T) {
	nonce := mailbox.Control{Type: mailbox.TypeChallenge, Nonce: make([]byte, mailbox.NonceSize)}.Encode()
	ready := mailbox.Control{Type: mailbox.TypeReady}.Encode()
	rows := map[string]func(ctx context.Context, conn *websocket.Conn){
		"short nonce": func(ctx context.Context, conn *websocket.Conn) {
			conn.Write(ctx, websocket.MessageText, mailbox.Control{Type: mailbox.TypeChallenge, Nonce: []byte{1}}.Encode())
		},
		"ready at once": func(ctx context.Context, conn *websocket.Conn) { conn.Write(ctx, websocket.MessageText, ready) },
		"huge challenge": func(ctx context.Context, conn *websocket.Conn) {
			conn.Write(ctx, websocket.MessageText, make([]byte, 1<<20))
		},
		"huge frame": func(ctx context.Context, conn *websocket.Conn) {
			conn.Write(ctx, websocket.MessageText, nonce)
			conn.Read(ctx)
			conn.Write(ctx, websocket.MessageText, ready)
			conn.Write(ctx, websocket.MessageBinary, make([]byte, mailbox.MaxDelivery+1))
		},
		"empty frame": func(ctx context.Context, conn *websocket.Conn) {
			conn.Write(ctx, websocket.MessageText, nonce)
			conn.Read(ctx)
			conn.Write(ctx, websocket.MessageText, ready)
			conn.Write(ctx, websocket.MessageBinary, make([]byte, 8))
		},
	}
	for name, act := range rows {
		t.Run(name, func(t *testing.T) {
			tries := make(chan struct{}, 1000)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer conn.CloseNow()
				tries <- struct{}{}
				ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
				defer cancel()
				act(ctx, conn)
				conn.Read(ctx)
			}))
			defer srv.Close()
			c := newClient(t, srv.URL, relay.Options{MaxPause: 20 * time.Millisecond})
			frames, ended, stop := receiving(t, c, newKey(t))
			for range 3 {
				get(t, tries, "another try")
			}
			stop()
			if err := get(t, ended, "end of Receive"); !errors.Is(err, context.Canceled) {
				t.Errorf("Receive = %v", err)
			}
			if len(frames) > 0 {
				t.Errorf("handle got %q", <-frames)
			}
		})
	}
}

func TestNewClientChecksOrigin(t *testing.T) {
	for _, bad := range []string{"", "http://relay.example", "https://relay.example/path"} {
		if _, err := relay.NewClient(bad, relay.Options{}); err == nil {
			t.Errorf("NewClient(%q) succeeded", bad)
		}
	}
}
