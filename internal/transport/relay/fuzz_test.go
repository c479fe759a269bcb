package relay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport"
)

// FuzzAnswer: whatever a relay answers to a post: success only for its three
// codes, and of its words only short printable ones are kept.
func FuzzAnswer(f *testing.F) {
	f.Add(202, "", []byte{})
	f.Add(429, "60", []byte(`{"error":"mailbox is full"}`))
	f.Add(503, "x", []byte(`{"error":"relay cannot store now"}`))
	f.Add(400, "", []byte(`{"error":"\u001b[2J\n"}`))
	f.Add(404, "", []byte(`{"error":"`+strings.Repeat("x", 2000)+`"}`))
	f.Add(307, "", []byte("<html>"))
	var mu sync.Mutex
	var code int
	var after string
	var body []byte
	rt := roundTripper(func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		w := httptest.NewRecorder()
		w.Header().Set("Retry-After", after)
		w.WriteHeader(code)
		w.Write(body)
		return w.Result(), nil
	})
	c, err := NewClient("http://127.0.0.1:1", Options{RoundTripper: rt, RetryFor: time.Nanosecond})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, retry string, b []byte) {
		mu.Lock()
		code, after, body = 200+abs(status-200)%400, retry, b
		mu.Unlock()
		wait, err := c.try(t.Context(), mailbox.Address{1}, mailbox.PostID{}, []byte("frame"), time.Second)
		if (err == nil) != (code == 200 || code == 202 || code == 204) || wait > time.Hour {
			t.Errorf("status %d: wait %v, %v", code, wait, err)
		}
		var s *StatusError
		if err != nil && !errors.As(err, &s) && !errors.Is(err, transport.ErrNoMailbox) {
			t.Errorf("status %d: %v", code, err)
		}
		if n, err := strconv.Atoi(retry); wait > 0 && (err != nil || wait != time.Duration(n)*time.Second) {
			t.Errorf("Retry-After %q: %v", retry, wait)
		}
		if s == nil {
			return
		}
		if len(s.Error()) > 300 || strings.ContainsFunc(s.Error(), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("the relay's words are shown: %q", s.Error())
		}
		if s.Text != "" && !json.Valid(b[:min(len(b), maxAnswer)]) {
			t.Errorf("%q is taken from what is no JSON", s.Text)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

// FuzzDelivery: whatever a relay sends a proven holder: only whole deliveries
// reach the handler, byte for byte, and only their numbers are acknowledged.
func FuzzDelivery(f *testing.F) {
	f.Add(false, mailbox.EncodeDelivery(1, []byte("frame")))
	f.Add(false, mailbox.EncodeDelivery(1<<63, []byte{0}))
	f.Add(false, make([]byte, 8))
	f.Add(true, mailbox.Control{Type: mailbox.TypePong}.Encode())
	f.Add(true, []byte(`{"type":"deleted"}`))
	f.Add(true, []byte("frame"))
	type sending struct {
		typ   websocket.MessageType
		b     []byte
		acked chan [][]byte
	}
	next := make(chan sending, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		conn.Write(ctx, websocket.MessageText, mailbox.Control{Type: mailbox.TypeChallenge, Nonce: make([]byte, mailbox.NonceSize)}.Encode())
		conn.Read(ctx)
		conn.Write(ctx, websocket.MessageText, mailbox.Control{Type: mailbox.TypeReady}.Encode())
		s := <-next
		conn.Write(ctx, s.typ, s.b)
		conn.Write(ctx, websocket.MessageBinary, mailbox.EncodeDelivery(7, []byte("the last one")))
		var acks [][]byte
		for {
			_, b, err := conn.Read(ctx)
			if err != nil {
				break
			}
			if acks = append(acks, b); string(b) == string(mailbox.EncodeAck(7)) {
				break
			}
		}
		s.acked <- acks
	}))
	f.Cleanup(srv.Close)
	c, err := NewClient(srv.URL, Options{MinPause: time.Hour, MaxPause: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	key, err := mailbox.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text bool, b []byte) {
		s := sending{websocket.MessageBinary, b, make(chan [][]byte, 1)}
		if text {
			s.typ = websocket.MessageText
		}
		next <- s
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got []string
		ended := make(chan error, 1)
		go func() {
			ended <- c.Receive(ctx, key, func(frame []byte) error { got = append(got, string(frame)); return nil })
		}()
		acks := <-s.acked
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Receive = %v", err)
		}
		seq, frame, bad := mailbox.ParseDelivery(b)
		want := bad == nil && !text
		for i, g := range got {
			if last := g == "the last one" && i == len(got)-1; !last && (!want || g != string(frame)) {
				t.Errorf("after %q the handler got %q", b, g)
			}
		}
		for _, a := range acks {
			if string(a) != string(mailbox.EncodeAck(7)) && (!want || string(a) != string(mailbox.EncodeAck(seq))) {
				t.Errorf("after %q: acknowledged %x", b, a)
			}
		}
		if want && seq != 7 && (len(got) != 2 || len(acks) != 2) {
			t.Errorf("a whole delivery: handler got %q, acknowledged %x", got, acks)
		}
	})
}
