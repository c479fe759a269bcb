package siege

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"math"
	"math/bits"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

var guesses = flag.Int("guesses", 150, "attempts of each kind in TestWordsCannotBeGround")

const wordBits = 22

// wordsOf are the bits that the two words stand for, as docs/protocol.md §3.4 has
// them; written anew here, as an attacker would.
func wordsOf(inv wire.Invitation, step2, nC, nS []byte) uint32 {
	_, payload, _ := strings.Cut(inv.Link(), "#")
	code := sha256.Sum256([]byte(payload))
	all := append([]byte("kryptonite pair words v1"), code[:]...)
	all = append(append(all, inv.CPub[:]...), step2...)
	sum := sha256.Sum256(append(append(all, nC...), nS...))
	return binary.BigEndian.Uint32(sum[:]) >> (32 - wordBits)
}

// same is how many bits two pairs of words have in common before they differ.
func same(a, b uint32) int { return min(wordBits, bits.LeadingZeros32((a^b)<<(32-wordBits))) }

// middle is who made a person scan another code than the computer shows: c is of that
// code, and what it knows of the phone at its one end.
type middle struct {
	t     *testing.T
	c     sealbox.PrivateKey
	inv   wire.Invitation // the swapped code
	phone *pairing.Phone  // the victim's
	box   *sealbox.Shared
	step2 []byte // the phone's
}

// swap has a new phone scan a code of the attacker's.
func swap(t *testing.T) *middle {
	t.Helper()
	m := &middle{t: t, inv: wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{2}}}
	var err error
	if m.c, err = sealbox.NewKey(); err != nil {
		t.Fatal(err)
	}
	m.inv.CPub = m.c.Public()
	if m.phone, err = pairing.NewPhone(m.inv.Link(), [16]byte{}); err != nil {
		t.Fatal(err)
	}
	first, err := m.phone.First()
	if err != nil {
		t.Fatal(err)
	}
	if m.step2, err = sealbox.OpenSealed(m.c, first[1:]); err != nil {
		t.Fatal(err)
	}
	if m.box, err = sealbox.NewShared(m.c, sealbox.PublicKey(m.step2[:32])); err != nil {
		t.Fatal(err)
	}
	return m
}

// hello tells the phone nC, and returns its n_s.
func (m *middle) hello(nC []byte) (nS []byte) {
	m.t.Helper()
	eC, err := sealbox.NewKey()
	if err != nil {
		m.t.Fatal(err)
	}
	pub := eC.Public()
	frame := seal(m.t, m.box, wire.Message{Request: &wire.Request{ID: wire.ID{1}, K: wire.Protocol, EphemeralC: &pub, Me: &wire.MeRequest{NC: nC}}})
	ack, err := m.phone.Receive(time.Now(), frame, "test", nil)
	if err != nil {
		return nil
	}
	plain, err := m.box.Open(ack[1:])
	if err != nil {
		m.t.Fatal(err)
	}
	answer, err := wire.Decode(plain)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer.Response.Ack.NS
}

// seal seals a message under session keys.
func seal(t testing.TB, box *sealbox.Shared, msg wire.Message) []byte {
	t.Helper()
	plain, err := wire.Encode(msg)
	if err != nil {
		t.Fatal(err)
	}
	body, err := box.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return wire.NewFrame(wire.HeaderSession, body)
}

// shown is a computer that shows a code.
func shown(t *testing.T) *pairing.Computer {
	t.Helper()
	c, err := newComputer("laptop")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// join takes part in a computer's pairing with a phone of one's own, and returns n_c.
func join(t *testing.T, c *pairing.Computer, p *pairing.Phone) (nC []byte) {
	t.Helper()
	first, err := p.First()
	if err != nil {
		t.Fatal(err)
	}
	hello, _, err := c.Accept(time.Now(), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Receive(time.Now(), hello, "test", nil); err != nil {
		t.Fatal(err)
	}
	return p.NC
}

const candidates = 64 // of which the attacker takes the best

// computerFirst joins the computer's pairing, knows its words, and then looks for an n_c for
// the phone: n_s is committed, but hidden.
func computerFirst(t *testing.T) (computer, phone uint32) {
	m, c := swap(t), shown(t)
	p, err := pairing.NewPhone(c.Invitation().Link(), [16]byte{})
	if err != nil {
		t.Fatal(err)
	}
	nC := join(t, c, p)
	computer = wordsOf(c.Invitation(), p.Step2, nC, p.NS)
	best, score := make([]byte, pairing.NonceSize), -1
	for range candidates {
		try := make([]byte, pairing.NonceSize)
		rand.Read(try)
		if s := same(computer, wordsOf(m.inv, m.step2, try, make([]byte, pairing.NonceSize))); s > score {
			best, score = try, s
		}
	}
	nS := m.hello(best)
	return computer, wordsOf(m.inv, m.step2, best, nS)
}

// phoneFirst says hello to the phone, knows its words, and then looks for an s and an
// n_s for the computer: n_c is drawn only once it has both.
func phoneFirst(t *testing.T) (computer, phone uint32) {
	m, c := swap(t), shown(t)
	nC := make([]byte, pairing.NonceSize)
	rand.Read(nC)
	phone = wordsOf(m.inv, m.step2, nC, m.hello(nC))
	var best *pairing.Phone
	score := -1
	for range candidates / 8 {
		p, err := pairing.NewPhone(c.Invitation().Link(), [16]byte{})
		if err != nil {
			t.Fatal(err)
		}
		if s := same(phone, wordsOf(c.Invitation(), p.Step2, make([]byte, pairing.NonceSize), p.NS)); s > score {
			best, score = p, s
		}
	}
	nC = join(t, c, best)
	return wordsOf(c.Invitation(), best.Step2, nC, best.NS), phone
}

// TestWordsCannotBeGround: who sits between computer and phone and takes the best of
// many keys and nonces is as likely to get k equal bits as who guesses: one in 2^k,
// so both words once in 4,194,304 codes that a person scans.
func TestWordsCannotBeGround(t *testing.T) {
	for name, attack := range map[string]func(*testing.T) (computer, phone uint32){"the computer first": computerFirst, "the phone first": phoneFirst} {
		tally := attacktest.New(t, "words ground, "+name)
		var got [wordBits + 1]int
		for range *guesses {
			computer, phone := attack(t)
			for k := range same(computer, phone) + 1 {
				got[k]++
			}
			if computer != phone {
				tally.Rejected() // two persons see other words
			} else {
				tally.Harmless() // luck: how often is judged below
			}
		}
		for k := 1; k <= wordBits; k++ {
			want := float64(*guesses) / math.Pow(2, float64(k))
			if tail(got[k], want) < 1e-9 {
				tally.Succeeded("%s: the first %d bits are equal in %d of %d attempts, chance gives %.3f", name, k, got[k], *guesses, want)
			}
		}
		if got[1] == 0 || got[1] == *guesses {
			t.Errorf("%s: the first bit is equal in %d of %d attempts", name, got[1], *guesses)
		}
		t.Logf("%s: equal in the first bit %d, in 2 bits %d, in 4 bits %d, in 6 bits %d, in all %d, of %d", name, got[1], got[2], got[4], got[6], got[wordBits], *guesses)
	}
}

// tail is how likely it is that at least n come where mean are expected (Poisson,
// which has more of a tail than the binomial that it is).
func tail(n int, mean float64) float64 {
	if float64(n) <= mean {
		return 1
	}
	p, term := 0.0, math.Exp(-mean)
	for i := range n + 200 {
		if i > 0 {
			term *= mean / float64(i)
		}
		if i >= n {
			p += term
		}
	}
	return p
}
