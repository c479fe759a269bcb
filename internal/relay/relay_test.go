package relay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/boltstore"
	"kryptonite/internal/relay/memstore"
	"kryptonite/internal/relay/relaytest"
)

const patience = 10 * time.Second

func newKey(t testing.TB) mailbox.Key {
	t.Helper()
	k, err := mailbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// dial connects and returns the relay's nonce.
func dial(t testing.TB, origin string, addr mailbox.Address) (*websocket.Conn, []byte) {
	t.Helper()
	conn, _, err := websocket.Dial(within(t), origin+mailbox.LivePath(addr), nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(mailbox.MaxDelivery)
	c := readControl(t, conn)
	if c.Type != mailbox.TypeChallenge || len(c.Nonce) != mailbox.NonceSize {
		t.Fatalf("first message is %+v", c)
	}
	return conn, c.Nonce
}

func readControl(t testing.TB, conn *websocket.Conn) mailbox.Control {
	t.Helper()
	typ, b, err := conn.Read(within(t))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	c, err := mailbox.ParseControl(b)
	if err != nil || typ != websocket.MessageText {
		t.Fatalf("read %v %q: %v", typ, b, err)
	}
	return c
}

func write(t testing.TB, conn *websocket.Conn, c mailbox.Control) {
	t.Helper()
	if err := conn.Write(within(t), websocket.MessageText, c.Encode()); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func prove(t testing.TB, conn *websocket.Conn, key mailbox.Key, origin string, nonce []byte) {
	t.Helper()
	sig, err := mailbox.SignRead(key, origin, nonce)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conn, mailbox.Control{Type: mailbox.TypeProof, PublicKey: key.Public(), Signature: sig})
}

// connect opens a proven connection.
func connect(t testing.TB, origin string, key mailbox.Key) *websocket.Conn {
	t.Helper()
	conn, nonce := dial(t, origin, key.Address())
	prove(t, conn, key, origin, nonce)
	if c := readControl(t, conn); c.Type != mailbox.TypeReady {
		t.Fatalf("after the proof came %+v", c)
	}
	return conn
}

func receive(t testing.TB, conn *websocket.Conn) (uint64, string) {
	t.Helper()
	typ, b, err := conn.Read(within(t))
	if err != nil || typ != websocket.MessageBinary {
		t.Fatalf("read = %v %q, %v", typ, b, err)
	}
	seq, frame, err := mailbox.ParseDelivery(b)
	if err != nil {
		t.Fatal(err)
	}
	return seq, string(frame)
}

func want(t testing.TB, conn *websocket.Conn, frames ...string) (seqs []uint64) {
	t.Helper()
	for _, w := range frames {
		seq, got := receive(t, conn)
		if got != w {
			t.Fatalf("received %q, want %q", got, w)
		}
		seqs = append(seqs, seq)
	}
	return seqs
}

func ack(t testing.TB, conn *websocket.Conn, seq uint64) {
	t.Helper()
	if err := conn.Write(within(t), websocket.MessageBinary, mailbox.EncodeAck(seq)); err != nil {
		t.Fatalf("ack: %v", err)
	}
}

// settle waits until the relay has handled everything sent on conn before. Only
// for connections with no frame on its way.
func settle(t testing.TB, conn *websocket.Conn) {
	t.Helper()
	write(t, conn, mailbox.Control{Type: mailbox.TypePing})
	if c := readControl(t, conn); c.Type != mailbox.TypePong {
		t.Fatalf("after a ping came %+v", c)
	}
}

func wantClose(t testing.TB, conn *websocket.Conn, code int) {
	t.Helper()
	for {
		_, _, err := conn.Read(within(t))
		if err == nil {
			continue
		}
		if got := websocket.CloseStatus(err); int(got) != code {
			t.Fatalf("connection ended with %v, want code %d", err, code)
		}
		return
	}
}

func postAs(t testing.TB, origin string, to mailbox.Address, id, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+mailbox.FramesPath(to), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(mailbox.HeaderIdempotencyKey, id)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp
}

func post(t testing.TB, origin string, to mailbox.Address, body string) int {
	t.Helper()
	return postAs(t, origin, to, mailbox.NewPostID().String(), body).StatusCode
}

func mustPost(t testing.TB, origin string, to mailbox.Address, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if code := post(t, origin, to, b); code != http.StatusAccepted {
			t.Fatalf("post of %d bytes = %d", len(b), code)
		}
	}
}

func TestAnswersToPosts(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	addr, nobody := key.Address(), newKey(t).Address()
	connect(t, r.Origin(), key).CloseNow()
	id := mailbox.NewPostID().String()
	big := strings.Repeat("x", mailbox.MaxFrame)
	rows := []struct {
		name string
		to   mailbox.Address
		id   string
		body string
		code int
	}{
		{"first", addr, id, "body", 202},
		{"repeated", addr, id, "body", 200},
		{"repeated again", addr, id, "body", 200},
		{"other body", addr, id, "other", 409},
		{"shorter body", addr, id, "bod", 409},
		{"still the first", addr, id, "body", 200},
		{"no mailbox", nobody, id, "body", 404},
		{"empty", addr, mailbox.NewPostID().String(), "", 400},
		{"largest", addr, mailbox.NewPostID().String(), big, 202},
		{"too large", addr, mailbox.NewPostID().String(), big + "x", 413},
		{"no key", addr, "", "body", 400},
		{"short key", addr, id[1:], "body", 400},
		{"upper-case key", addr, strings.Repeat("A", 32), "body", 400},
	}
	for _, row := range rows {
		if resp := postAs(t, r.Origin(), row.to, row.id, row.body); resp.StatusCode != row.code {
			t.Errorf("%s: %d, want %d", row.name, resp.StatusCode, row.code)
		}
	}
	conn := connect(t, r.Origin(), key)
	want(t, conn, "body", big)
	settle(t, conn) // nothing else came
}

func TestChunkedBodies(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	conn := connect(t, r.Origin(), key)
	for n, code := range map[int]int{1: 202, mailbox.MaxFrame: 202, mailbox.MaxFrame + 1: 413, 0: 400} {
		body := io.MultiReader(bytes.NewReader(make([]byte, n))) // of a length nobody knows
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.Origin()+mailbox.FramesPath(key.Address()), body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(mailbox.HeaderIdempotencyKey, mailbox.NewPostID().String())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != code {
			t.Errorf("%d bytes in chunks: %d, want %d", n, resp.StatusCode, code)
		}
		if code == 202 {
			receive(t, conn)
		}
	}
}

func TestOddRequests(t *testing.T) {
	r := relaytest.New(t)
	addr := newKey(t).Address()
	rows := []struct {
		method, path string
		code         int
	}{
		{"GET", "/", 404},
		{"GET", "/index.html", 404},
		{"GET", "//v1/mailboxes", 404},
		{"GET", "/v1/mailboxes/", 404},
		{"GET", mailbox.FramesPath(addr), 405},
		{"DELETE", mailbox.FramesPath(addr), 405},
		{"POST", mailbox.LivePath(addr), 405},
		{"GET", mailbox.PollPath(addr), 405},
		{"POST", mailbox.PollPath(addr), 400},
		{"POST", "/v1/mailboxes/x/poll", 404},
		{"OPTIONS", mailbox.PollPath(addr), 204},
		{"POST", "/v1/mailboxes/<script>/frames", 404},
		{"POST", "/v1/mailboxes/" + strings.ToUpper(hex.EncodeToString(bytes.Repeat([]byte{0xab}, 16))) + "/frames", 404},
		{"POST", mailbox.FramesPath(addr) + "/x", 404},
		{"POST", "/v1/mailboxes/" + addr.String()[1:] + "/frames", 404},
		{"GET", mailbox.LivePath(addr), 426}, // no upgrade asked for
		{"OPTIONS", mailbox.FramesPath(addr), 204},
		{"GET", "/healthz", 200},
	}
	for _, row := range rows {
		req, err := http.NewRequestWithContext(t.Context(), row.method, r.Origin()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Path = row.path
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != row.code {
			t.Errorf("%s %s = %d, want %d", row.method, row.path, resp.StatusCode, row.code)
		}
		h := resp.Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || h.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: headers are %v", row.method, row.path, h)
		}
		if ct := h.Get("Content-Type"); ct != "application/json" && ct != "application/octet-stream" {
			t.Errorf("%s %s: Content-Type is %q", row.method, row.path, ct)
		}
		if bytes.Contains(body, []byte("<")) {
			t.Errorf("%s %s: body %q could be markup", row.method, row.path, body)
		}
	}
}

func TestPreflight(t *testing.T) {
	r := relaytest.New(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodOptions, r.Origin()+mailbox.FramesPath(mailbox.Address{}), nil)
	req.Header.Set("Origin", "https://phone.example")
	req.Header.Set("Access-Control-Request-Method", "POST")
	req.Header.Set("Access-Control-Request-Headers", "idempotency-key")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if h := resp.Header; h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "POST" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Idempotency-Key") {
		t.Errorf("preflight headers: %v", h)
	}
}

func TestProofs(t *testing.T) {
	r := relaytest.New(t)
	key, other := newKey(t), newKey(t)
	addr := key.Address()
	sign := func(k mailbox.Key, origin string, nonce []byte) []byte {
		sig, err := mailbox.SignRead(k, origin, nonce)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	oldConn, oldNonce := dial(t, r.Origin(), addr)
	oldConn.CloseNow()
	rows := map[string]func(nonce []byte) mailbox.Control{
		"another key": func(n []byte) mailbox.Control {
			return mailbox.Control{Type: mailbox.TypeProof, PublicKey: other.Public(), Signature: sign(other, r.Origin(), n)}
		},
		"another's signature": func(n []byte) mailbox.Control {
			return mailbox.Control{Type: mailbox.TypeProof, PublicKey: key.Public(), Signature: sign(other, r.Origin(), n)}
		},
		"another origin": func(n []byte) mailbox.Control {
			return mailbox.Control{Type: mailbox.TypeProof, PublicKey: key.Public(), Signature: sign(key, "https://evil.example", n)}
		},
		"another connection's nonce": func([]byte) mailbox.Control {
			return mailbox.Control{Type: mailbox.TypeProof, PublicKey: key.Public(), Signature: sign(key, r.Origin(), oldNonce)}
		},
		"no signature": func([]byte) mailbox.Control {
			return mailbox.Control{Type: mailbox.TypeProof, PublicKey: key.Public()}
		},
		"nothing":      func([]byte) mailbox.Control { return mailbox.Control{Type: mailbox.TypeProof} },
		"ready":        func([]byte) mailbox.Control { return mailbox.Control{Type: mailbox.TypeReady} },
		"delete first": func([]byte) mailbox.Control { return mailbox.Control{Type: "delete"} },
	}
	for name, answer := range rows {
		t.Run(name, func(t *testing.T) {
			conn, nonce := dial(t, r.Origin(), addr)
			write(t, conn, answer(nonce))
			wantClose(t, conn, mailbox.CloseRefused)
			if code := post(t, r.Origin(), addr, "x"); code != 404 {
				t.Errorf("a refused proof made the mailbox: post = %d", code)
			}
		})
	}
	t.Run("binary", func(t *testing.T) {
		conn, _ := dial(t, r.Origin(), addr)
		ack(t, conn, 1)
		wantClose(t, conn, mailbox.CloseRefused)
	})
	t.Run("garbage", func(t *testing.T) {
		conn, _ := dial(t, r.Origin(), addr)
		if err := conn.Write(within(t), websocket.MessageText, []byte(`{"type":`)); err != nil {
			t.Fatal(err)
		}
		wantClose(t, conn, mailbox.CloseRefused)
	})
	t.Run("oversize", func(t *testing.T) {
		conn, _ := dial(t, r.Origin(), addr)
		if err := conn.Write(within(t), websocket.MessageText, make([]byte, mailbox.MaxControl+1)); err != nil { // few enough for one write: the relay closes at the first bytes
			t.Fatal(err)
		}
		wantClose(t, conn, int(websocket.StatusMessageTooBig))
	})
}

func TestConfiguredOrigins(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Origins = []string{"https://Relay.Example:443/", "https://second.example"} })
	for _, o := range []string{"https://relay.example", "https://second.example"} {
		key := newKey(t)
		conn, nonce := dial(t, r.Origin(), key.Address())
		prove(t, conn, key, o, nonce)
		if c := readControl(t, conn); c.Type != mailbox.TypeReady {
			t.Errorf("proof for %s: %+v", o, c)
		}
	}
	key := newKey(t)
	conn, nonce := dial(t, r.Origin(), key.Address())
	prove(t, conn, key, r.Origin(), nonce) // what the Host header says does not count now
	wantClose(t, conn, mailbox.CloseRefused)
}

// A proof passed on by another relay must not count here, whatever the Host
// header says.
func TestForeignHostIsMisdirected(t *testing.T) {
	r := relaytest.New(t)
	_, resp, err := websocket.Dial(within(t), r.Origin()+mailbox.LivePath(newKey(t).Address()), &websocket.DialOptions{Host: "evil.example"})
	if err == nil || resp == nil || resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("dial with a foreign Host = %v, %v", resp, err)
	}
}

func TestDeliveryLiveAndBacklog(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	conn := connect(t, r.Origin(), key)
	mustPost(t, r.Origin(), key.Address(), "one", "two")
	seqs := want(t, conn, "one", "two")
	ack(t, conn, seqs[0])
	settle(t, conn)
	conn.CloseNow()
	mustPost(t, r.Origin(), key.Address(), "three")

	conn = connect(t, r.Origin(), key)
	again := want(t, conn, "two", "three")
	if again[0] != seqs[1] || again[1] <= again[0] {
		t.Errorf("sequence numbers are %v, then %v", seqs, again)
	}
	mustPost(t, r.Origin(), key.Address(), "four")
	want(t, conn, "four")
	settle(t, conn) // what is not acknowledged comes again on the next connection only
}

func TestNewConnectionSupersedes(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	first := connect(t, r.Origin(), key)
	second := connect(t, r.Origin(), key)
	wantClose(t, first, mailbox.CloseSuperseded)
	mustPost(t, r.Origin(), key.Address(), "x")
	want(t, second, "x")
	third := connect(t, r.Origin(), key)
	wantClose(t, second, mailbox.CloseSuperseded)
	want(t, third, "x")
}

func TestNonsenseAfterProofEndsTheConnection(t *testing.T) {
	r := relaytest.New(t)
	rows := map[string]struct {
		typ  websocket.MessageType
		body []byte
		code int
	}{
		"short ack":    {websocket.MessageBinary, make([]byte, 7), mailbox.CloseBadMessage},
		"long ack":     {websocket.MessageBinary, make([]byte, 9), mailbox.CloseBadMessage},
		"delete":       {websocket.MessageText, []byte(`{"type":"delete"}`), mailbox.CloseBadMessage},
		"no JSON":      {websocket.MessageText, []byte("hello"), mailbox.CloseBadMessage},
		"unknown type": {websocket.MessageText, []byte(`{"type":"sudo"}`), mailbox.CloseBadMessage},
		"second proof": {websocket.MessageText, []byte(`{"type":"proof"}`), mailbox.CloseBadMessage},
		"oversize":     {websocket.MessageBinary, make([]byte, 1<<20), int(websocket.StatusMessageTooBig)},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, r.Origin(), newKey(t))
			_ = conn.Write(within(t), row.typ, row.body) // may fail when the relay hangs up in the middle
			for {
				_, _, err := conn.Read(within(t))
				if err == nil {
					continue
				}
				if got := int(websocket.CloseStatus(err)); got != row.code && name != "oversize" {
					t.Errorf("ended with %v, want %d", err, row.code)
				}
				return
			}
		})
	}
}

func TestFullMailbox(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Limits.MailboxFrames, c.Limits.MailboxBytes = 3, 1000 })
	frames, size := newKey(t), newKey(t)
	conn := connect(t, r.Origin(), frames)
	mustPost(t, r.Origin(), frames.Address(), "1", "2", "3")
	resp := postAs(t, r.Origin(), frames.Address(), mailbox.NewPostID().String(), "4")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("post to a full mailbox = %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	seqs := want(t, conn, "1", "2", "3")
	ack(t, conn, seqs[1])
	settle(t, conn)
	mustPost(t, r.Origin(), frames.Address(), "4")

	connect(t, r.Origin(), size)
	mustPost(t, r.Origin(), size.Address(), strings.Repeat("x", 600))
	if code := post(t, r.Origin(), size.Address(), strings.Repeat("x", 401)); code != 429 {
		t.Errorf("post over the mailbox's bytes = %d", code)
	}
	mustPost(t, r.Origin(), size.Address(), strings.Repeat("x", 400))
}

func TestFullStore(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Limits.TotalBytes = 10 + 2*relay.FrameOverhead })
	key := newKey(t)
	connect(t, r.Origin(), key)
	mustPost(t, r.Origin(), key.Address(), "12345678")
	if code := post(t, r.Origin(), key.Address(), "901"); code != 507 {
		t.Errorf("post to a full relay = %d", code)
	}
	mustPost(t, r.Origin(), key.Address(), "9")
	if code := post(t, r.Origin(), key.Address(), "0"); code != 507 { // a frame is more than its byte
		t.Errorf("a frame more in a full relay = %d", code)
	}
}

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

func TestSenderLimits(t *testing.T) {
	at := &clock{now: time.Now()}
	r := relaytest.New(t, func(c *relay.Config) {
		c.Now = at.Now
		c.Limits.SendRate, c.Limits.SendBurst, c.Limits.NewPerHour = 2, 5, 2
	})
	a, b := newKey(t), newKey(t)
	connect(t, r.Origin(), a) // takes one of five
	connect(t, r.Origin(), b) // two
	mustPost(t, r.Origin(), a.Address(), "3", "4", "5")
	resp := postAs(t, r.Origin(), a.Address(), mailbox.NewPostID().String(), "6")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("sixth post = %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	at.add(time.Second)
	mustPost(t, r.Origin(), a.Address(), "6", "7")
	if code := post(t, r.Origin(), a.Address(), "8"); code != 429 {
		t.Errorf("third post within a second = %d", code)
	}
	// Two new mailboxes an hour are used up; the old ones may be read.
	at.add(10 * time.Second)
	c := newKey(t)
	conn, nonce := dial(t, r.Origin(), c.Address())
	prove(t, conn, c, r.Origin(), nonce)
	wantClose(t, conn, mailbox.CloseTooMany)
	connect(t, r.Origin(), a)
	at.add(time.Hour)
	connect(t, r.Origin(), c)
	if err := r.Server().Sweep(at.add(24 * time.Hour)); err != nil {
		t.Error(err)
	}
}

func TestMailboxLimit(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Limits.Mailboxes = 1 })
	connect(t, r.Origin(), newKey(t))
	key := newKey(t)
	conn, nonce := dial(t, r.Origin(), key.Address())
	prove(t, conn, key, r.Origin(), nonce)
	wantClose(t, conn, mailbox.CloseTooMany)
}

func TestConnectionLimit(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Limits.Connections = 1 })
	connect(t, r.Origin(), newKey(t))
	_, resp, err := websocket.Dial(within(t), r.Origin()+mailbox.LivePath(newKey(t).Address()), nil)
	if err == nil || resp.StatusCode != 503 {
		t.Errorf("second connection = %v, %v", resp, err)
	}
}

func TestExpiry(t *testing.T) {
	at := &clock{now: time.Now()}
	r := relaytest.New(t, func(c *relay.Config) { c.Now = at.Now })
	key, left := newKey(t), newKey(t)
	connect(t, r.Origin(), left).Close(websocket.StatusNormalClosure, "")
	connect(t, r.Origin(), key).Close(websocket.StatusNormalClosure, "")
	mustPost(t, r.Origin(), key.Address(), "old")
	at.add(mailbox.Retention - time.Minute)
	mustPost(t, r.Origin(), key.Address(), "new")
	if err := r.Server().Sweep(at.add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, r.Origin(), key)
	want(t, conn, "new")

	// A connected mailbox never expires, one that nobody reads does.
	if err := r.Server().Sweep(at.add(mailbox.UnreadRetention)); err != nil {
		t.Fatal(err)
	}
	if code := post(t, r.Origin(), left.Address(), "x"); code != 404 {
		t.Errorf("post to an unread mailbox after 90 days = %d", code)
	}
	mustPost(t, r.Origin(), key.Address(), "x")
	want(t, conn, "x")
}

// A relay that never runs for long sweeps all the same.
func TestSweepsAtStart(t *testing.T) {
	at := &clock{now: time.Now()}
	r := relaytest.New(t, func(c *relay.Config) { c.Now = at.Now })
	key, left := newKey(t), newKey(t)
	connect(t, r.Origin(), left).Close(websocket.StatusNormalClosure, "")
	r.Restart() // the end of a connection counts as a read: it must be over
	at.add(mailbox.UnreadRetention - mailbox.Retention)
	connect(t, r.Origin(), key).Close(websocket.StatusNormalClosure, "")
	mustPost(t, r.Origin(), key.Address(), "old")
	holds := func(want boltstore.Contents) {
		t.Helper()
		r.Stop()
		want.Bytes = int64(want.Frames * len("old"))
		if got, err := boltstore.Check(r.Path()); err != nil || got != want {
			t.Errorf("the store holds %+v, %v, want %+v", got, err, want)
		}
		r.Start()
	}
	holds(boltstore.Contents{Mailboxes: 2, Frames: 1, Records: 1})
	at.add(mailbox.Retention)
	holds(boltstore.Contents{Mailboxes: 2, Frames: 1, Records: 1}) // what the start before left
	at.add(mailbox.IdempotencyWindow)
	r.Restart()
	holds(boltstore.Contents{Mailboxes: 1})
}

func TestRestartKeepsMail(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	conn := connect(t, r.Origin(), key)
	mustPost(t, r.Origin(), key.Address(), "one", "two", "three")
	id := mailbox.NewPostID().String()
	postAs(t, r.Origin(), key.Address(), id, "four")
	seqs := want(t, conn, "one", "two", "three", "four")
	ack(t, conn, seqs[1])
	settle(t, conn)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _, err := conn.Read(context.Background())
		if websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("a stopping relay ended the connection with %v", err)
		}
	}()
	r.Stop()
	<-closed
	r.Start()
	conn = connect(t, r.Origin(), key)
	want(t, conn, "one", "three", "four")
	if resp := postAs(t, r.Origin(), key.Address(), id, "four"); resp.StatusCode != 200 {
		t.Errorf("repeat after a restart = %d", resp.StatusCode)
	}
	if resp := postAs(t, r.Origin(), key.Address(), id, "4"); resp.StatusCode != 409 {
		t.Errorf("other body after a restart = %d", resp.StatusCode)
	}
}

// What was answered is there after a crash: a second relay starts on a copy of
// the file as it is while the first still runs.
func TestCrashKeepsAnsweredPosts(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	connect(t, r.Origin(), key).CloseNow()
	mustPost(t, r.Origin(), key.Address(), "one", "two")
	b, err := os.ReadFile(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "relay.db")
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := boltstore.Open(copied, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s, err := relay.New(relay.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	defer srv.Close()
	defer s.Close()
	want(t, connect(t, srv.URL, key), "one", "two")
}

// A reader that does not read costs bounded memory and gets everything, in
// order, when it reads again.
func TestSlowReaderFallsBackToStore(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Limits.MailboxFrames, c.Limits.MailboxBytes = 1000, 1<<30 })
	key := newKey(t)
	conn := connect(t, r.Origin(), key)
	const n = 300
	body := make([]byte, 60_000) // 18 MB: more than TCP buffers
	rand.Read(body)
	var posts sync.WaitGroup
	for w := range 4 {
		posts.Go(func() {
			for i := w; i < n; i += 4 {
				if code := post(t, r.Origin(), key.Address(), fmt.Sprintf("%03d", i)+string(body)); code != 202 {
					t.Errorf("post = %d", code)
				}
			}
		})
	}
	posts.Wait()
	seen := map[string]bool{}
	var last uint64
	for range n {
		seq, frame := receive(t, conn)
		if seq <= last {
			t.Fatalf("sequence %d after %d", seq, last)
		}
		last = seq
		seen[frame[:3]] = true
		ack(t, conn, seq)
	}
	if len(seen) != n {
		t.Errorf("%d of %d frames arrived", len(seen), n)
	}
	settle(t, conn)
}

func TestLogsShowNoAddressAndNoBody(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	r := relaytest.New(t, func(c *relay.Config) {
		c.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &out}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Limits.MailboxFrames = 1
	})
	key := newKey(t)
	conn := connect(t, r.Origin(), key)
	mustPost(t, r.Origin(), key.Address(), "SECRET BODY")
	post(t, r.Origin(), key.Address(), "SECRET BODY 2")
	want(t, conn, "SECRET BODY")
	newPoller(t, r.Origin(), key).want(200, mailbox.Poll{Delete: true})
	wantClose(t, conn, mailbox.CloseDeleted)
	r.Stop()
	mu.Lock()
	defer mu.Unlock()
	logged := out.String()
	if !strings.Contains(logged, "mailbox="+key.Address().LogName()) {
		t.Errorf("the log does not name the mailbox:\n%s", logged)
	}
	for _, bad := range []string{key.Address().String(), "SECRET", hex.EncodeToString(key.Public())} {
		if strings.Contains(logged, bad) {
			t.Errorf("the log shows %q:\n%s", bad, logged)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func TestPing(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.PingInterval = 300 * time.Millisecond })
	key := newKey(t)
	pinged := make(chan struct{}, 100)
	conn, _, err := websocket.Dial(within(t), r.Origin()+mailbox.LivePath(key.Address()), &websocket.DialOptions{
		OnPingReceived: func(context.Context, []byte) bool { pinged <- struct{}{}; return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	prove(t, conn, key, r.Origin(), readControl(t, conn).Nonce)
	ended := make(chan error, 1)
	go func() {
		for {
			if _, _, err := conn.Read(context.Background()); err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 3 {
		select {
		case <-pinged:
		case err := <-ended:
			t.Fatalf("connection ended: %v", err)
		case <-time.After(patience):
			t.Fatal("no ping came")
		}
	}
}

func TestSilentReaderIsCut(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.PingInterval = 20 * time.Millisecond })
	key := newKey(t)
	conn, _, err := websocket.Dial(within(t), r.Origin()+mailbox.LivePath(key.Address()), &websocket.DialOptions{
		OnPingReceived: func(context.Context, []byte) bool { return false }, // never a pong
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	prove(t, conn, key, r.Origin(), readControl(t, conn).Nonce)
	for {
		if _, _, err := conn.Read(within(t)); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("a silent reader was kept")
			}
			return
		}
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	if _, err := relay.New(relay.Config{}); err == nil || !strings.Contains(err.Error(), "Store") {
		t.Errorf("New without Store = %v", err)
	}
	if _, err := relay.New(relay.Config{Store: memstore.New(), Origins: []string{"http://relay.example"}}); err == nil {
		t.Error("New took an origin without TLS")
	}
}

func TestHealthAfterStoreClosed(t *testing.T) {
	store := memstore.New()
	s, err := relay.New(relay.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if w.Code != 503 {
		t.Errorf("healthz = %d", w.Code)
	}
}
