package daemon

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/pairing"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/memstore"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshwire"
	relaylink "kryptonite/internal/transport/relay"
	"kryptonite/internal/wake/webpush"
	"kryptonite/internal/wake/webpush/pushtest"
	"kryptonite/internal/wire"
)

// pushRig is krd with one phone that has subscribed, over a real relay.
type pushRig struct {
	d       *Daemon
	said    buffer
	service *pushtest.Service
	vapid   *ecdh.PrivateKey
	phone   sealbox.Epoch // the phone's half
	key     ed25519.PrivateKey
	blob    []byte
	relay   *relaylink.Client
	near    mailbox.Key // krd reads it
	far     mailbox.Key // the phone reads it
	id      string
}

func newPushRig(t *testing.T) *pushRig {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	server, err := relay.New(relay.Config{Store: memstore.New()})
	must(err)
	web := httptest.NewServer(server)
	t.Cleanup(func() { server.Close(); web.Close() })
	r := &pushRig{d: newDaemon(t), service: pushtest.New(t)}
	r.relay, err = relaylink.NewClient(web.URL, relaylink.Options{})
	must(err)
	pub, key, err := ed25519.GenerateKey(nil)
	must(err)
	r.key, r.blob = key, sshwire.Ed25519Blob(pub)
	r.vapid, err = ecdh.P256().GenerateKey(rand.Reader)
	must(err)
	s, err := sealbox.NewKey()
	must(err)
	r.far, err = mailbox.NewKey()
	must(err)
	rec := newRecord(t)
	r.near, err = mailbox.KeyFromSeed(rec.Mailbox)
	must(err)
	push := r.subscribe()
	rec.Phone, rec.ID, rec.Relay, rec.Peer, rec.Keys = s.Public(), pairing.ID(rec.Own.Public(), s.Public()), web.URL, r.far.Address(), []wire.SSHKey{{PublicKey: r.blob}}
	rec.App, rec.Push, r.id = "https://app.example.com", &push, rec.ID
	for _, k := range []mailbox.Key{r.far, r.near} {
		must(r.relay.Open(t.Context(), k))
	}
	own := sealbox.Epoch{ID: sealbox.EpochID{1}, Send: sealbox.Key32{2}, Recv: sealbox.Key32{3}}
	r.phone = sealbox.Epoch{ID: own.ID, Send: own.Recv, Recv: own.Send}
	r.d.cfg.Push = webpush.Options{Local: true, TLS: r.service.TLS()}
	r.d.cfg.Log = slog.New(slog.NewJSONHandler(&r.said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	alive(t, r.d)
	r.d.asked.open(r.d.cfg.Dir, r.d.cfg.Log, nil)
	store(t, r.d, rec)
	must(r.d.startPhone(rec, &own, 0))
	return r
}

func (r *pushRig) subscribe() wire.Push {
	return r.service.Subscribe(r.vapid.PublicKey().Bytes()).Address(r.vapid.Bytes())
}

// login asks for one, and returns how it ends.
func (r *pushRig) login(ctx context.Context) <-chan error {
	payload := sshwire.Userauth{SessionID: make([]byte, 32), User: "root", Method: sshwire.MethodPublicKey,
		Algorithm: sshwire.KeyEd25519, PublicKey: r.blob}.Marshal()
	done := make(chan error, 1)
	go func() { // ends with ctx
		_, err := r.d.sign(ctx, sshagent.Request{Key: r.blob, Data: payload}, &agentConn{d: r.d, resolved: make(chan struct{})})
		done <- err
	}()
	return done
}

// pushed is the frame that the body of a push carries.
func pushed(t *testing.T, p pushtest.Push) []byte {
	t.Helper()
	frame, err := base64.StdEncoding.DecodeString(string(p.Body))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// request is what a frame carries.
func (r *pushRig) request(t *testing.T, frame []byte) *wire.Request {
	t.Helper()
	h, body, err := wire.SplitFrame(frame)
	if err != nil || h != wire.HeaderEpoch {
		t.Fatalf("header %v, %v", h, err)
	}
	plain, err := r.phone.Open(body)
	if err != nil {
		t.Fatal("what the push carries does not open under the epoch: ", err)
	}
	m, err := wire.Decode(plain)
	if err != nil || m.Request == nil {
		t.Fatalf("%+v, %v", m, err)
	}
	return m.Request
}

// answer is the phone's.
func (r *pushRig) answer(t *testing.T, req *wire.Request) []byte {
	t.Helper()
	if req.Sign == nil {
		t.Fatalf("%+v asks for no signature", req)
	}
	plain, err := wire.Encode(wire.Message{Response: &wire.Response{ID: req.ID, Unix: time.Now().Unix(), K: wire.Protocol,
		Sign: &wire.SignResponse{Signature: sshwire.SignEd25519(r.key, req.Sign.Payload)}}})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := r.phone.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return wire.NewFrame(wire.HeaderEpoch, sealed)
}

// TestPushReachesAPhoneThatDoesNotListen: it never reads its mailbox; the push
// alone brings the request, and the login works.
func TestPushReachesAPhoneThatDoesNotListen(t *testing.T) {
	r := newPushRig(t)
	start := time.Now()
	done := r.login(t.Context())
	p := <-r.service.Got()
	took := p.At.Sub(start)
	if p.Wrong != "" || p.TTL != 30 || took < 300*time.Millisecond {
		t.Fatalf("after %s: %q, TTL %d", took, p.Wrong, p.TTL)
	}
	t.Logf("from the agent's request to the push at its service: %s", took)
	if err := r.relay.Post(t.Context(), r.near.Address(), r.answer(t, r.request(t, pushed(t, p)))); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal("login: ", err)
	}
	phone := r.d.list()[0]
	taken, err := bell{r.d, phone}.Wake(t.Context(), wire.ID{1}, nil, time.Second) // the login's may have been given up with it
	if err != nil || !slices.Equal(taken, []string{"127.0.0.1"}) {
		t.Fatal(taken, err)
	}
	if st := r.d.describe(phone).Push; st.State != control.PushYes || st.Host != "127.0.0.1" || st.LastOK.IsZero() {
		t.Errorf("status %+v", st)
	}
	traced := r.d.traces.newest(1)
	if i := slices.IndexFunc(traced.Traces[0].Steps, func(s control.TraceStep) bool { return s.Hop == "waking" }); i < 0 {
		t.Errorf("no push in the trace: %+v", traced)
	}
	r.said.mu.Lock()
	defer r.said.mu.Unlock()
	text := r.said.b.String() + string(encoded(traced))
	if !strings.Contains(text, "push sent") {
		t.Error("the log does not say that a push was sent, so it proves nothing")
	}
	for what, secret := range map[string]string{"endpoint": "/push/", "VAPID key": base64.StdEncoding.EncodeToString(r.vapid.Bytes()), "token": p.Token,
		"mailbox": fmt.Sprintf("%x", r.far.Address())} {
		if strings.Contains(text, secret) {
			t.Errorf("the %s is in the log or in the trace", what)
		}
	}
}

// TestNoPushForAPhoneThatListens, and answers in time.
func TestNoPushForAPhoneThatListens(t *testing.T) {
	r := newPushRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan []byte, 9)
	go r.relay.Receive(ctx, r.far, func(frame []byte) error { heard <- bytes.Clone(frame); return nil }) // ends with ctx
	start := time.Now()
	done := r.login(ctx)
	req := r.request(t, <-heard)
	for req.Sign == nil { // the greeting of a new pairing
		req = r.request(t, <-heard)
	}
	if err := r.relay.Post(ctx, r.near.Address(), r.answer(t, req)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal("login: ", err)
	}
	if took := time.Since(start); took < 300*time.Millisecond && len(r.service.Got()) != 0 {
		t.Error("it was pushed as well")
	}
}

// TestSubscriptionEnds: krd drops it durably and says so, until the phone tells
// another one; a service that refuses is said, too.
func TestSubscriptionEnds(t *testing.T) {
	r := newPushRig(t)
	p := r.d.list()[0]
	state := func() control.Push { return r.d.describe(p).Push }
	stored := func() (rec record) {
		if err := r.d.cfg.Dir.ReadJSON(recordName(r.id), recordVersion, &rec); err != nil {
			t.Fatal(err)
		}
		return rec
	}
	wake := func() error {
		_, err := bell{r.d, p}.Wake(t.Context(), wire.ID{1}, nil, time.Second)
		return err
	}
	r.service.Script(pushtest.Reply{Status: http.StatusForbidden, Body: `{"reason":"BadJwtToken"}`})
	if err := wake(); err == nil || state().State != control.PushFailing || !strings.Contains(state().LastError, "BadJwtToken") {
		t.Errorf("refused: %v, status %+v", err, state())
	}
	r.service.Script(pushtest.Reply{Status: http.StatusGone})
	if err := wake(); err == nil || state().State != control.PushGone || stored().Push != nil || stored().PushGone.IsZero() {
		t.Errorf("gone: %v, status %+v, on disk %v", err, state(), stored().Push)
	}
	if err := wake(); err != nil {
		t.Errorf("nothing to push to: %v", err)
	}
	push := r.subscribe()
	if err := r.d.keysTold(p, 9, p.keys(), wire.Wakers{Push: &push}, false); err != nil {
		t.Fatal(err)
	}
	if err := wake(); err != nil || state().State != control.PushYes || stored().Push == nil || !stored().PushGone.IsZero() {
		t.Errorf("told anew: %v, status %+v", err, state())
	}
	if err := r.d.keysTold(p, 10, p.keys(), wire.Wakers{}, false); err != nil || state().State != control.PushNone || stored().Push != nil {
		t.Errorf("there is none any more: %v, status %+v", err, state())
	}
	bad := push
	bad.Endpoint = "https://user@push.example/x"
	if err := r.d.keysTold(p, 11, p.keys(), wire.Wakers{Push: &bad}, false); err != nil || state().State != control.PushFailing || strings.Contains(state().LastError, "user@") {
		t.Errorf("an address that is no service's: %v, status %+v", err, state())
	}
	if n := len(r.service.Got()); n != 3 {
		t.Errorf("%d pushes, want 3", n)
	}
}

func TestContact(t *testing.T) {
	for _, c := range []struct{ app, relay, want string }{
		{"https://app.example.com", "https://relay.example.com", "https://app.example.com"},
		{"", "https://relay.example.com:8443", "https://relay.example.com:8443"},
		{"http://localhost:8080", "http://127.0.0.1:8080", ""},
		{"https://192.0.2.1", "https://[2001:db8::1]", ""},
		{"https://intranet", "", ""},
	} {
		if got := contact(record{App: c.app, Relay: c.relay}); got != c.want {
			t.Errorf("app %q, relay %q: %q, want %q", c.app, c.relay, got, c.want)
		}
	}
}
