package relay_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/relaytest"
)

// promise sends the head of a request whose body never comes, and returns what
// brings its answer.
func promise(t *testing.T, origin, path string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(origin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
		path, strings.TrimPrefix(origin, "http://"), mailbox.HeaderIdempotencyKey, mailbox.NewPostID())
	if err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn)
}

// awaited waits until the relay waits for the body.
func awaited(t *testing.T, answer *bufio.Reader) {
	t.Helper()
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
}

// A sender has some requests in progress and no more, whatever they wait for.
func TestRequestsInProgress(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Limits.InProgress = 2 })
	key := newKey(t)
	connect(t, r.Origin(), key).Close(websocket.StatusNormalClosure, "")
	r.Restart() // that one is over
	awaited(t, promise(t, r.Origin(), mailbox.FramesPath(key.Address())))
	dial(t, r.Origin(), newKey(t).Address()) // and not proven
	resp := postAs(t, r.Origin(), key.Address(), mailbox.NewPostID().String(), "x")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("a third request at a time = %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}

// The relay waits for no body for a mailbox that does not exist.
func TestNoMailboxNoBody(t *testing.T) {
	r := relaytest.New(t)
	resp, err := http.ReadResponse(promise(t, r.Origin(), mailbox.FramesPath(newKey(t).Address())), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("post to no mailbox, without a body = %d", resp.StatusCode)
	}
}

// Who has proven nothing takes no poll's place among the relay's connections.
func TestUnprovenPollTakesNoPlace(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Limits.Connections = 1 })
	key := newKey(t)
	awaited(t, promise(t, r.Origin(), mailbox.PollPath(key.Address())))
	newPoller(t, r.Origin(), key).want(200, mailbox.Poll{})
}

// One sender fills no store: what he posts over time is bounded, in bytes.
func TestSenderBytes(t *testing.T) {
	at := &clock{now: time.Now()}
	r := relaytest.New(t, func(c *relay.Config) {
		c.Now = at.Now
		c.Limits.SendBytes = 1 // and 8,192 at once
	})
	key := newKey(t)
	connect(t, r.Origin(), key)
	big := strings.Repeat("x", 4096-relay.FrameOverhead)
	mustPost(t, r.Origin(), key.Address(), big, big)
	resp := postAs(t, r.Origin(), key.Address(), mailbox.NewPostID().String(), "x")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a post too much = %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	at.add((relay.FrameOverhead + 1) * time.Second)
	mustPost(t, r.Origin(), key.Address(), "x")
	if code := post(t, r.Origin(), key.Address(), "x"); code != 429 {
		t.Errorf("the next one = %d", code)
	}
}

// What a proven holder sends is bounded, too: the Store hears of frames that
// went out here, once.
func TestAcksOfWhatWasNotSent(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	first := connect(t, r.Origin(), key)
	mustPost(t, r.Origin(), key.Address(), "one")
	one := want(t, first, "one")[0]
	first.CloseNow()

	rows := map[string]func(*websocket.Conn){
		"never sent": func(c *websocket.Conn) { ack(t, c, 1<<40) },
		"zero":       func(c *websocket.Conn) { ack(t, c, 0) },
		"twice": func(c *websocket.Conn) {
			mustPost(t, r.Origin(), key.Address(), "two")
			two := want(t, c, "two")[0]
			ack(t, c, two)
			ack(t, c, two)
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, r.Origin(), key)
			if got := want(t, conn, "one")[0]; got != one { // again, as nobody acknowledged it
				t.Fatalf("sequence %d, then %d", one, got)
			}
			row(conn)
			wantClose(t, conn, mailbox.CloseBadMessage)
		})
	}
	conn := connect(t, r.Origin(), key)
	ack(t, conn, want(t, conn, "one")[0])
	settle(t, conn) // the connection lives
}

// Pings are answered as far as one needs them, in either form.
func TestPingsAreBounded(t *testing.T) {
	at := &clock{now: time.Now()}
	r := relaytest.New(t, func(c *relay.Config) { c.Now = at.Now })
	conn := connect(t, r.Origin(), newKey(t))
	for range 50 {
		write(t, conn, mailbox.Control{Type: mailbox.TypePing})
	}
	write(t, conn, mailbox.Control{Type: mailbox.TypeReady}) // of no use: ends it
	pongs := 0
	for {
		_, _, err := conn.Read(within(t))
		if err != nil {
			if websocket.CloseStatus(err) != mailbox.CloseBadMessage {
				t.Error(err)
			}
			break
		}
		pongs++
	}
	if pongs != 10 {
		t.Errorf("%d of 50 pings are answered, want 10", pongs)
	}

	conn = connect(t, r.Origin(), newKey(t))
	reading, stop := context.WithCancel(t.Context())
	defer stop()
	conn.CloseRead(reading)
	for range 10 {
		if err := conn.Ping(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if conn.Ping(short) == nil {
		t.Error("an eleventh ping at once is answered")
	}
	at.add(time.Second)
	if err := conn.Ping(within(t)); err != nil {
		t.Errorf("a ping a second later: %v", err)
	}
}

// What strangers are refused, and what they delete that never was, is not a line
// of the log for each.
func TestStrangersDoNotWriteTheLog(t *testing.T) {
	at := &clock{now: time.Now()}
	var mu sync.Mutex
	var out bytes.Buffer
	r := relaytest.New(t, func(c *relay.Config) {
		c.Now = at.Now
		c.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &out}, nil))
		c.Limits.Mailboxes, c.Limits.TotalBytes = 1, 1
	})
	lines := func(text string) int {
		mu.Lock()
		defer mu.Unlock()
		return strings.Count(out.String(), text)
	}
	key := newKey(t)
	connect(t, r.Origin(), key)
	refuse := func() {
		for range 5 {
			if code := post(t, r.Origin(), key.Address(), "xx"); code != 507 {
				t.Errorf("post to a full store = %d", code)
			}
			p := newPoller(t, r.Origin(), newKey(t))
			p.want(429, mailbox.Poll{})
			p.nonce = nil
			p.want(200, mailbox.Poll{Delete: true})
		}
	}
	refuse()
	for _, text := range []string{"mailboxes refused: too many\" count=1\n", "the store is full\" count=1\n"} {
		if n := lines(text); n != 1 || lines("refused") != 2 {
			t.Errorf("%q is said %d times in\n%s", text, n, &out)
		}
	}
	at.add(time.Minute)
	refuse()
	if lines("count=5\n") != 2 || lines("refused") != 4 { // four that were not said, and one
		t.Errorf("a minute later:\n%s", &out)
	}
	if err := r.Server().Sweep(at.add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if lines("count=4\n") != 2 || lines("refused") != 6 {
		t.Errorf("after a sweep:\n%s", &out)
	}
	if n := lines("deleted"); n != 0 {
		t.Errorf("%d lines about mailboxes that never were:\n%s", n, &out)
	}
}
