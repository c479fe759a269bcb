package phone

import (
	"bytes"
	"crypto/sha256"
	"time"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// frame takes a frame that came in for a pairing. Whatever does not open or
// does not fit is dropped and counted.
func (c *Core) frame(now time.Time, ev Frame) []Effect {
	p := c.pairings[ev.Pairing]
	if ev.Pairing == "" {
		p = c.pairingOf(ev.Data)
	}
	if p == nil {
		c.dropped++
		return nil
	}
	if p.State != statePaired {
		return c.handshake(now, p, ev.Data)
	}
	h, body, err := wire.SplitFrame(ev.Data)
	if err != nil {
		c.dropped++
		return nil
	}
	switch h {
	case wire.HeaderSession:
		return c.sessionFrame(now, p, ev.Data, body)
	case wire.HeaderEpoch:
		return c.epochFrame(now, p, body)
	}
	c.dropped++
	return nil
}

// pairingOf finds whose epoch a frame names; nil for frames of no epoch that is
// known.
func (c *Core) pairingOf(frame []byte) *pairRecord {
	h, body, err := wire.SplitFrame(frame)
	if err != nil || h != wire.HeaderEpoch {
		return nil
	}
	id, ok := sealbox.EpochOf(body)
	if !ok {
		return nil
	}
	for _, p := range c.pairings {
		if p.State == statePaired && p.epoch(id) != nil {
			return p
		}
	}
	return nil
}

// sessionFrame takes what comes under the session keys: a hello or an unpair.
func (c *Core) sessionFrame(now time.Time, p *pairRecord, frame, body []byte) []Effect {
	plain, err := p.box.Open(body)
	if err != nil {
		c.dropped++
		return nil
	}
	m, err := wire.Decode(plain)
	if err != nil || m.Request == nil || !m.FitsHeader(wire.HeaderSession) {
		c.dropped++
		return nil
	}
	r := m.Request
	switch {
	case r.Unpair != nil:
		effects := append(c.forget(p), Note{Pairing: p.id, Computer: p.Computer, Kind: NoteUnpaired})
		return append(effects, c.newVAPID()...)
	case r.Me.NC != nil && p.Handshake != nil:
		return c.repeatHello(now, p, frame)
	case r.Me.NC == nil && r.EphemeralC != nil:
		return c.epochHello(now, p, r)
	}
	c.dropped++
	return nil
}

// epochHello acks a computer that lost its epoch, or has other addresses. But for
// those nothing changes until a frame under the new epoch opens.
func (c *Core) epochHello(now time.Time, p *pairRecord, r *wire.Request) []Effect {
	e, changed, err := p.offer(*r.EphemeralC)
	if err != nil {
		c.dropped++
		return nil
	}
	moved, channels := c.moved(p, r.Me)
	ack := wire.Ack{}
	if r.Me.AddressesSeq != 0 {
		ack.Addresses = p.ownAddresses()
	}
	plain, err := wire.Encode(wire.Message{Response: &wire.Response{ID: r.ID, Unix: now.Unix(), K: wire.Protocol, V: c.cfg.Version,
		EphemeralS: &e.ES, EpochProof: &e.Proof, Ack: &ack, AddressesSeq: p.AddressesSeq}})
	if err != nil {
		panic("phone: bug: own ack does not encode: " + err.Error())
	}
	sealed, err := p.box.Seal(plain)
	if err != nil {
		panic("phone: bug: no randomness: " + err.Error())
	}
	var effects []Effect
	if changed || moved {
		effects = append(effects, c.putPairing(p))
	}
	effects = append(effects, channels...)
	effects = append(effects, Send{Pairing: p.id, To: p.To, Frame: wire.NewFrame(wire.HeaderSession, sealed)})
	if r.KeysSeq < p.KeysSeq {
		effects = append(effects, c.keysNotice(now, p)...)
	}
	return effects
}

// epochFrame takes what comes under an epoch: every other request.
func (c *Core) epochFrame(now time.Time, p *pairRecord, body []byte) []Effect {
	id, _ := sealbox.EpochOf(body)
	e := p.epoch(id)
	if e == nil {
		c.dropped++
		return nil
	}
	plain, err := e.Open(body)
	if err != nil {
		c.dropped++
		return nil
	}
	m, err := wire.Decode(plain)
	if err != nil || m.Request == nil || !m.FitsHeader(wire.HeaderEpoch) {
		c.dropped++
		return nil
	}
	p.Heard = now.Unix()
	effects := c.live(p)
	if p.opened(now, e) {
		effects = append(effects, c.putPairing(p))
	}
	r := m.Request
	if r.EphemeralC != nil {
		if _, changed, err := p.offer(*r.EphemeralC); err == nil && changed {
			effects = append(effects, c.putPairing(p))
		}
	}
	hash := sha256.Sum256(plain)
	known := c.requests[(&reqRecord{pairing: p.id, id: r.ID}).key()] != nil
	effects = append(effects, c.request(now, p, r, hash[:], id)...)
	if !known {
		effects = append(effects, c.caughtUp(now, p, r.KeysSeq)...)
	}
	return effects
}

// request takes a request of any kind, new or repeated.
func (c *Core) request(now time.Time, p *pairRecord, r *wire.Request, hash []byte, epoch sealbox.EpochID) []Effect {
	if r.Cancel != nil {
		return c.cancel(now, p, r)
	}
	rec := c.requests[(&reqRecord{pairing: p.id, id: r.ID}).key()]
	if rec != nil {
		return c.repeated(now, p, rec, hash, epoch)
	}
	tokens := takeTokens(r)
	rec = &reqRecord{pairing: p.id, id: r.ID, State: reqPending, Hash: hash, Expires: r.Expires, Epoch: epoch, Request: r}
	rec.Until = min(r.Expires, now.Add(askLife).Unix())
	if !fitsClock(now, r) {
		if c.flood(now, p) {
			return nil
		}
		return []Effect{c.refusal(now, p, rec, wire.CodeClockSkew), Note{Pairing: p.id, Computer: p.Computer, Kind: NoteSkew}}
	}
	effects, ok := c.room(now, p)
	if !ok {
		c.dropped++
		return nil
	}
	if r.Sign == nil {
		return append(effects, c.finish(now, p, rec, wire.Response{ID: r.ID, Error: &wire.ErrorResponse{Error: wire.CodeUnknownKind}})...)
	}
	return append(effects, c.consider(now, rec, tokens)...)
}

// fitsClock checks a new request against the phone's clock. [kr-protocol] §4.4.
func fitsClock(now time.Time, r *wire.Request) bool {
	off := now.Unix() - r.Unix
	limit := int64(skewLimit / time.Second)
	return off >= -limit && off <= limit && r.Expires > now.Unix() && r.Expires <= now.Unix()+limit
}

// repeated answers a copy of a remembered request: nothing new is decided.
func (c *Core) repeated(now time.Time, p *pairRecord, rec *reqRecord, hash []byte, epoch sealbox.EpochID) []Effect {
	if !bytes.Equal(rec.Hash, hash) {
		c.dropped++ // another plaintext under the same id, or one cancelled before it came
		return nil
	}
	rec.Epoch = epoch
	switch rec.State {
	case reqPending, reqDecided:
		return []Effect{c.ack(now, p, rec)}
	case reqAnswered:
		return []Effect{c.reply(now, p, rec, *rec.Answer)}
	}
	c.dropped++
	return nil
}

// cancel withdraws a request, also one that has not come yet, and one that is
// allowed while its signature waits for the person.
func (c *Core) cancel(now time.Time, p *pairRecord, r *wire.Request) []Effect {
	if !fitsClock(now, r) {
		c.dropped++
		return nil
	}
	rec := c.requests[(&reqRecord{pairing: p.id, id: r.Cancel.ID}).key()]
	var effects []Effect
	if rec == nil {
		var ok bool
		if effects, ok = c.room(now, p); !ok {
			c.dropped++
			return nil
		}
		rec = &reqRecord{pairing: p.id, id: r.Cancel.ID, Expires: r.Expires}
	} else if !rec.waits() {
		return c.unheard(p, rec) // too late: it is answered
	}
	waited := rec.waits()
	rec.State, rec.Request, rec.halves = reqCancelled, nil, nil
	effects = append(effects, c.putRequest(rec))
	if waited {
		effects = append(effects, Withdraw{p.id, rec.id, wire.CodeCancelled})
	}
	return effects
}

// unheard tells the person, once, that a computer had not got a signature when it
// stopped waiting: the phone may have been offline.
func (c *Core) unheard(p *pairRecord, rec *reqRecord) []Effect {
	if rec.Unheard || rec.Answer == nil || rec.Answer.Sign == nil || len(rec.Answer.Sign.Signature) == 0 {
		return nil
	}
	rec.Unheard = true
	return []Effect{c.putRequest(rec), Note{Pairing: p.id, Computer: p.Computer, Kind: NoteUnheard}}
}

// sign asks for the signature of a decided request, unless its time is over. open
// opens the key without a person; nil: whoever keeps it knows how.
func (c *Core) sign(now time.Time, rec *reqRecord, open *opener) []Effect {
	if now.Unix() >= rec.until() {
		return c.answer(now, rec, &wire.SignResponse{Error: wire.CodeExpired})
	}
	s := rec.Request.Sign
	if no := c.barred(c.pairings[rec.pairing], s.Fingerprint); no != nil { // hidden, deleted or locked meanwhile
		return c.answer(now, rec, no)
	}
	v, _ := c.look(c.pairings[rec.pairing], rec) // it is decided, whatever was pinned since
	e := Sign{Pairing: rec.pairing, Request: rec.id, Fingerprint: s.Fingerprint, Payload: s.Payload, Expires: unix(rec.until()), Card: v.card, Rule: rec.Rule}
	if open != nil {
		e.Unwrap, e.Wrapped = open.key, open.wrapped
	} else {
		c.wrap(rec, &e)
	}
	return []Effect{e}
}

// signed takes the outcome of a Sign effect. One that comes after the request
// ended changes nothing, and one that comes after its time is not sent.
func (c *Core) signed(now time.Time, ev Signed) []Effect {
	rec := c.requests[(&reqRecord{pairing: ev.Pairing, id: ev.Request}).key()]
	if rec == nil || rec.State != reqDecided {
		return nil
	}
	if now.Unix() >= rec.until() {
		return c.answer(now, rec, &wire.SignResponse{Error: wire.CodeExpired})
	}
	if len(ev.Signature) > maxSignature {
		ev.Failed = "the signature is too long"
	}
	if ev.Failed != "" {
		return c.answer(now, rec, &wire.SignResponse{Error: wire.CodeRefused, Reason: ev.Failed})
	}
	effects, token := c.wrapped(now, rec, ev.Wrapped)
	effects = append(effects, c.answer(now, rec, &wire.SignResponse{Signature: ev.Signature, LeaseToken: token})...)
	if p := c.pairings[rec.pairing]; p != nil {
		effects = append(effects, Note{Pairing: p.id, Computer: p.Computer, Kind: NoteSigned, Rule: rec.Rule})
	}
	return effects
}

// answer makes the final answer durable and sends it.
func (c *Core) answer(now time.Time, rec *reqRecord, s *wire.SignResponse) []Effect {
	p := c.pairings[rec.pairing]
	if p == nil {
		return nil
	}
	return append(c.finish(now, p, rec, wire.Response{ID: rec.id, Sign: s}), Withdraw{p.id, rec.id, s.Error})
}

// finish stores the final answer to a request, without a token, and sends it.
func (c *Core) finish(now time.Time, p *pairRecord, rec *reqRecord, resp wire.Response) []Effect {
	resp.EphemeralS, resp.EpochProof = p.offered(rec.Request)
	stored := resp
	if resp.Sign != nil {
		sign := *resp.Sign
		sign.LeaseToken = wire.LeaseToken{}
		stored.Sign = &sign
	}
	rec.State, rec.Request, rec.Answer, rec.halves = reqAnswered, nil, &stored, nil
	return []Effect{c.putRequest(rec), c.reply(now, p, rec, resp)}
}

// refusal is an answer that is not remembered.
func (c *Core) refusal(now time.Time, p *pairRecord, rec *reqRecord, code wire.Code) Effect {
	return c.reply(now, p, rec, wire.Response{ID: rec.id, Sign: &wire.SignResponse{Error: code}})
}

func (c *Core) ack(now time.Time, p *pairRecord, rec *reqRecord) Effect {
	r := wire.Response{ID: rec.id, Ack: &wire.Ack{}}
	r.EphemeralS, r.EpochProof = p.offered(rec.Request)
	return c.reply(now, p, rec, r)
}

// reply sends r under the epoch of the request's newest copy.
func (c *Core) reply(now time.Time, p *pairRecord, rec *reqRecord, r wire.Response) Effect {
	e := p.epoch(rec.Epoch)
	if e == nil {
		e = p.newest()
	}
	return c.respond(now, p, e, &r)
}

// offered is the e_s that answers a request's e_c, or nil.
func (p *pairRecord) offered(r *wire.Request) (*sealbox.PublicKey, *sealbox.Key32) {
	if r == nil || r.EphemeralC == nil {
		return nil, nil
	}
	for _, e := range p.Epochs {
		if e.EC == *r.EphemeralC {
			return &e.ES, &e.Proof
		}
	}
	return nil, nil
}

// room reports whether one more request of p can be remembered. It may forget
// the oldest one: a copy of that would not fit the clock any more.
func (c *Core) room(now time.Time, p *pairRecord) ([]Effect, bool) {
	waiting, remembered := 0, 0
	var oldest *reqRecord
	for _, r := range c.requests {
		if r.pairing != p.id {
			continue
		}
		remembered++
		switch {
		case r.waits():
			waiting++
		case now.Unix() >= r.Expires && (oldest == nil || r.Expires < oldest.Expires):
			oldest = r
		}
	}
	switch {
	case waiting >= maxPending:
		return nil, false
	case remembered < maxRemembered:
		return nil, true
	case oldest == nil:
		return nil, false
	}
	delete(c.requests, oldest.key())
	return []Effect{Store{Key: oldest.key()}}, true
}
