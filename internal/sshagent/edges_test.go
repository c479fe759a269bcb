package sshagent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/internal/wire"
)

// TestFlagsArePassedOn: they are the backend's to judge, and a part of what
// makes two requests the same.
func TestFlagsArePassedOn(t *testing.T) {
	b := newBackend(t)
	c := agent.NewClient(connect(t, b))
	flags := []agent.SignatureFlags{0, agent.SignatureFlagRsaSha256, agent.SignatureFlagRsaSha512, agent.SignatureFlagRsaSha512}
	for _, f := range flags {
		if _, err := c.SignWithFlags(b.key.PublicKey(), []byte("data"), f); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.asked) != 3 || b.asked[0].Flags != 0 || b.asked[1].Flags != 2 || b.asked[2].Flags != 4 {
		t.Errorf("asked: %+v, want flags 0, 2 and 4", b.asked)
	}
	if r := b.asked[0]; !bytes.Equal(r.Key, b.key.PublicKey().Marshal()) || string(r.Data) != "data" || len(r.Binds) != 0 {
		t.Errorf("asked: %+v", r)
	}
}

// TestClientsWishesThatAreNotOurs: all that x/crypto's client can ask for and
// an agent without keys of its own has no answer to.
func TestClientsWishesThatAreNotOurs(t *testing.T) {
	c := agent.NewClient(connect(t, newBackend(t)))
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, errExt := c.Extension("store@example.com", nil)
	for name, err := range map[string]error{
		"add": c.Add(agent.AddedKey{PrivateKey: &key}), "remove": c.Remove(newBackend(t).key.PublicKey()),
		"remove all": c.RemoveAll(), "lock": c.Lock([]byte("x")), "unlock": c.Unlock([]byte("x")), "extension": errExt,
	} {
		if err == nil {
			t.Errorf("%s: success", name)
		}
	}
	if keys, err := c.List(); err != nil || len(keys) != 1 {
		t.Errorf("after all that: %v, %v", keys, err)
	}
}

// TestMessageBytes pins what goes over the wire. [PROTOCOL.agent] §3.
func TestMessageBytes(t *testing.T) {
	conn := connect(t, fixed{})
	for name, c := range map[string]struct{ in, want []byte }{
		"list":                {[]byte{11}, []byte{12, 0, 0, 0, 2, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'c', 0, 0, 0, 0, 0, 0, 0, 0}},
		"sign":                {[]byte{13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0}, []byte{14, 0, 0, 0, 3, 's', 'i', 'g'}},
		"sign, more behind":   {[]byte{13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0, 9}, []byte{5}},
		"sign, length lies":   {[]byte{13, 0, 0, 0, 9, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0}, []byte{5}},
		"sign, length huge":   {[]byte{13, 0xff, 0xff, 0xff, 0xff, 'k'}, []byte{5}},
		"sign, no flags":      {[]byte{13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd'}, []byte{5}},
		"an answer":           {[]byte{14, 0, 0, 0, 3, 's', 'i', 'g'}, []byte{5}},
		"failure as question": {[]byte{5}, []byte{5}},
		"zero":                {[]byte{0}, []byte{5}},
	} {
		if got := exchange(t, conn, c.in); !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// fixed is a backend of constants.
type fixed struct{}

func (fixed) Bound([]wire.Bind) {}

func (fixed) Answered() {}

func (fixed) Keys() []Key { return []Key{{Blob: []byte("k"), Comment: "c"}, {}} }

func (fixed) Sign(context.Context, Request) ([]byte, error) { return []byte("sig"), nil }

// TestLargestMessage: 256 KiB are taken, one byte more ends the connection.
func TestLargestMessage(t *testing.T) {
	b := newBackend(t)
	conn := connect(t, b)
	data := make([]byte, maxMessage-1-4-len(b.key.PublicKey().Marshal())-4-4)
	if _, err := agent.NewClient(conn).Sign(b.key.PublicKey(), data); err != nil {
		t.Error("a message of 256 KiB:", err)
	}
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(context.Background(), server, b, nil) }()
	client.Write(binary.BigEndian.AppendUint32(nil, maxMessage+1))
	if err := <-done; err == nil {
		t.Error("a larger one is no error")
	}
}

// TestPipelined: requests that come before the last one is answered are
// answered in order.
func TestPipelined(t *testing.T) {
	conn := connect(t, fixed{})
	var all []byte
	want := []byte{12, 5, 14, 5, 12, 14}
	for _, kind := range []byte{11, 99, 13, 0, 11, 13} {
		msg := []byte{kind}
		if kind == 13 {
			msg = []byte{13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0}
		}
		all = append(binary.BigEndian.AppendUint32(all, uint32(len(msg))), msg...)
	}
	go conn.Write(all)
	for i, kind := range want {
		var n [4]byte
		if _, err := io.ReadFull(conn, n[:]); err != nil {
			t.Fatal(err)
		}
		reply := make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err := io.ReadFull(conn, reply); err != nil || reply[0] != kind {
			t.Fatalf("reply %d: %v, %v, want type %d", i, reply, err, kind)
		}
	}
}

// TestRequestsHaveTheBindsOfTheirTime: a request keeps what was bound when it
// came; connections share none.
func TestRequestsHaveTheBindsOfTheirTime(t *testing.T) {
	b := newBackend(t)
	conn := connect(t, b)
	c := agent.NewClient(serial{conn})
	for i := range byte(3) {
		if _, err := c.Sign(b.key.PublicKey(), []byte{i}); err != nil {
			t.Fatal(err)
		}
		exchange(t, conn, bind(i))
	}
	if _, err := agent.NewClient(connect(t, b)).Sign(b.key.PublicKey(), []byte("other")); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 1, 2, 0} {
		if got := len(b.asked[i].Binds); got != want {
			t.Errorf("request %d has %d binds, want %d", i, got, want)
		}
	}
}

// TestBrokenConnectionGivesNoStoredAnswer: after a bad bind even what was
// signed before is not given again, and keys are still listed.
func TestBrokenConnectionGivesNoStoredAnswer(t *testing.T) {
	b := newBackend(t)
	conn := connect(t, b)
	c := agent.NewClient(serial{conn})
	if _, err := c.Sign(b.key.PublicKey(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := exchange(t, conn, append(bind(1), 0)); got[0] != msgFailure {
		t.Error("a bind with more behind it is taken")
	}
	if _, err := c.Sign(b.key.PublicKey(), []byte("x")); err == nil {
		t.Error("a stored signature after a malformed bind")
	}
	if got := exchange(t, conn, bind(1)); got[0] != msgSuccess {
		t.Error("a good bind fails")
	}
	if _, err := c.Sign(b.key.PublicKey(), []byte("x")); err == nil {
		t.Error("a good bind mended the connection")
	}
	if keys, err := c.List(); err != nil || len(keys) != 1 {
		t.Errorf("List = %v, %v", keys, err)
	}
}

// TestAnswersAreKeptWithinBounds: a connection that asks without end is asked
// for again, and grows no more.
func TestAnswersAreKeptWithinBounds(t *testing.T) {
	b := newBackend(t)
	c := newConnection(b, nil)
	for range 2 {
		for i := range maxStored + 6 {
			msg := ssh.Marshal(struct {
				Key   []byte `sshtype:"13"`
				Data  []byte
				Flags uint32
			}{b.key.PublicKey().Marshal(), []byte{byte(i)}, 0})
			if got := c.answer(t.Context(), msg); got[0] != msgSignResponse {
				t.Fatalf("request %d: %v", i, got)
			}
		}
	}
	if len(c.stored) != maxStored || len(b.asked) != maxStored+12 {
		t.Errorf("%d answers are kept, the backend was asked %d times; want %d and %d", len(c.stored), len(b.asked), maxStored, maxStored+12)
	}
}

// TestAnswerOfAnEndedRequestIsNotKept: nobody decided that.
func TestAnswerOfAnEndedRequestIsNotKept(t *testing.T) {
	b := newBackend(t)
	b.deny = true
	c := newConnection(b, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	msg := []byte{13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0}
	c.answer(ctx, msg)
	b.deny = false
	if got := c.answer(t.Context(), msg); got[0] != msgSignResponse {
		t.Errorf("asked again: %v", got)
	}
}

// TestServeEndsWithItsContext: waiting for a request, or in the middle of one.
func TestServeEndsWithItsContext(t *testing.T) {
	for _, busy := range []bool{false, true} {
		b := newBackend(t)
		b.block = make(chan struct{})
		why := errors.New("krd was asked to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		client, server := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- Serve(ctx, server, b, nil) }()
		if busy {
			go agent.NewClient(client).Sign(b.key.PublicKey(), []byte("x"))
			<-b.block
		}
		cancel(why)
		if err := <-done; !errors.Is(err, why) && !(busy && err == nil) {
			t.Errorf("busy = %v: Serve = %v, want the cause", busy, err)
		}
		if busy {
			<-b.gone
		}
		if _, err := client.Write([]byte{0}); err == nil {
			t.Error("the connection is open")
		}
	}
}

// TestClientThatLeavesInAMessage: half a length, half a message.
func TestClientThatLeavesInAMessage(t *testing.T) {
	for _, b := range [][]byte{{0, 0}, {0, 0, 0, 5}, {0, 0, 0, 5, 11, 0}} {
		client, server := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- Serve(context.Background(), server, fixed{}, nil) }()
		client.Write(b)
		client.Close()
		if err := <-done; err != nil {
			t.Errorf("after %v: Serve = %v, want nil", b, err)
		}
	}
}

// FuzzServe: whatever bytes come, Serve ends when the client does, each whole
// message has one reply, and nothing panics.
func FuzzServe(f *testing.F) {
	frame := func(msgs ...[]byte) (out []byte) {
		for _, m := range msgs {
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(m))), m...)
		}
		return out
	}
	sign := []byte{13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0}
	f.Add([]byte{})
	f.Add(frame([]byte{11}))
	f.Add(frame(bind(1), sign, sign, bind(2), []byte{11}))
	f.Add(frame(sign)[:9])
	f.Add([]byte{0, 0, 0, 0, 11})
	f.Fuzz(func(t *testing.T, in []byte) {
		client, server := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- Serve(context.Background(), server, fixed{}, nil) }()
		replies := make(chan int, 1)
		go func() {
			n := 0
			for {
				var head [4]byte
				if _, err := io.ReadFull(client, head[:]); err != nil {
					break
				}
				if _, err := io.CopyN(io.Discard, client, int64(binary.BigEndian.Uint32(head[:]))); err != nil {
					break
				}
				n++
			}
			replies <- n
		}()
		whole := 0
		for rest := in; len(rest) >= 4; whole++ {
			n := binary.BigEndian.Uint32(rest)
			if n == 0 || n > maxMessage || int(n) > len(rest)-4 {
				break
			}
			rest = rest[4+n:]
		}
		client.SetWriteDeadline(time.Now().Add(10 * time.Second))
		client.Write(in)
		client.Close()
		<-done
		if n := <-replies; n > whole {
			t.Errorf("%d replies to %d messages", n, whole)
		}
	})
}
