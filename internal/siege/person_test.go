package siege

import (
	"crypto/sha256"
	"sync"
	"testing"

	"kryptonite/internal/phone"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// person holds the phone. What they were shown and what they answered is what counts.
type person struct {
	t      testing.TB
	answer func(phone.Card) (allow, ok bool) // ok false: they do not look

	mu      sync.Mutex
	shown   map[wire.ID]phone.Card
	said    map[wire.ID]bool // what they answered, once it was durable
	signed  map[wire.ID][sha256.Size]byte
	payload map[[sha256.Size]byte]bool // allowed, and signed
}

func newPerson(t testing.TB, answer func(phone.Card) (allow, ok bool)) *person {
	return &person{t: t, answer: answer, shown: map[wire.ID]phone.Card{}, said: map[wire.ID]bool{},
		signed: map[wire.ID][sha256.Size]byte{}, payload: map[[sha256.Size]byte]bool{}}
}

// see shows a card.
func (p *person) see(c phone.Card) (allow, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.said[c.Request]; twice {
		p.t.Errorf("request %s is asked again after it was decided", c.Request)
	}
	p.shown[c.Request] = c
	return p.answer(c)
}

// decided notes an answer that the phone keeps.
func (p *person) decided(id wire.ID, allow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said[id] = allow
}

// sign checks what the core wants to have signed: it was shown as what it is, was
// allowed, and is all that is ever signed for that decision.
func (p *person) sign(s phone.Sign) {
	p.mu.Lock()
	defer p.mu.Unlock()
	card, seen := p.shown[s.Request]
	sum := sha256.Sum256(s.Payload)
	before, again := p.signed[s.Request]
	u, err := sshwire.ParseUserauth(s.Payload)
	switch {
	case !seen || !p.said[s.Request]:
		p.t.Errorf("request %s is signed: shown %t, allowed %t", s.Request, seen, p.said[s.Request])
	case err != nil || u.User != card.User:
		p.t.Errorf("request %s is signed: it logs in as %q, %q was shown, %v", s.Request, u.User, card.User, err)
	case again && before != sum:
		p.t.Errorf("request %s is signed with a second payload", s.Request)
	}
	p.signed[s.Request], p.payload[sum] = sum, true
}

// mayHave reports whether a computer may hold a signature over payload.
func (p *person) mayHave(payload []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.payload[sha256.Sum256(payload)]
}

// decisions is how many answers were kept, and how many of them were a yes.
func (p *person) decisions() (all, yes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, allow := range p.said {
		if all++; allow {
			yes++
		}
	}
	return all, yes
}

// account holds the phone's log against what the person decided: an entry for each
// answer, and no second one for anything.
func (p *person) account(h *handset) {
	log, older := h.entries()
	p.mu.Lock()
	defer p.mu.Unlock()
	missing := 0
	for id := range p.said {
		if log[id] == 0 {
			missing++
		}
	}
	if missing > older {
		p.t.Errorf("%d decisions are not in the log, which has had %d older entries", missing, older)
	}
	for id, n := range log {
		if n > 1 {
			p.t.Errorf("request %s is in the log %d times", id, n)
		}
	}
}
