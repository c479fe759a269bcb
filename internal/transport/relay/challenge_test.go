package relay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport/relay"
)

// between is a relay that has no mailboxes: it hands on the challenges of another
// one, and has its customers prove to it what that one wants to hear.
type between struct {
	good   string // origin
	mu     sync.Mutex
	proofs [][]byte // polls with a proof
}

func (b *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, mailbox.MaxPoll))
	if err != nil {
		return
	}
	var poll mailbox.Poll
	if json.Unmarshal(body, &poll) == nil && poll.Signature != nil {
		b.mu.Lock()
		b.proofs = append(b.proofs, bytes.Clone(body))
		b.mu.Unlock()
	}
	nonce, _ := post401(r.Context(), b.good+r.URL.Path, []byte("{}")) // for another try
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write(mailbox.PollReply{Error: "prove it", Nonce: nonce}.Encode())
}

// post401 posts a poll, and returns the nonce of the answer and its status.
func post401(ctx context.Context, url string, body []byte) (nonce []byte, code int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0
	}
	defer resp.Body.Close()
	var reply mailbox.PollReply
	_ = json.NewDecoder(io.LimitReader(resp.Body, mailbox.MaxPollReply)).Decode(&reply)
	return reply.Nonce, resp.StatusCode
}

// TestForgedChallenges: a relay in between that hands on the challenges of the good
// one gets proofs, but none that the good one takes, for reading or for deleting:
// they name the origin that the client speaks with.
func TestForgedChallenges(t *testing.T) {
	good := relaytest.New(t)
	evil := &between{good: good.Origin()}
	server := httptest.NewServer(evil)
	t.Cleanup(server.Close)
	honest := newClient(t, good.Origin(), relay.Options{})
	key := openKey(t, honest)
	if err := honest.Post(t.Context(), key.Address(), []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	deceived := newClient(t, server.URL, relay.Options{})
	tally := attacktest.New(t, "challenges of another relay, handed on")
	for range 30 {
		if err := deceived.Open(t.Context(), key); err == nil {
			t.Error("a relay that takes no proof is said to have a mailbox")
		}
		if err := deceived.Delete(t.Context(), key); err == nil {
			t.Error("a relay that takes no proof is said to have deleted a mailbox")
		}
	}
	if len(evil.proofs) < 60 {
		t.Fatalf("only %d proofs were to be had", len(evil.proofs))
	}
	for _, p := range evil.proofs {
		if _, code := post401(t.Context(), good.Origin()+mailbox.PollPath(key.Address()), p); code != http.StatusForbidden { // 401: it was not the proof that was refused
			tally.Succeeded("the good relay answers %d to a proof for another", code)
		} else {
			tally.Rejected()
		}
	}
	var got []byte
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	_ = honest.Receive(ctx, key, func(f []byte) error { got = f; stop(); return nil })
	if string(got) != "sealed" {
		t.Errorf("afterwards the mailbox holds %q", got)
	}
}

// TestRelayThatLies: a relay that answers polls with whatever it likes makes the
// client neither fall nor hand on what is no frame, and Receive ends with its context.
func TestRelayThatLies(t *testing.T) {
	long := strings.Repeat("A", 2<<20)
	lies := []func(http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, "null") },
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"frames":null,"nonce":"AAAA"}`) },
		func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"frames":[{"seq":"AAAAAAAAAAA=","frame":""}]}`)
		},
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"frames":[{"frame":"`+long+`"}]}`) },
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, long) },
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat(`{"frames":[`, 9000)) },
		func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"nonce":"`+long+`"}`)
		},
		func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(mailbox.PollReply{Nonce: make([]byte, mailbox.NonceSize), Error: "again"}.Encode())
		},
		func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://evil.example/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", long[:4096])
			w.WriteHeader(http.StatusTooManyRequests)
		},
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	}
	const tries = 240
	tally := attacktest.New(t, "answers of a lying relay")
	var mu sync.Mutex
	luck, answers := rand.New(rand.NewPCG(1, 1)), 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		lie := lies[luck.IntN(len(lies))]
		if answers++; answers == tries {
			stop()
		}
		mu.Unlock()
		lie(w)
	}))
	server.Config.ErrorLog = nil
	defer server.Close()
	client := newClient(t, server.URL, relay.Options{MinPause: time.Millisecond, MaxPause: time.Millisecond, RetryWebSocket: time.Millisecond})
	key := newKey(t)
	err := client.Receive(ctx, key, func(f []byte) error {
		tally.Succeeded("%d bytes that are no frame are handed on", len(f))
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	for range answers {
		tally.Rejected()
	}
	if strings.Contains(err.Error(), key.Address().String()) {
		t.Error("the mailbox's address is in the error")
	}
}
