package phone

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

const (
	maxSeq    = 1<<53 - 1 // of a notice: what every reader of JSON keeps
	maxBlob   = 1 << 10   // bytes of a public key
	noSuchKey = "this phone has no such key"

	maxPasskeyData = 16 << 10 // bytes to sign: a passkey's signature repeats them in base64
	maxSignature   = 32 << 10 // bytes of a signature: in base64 it still fits a frame
)

// KeysChanged says which keys this phone has from now on: after one was made,
// renamed or deleted. They must pass CheckKeys.
type KeysChanged struct{ Keys []wire.SSHKey }

// AllowKey is a person who shows a key to a computer, or hides it.
type AllowKey struct {
	Pairing     string
	Fingerprint string
	Allow       bool
}

func (KeysChanged) event() {}
func (AllowKey) event()    {}

// keyState is what a pairing knows of keys. [kr-protocol] §4.10.
type keyState struct {
	Allowed  []string `json:"allowed_keys"`              // fingerprints, the first is offered first; nil: of a time when there was one key
	ToldKeys string   `json:"told_keys,omitempty"`       // stands for what was told last: the list, the wakers, locked or not
	KeysSeq  int64    `json:"notice_seq,omitempty"`      // of the notice that told it; 0: the me_response did
	KeysSeen int64    `json:"seen_notice_seq,omitempty"` // the newest one that the computer said to have
}

// KeyFits reports, for people, why a phone that has these keys cannot have one more
// of this name.
func KeyFits(keys []wire.SSHKey, name string) error {
	if len(keys) >= wire.MaxKeys {
		return fmt.Errorf("this phone has %d keys, and no more fit: delete one first", len(keys))
	}
	if slices.ContainsFunc(keys, func(k wire.SSHKey) bool { return strings.EqualFold(k.Name, name) }) {
		return errors.New("another key has this name: choose another one")
	}
	return nil
}

// CheckKeys reports why these cannot be the keys of a phone. Too many can: the first
// [wire.MaxKeys] of them are used, so that people can delete one.
func CheckKeys(keys []wire.SSHKey) error {
	for _, k := range keys {
		if len(k.PublicKey) == 0 || len(k.PublicKey) > maxBlob || utf8.RuneCountInString(k.Name) > maxNameRunes {
			return errors.New("phone: a key without public key, or with a long one or a long name")
		}
	}
	return nil
}

// allowedKey is the key with this fingerprint if p's computer may use it. It
// does not tell a hidden key from one that is not there.
func (c *Core) allowedKey(p *pairRecord, fp string) (wire.SSHKey, bool) {
	if p == nil || !slices.Contains(p.Allowed, fp) {
		return wire.SSHKey{}, false
	}
	i := slices.IndexFunc(c.cfg.Keys, func(k wire.SSHKey) bool { return sshwire.Fingerprint(k.PublicKey) == fp })
	if i < 0 {
		return wire.SSHKey{}, false
	}
	return c.cfg.Keys[i], true
}

// visible is all that p's computer may see; an empty list is not nil.
func (c *Core) visible(p *pairRecord) []wire.SSHKey {
	out := []wire.SSHKey{}
	for _, fp := range p.Allowed {
		if k, ok := c.allowedKey(p, fp); ok {
			out = append(out, k)
		}
	}
	return out
}

// Sees reports whether a paired computer sees the key with this fingerprint.
func (c *Core) Sees(pairing, fingerprint string) bool {
	_, ok := c.allowedKey(c.pairings[pairing], fingerprint)
	return ok
}

// allowFirst lets the computer of a new pairing see the phone's first key, and
// notes that it is told so by the me_response.
func (c *Core) allowFirst(p *pairRecord) {
	p.Allowed = []string{}
	if len(c.cfg.Keys) > 0 {
		p.Allowed = append(p.Allowed, sshwire.Fingerprint(c.cfg.Keys[0].PublicKey))
	}
	p.ToldKeys = stateHash(c.visible(p), c.wakers())
}

// allowKey takes the person's word on one key and one computer. A key that is
// shown comes last in its list.
func (c *Core) allowKey(now time.Time, ev AllowKey) []Effect {
	p := c.pairings[ev.Pairing]
	if p == nil || p.State != statePaired || c.Sees(ev.Pairing, ev.Fingerprint) == ev.Allow {
		return nil
	}
	p.Allowed = slices.DeleteFunc(slices.Clone(p.Allowed), func(fp string) bool {
		return fp == ev.Fingerprint || !c.has(fp)
	})
	if ev.Allow && c.has(ev.Fingerprint) {
		p.Allowed = append(p.Allowed, ev.Fingerprint)
	}
	return append(c.tell(now, p), c.declineBarred(now, p)...)
}

func firstKeys(keys []wire.SSHKey) []wire.SSHKey {
	return slices.Clone(keys[:min(len(keys), wire.MaxKeys)])
}

func (c *Core) has(fp string) bool {
	return slices.ContainsFunc(c.cfg.Keys, func(k wire.SSHKey) bool { return sshwire.Fingerprint(k.PublicKey) == fp })
}

// keysChanged takes the phone's new keys. One that is gone is hidden from all;
// should it come back, it has to be shown again.
func (c *Core) keysChanged(now time.Time, keys []wire.SSHKey) []Effect {
	if err := CheckKeys(keys); err != nil {
		panic("phone: bug: " + err.Error())
	}
	c.cfg.Keys = firstKeys(keys)
	var effects []Effect
	for _, p := range c.sorted() {
		if p.State != statePaired {
			continue
		}
		before := len(p.Allowed)
		p.Allowed = slices.DeleteFunc(slices.Clone(p.Allowed), func(fp string) bool { return !c.has(fp) })
		told := c.tell(now, p)
		if len(told) == 0 && len(p.Allowed) != before {
			told = []Effect{c.putPairing(p)}
		}
		effects = append(append(effects, told...), c.declineBarred(now, p)...)
	}
	return effects
}

// tell makes durable that the list of keys, the wakers, or whether the computer is
// locked are other than it was told, and sends all that.
func (c *Core) tell(now time.Time, p *pairRecord) []Effect {
	h := stateHash(c.visible(p), c.wakers())
	if p.Locked != 0 {
		h = "locked " + h
	}
	if h == p.ToldKeys {
		return nil
	}
	p.ToldKeys, p.KeysSeq = h, max(p.KeysSeq+1, now.UnixMilli())
	return append([]Effect{c.putPairing(p)}, c.keysNotice(now, p)...)
}

// startKeys tells at a start what changed while no core ran, and tells again
// what the computer has not been seen to have.
func (c *Core) startKeys(now time.Time, p *pairRecord) []Effect {
	if p.State != statePaired {
		return nil
	}
	effects := c.tell(now, p)
	if len(effects) == 0 && p.KeysSeen < p.KeysSeq {
		effects = c.keysNotice(now, p)
	}
	return effects
}

// caughtUp compares the keys_seq of a new request with what was told. The
// computer may lack the newest notice; or this phone is a restored copy that
// does not remember it.
func (c *Core) caughtUp(now time.Time, p *pairRecord, seq int64) []Effect {
	switch {
	case seq < 0 || seq >= maxSeq:
		return nil
	case seq > p.KeysSeq:
		p.KeysSeq = max(seq+1, now.UnixMilli())
		return append([]Effect{c.putPairing(p)}, c.keysNotice(now, p)...)
	case seq < p.KeysSeq:
		return c.keysNotice(now, p)
	case p.KeysSeen < seq:
		p.KeysSeen = seq
		return []Effect{c.putPairing(p)}
	}
	return nil
}

// keysNotice is the newest list and the wakers, under the session keys: a
// computer that has restarted and lost its epochs reads in its mailbox how to wake
// this phone.
func (c *Core) keysNotice(now time.Time, p *pairRecord) []Effect {
	keys := c.visible(p)
	body, err := p.box.Seal(c.encodeNotice(now, wire.Notice{Seq: p.KeysSeq, Keys: &keys, Wakers: c.wakers(), Locked: p.Locked != 0}))
	if err != nil {
		panic("phone: bug: no randomness: " + err.Error())
	}
	return []Effect{Send{Pairing: p.id, To: p.To, Frame: wire.NewFrame(wire.HeaderSession, body)}}
}

// encodeNotice fills in what every notice has.
func (c *Core) encodeNotice(now time.Time, n wire.Notice) []byte {
	id, err := wire.NewID()
	if err != nil {
		panic("phone: bug: no randomness: " + err.Error())
	}
	n.ID, n.Unix, n.K, n.V = id, now.Unix(), wire.Protocol, c.cfg.Version
	plain, err := wire.Encode(wire.Message{Notice: &n})
	if err != nil {
		panic("phone: bug: own notice does not encode: " + err.Error())
	}
	return plain
}

// notify seals n under each epoch that p's computer may have. Without any there is
// nothing to send.
func (c *Core) notify(now time.Time, p *pairRecord, n wire.Notice) []Effect {
	plain := c.encodeNotice(now, n)
	var effects []Effect
	for _, e := range p.reachable() {
		body, err := e.Seal(plain)
		if err != nil {
			panic("phone: bug: no randomness: " + err.Error())
		}
		effects = append(effects, Send{Pairing: p.id, To: p.To, Frame: wire.NewFrame(wire.HeaderEpoch, body)})
	}
	return effects
}

// barred is the answer to whatever p's computer wants signed by the key with this
// fingerprint, if it may not use it; nil: it may. One that is locked does not
// learn which keys there are.
func (c *Core) barred(p *pairRecord, fp string) *wire.SignResponse {
	if p != nil && p.Locked != 0 {
		return &wire.SignResponse{Error: wire.CodeLocked, Reason: isLocked}
	}
	if _, ok := c.allowedKey(p, fp); !ok {
		return &wire.SignResponse{Error: wire.CodeUnknownKey, Reason: noSuchKey}
	}
	return nil
}

// declineBarred ends the cards, the signatures under way and the rules for keys
// that p's computer may not use any more. A block is for no key, and stays.
func (c *Core) declineBarred(now time.Time, p *pairRecord) []Effect {
	var effects []Effect
	for _, r := range c.open() {
		if r.pairing != p.id {
			continue
		}
		switch no := c.barred(p, r.Request.Sign.Fingerprint); {
		case no == nil:
		case r.State == reqDecided: // its log entry is written
			effects = append(effects, c.answer(now, r, no)...)
		default:
			effects = append(effects, c.decline(now, r, no.Error, no.Reason)...)
		}
	}
	for _, r := range c.ruleList() {
		if r.Pairing == p.id && r.Key != "" && c.barred(p, r.Key) != nil {
			effects = append(effects, c.dropRule(r.ID)...)
		}
	}
	return effects
}

// stateHash stands for a list of keys with their names and order, and the
// wakers.
func stateHash(keys []wire.SSHKey, wake wire.Wakers) string {
	var state any = keys // alone as before there was push
	if wake != (wire.Wakers{}) {
		state = wire.MeResponse{Keys: keys, Wakers: wake}
	}
	b, err := json.Marshal(state)
	if err != nil {
		panic("phone: bug: keys do not encode: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(sum[:16])
}

func (s *keyState) check() error {
	if len(s.Allowed) > wire.MaxKeys || s.KeysSeq < 0 || s.KeysSeen < 0 {
		return errors.New("its list of keys is not one")
	}
	return nil
}
