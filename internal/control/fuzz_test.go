package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeKrd answers every call with what it is told.
type fakeKrd struct {
	mu     sync.Mutex
	status int
	body   []byte
}

func (k *fakeKrd) say(status int, body []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status, k.body = status, body
}

func (k *fakeKrd) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w.WriteHeader(k.status)
	w.Write(k.body)
}

func newFakeKrd(t testing.TB) (*fakeKrd, *Client) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	k := &fakeKrd{}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: k}}
	srv.Start()
	t.Cleanup(srv.Close)
	return k, NewClient(socket, func(*net.UnixConn) error { return nil })
}

// FuzzReplies: whatever answers on the socket: an error, or what it says, and a
// stream of events ends with the first that is final.
func FuzzReplies(f *testing.F) {
	k, c := newFakeKrd(f)
	f.Add(200, []byte(`{"schema_version":1,"version":"0.1","pid":7,"started":"2026-01-02T03:04:05Z","phones":[{"id":"x","name":"ana","keys":[{}],"channels":[{"name":"relay"}]}]}`))
	f.Add(200, []byte(`{"link":"HTTPS://A/#B"}`+"\n"+`{"words":"CABLE FOX"}`+"\n"+`{"phone":{"name":"ana"}}`+"\n"+`{"words":"late"}`))
	f.Add(200, []byte(`{"words":"x"}{"error":{"code":"declined","text":"no"}}`))
	f.Add(404, []byte(`{"code":"no_such_phone","text":"no paired phone is called \"x\""}`))
	f.Add(500, []byte(`<html>`))
	f.Add(200, []byte(`{"phone":{},"told":true}`))
	f.Add(200, []byte(`{"entries":[{"seq":7},{"seq":8}],"more":true}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 || status == 204 || status == 304 || status/100 == 3 {
			return // no body, or a redirect
		}
		k.say(status, body)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		st, err := c.Status(ctx)
		if err == nil && (status >= 400 || !json.Valid(body) && !strings.HasPrefix(strings.TrimSpace(string(body)), "{") && string(body[:min(4, len(body))]) != "null") {
			t.Errorf("%d %q is the status %+v", status, body, st)
		}
		if status >= 400 {
			e := new(Error)
			if errors.As(err, &e) && e.Text == "" || err == nil {
				t.Errorf("%d %q: %v", status, body, err)
			}
		}
		if log, err := c.Log(ctx, "", 0); err == nil && (status >= 400 || log.Entries == nil) {
			t.Errorf("%d %q is the log %+v", status, body, log)
		}
		var events []PairEvent
		err = c.Pair(ctx, PairRequest{}, func(ev PairEvent) error { events = append(events, ev); return nil })
		for i, ev := range events {
			if ev.Error != nil || ev.Phone != nil && (i < len(events)-1 || err != nil) {
				t.Errorf("%q: event %d is %+v of %d, %v", body, i, ev, len(events), err)
			}
		}
		if err == nil && (len(events) == 0 || events[len(events)-1].Phone == nil) {
			t.Errorf("%q: a pairing without a phone", body)
		}
	})
}

// TestAnEventWithoutEnd is not read to its end.
func TestAnEventWithoutEnd(t *testing.T) {
	k, c := newFakeKrd(t)
	k.say(200, []byte(`{"words":"x"}`+"\n"+`{"words":"`+strings.Repeat("x", 2*maxReply)+`"}`))
	n := 0
	err := c.Pair(t.Context(), PairRequest{}, func(PairEvent) error { n++; return nil })
	if !errors.Is(err, io.ErrUnexpectedEOF) || n != 1 {
		t.Errorf("Pair = %v after %d events", err, n)
	}
}
