package webpush_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/wake/webpush"
	"kryptonite/internal/wake/webpush/pushtest"
	"kryptonite/internal/wire"
)

const contact = "https://app.example.com"

// rig is a waker, its service, and a clock.
type rig struct {
	*webpush.Waker
	service *pushtest.Service
	address wire.Push

	mu  sync.Mutex
	off time.Duration
}

func newRig(t *testing.T, contact string) *rig {
	t.Helper()
	r := &rig{service: pushtest.New(t)}
	o := webpush.Options{Local: true, TLS: r.service.TLS(), Now: func() time.Time {
		r.mu.Lock()
		defer r.mu.Unlock()
		return time.Now().Add(r.off)
	}}
	client := webpush.NewClient(o)
	t.Cleanup(client.Close)
	vapid, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r.address = r.service.Subscribe(vapid.PublicKey().Bytes()).Address(vapid.Bytes())
	if r.Waker, err = client.Waker(r.address, contact); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) pass(d time.Duration) { r.mu.Lock(); defer r.mu.Unlock(); r.off += d }

// push wakes for request id and returns what the service got.
func (r *rig) push(t *testing.T, id byte, frame []byte) (got []pushtest.Push, err error) {
	t.Helper()
	err = r.Wake(t.Context(), wire.ID{id}, frame, 28*time.Second)
	for len(r.service.Got()) > 0 {
		p := <-r.service.Got()
		if p.Wrong != "" {
			t.Errorf("refused: %s", p.Wrong)
		}
		got = append(got, p)
	}
	return got, err
}

// TestPush: what the strict double takes, with the largest frame that fits, one
// more byte, and none.
func TestPush(t *testing.T) {
	r := newRig(t, contact)
	topics := map[string]byte{}
	for id, c := range map[byte]struct{ frame, want []byte }{
		1: {[]byte("a frame"), []byte("a frame")},
		2: {bytes.Repeat([]byte{0xff}, webpush.MaxFrame), bytes.Repeat([]byte{0xff}, webpush.MaxFrame)},
		3: {bytes.Repeat([]byte{7}, webpush.MaxFrame+1), nil},
		4: {nil, nil},
	} {
		got, err := r.push(t, id, c.frame)
		if err != nil || len(got) != 1 || string(got[0].Body) != base64.StdEncoding.EncodeToString(c.want) || got[0].TTL != 28 {
			t.Errorf("%d bytes: %+v, %v", len(c.frame), got, err)
			continue
		}
		topics[got[0].Topic] = id
	}
	if again, err := r.push(t, 1, nil); err != nil || len(topics) != 4 || topics[again[0].Topic] != 1 {
		t.Error("a topic stands for no request, or for two")
	}
	if webpush.MaxFrame != 2994 {
		t.Errorf("%d bytes fit, want 2,994", webpush.MaxFrame)
	}
	if s := r.Status(); s.LastOK.IsZero() || s.LastError != nil || s.Host != "127.0.0.1" {
		t.Errorf("status %+v", s)
	}
}

// TestToken is one for 11 h, then another; and another when the clock was set back.
func TestToken(t *testing.T) {
	r := newRig(t, contact)
	token := func() string {
		got, err := r.push(t, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got[0].Token
	}
	first := token()
	r.pass(10*time.Hour + 59*time.Minute)
	if token() != first {
		t.Error("a new token before its time")
	}
	r.pass(2 * time.Minute)
	if second := token(); second == first {
		t.Error("the token grew older than 11 h")
	}
	r.pass(-13 * time.Hour)
	got, err := r.push(t, 1, nil)
	if err != nil || got[0].Token == first {
		t.Errorf("with the clock set back: %v", err)
	}
}

// TestContact: the double refuses what Apple refuses, and that is an error which
// says so. The next push brings a new token.
func TestContact(t *testing.T) {
	for _, bad := range []string{"", "https://localhost", "https://127.0.0.1", "http://app.example.com", "mailto:me"} {
		r := newRig(t, bad)
		err := r.Wake(t.Context(), wire.ID{1}, nil, time.Second)
		status := new(webpush.StatusError)
		if p := <-r.service.Got(); !errors.As(err, &status) || status.Status != http.StatusForbidden || !strings.Contains(p.Wrong, "sub") {
			t.Errorf("contact %q: %v, %q", bad, err, p.Wrong)
		}
	}
	if got, err := newRig(t, "mailto:ana@example.com").push(t, 1, nil); err != nil || len(got) != 1 {
		t.Errorf("a mail address: %v", err)
	}
}

// TestReplies of a push service, and what comes of them.
func TestReplies(t *testing.T) {
	for name, c := range map[string]struct {
		replies []pushtest.Reply
		want    string // in the error; "" none
		posts   int
		then    string // of the next push, at once
		after   time.Duration
	}{
		"created":             {[]pushtest.Reply{{Status: 201}}, "", 1, "", 0},
		"accepted":            {[]pushtest.Reply{{Status: 202}}, "", 1, "", 0},
		"bad request":         {[]pushtest.Reply{{Status: 400, Body: `{"reason":"BadWebPushTopic"}`}}, "400 Bad Request (BadWebPushTopic)", 1, "", 0},
		"a reason with traps": {[]pushtest.Reply{{Status: 400, Body: "{\"reason\":\"\\u001b[2J\"}"}}, "400 Bad Request", 1, "", 0},
		"forbidden":           {[]pushtest.Reply{{Status: 403}}, "403", 1, "", 0},
		"not there":           {[]pushtest.Reply{{Status: 404}}, "has ended", 1, "has ended", 0},
		"gone":                {[]pushtest.Reply{{Status: 410}}, "has ended", 1, "has ended", 0},
		"too large":           {[]pushtest.Reply{{Status: 413}}, "", 2, "", 0},
		"too large, twice":    {[]pushtest.Reply{{Status: 413}, {Status: 413}}, "413", 2, "", 0},
		"too fast":            {[]pushtest.Reply{{Status: 429, RetryAfter: "120"}}, "429", 1, "left alone", 121 * time.Second},
		"too fast, for years": {[]pushtest.Reply{{Status: 429, RetryAfter: "1000000000"}}, "429", 1, "left alone", time.Hour + time.Second},
		"too fast, by date":   {[]pushtest.Reply{{Status: 429, RetryAfter: time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)}}, "429", 1, "left alone", 61 * time.Second},
		"broken":              {[]pushtest.Reply{{Status: 500}}, "500", 1, "left alone", 1001 * time.Millisecond},
		"redirected":          {[]pushtest.Reply{{Status: 307, Location: "https://127.0.0.1:1/"}}, "307", 1, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, contact)
			r.service.Script(c.replies...)
			is := func(err error, want string) bool {
				return (err == nil) == (want == "") && (err == nil || strings.Contains(err.Error(), want))
			}
			got, err := r.push(t, 1, []byte("frame"))
			if !is(err, c.want) || len(got) != c.posts {
				t.Errorf("%v, %d posts, want %q, %d", err, len(got), c.want, c.posts)
			}
			if err != nil && (strings.Contains(err.Error(), "/push/") || strings.Contains(err.Error(), "\x1b")) {
				t.Errorf("the error shows what it must not: %q", err)
			}
			if _, err := r.push(t, 2, nil); !is(err, c.then) {
				t.Errorf("the next one: %v, want %q", err, c.then)
			}
			if c.after > 0 {
				r.pass(c.after)
				if _, err := r.push(t, 3, nil); err != nil {
					t.Errorf("after %s: %v", c.after, err)
				}
			}
		})
	}
}

// TestUnreachable: the error names the host and not the endpoint, and the next
// push is tried.
func TestUnreachable(t *testing.T) {
	r := newRig(t, contact)
	w, err := webpush.NewClient(webpush.Options{Local: true}).Waker(r.address, contact)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Wake(t.Context(), wire.ID{1}, nil, time.Second); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "/push/") {
			t.Errorf("%v, want a word on the certificate and no endpoint", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wake(ctx, wire.ID{1}, nil, time.Second); !errors.Is(err, context.Canceled) || r.Status().LastError != nil {
		t.Errorf("given up: %v, status %+v", err, r.Status())
	}
}
