package sshagent

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh/agent"
)

// TestQuery names the extensions there are. [PROTOCOL.agent] §3.8.1.
func TestQuery(t *testing.T) {
	conn := connect(t, fixed{})
	want := "\x1d\x00\x00\x00\x05query\x00\x00\x00\x05query\x00\x00\x00\x18session-bind@openssh.com"
	if got := exchange(t, conn, []byte("\x1b\x00\x00\x00\x05query")); string(got) != want {
		t.Errorf("query: %q, want %q", got, want)
	}
	if got, err := agent.NewClient(serial{conn}).Extension("query", nil); err != nil || string(got) != want {
		t.Errorf("x/crypto's client: %q, %v", got, err)
	}
}

// TestABindInBetweenIsAnotherRequest: the phone may judge it otherwise.
func TestABindInBetweenIsAnotherRequest(t *testing.T) {
	b := newBackend(t)
	conn := connect(t, b)
	for i, want := range []int{1, 1, 2, 2, 3} {
		if i == 2 || i == 4 {
			exchange(t, conn, bind(byte(i)))
		}
		if got := exchange(t, conn, signMessage(b, "x")); got[0] != msgSignResponse || len(b.asked) != want {
			t.Errorf("request %d: %d, asked %d times, want %d", i, got[0], len(b.asked), want)
		}
	}
}

// withdrawn is a backend whose first request ends because krd ends.
type withdrawn struct {
	fixed
	asked *int
}

func (b withdrawn) Sign(context.Context, Request) ([]byte, error) {
	*b.asked++
	switch *b.asked {
	case 1:
		return nil, context.Canceled
	case 2:
		return nil, errors.New("declined")
	}
	return []byte("sig"), nil
}

// TestOnlyDecisionsAreStored: not that krd stopped, nor that the other agent
// refused a key that it may get in a moment.
func TestOnlyDecisionsAreStored(t *testing.T) {
	asked := 0
	c := newConnection(withdrawn{asked: &asked}, nil)
	msg := []byte{13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0}
	for range 4 {
		if got := c.answer(t.Context(), msg); got[0] != msgFailure {
			t.Fatalf("answer %v", got)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2: the end of krd is asked again, the refusal is not", asked)
	}
	n := 0
	a := &another{reply: func(int, []byte) []byte { n++; return []byte{[]byte{msgFailure, msgSignResponse}[n-1]} }}
	conn := connectWith(t, oneKey{newBackend(t)}, a.other())
	for _, want := range []byte{msgFailure, msgSignResponse} {
		if got := exchange(t, conn, msg); got[0] != want {
			t.Errorf("the other agent's answer %d, want %d", got[0], want)
		}
	}
}

// TestSlowClient writes a byte every ten seconds, and is answered.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- Serve(t.Context(), server, fixed{}, nil) }()
		for _, b := range []byte{0, 0, 0, 15, 13, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0} {
			time.Sleep(10 * time.Second)
			if _, err := client.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := readMessage(client); err != nil || got[0] != msgSignResponse {
			t.Errorf("answer %v, %v", got, err)
		}
		client.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestTriesEachKey: a client that lists first and signs with each key, as
// paramiko does, gets from each its own kind of answer, and the connection lives.
func TestTriesEachKey(t *testing.T) {
	_, o := keyring(t, mustEd25519(t), mustEd25519(t))
	b := oneKey{newBackend(t)}
	c := agent.NewClient(connectWith(t, b, o))
	signers, err := c.Signers()
	if err != nil || len(signers) != 3 {
		t.Fatal(signers, err)
	}
	for range 2 {
		for _, s := range signers {
			sig, err := s.Sign(nil, []byte("data"))
			if err != nil || s.PublicKey().Verify([]byte("data"), sig) != nil {
				t.Errorf("%s: %v", s.PublicKey().Type(), err)
			}
		}
	}
	if len(b.asked) != 1 {
		t.Errorf("the phone was asked %d times for the same bytes", len(b.asked))
	}
}

// TestManyInFlight: more requests at once than are read ahead, to both agents.
func TestManyInFlight(t *testing.T) {
	_, o := keyring(t, mustEd25519(t))
	conn := connectWith(t, oneKey{newBackend(t)}, o)
	const n = 20 * maxInFlight
	go func() {
		for i := range n {
			conn.Write(append(binary.BigEndian.AppendUint32(nil, 1), []byte{msgRequestIdentities, 99, msgRemoveAll}[i%3]))
		}
	}()
	for i := range n {
		want := []byte{msgIdentitiesAnswer, msgFailure, msgSuccess}[i%3]
		if got, err := readMessage(conn); err != nil || got[0] != want {
			t.Fatalf("reply %d: %v, %v, want type %d", i, got, err, want)
		}
	}
}
