package pairing

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// met is a pairing after the ack: both ends, and what went between them.
type met struct {
	computer         *Computer
	phone            *Phone
	box              *sealbox.Shared // the computer's
	link             string
	step2, hello     []byte // plaintexts
	ack, me          []byte
	waiting, stepped func() *Computer // the computer before the ack, and before me_response
}

func meet(f *testing.F) met {
	f.Helper()
	must := func(err error) {
		if err != nil {
			f.Fatal(err)
		}
	}
	c, err := NewComputer(wire.Invitation{App: relay, Relay: relay, Rendezvous: [16]byte{1}}, Self{Name: "laptop", Version: "test"})
	must(err)
	m := met{computer: c, link: c.Invitation().Link()}
	m.phone, err = NewPhone(m.link, [16]byte{2})
	must(err)
	first, err := m.phone.First()
	must(err)
	m.step2 = m.phone.Step2
	hello, _, err := c.Accept(now, first)
	must(err)
	m.box = c.box
	m.hello, err = c.box.Open(hello[1:])
	must(err)
	before := *c
	m.waiting = func() *Computer { again := before; return &again }
	ack, err := m.phone.Receive(now, hello, "test", nil)
	must(err)
	m.ack, err = c.box.Open(ack[1:])
	must(err)
	_, err = c.Receive(ack)
	must(err)
	after := *c
	m.stepped = func() *Computer { again := after; return &again }
	m.me, err = wire.Encode(wire.Message{Response: &wire.Response{ID: m.phone.Hello, K: 1, Unix: now.Unix(),
		Me: &wire.MeResponse{Name: "ana", Keys: []wire.SSHKey{{PublicKey: []byte("k"), Name: "default"}}}}})
	must(err)
	return m
}

// FuzzAccept: what anyone who saw the code can seal is dropped, or is a phone's
// 80 bytes, of which the first count and no others after them.
func FuzzAccept(f *testing.F) {
	m := meet(f)
	f.Add(m.step2)
	f.Add(append(make([]byte, 32), m.step2[32:]...)) // a key of low order
	f.Add(m.step2[:79])
	f.Add(append(bytes.Clone(m.step2), 0))
	c, _, _ := m.computer.Keys()
	cPub := c.Public()
	f.Add(append(cPub[:], m.step2[32:]...)) // c_pub as s_pub
	f.Fuzz(func(t *testing.T, plain []byte) {
		body, err := sealbox.SealTo(cPub, plain)
		if err != nil {
			t.Fatal(err)
		}
		frame := wire.NewFrame(wire.HeaderSealed, body)
		fresh := &Computer{inv: m.computer.inv, self: m.computer.self, c: c}
		hello, to, err := fresh.Accept(now, frame)
		if err != nil {
			if !errors.Is(err, ErrDrop) || hello != nil || fresh.Hello() != nil || fresh.step2 != nil {
				t.Errorf("Accept(%x) = %x, %v", plain, hello, err)
			}
			return
		}
		if len(plain) != step2Size || bytes.Equal(plain[:32], cPub[:]) || !bytes.Equal(to[:], plain[64:]) || fresh.Words() != "" {
			t.Errorf("Accept took %x and answers to %x", plain, to)
		}
		if _, _, err := fresh.Accept(now, frame); !errors.Is(err, ErrDrop) {
			t.Errorf("the second: %v, want ErrDrop", err)
		}
	})
}

// FuzzComputerReceive: whatever a phone seals: no words before the commitment
// held, no end before the words, and the words are only those of one n_s.
func FuzzComputerReceive(f *testing.F) {
	m := meet(f)
	notice, err := UnpairNotice(m.box, now, "test")
	if err != nil {
		f.Fatal(err)
	}
	gone, err := m.box.Open(notice[1:])
	if err != nil {
		f.Fatal(err)
	}
	for _, plain := range [][]byte{m.ack, m.me, m.hello, gone} {
		for _, later := range []bool{false, true} {
			f.Add(bytes.TrimRight(plain, " "), later, false)
			f.Add(bytes.TrimRight(plain, " "), later, true)
		}
	}
	words := m.computer.Words()
	f.Fuzz(func(t *testing.T, text []byte, later, epoch bool) {
		c, h, seal := m.waiting(), wire.HeaderSession, m.box.Seal
		if later {
			c = m.stepped()
		}
		if epoch {
			h, seal = wire.HeaderEpoch, m.phone.Epoch.Seal
		}
		body, err := seal(sealbox.Pad(text))
		if err != nil {
			t.Fatal(err)
		}
		done, err := c.Receive(wire.NewFrame(h, body))
		if err != nil && !errors.Is(err, ErrDrop) && !errors.Is(err, ErrCommit) && !errors.Is(err, ErrUnpaired) || done && err != nil {
			t.Errorf("Receive = %v, %v", done, err)
		}
		if done && (!later || c.Words() == "") {
			t.Errorf("done without words, by %q", text)
		}
		if later && c.Words() != words || !later && c.Words() != "" && c.Words() != words {
			t.Errorf("words %q, want %q", c.Words(), words)
		}
	})
}

// FuzzPhoneReceive: whatever a computer seals: one n_c for good, an ack only
// to that, and the phone can be stored and loaded after it.
func FuzzPhoneReceive(f *testing.F) {
	m := meet(f)
	unpair, err := m.computer.Unpair(now)
	if err != nil {
		f.Fatal(err)
	}
	gone, err := m.box.Open(unpair[1:])
	if err != nil {
		f.Fatal(err)
	}
	fresh, err := NewPhone(m.link, [16]byte{2})
	if err != nil {
		f.Fatal(err)
	}
	own, _, _ := m.computer.Keys()
	box, err := sealbox.NewShared(own, fresh.S.Public())
	if err != nil {
		f.Fatal(err)
	}
	for _, plain := range [][]byte{m.hello, m.ack, gone} {
		f.Add(bytes.TrimRight(plain, " "), false)
		f.Add(bytes.TrimRight(plain, " "), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, again bool) {
		p, b := *fresh, box
		if again {
			p, b = *m.phone, m.box
		}
		body, err := b.Seal(sealbox.Pad(text))
		if err != nil {
			t.Fatal(err)
		}
		before := p.Words()
		ack, err := p.Receive(now, wire.NewFrame(wire.HeaderSession, body), "test", nil)
		if err != nil && (ack != nil || !errors.Is(err, ErrDrop) && !errors.Is(err, ErrUnpaired)) {
			t.Errorf("Receive = %x, %v", ack, err)
		}
		if again && p.Words() != before || err != nil && p.Words() != before || err == nil && p.Words() == "" {
			t.Errorf("words %q, then %q, %v", before, p.Words(), err)
		}
		stored, err := json.Marshal(&p)
		if err != nil {
			t.Fatal(err)
		}
		q := new(Phone)
		if err := json.Unmarshal(stored, q); err != nil {
			t.Fatal(err)
		}
		if err := q.Load(); err != nil || q.Words() != p.Words() {
			t.Errorf("loaded again: %v, words %q, want %q", err, q.Words(), p.Words())
		}
	})
}

// FuzzLoad: a stored pairing is an error, or one that works.
func FuzzLoad(f *testing.F) {
	m := meet(f)
	fresh, err := NewPhone(m.link, [16]byte{2})
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range []*Phone{fresh, m.phone} {
		b, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	hello := m.computer.Hello()
	f.Fuzz(func(t *testing.T, b []byte) {
		p := new(Phone)
		if json.Unmarshal(b, p) != nil || p.Load() != nil {
			return
		}
		if _, err := p.First(); err != nil {
			t.Errorf("First: %v", err)
		}
		if (p.Words() == "") != (p.NC == nil) || p.NC != nil && !p.Epoch.Whole() {
			t.Errorf("words %q with n_c %x", p.Words(), p.NC)
		}
		p.Receive(now, hello, "test", nil)
		if _, err := p.Unpair(now, "test"); err != nil {
			t.Errorf("Unpair: %v", err)
		}
	})
}

// FuzzSameWords: two words of the list, in any case and spacing, and no others.
func FuzzSameWords(f *testing.F) {
	f.Add("CABLE FOX", "cable fox")
	f.Add("CABLE FOX", " cable\tfox\n")
	f.Add("CABLE FOX", "cablefox")
	f.Add("KIT KIT", "\u212ait kit") // the Kelvin sign folds to k
	f.Fuzz(func(t *testing.T, a, b string) {
		same := SameWords(a, b)
		if same != SameWords(b, a) || !SameWords(a, a) {
			t.Errorf("SameWords(%q, %q) = %v one way", a, b, same)
		}
		if same && len(strings.Fields(a)) != len(strings.Fields(b)) {
			t.Errorf("%q and %q are the same", a, b)
		}
	})
}
