package pairing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
	"kryptonite/vectors"
)

var now = time.Unix(1_795_000_000, 0)

const relay = "http://127.0.0.1:8080"

func newComputer(t *testing.T) *Computer {
	t.Helper()
	c, err := NewComputer(wire.Invitation{App: relay, Relay: relay, Rendezvous: [16]byte{1}}, Self{Name: "laptop", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newPhone(t *testing.T, c *Computer) (*Phone, []byte) {
	t.Helper()
	p, err := NewPhone(c.Invitation().Link(), [16]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	frame, err := p.First()
	if err != nil {
		t.Fatal(err)
	}
	return p, frame
}

// reload stores and loads the phone's state, as a page that is opened again.
func reload(t *testing.T, p *Phone) *Phone {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	q := new(Phone)
	if err := json.Unmarshal(b, q); err != nil {
		t.Fatal(err)
	}
	if err := q.Load(); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestPairingGivesBothTheSame(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	p = reload(t, p)
	hello, to, err := c.Accept(now, first)
	if err != nil || to != [16]byte{2} {
		t.Fatalf("Accept = %x, %v", to, err)
	}
	if c.Words() != "" || p.Words() != "" {
		t.Fatal("words are shown too early")
	}
	ack, err := p.Receive(now, hello, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	p = reload(t, p)
	again, err := p.Receive(now, c.Hello(), "test", nil)
	if err != nil {
		t.Fatal("a repeated hello is acked again:", err)
	}
	for _, frame := range [][]byte{ack, again} {
		if _, err := c.Receive(frame); err != nil && !errors.Is(err, ErrDrop) {
			t.Fatal(err)
		}
	}
	if c.Words() == "" || c.Words() != p.Words() || c.Words() != reload(t, p).Words() {
		t.Fatalf("words: %q and %q", c.Words(), p.Words())
	}
	_, _, e := c.Keys()
	if e.ID != p.Epoch.ID || e.Send != p.Epoch.Recv || e.Recv != p.Epoch.Send {
		t.Fatal("the epochs differ")
	}
	plain, err := wire.Encode(wire.Message{Response: &wire.Response{ID: p.Hello, K: 1, Me: &wire.MeResponse{Name: "ana"}}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := p.Epoch.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	done, err := c.Receive(wire.NewFrame(wire.HeaderEpoch, body))
	if err != nil || !done || c.Peer().Name != "ana" {
		t.Fatalf("me_response: %v, %v, %q", done, err, c.Peer().Name)
	}
}

// TestResponseOvertakesTheAck: links keep no order. Strangers' frames in between
// change nothing.
func TestResponseOvertakesTheAck(t *testing.T) {
	for strangers := range maxEarly {
		c := newComputer(t)
		p, first := newPhone(t, c)
		ack := step[[]byte](t)(p.Receive(now, mustAccept(t, c, first), "test", nil))
		for range strangers {
			c.Receive(wire.NewFrame(wire.HeaderEpoch, make([]byte, 600)))
		}
		if done, err := c.Receive(meResponse(t, p, "ana")); done || !errors.Is(err, ErrDrop) || c.Peer().Name != "" {
			t.Errorf("me_response before the ack: %v, %v, %q", done, err, c.Peer().Name)
		}
		if done, err := c.Receive(ack); !done || err != nil || c.Peer().Name != "ana" || c.Words() != p.Words() {
			t.Errorf("then the ack: %v, %v, %q", done, err, c.Peer().Name)
		}
	}
}

// TestEarlyFramesAreBounded: whoever floods the computer before the ack fills
// no memory; the me_response is taken when it comes again.
func TestEarlyFramesAreBounded(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	ack := step[[]byte](t)(p.Receive(now, mustAccept(t, c, first), "test", nil))
	for range maxEarly {
		c.Receive(wire.NewFrame(wire.HeaderEpoch, make([]byte, 600)))
	}
	me := meResponse(t, p, "ana")
	c.Receive(me)
	if done, err := c.Receive(ack); done || err != nil {
		t.Errorf("the ack behind %d early frames: %v, %v", maxEarly+1, done, err)
	}
	if done, err := c.Receive(me); !done || err != nil {
		t.Errorf("the me_response again: %v, %v", done, err)
	}
}

func TestSecondPhoneCannotStealPairing(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	_, second := newPhone(t, c)
	hello, _, err := c.Accept(now, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Accept(now, second); !errors.Is(err, ErrDrop) {
		t.Fatalf("second 0x02: %v, want ErrDrop", err)
	}
	if _, err := p.Receive(now, hello, "test", nil); err != nil {
		t.Fatal(err)
	}
}

// TestManInTheMiddleIsSeen: someone who saw the code answers in the phone's
// place and shows himself to the phone as the computer. He cannot make the
// words agree: he is committed to n_s before he learns n_c.
func TestManInTheMiddleIsSeen(t *testing.T) {
	c := newComputer(t)
	p, _ := newPhone(t, c)
	mallory, first := newPhone(t, c)
	hello, _, err := c.Accept(now, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mallory.Receive(now, hello, "test", nil); err != nil {
		t.Fatal(err)
	}
	// He opens his commitment to another nonce: the computer burns the code.
	mallory.NS = p.NS
	ack, err := mallory.Receive(now, hello, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(ack); !errors.Is(err, ErrCommit) {
		t.Fatalf("another n_s: %v, want ErrCommit", err)
	}
	// The real phone opens nothing of a hello that was not meant for it.
	if _, err := p.Receive(now, hello, "test", nil); !errors.Is(err, ErrDrop) {
		t.Fatalf("foreign hello: %v, want ErrDrop", err)
	}
}

func TestPhoneTakesOneNonceOnly(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	twin := *c // the same keys, another n_c
	hello, _, err := c.Accept(now, first)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := twin.Accept(now, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Receive(now, hello, "test", nil); err != nil {
		t.Fatal(err)
	}
	words := p.Words()
	if _, err := p.Receive(now, other, "test", nil); !errors.Is(err, ErrDrop) {
		t.Fatalf("another n_c: %v, want ErrDrop", err)
	}
	if p.Words() != words {
		t.Fatal("another n_c changed the words")
	}
}

func TestBadPublicKeysAreDropped(t *testing.T) {
	c := newComputer(t)
	own, _, _ := c.Keys()
	cPub := own.Public()
	for name, s := range map[string]sealbox.PublicKey{"zero": {}, "one": {1}, "c_pub": cPub} {
		step2 := append(append(s[:], make([]byte, 32)...), make([]byte, 16)...)
		body, err := sealbox.SealTo(cPub, step2)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Accept(now, wire.NewFrame(wire.HeaderSealed, body)); !errors.Is(err, ErrDrop) {
			t.Errorf("s_pub = %s: %v, want ErrDrop", name, err)
		}
	}
	for _, n := range []int{0, 79, 81} {
		body, err := sealbox.SealTo(cPub, make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Accept(now, wire.NewFrame(wire.HeaderSealed, body)); !errors.Is(err, ErrDrop) {
			t.Errorf("0x02 of %d bytes: %v, want ErrDrop", n, err)
		}
	}
	_, first := newPhone(t, c)
	if _, _, err := c.Accept(now, first); err != nil {
		t.Errorf("the right phone after all that: %v", err)
	}
}

func TestEveryFlippedBitIsDropped(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	each := func(frame []byte, take func([]byte) error) {
		t.Helper()
		for i := range frame {
			bad := bytes.Clone(frame)
			bad[i] ^= 1
			if err := take(bad); !errors.Is(err, ErrDrop) {
				t.Fatalf("byte %d: %v, want ErrDrop", i, err)
			}
		}
	}
	each(first, func(b []byte) error { _, _, err := c.Accept(now, b); return err })
	hello, _, err := c.Accept(now, first)
	if err != nil {
		t.Fatal(err)
	}
	each(hello, func(b []byte) error { _, err := p.Receive(now, b, "test", nil); return err })
	ack, err := p.Receive(now, hello, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	each(ack, func(b []byte) error { _, err := c.Receive(b); return err })
	if _, err := c.Receive(ack); err != nil || c.Words() != p.Words() {
		t.Fatal("the right ack after all that:", err)
	}
	if _, err := p.Receive(now, ack, "test", nil); !errors.Is(err, ErrDrop) {
		t.Errorf("a reflected ack: %v, want ErrDrop", err)
	}
	if _, err := c.Receive(hello); !errors.Is(err, ErrDrop) {
		t.Errorf("a reflected hello: %v, want ErrDrop", err)
	}
}

func TestNoOnEitherSideEndsBoth(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	hello, _, err := c.Accept(now, first)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := p.Receive(now, hello, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(ack); err != nil {
		t.Fatal(err)
	}
	notice, err := p.Unpair(now, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(notice); !errors.Is(err, ErrUnpaired) {
		t.Errorf("no on the phone: %v, want ErrUnpaired", err)
	}
	request, err := c.Unpair(now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Receive(now, request, "test", nil); !errors.Is(err, ErrUnpaired) {
		t.Errorf("no at the computer: %v, want ErrUnpaired", err)
	}
}

func TestWordVectors(t *testing.T) {
	b, err := vectors.FS.ReadFile("sodium.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Kind          string
			C             string `json:"c_pub"`
			S             string `json:"s_pub"`
			NC            string `json:"n_c"`
			NS            string `json:"n_s"`
			Payload       string `json:"payload_hash"`
			Step2         string
			First, Second int
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, v := range file.Vectors {
		if v.Kind != "words" {
			continue
		}
		n++
		dec := func(s string) []byte {
			b, err := hex.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		c, s := sealbox.PublicKey(dec(v.C)), sealbox.PublicKey(dec(v.S))
		want := wordList[v.First] + " " + wordList[v.Second]
		if got := words([32]byte(dec(v.Payload)), c, dec(v.Step2), dec(v.NC), dec(v.NS)); !SameWords(got, want) {
			t.Errorf("words = %q, want %q", got, want)
		}
		if got := commitment(c, s, dec(v.NS)); !bytes.Equal(got[:], dec(v.Step2)[32:64]) {
			t.Errorf("commitment = %x, want %x", got, dec(v.Step2)[32:64])
		}
	}
	if n == 0 {
		t.Fatal("no vectors")
	}
}

func TestWordListTellsWordsApart(t *testing.T) {
	if len(wordList) != 2048 {
		t.Fatalf("%d words, want 2048", len(wordList))
	}
	seen := map[string]bool{}
	for _, w := range wordList {
		prefix := w[:min(4, len(w))]
		if seen[prefix] {
			t.Errorf("two words begin with %q", prefix)
		}
		seen[prefix] = true
	}
}
