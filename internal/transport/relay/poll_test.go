package relay_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/mailbox"
	relayserver "kryptonite/internal/relay"
	"kryptonite/internal/relay/memstore"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/transport/transporttest"
)

// A middlebox stands before a relay and decides about every request: it answers
// or changes it, and returns true if the relay may see it.
type middlebox func(w http.ResponseWriter, r *http.Request) (pass bool)

func (m middlebox) before(t testing.TB, r *relaytest.Relay) (origin string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if m(w, req) {
			r.Server().ServeHTTP(w, req)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func upgrades(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }

func forbid(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, "<html><h1>Your IT department says no</h1></html>")
}

// cut hangs up after saying something.
func cut(w http.ResponseWriter, last string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, last)
	_ = conn.Close()
}

// noWebSocket lists what is done to WebSockets on networks of offices and hotels.
var noWebSocket = map[string]middlebox{
	"strips the upgrade": func(_ http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("Upgrade")
		r.Header.Del("Connection")
		return true
	},
	"forbids it": func(w http.ResponseWriter, r *http.Request) bool {
		if upgrades(r) {
			forbid(w)
			return false
		}
		return true
	},
	"cuts at once": func(w http.ResponseWriter, r *http.Request) bool {
		if upgrades(r) {
			cut(w, "")
			return false
		}
		return true
	},
	"switches, then cuts": func(w http.ResponseWriter, r *http.Request) bool {
		if upgrades(r) {
			cut(w, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			return false
		}
		return true
	},
}

func TestConformanceByPolls(t *testing.T) {
	for name, box := range noWebSocket {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin := box.before(t, relaytest.New(t))
			transporttest.Run(t, func(t *testing.T) (transport.Link, transport.Link) { return pair(t, origin) }, transporttest.Stores())
		})
	}
}

// A WebSocket that neither comes nor fails does not keep anybody waiting long.
func TestSilentMiddlebox(t *testing.T) {
	t.Parallel()
	held := middlebox(func(w http.ResponseWriter, r *http.Request) bool {
		if upgrades(r) {
			<-r.Context().Done()
			return false
		}
		return true
	})
	a, b := pair(t, held.before(t, relaytest.New(t)))
	frames := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var receiving sync.WaitGroup
	receiving.Go(func() { _ = b.Receive(ctx, func(f []byte) error { frames <- string(f); return nil }) })
	if err := a.Send(t.Context(), []byte("x")); err != nil {
		t.Error(err)
	}
	get(t, frames, "frame")
	if s := b.Status(); !s.Connected || s.Mode != "long poll" || s.LastError != nil {
		t.Errorf("Status = %+v", s)
	}
	cancel()
	receiving.Wait()
	if s := b.Status(); s.Connected || s.Mode != "" {
		t.Errorf("Status after Receive = %+v", s)
	}
}

func TestWebSocketIsTakenWhenItComes(t *testing.T) {
	var free atomic.Bool
	box := middlebox(func(w http.ResponseWriter, r *http.Request) bool {
		if upgrades(r) && !free.Load() {
			forbid(w)
			return false
		}
		return true
	})
	network := &deafDialer{}
	rt := &http.Transport{DialContext: network.dial}
	defer rt.CloseIdleConnections()
	up := make(chan mailbox.Address, 10)
	c := newClient(t, box.before(t, relaytest.New(t)), relay.Options{
		RoundTripper: rt, RetryWebSocket: 50 * time.Millisecond, OnConnect: func(a mailbox.Address) { up <- a },
	})
	key := openKey(t, c)
	l := c.Link(key, key.Address())
	frames := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var receiving sync.WaitGroup
	receiving.Go(func() { _ = l.Receive(ctx, func(f []byte) error { frames <- string(f); return nil }) })
	defer receiving.Wait()
	defer cancel()
	get(t, up, "poll")
	if s := l.Status(); s.Mode != "long poll" {
		t.Errorf("Status = %+v", s)
	}
	free.Store(true)
	get(t, up, "WebSocket") // although a poll waits for 25 s
	if s := l.Status(); !s.Connected || s.Mode != "WebSocket" {
		t.Errorf("Status = %+v", s)
	}
	if err := l.Send(t.Context(), []byte("x")); err != nil {
		t.Error(err)
	}
	get(t, frames, "frame")
	free.Store(false)
	network.cut() // and when it is back, WebSockets are blocked again
	get(t, up, "poll")
	if s := l.Status(); s.Mode != "long poll" {
		t.Errorf("Status = %+v", s)
	}
}

// A poll that hangs does not keep a WebSocket from being used.
func TestHungPollGivesWay(t *testing.T) {
	t.Parallel()
	var free atomic.Bool
	box := middlebox(func(w http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		p, err := mailbox.ParsePoll(body)
		switch {
		case upgrades(r) && !free.Load():
			forbid(w)
			return false
		case err == nil && p.WaitSeconds > 0:
			<-r.Context().Done()
			return false
		}
		return true
	})
	up := make(chan mailbox.Address, 10)
	c := newClient(t, box.before(t, relaytest.New(t)), relay.Options{RetryWebSocket: 50 * time.Millisecond, OnConnect: func(a mailbox.Address) { up <- a }})
	receiving(t, c, newKey(t))
	get(t, up, "poll")
	free.Store(true)
	get(t, up, "WebSocket")
}

// Each poll is taken, but its reply is cut in the middle the first time.
func TestCutReplyComesAgain(t *testing.T) {
	r := relaytest.New(t)
	var cuts atomic.Int32
	box := middlebox(func(w http.ResponseWriter, req *http.Request) bool {
		if upgrades(req) {
			forbid(w)
			return false
		}
		rec := httptest.NewRecorder()
		r.Server().ServeHTTP(rec, req)
		reply, _ := mailbox.ParsePollReply(rec.Body.Bytes())
		if len(reply.Frames) > 0 && cuts.Add(1) <= 3 {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
		return false
	})
	c := newClient(t, box.before(t, r), relay.Options{MaxPause: 20 * time.Millisecond})
	key := openKey(t, c)
	frames, _, _ := receiving(t, c, key)
	if err := c.Post(t.Context(), key.Address(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := get(t, frames, "frame"); got != "x" || cuts.Load() < 4 {
		t.Errorf("got %q after %d replies", got, cuts.Load())
	}
}

// A box that sends every poll twice uses up its nonce: the client gets a 401 and
// goes on with the nonce in there.
func TestUsedNonceIsRenewed(t *testing.T) {
	r := relaytest.New(t)
	var renewed atomic.Int32
	var twice atomic.Bool
	box := middlebox(func(w http.ResponseWriter, req *http.Request) bool {
		if upgrades(req) {
			forbid(w)
			return false
		}
		if twice.CompareAndSwap(true, false) {
			body, _ := io.ReadAll(req.Body)
			p, err := mailbox.ParsePoll(body)
			if err == nil {
				p.WaitSeconds = 0
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(p.Encode())), int64(len(p.Encode()))
				r.Server().ServeHTTP(httptest.NewRecorder(), req)
			}
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			renewed.Add(1)
		}
		return true
	})
	c := newClient(t, box.before(t, r), relay.Options{})
	key := openKey(t, c)
	frames, _, _ := receiving(t, c, key)
	for i := range 5 {
		twice.Store(true)
		if err := c.Post(t.Context(), key.Address(), []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		get(t, frames, "frame")
	}
	if renewed.Load() == 0 {
		t.Error("no poll was sent twice")
	}
}

// When Receive ends with a frame handled, the relay is still told.
func TestLastFrameIsAcknowledged(t *testing.T) {
	r := relaytest.New(t)
	c := newClient(t, noWebSocket["forbids it"].before(t, r), relay.Options{})
	key := openKey(t, c)
	if err := c.Post(t.Context(), key.Address(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Receive(ctx, key, func([]byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v", err)
	}
	if err := c.Post(t.Context(), key.Address(), []byte("y")); err != nil {
		t.Fatal(err)
	}
	frames, _, _ := receiving(t, c, key)
	if got := get(t, frames, "frame"); got != "y" {
		t.Errorf("%q came again", got)
	}
}

func TestDeleteEndsPolls(t *testing.T) {
	r := relaytest.New(t)
	up := make(chan mailbox.Address, 10)
	c := newClient(t, noWebSocket["forbids it"].before(t, r), relay.Options{OnConnect: func(a mailbox.Address) { up <- a }})
	key := openKey(t, c)
	_, ended, _ := receiving(t, c, key)
	get(t, up, "poll")
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

// A page of a captive portal is no relay, whatever its status.
func TestPortalIsNoRelay(t *testing.T) {
	for _, code := range []int{200, 401, 403, 409, 429, 503} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "<html>Pay here</html>")
		}))
		c := newClient(t, srv.URL, relay.Options{})
		err := c.Open(t.Context(), newKey(t))
		if err == nil || errors.Is(err, relay.ErrRefused) || errors.Is(err, relay.ErrTooMany) || code != 200 && !isStatus(code)(err) {
			t.Errorf("Open at a portal that says %d = %v", code, err)
		}
		if err := c.Delete(t.Context(), newKey(t)); err == nil {
			t.Errorf("Delete at a portal that says %d succeeded", code)
		}
		srv.Close()
	}
}

// direct calls a handler without a network, so that time can be virtual.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.Host, in.RemoteAddr = req.URL.Host, "192.0.2.1:1"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// inBubble runs a client by polls against a relay in virtual time.
func inBubble(t *testing.T, run func(t *testing.T, c *relay.Client, key mailbox.Key, tries *atomic.Int32)) {
	synctest.Test(t, func(t *testing.T) {
		s, err := relayserver.New(relayserver.Config{Store: memstore.New(), Limits: relayserver.Limits{SendRate: 100_000, SendBurst: 100_000}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var tries atomic.Int32
		c, err := relay.NewClient("http://localhost", relay.Options{RoundTripper: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if upgrades(r) {
				tries.Add(1)
				forbid(w)
				return
			}
			s.ServeHTTP(w, r)
		})}})
		if err != nil {
			t.Fatal(err)
		}
		key := newKey(t)
		if err := c.Open(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		run(t, c, key, &tries)
	})
}

func TestRefusedFramesAreAskedForWithPauses(t *testing.T) {
	inBubble(t, func(t *testing.T, c *relay.Client, key mailbox.Key, _ *atomic.Int32) {
		// More of them than one reply holds must not hide the good one.
		var poison, took atomic.Int32
		good := make(chan time.Time, 1)
		ctx, cancel := context.WithCancel(t.Context())
		var receiving sync.WaitGroup
		receiving.Go(func() {
			_ = c.Receive(ctx, key, func(f []byte) error {
				if string(f) == "poison" {
					poison.Add(1)
					return errors.New("never")
				}
				took.Add(1)
				good <- time.Now()
				return nil
			})
		})
		const n = mailbox.MaxPollFrames + 10
		for range n {
			if err := c.Post(t.Context(), key.Address(), []byte("poison")); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			start := time.Now()
			if err := c.Post(t.Context(), key.Address(), []byte("good")); err != nil {
				t.Fatal(err)
			}
			if late := (<-good).Sub(start); late > time.Second {
				t.Errorf("a good frame waited %v behind refused ones", late)
			}
			time.Sleep(time.Minute)
		}
		cancel()
		receiving.Wait()
		// Pauses of at most 15 s and at least half of that, after the first few.
		if rounds := poison.Load() / n; rounds < 15 || rounds > 60 {
			t.Errorf("refused frames came %d times in 5 minutes", rounds)
		}
		if took.Load() != 5 {
			t.Errorf("good frames came %d times, want 5", took.Load())
		}
	})
}

func TestWebSocketIsTriedRarely(t *testing.T) {
	inBubble(t, func(t *testing.T, c *relay.Client, key mailbox.Key, tries *atomic.Int32) {
		ctx, cancel := context.WithCancel(t.Context())
		var receiving sync.WaitGroup
		receiving.Go(func() { _ = c.Receive(ctx, key, func([]byte) error { return nil }) })
		time.Sleep(10 * time.Minute)
		// At 0 s, then after 15 s, 30 s, 1 min, 2 min, 4 min, less jitter.
		first := tries.Load()
		if first < 5 || first > 7 {
			t.Errorf("%d tries in 10 minutes", first)
		}
		time.Sleep(time.Hour)
		if more := tries.Load() - first; more < 12 || more > 24 {
			t.Errorf("%d tries in an hour", more)
		}
		cancel()
		receiving.Wait()
	})
}

// A relay that answers at once with nothing is not asked as fast as it answers.
func TestHastyRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var polls atomic.Int32
		c, err := relay.NewClient("http://localhost", relay.Options{RoundTripper: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if upgrades(r) {
				forbid(w)
				return
			}
			polls.Add(1)
			_, _ = w.Write(mailbox.PollReply{Nonce: make([]byte, mailbox.NonceSize)}.Encode())
		})}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		_ = c.Receive(ctx, newKey(t), func([]byte) error { return nil })
		if n := polls.Load(); n > 100 {
			t.Errorf("%d polls in 10 minutes", n)
		}
	})
}
