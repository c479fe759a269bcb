package relay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/memstore"
)

// newServer is a relay in memory, without limits that a fuzzer would meet.
func newServer(f *testing.F) (*relay.Server, relay.Store) {
	f.Helper()
	store := memstore.New()
	s, err := relay.New(relay.Config{Store: store, Limits: relay.Limits{SendRate: 1e9, SendBurst: 1e9, NewPerHour: 1e9, MailboxFrames: 1e9, MailboxBytes: 1 << 40}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	return s, store
}

// FuzzHTTP: whatever stands in method, path, key and body: one of the answers
// in the protocol, never a page, and a frame is stored only as it came.
func FuzzHTTP(f *testing.F) {
	s, store := newServer(f)
	key := newKey(f)
	addr := key.Address()
	if _, err := store.Create(context.Background(), addr, time.Now(), 10); err != nil {
		f.Fatal(err)
	}
	id := mailbox.NewPostID().String()
	f.Add("POST", mailbox.FramesPath(addr), id, []byte("frame"))
	f.Add("POST", mailbox.FramesPath(addr), id, []byte{})
	f.Add("POST", mailbox.FramesPath(addr), id, make([]byte, mailbox.MaxFrame+1))
	f.Add("POST", mailbox.FramesPath(addr), strings.ToUpper(id), []byte("frame"))
	f.Add("POST", mailbox.FramesPath(mailbox.Address{1}), id, []byte("frame"))
	f.Add("GET", mailbox.LivePath(addr), "", []byte{})
	f.Add("POST", mailbox.PollPath(addr), "", []byte(`{"wait_seconds":0}`))
	f.Add("OPTIONS", mailbox.FramesPath(addr), "", []byte{})
	f.Add("GET", "/healthz", "", []byte{})
	f.Add("GET", "/v1/mailboxes/../../healthz", "<script>", []byte("<html>"))
	f.Fuzz(func(t *testing.T, method, path, postID string, body []byte) {
		r := httptest.NewRequest("POST", "http://127.0.0.1/", bytes.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: path}
		r.Header.Set(mailbox.HeaderIdempotencyKey, postID)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch w.Code {
		case 200, 202, 204, 400, 401, 403, 404, 405, 409, 413, 421, 426, 429, 503, 507:
		default:
			t.Errorf("%s %q: %d", method, path, w.Code)
		}
		typ := w.Header().Get("Content-Type")
		if w.Body.Len() > 1<<10 || typ != "application/json" && typ != "application/octet-stream" {
			t.Errorf("%s %q: %d bytes of %s", method, path, w.Body.Len(), typ)
		}
		if typ == "application/json" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: %q is no JSON", method, path, w.Body)
		}
		stored, err := store.Backlog(context.Background(), addr, 0, 10, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		ours := method == "POST" && path == mailbox.FramesPath(addr) && len(body) > 0 && len(body) <= mailbox.MaxFrame
		if w.Code == http.StatusAccepted != (len(stored) == 1) || len(stored) == 1 && (!ours || !bytes.Equal(stored[0].Body, body)) {
			t.Errorf("%s %q: %d, and %d frames are stored", method, path, w.Code, len(stored))
		}
		for _, frame := range stored {
			store.Ack(addr, frame.Seq)
		}
	})
}

// FuzzLive: whatever one says instead of a proof, and whatever a holder says
// after his: an answer or a close code of the protocol.
func FuzzLive(f *testing.F) {
	s, store := newServer(f)
	srv := httptest.NewServer(s)
	f.Cleanup(srv.Close)
	f.Add(true, true, mailbox.Control{Type: mailbox.TypePing}.Encode())
	f.Add(true, true, []byte(`{"type":"delete"}`))
	f.Add(true, true, mailbox.Control{Type: mailbox.TypeReady}.Encode())
	f.Add(true, false, mailbox.EncodeAck(1))
	f.Add(true, false, make([]byte, mailbox.MaxControl+1))
	f.Add(false, true, mailbox.Control{Type: mailbox.TypeProof, PublicKey: make([]byte, 32), Signature: make([]byte, 64)}.Encode())
	f.Add(false, false, mailbox.EncodeAck(1))
	key := newKey(f)
	f.Fuzz(func(t *testing.T, proved, text bool, b []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		conn, nonce := dial(t, srv.URL, key.Address())
		defer conn.CloseNow()
		typ := websocket.MessageBinary
		if text {
			typ = websocket.MessageText
		}
		if proved {
			prove(t, conn, key, srv.URL, nonce)
		}
		// A relay that had enough may close before all is written: reading tells.
		_ = conn.Write(ctx, typ, b)
		_ = conn.Write(ctx, websocket.MessageText, mailbox.Control{Type: mailbox.TypePing}.Encode())
		for {
			typ, answer, err := conn.Read(ctx)
			if err != nil {
				code := int(websocket.CloseStatus(err))
				if ctx.Err() != nil || proved && code == mailbox.CloseRefused || !proved && code != mailbox.CloseRefused && code != 1009 && code != -1 {
					t.Errorf("after %q, proved %v: %d, %v", b, proved, code, err)
				}
				break
			}
			c, err := mailbox.ParseControl(answer)
			if typ != websocket.MessageText || err != nil || !proved {
				t.Fatalf("after %q: %q", b, answer)
			}
			if c.Type == mailbox.TypePong {
				break
			}
		}
		if exists, err := store.Exists(ctx, key.Address()); err != nil || exists && !proved {
			t.Errorf("a mailbox exists without a proof (%v)", err)
		}
		store.Delete(ctx, key.Address())
	})
}
