package sshagent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/internal/wire"
)

// backend signs with one key, and keeps what it was asked.
type backend struct {
	key   ssh.Signer
	block chan struct{} // when set, Sign waits for its context
	gone  chan struct{} // closed when a blocked Sign was let go

	mu       sync.Mutex
	answered int // what Answered heard
	asked    []Request
	deny     bool
	bound    []int // how many binds there were each time
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	_, k, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return &backend{key: s, gone: make(chan struct{})}
}

func (b *backend) Keys() []Key { return []Key{{Blob: b.key.PublicKey().Marshal(), Comment: "ana"}} }

func (b *backend) Bound(binds []wire.Bind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound = append(b.bound, len(binds))
}

func (b *backend) Answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered++
}

func (b *backend) Sign(ctx context.Context, r Request) ([]byte, error) {
	b.mu.Lock()
	b.asked = append(b.asked, r)
	deny := b.deny
	b.mu.Unlock()
	if b.block != nil {
		close(b.block)
		<-ctx.Done()
		close(b.gone)
		return nil, ctx.Err()
	}
	if deny {
		return nil, errors.New("declined")
	}
	sig, err := b.key.Sign(nil, r.Data)
	if err != nil {
		return nil, err
	}
	return ssh.Marshal(sig), nil
}

// connect serves b to the returned connection; the test waits for the end.
func connect(t testing.TB, b Backend) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); Serve(context.Background(), server, b, nil) }()
	t.Cleanup(func() { client.Close(); <-done })
	return client
}

func TestListAndSign(t *testing.T) {
	b := newBackend(t)
	c := agent.NewClient(connect(t, b))
	keys, err := c.List()
	if err != nil || len(keys) != 1 || keys[0].Comment != "ana" {
		t.Fatalf("List = %v, %v", keys, err)
	}
	sig, err := c.Sign(keys[0], []byte("data"))
	if err != nil || b.key.PublicKey().Verify([]byte("data"), sig) != nil {
		t.Fatal("Sign:", err)
	}
}

// TestOthersAreKnown: whoever signs hears whether the client has other keys.
func TestOthersAreKnown(t *testing.T) {
	b := newBackend(t)
	list := ssh.Marshal(struct {
		N             uint32 `sshtype:"12"`
		Blob, Comment string
	}{1, "blob", "other"})
	for _, c := range []struct {
		other *Other
		want  bool
	}{{nil, false}, {(&another{reply: func(int, []byte) []byte { return list }}).other(), true},
		{(&another{reply: func(int, []byte) []byte { return []byte{msgIdentitiesAnswer, 0, 0, 0, 0} }}).other(), false}} {
		conn := newConnection(b, c.other)
		conn.answer(t.Context(), []byte{msgRequestIdentities})
		conn.answer(t.Context(), signMessage(b, "x"))
		conn.up.close()
		if got := b.asked[len(b.asked)-1].Others; got != c.want {
			t.Errorf("Others = %v, want %v", got, c.want)
		}
	}
}

func TestSameBytesAskOnce(t *testing.T) {
	for _, deny := range []bool{false, true} {
		b := newBackend(t)
		b.deny = deny
		conn := connect(t, b)
		c := agent.NewClient(conn)
		for range 3 {
			if _, err := c.Sign(b.key.PublicKey(), []byte("data")); (err != nil) != deny {
				t.Fatal(err)
			}
		}
		c.Sign(b.key.PublicKey(), []byte("other data"))
		if keys, err := c.List(); err != nil || len(keys) != 1 || b.answered != 4 { // the list comes after the fourth
			t.Errorf("deny = %v: %d answers were given, want 4", deny, b.answered)
		}
		agent.NewClient(connect(t, b)).Sign(b.key.PublicKey(), []byte("data")) // another connection
		if len(b.asked) != 3 {
			t.Errorf("deny = %v: the phone was asked %d times, want 3", deny, len(b.asked))
		}
	}
}

func TestUnknownThingsFailAndTheConnectionLives(t *testing.T) {
	b := newBackend(t)
	conn := connect(t, b)
	for name, msg := range map[string][]byte{
		"v1 list": {1}, "lock": {22}, "add": {17, 0}, "remove all": {19}, "unknown": {200},
		"empty sign": {13}, "cut sign": {13, 0, 0, 0, 9, 1}, "extension without name": {27}, "unknown extension": append([]byte{27, 0, 0, 0, 3}, "foo"...),
	} {
		if got := exchange(t, conn, msg); !bytes.Equal(got, []byte{msgFailure}) {
			t.Errorf("%s: %v, want FAILURE", name, got)
		}
	}
	if keys, err := agent.NewClient(serial{conn}).List(); err != nil || len(keys) != 1 {
		t.Error("after all that:", keys, err)
	}
}

// serial hides a connection's Close from x/crypto's client, which then starts no
// reader of its own: raw messages may go over the same connection.
type serial struct{ io.ReadWriter }

// exchange sends one raw message and reads the reply.
func exchange(t *testing.T, conn net.Conn, msg []byte) []byte {
	t.Helper()
	if err := write(conn, msg); err != nil {
		t.Fatal(err)
	}
	var n [4]byte
	if _, err := io.ReadFull(conn, n[:]); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, binary.BigEndian.Uint32(n[:]))
	if _, err := io.ReadFull(conn, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func bind(i byte) []byte {
	return ssh.Marshal(struct {
		Name                          string `sshtype:"27"`
		HostKey, SessionID, Signature []byte
		Forwarding                    bool
	}{bindName, []byte{i}, []byte{i, i}, []byte{i, i, i}, i%2 == 0})
}

func signMessage(b *backend, data string) []byte {
	return ssh.Marshal(struct {
		Key   []byte `sshtype:"13"`
		Data  []byte
		Flags uint32
	}{b.key.PublicKey().Marshal(), []byte(data), 0})
}

func TestBindsArePassedOnInOrder(t *testing.T) {
	b := newBackend(t)
	conn := connect(t, b)
	for i := range byte(16) {
		if got := exchange(t, conn, bind(i)); got[0] != msgSuccess {
			t.Fatalf("bind %d: %v", i, got)
		}
	}
	if got := exchange(t, conn, signMessage(b, "x")); got[0] != msgSignResponse {
		t.Fatal("no signature:", got)
	}
	binds := b.asked[0].Binds
	if len(binds) != 16 || binds[3].HostKey[0] != 3 || !binds[4].Forwarding || binds[3].Forwarding {
		t.Fatalf("binds: %+v", binds)
	}
	if len(b.bound) != 16 || b.bound[0] != 1 || b.bound[15] != 16 {
		t.Errorf("the backend heard of binds as %v", b.bound)
	}
	if got := exchange(t, conn, bind(17)); got[0] != msgFailure {
		t.Error("a 17th bind is taken")
	}
	if got := exchange(t, conn, signMessage(b, "y")); got[0] != msgFailure {
		t.Error("a signature after a 17th bind")
	}
}

func TestMalformedBindPoisonsTheConnection(t *testing.T) {
	b := newBackend(t)
	conn := connect(t, b)
	if got := exchange(t, conn, bind(1)[:30]); got[0] != msgFailure {
		t.Error("a cut bind is taken")
	}
	if got := exchange(t, conn, signMessage(b, "x")); got[0] != msgFailure {
		t.Error("a signature after a malformed bind")
	}
}

func TestClientThatLeavesEndsTheRequest(t *testing.T) {
	b := newBackend(t)
	b.block = make(chan struct{})
	conn := connect(t, b)
	go agent.NewClient(conn).Sign(b.key.PublicKey(), []byte("x"))
	<-b.block
	conn.Close()
	<-b.gone
}

func TestBadLengthsCloseTheConnection(t *testing.T) {
	for name, head := range map[string][]byte{"zero": {0, 0, 0, 0}, "huge": {0xff, 0xff, 0xff, 0xff}} {
		client, server := net.Pipe()
		done := make(chan error)
		go func() { done <- Serve(context.Background(), server, newBackend(t), nil) }()
		client.Write(head)
		if err := <-done; err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: the connection is open", name)
		}
	}
	// A connection that says nothing is nothing.
	client, server := net.Pipe()
	client.Close()
	if err := Serve(context.Background(), server, newBackend(t), nil); err != nil {
		t.Errorf("empty connection: %v", err)
	}
}

// FuzzAnswer: each message has one answer of the protocol; after a bind that
// cannot be read nothing is signed any more, and no more than 16 are kept.
func FuzzAnswer(f *testing.F) {
	b := newBackend(f)
	f.Add([]byte{11}, []byte{11})
	f.Add(bind(1), signMessage(b, "x"))
	f.Add(bind(1)[:20], signMessage(b, "x"))
	f.Add(signMessage(b, "x"), signMessage(b, "x"))
	f.Add(bind(1), bind(2))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		c := newConnection(b, nil)
		for _, msg := range [][]byte{first, second} {
			if len(msg) == 0 {
				continue
			}
			broken := c.broken
			out := c.answer(context.Background(), msg)
			want := map[byte]byte{msgRequestIdentities: msgIdentitiesAnswer, msgSignRequest: msgSignResponse, msgExtension: msgSuccess}[msg[0]]
			if len(out) == 0 || len(out) > maxMessage ||
				out[0] != msgFailure && out[0] != want && (msg[0] != msgExtension || out[0] != msgExtensionResponse) {
				t.Errorf("answer(%x) = %x", msg, out)
			}
			if broken && (!c.broken || out[0] == msgSignResponse) {
				t.Errorf("after a bind that cannot be read: answer(%x) = %x", msg, out)
			}
			if len(c.binds) > maxBinds || len(c.stored) > maxStored {
				t.Errorf("%d binds and %d answers are kept", len(c.binds), len(c.stored))
			}
		}
	})
}
