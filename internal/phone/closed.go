package phone

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"maps"
	"slices"
	"time"

	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// A rule that works while the app is closed. The key is wrapped under a secret
// that takes two halves: L stays here with the wrapped key, T goes to the
// computer in the one answer that is sent, and is forgotten. [kr-protocol] §4.11.
const (
	leaseSalt     = "kryptonite closed lease v1"
	checkSize     = 16                // bytes
	maxWrapped    = 1 << 10           // bytes of a wrapped key
	tokenOnItsWay = 100 * time.Second // how long after a token was sent a request may have been asked without it
)

// lease is the phone's half, as stored.
type lease struct {
	V       int           `json:"v"`
	L       sealbox.Key32 `json:"l"`
	Wrapped []byte        `json:"wrapped"` // by the platform
	Check   []byte        `json:"check"`   // tells T from other tokens, and nothing else about it
	Made    int64         `json:"made_unix_seconds"`
}

// halves are a new lease until its key is wrapped, and the one that it replaces.
// They are in memory only.
type halves struct {
	t, l sealbox.Key32
	old  *lease
}

// opener is what opens a wrapped key.
type opener struct{ key, wrapped []byte }

// over is a lease that ended before its time: its computer is told.
type over struct {
	pairing, rule string
	until         int64
}

func newHalves(old *lease) *halves {
	h := &halves{old: old}
	for _, b := range [][]byte{h.t[:], h.l[:]} {
		if _, err := rand.Read(b); err != nil {
			panic("phone: bug: no randomness: " + err.Error())
		}
	}
	return h
}

// derive yields the key that wraps the SSH key, and the check.
func (h *halves) derive(r policy.Rule) (key, check []byte) {
	ikm := append(h.t[:len(h.t):len(h.t)], h.l[:]...)
	b, err := hkdf.Key(sha256.New, ikm, []byte(leaseSalt), r.Pairing+"/"+r.ID+"/"+r.Key, len(h.t)+checkSize)
	if err != nil {
		panic("phone: bug: HKDF: " + err.Error())
	}
	return b[:len(h.t):len(h.t)], b[len(h.t):]
}

// takeTokens takes the tokens out of a request, which is stored, as they are not.
func takeTokens(r *wire.Request) []wire.LeaseToken {
	if r.Sign == nil {
		return nil
	}
	tokens := r.Sign.LeaseTokens
	r.Sign.LeaseTokens = nil
	return tokens
}

// opens is what opens the key under a rule, if the computer brought its half.
func (c *Core) opens(r policy.Rule, tokens []wire.LeaseToken) *opener {
	l := c.leases[r.ID]
	if l == nil {
		return nil
	}
	for _, t := range tokens {
		if t.Rule != r.ID {
			continue
		}
		key, check := (&halves{t: t.Token, l: l.L}).derive(r)
		if subtle.ConstantTimeCompare(check, l.Check) == 1 {
			return &opener{key, l.Wrapped}
		}
	}
	return nil
}

// wrap adds to a Sign that somebody else than a token opens the key for that it
// be wrapped, if that is wanted and there is no token on its way.
func (c *Core) wrap(rec *reqRecord, e *Sign) {
	r, ok := c.rules[rec.Rule]
	if !ok || !r.Closed {
		return
	}
	old := c.leases[r.ID]
	if old != nil && rec.Request.Unix <= old.Made+int64(tokenOnItsWay/time.Second) {
		return
	}
	rec.halves = newHalves(old)
	e.Wrap, _ = rec.halves.derive(r)
	e.Renew = old != nil
}

// wrapped takes the wrapped key that a Wrap asked for, and returns the token for
// the computer. A rule whose key was not wrapped goes on as one without Closed;
// one whose key was not wrapped anew may be luckier next time.
func (c *Core) wrapped(now time.Time, rec *reqRecord, blob []byte) ([]Effect, wire.LeaseToken) {
	h := rec.halves
	r, ok := c.rules[rec.Rule]
	if h == nil || !ok || !r.Closed || r.Over(now) || c.leases[r.ID] != h.old { // another one may have been wrapped at the same time
		return nil, wire.LeaseToken{}
	}
	switch bad := len(blob) == 0 || len(blob) > maxWrapped; {
	case bad && h.old == nil:
		r.Closed = false
		c.rules[r.ID] = r
		return []Effect{putRule(r)}, wire.LeaseToken{}
	case bad:
		return nil, wire.LeaseToken{}
	}
	_, check := h.derive(r)
	l := &lease{V: recordVersion, L: h.l, Wrapped: slices.Clone(blob), Check: check, Made: now.Unix()}
	c.leases[r.ID] = l
	return []Effect{put(leasePrefix+r.ID, l)}, wire.LeaseToken{Rule: r.ID, Token: h.t, Until: r.Until}
}

// dropLease deletes the phone's half of a rule.
func (c *Core) dropLease(r policy.Rule) []Effect {
	if c.leases[r.ID] == nil {
		return nil
	}
	delete(c.leases, r.ID)
	c.over = append(c.over, over{r.Pairing, r.ID, r.Until})
	return []Effect{Store{Key: leasePrefix + r.ID}}
}

// dropStray deletes halves that no rule is there for.
func (c *Core) dropStray() []Effect {
	var effects []Effect
	for _, id := range slices.Sorted(maps.Keys(c.leases)) {
		if _, ok := c.rules[id]; !ok {
			effects = append(effects, c.dropLease(policy.Rule{ID: id})...)
		}
	}
	return effects
}

// tellOver tells the computers that tokens are of no use any more, unless their
// time is over: they know that themselves.
func (c *Core) tellOver(now time.Time) []Effect {
	gone := map[string][]string{}
	for _, o := range c.over {
		if now.Unix() < o.until {
			gone[o.pairing] = append(gone[o.pairing], o.rule)
		}
	}
	c.over = nil
	var effects []Effect
	for _, p := range c.sorted() {
		if rules := gone[p.id]; p.State == statePaired && len(rules) > 0 {
			effects = append(effects, c.notify(now, p, wire.Notice{LeasesOver: rules})...)
		}
	}
	return effects
}

// check reports what is missing in a lease.
func (l *lease) check() error {
	if l.L == (sealbox.Key32{}) || len(l.Wrapped) == 0 || len(l.Wrapped) > maxWrapped || len(l.Check) != checkSize {
		return errors.New("a half of it, or the wrapped key, is missing")
	}
	return nil
}
