package phone

import (
	"strconv"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/policy"
	"kryptonite/internal/wire"
)

// blocked says why a request was declined by a rule.
const blocked = "this computer is blocked on the phone"

// consider looks at a request that nobody has decided yet: it refuses what
// must not be signed, follows the rules that the person has given, and
// otherwise asks. tokens came with it.
func (c *Core) consider(now time.Time, rec *reqRecord, tokens []wire.LeaseToken) []Effect {
	p := c.pairings[rec.pairing]
	if p == nil {
		return nil
	}
	if p.Locked != 0 {
		return c.refuse(now, p, rec, view{}, c.barred(p, rec.Request.Sign.Fingerprint))
	}
	rules := c.ruleList()
	if verdict, _ := policy.Decide(now, rules, policy.Facts{Pairing: p.id}); verdict == policy.Deny { // whatever it asks
		if c.flood(now, p) {
			return nil
		}
		return c.decline(now, rec, wire.CodeRejected, blocked)
	}
	v, no := c.look(p, rec)
	if no != nil {
		return c.refuse(now, p, rec, v, no)
	}
	if c.cfg.Approve == ApproveNever {
		return c.decline(now, rec, wire.CodeRejected, "")
	}
	switch verdict, rule := policy.Decide(now, rules, v.facts); {
	case verdict == policy.Allow:
		rec.Rule = rule.ID
		open := c.opens(rule, tokens) // using the rule may end it
		return append(c.use(rule), c.allow(now, rec, open)...)
	case c.cfg.Approve == ApproveAlways:
		return c.allow(now, rec, nil)
	}
	return []Effect{c.putRequest(rec), c.ack(now, p, rec), Ask{v.card}}
}

// decide takes the person's answer to a card.
func (c *Core) decide(now time.Time, ev Decide) []Effect {
	rec := c.requests[(&reqRecord{pairing: ev.Pairing, id: ev.Request}).key()]
	switch {
	case rec != nil && rec.State == reqDecided:
		return nil // a second tap must not end the prompt for the key
	case rec == nil || rec.State != reqPending:
		return []Effect{Withdraw{ev.Pairing, ev.Request, wire.CodeCancelled}}
	case now.Unix() >= rec.until():
		return c.decline(now, rec, wire.CodeExpired, "")
	}
	p := c.pairings[rec.pairing]
	if !ev.Allow {
		return c.reject(now, p, rec, ev.Grant)
	}
	v, no := c.look(p, rec) // a pin may have changed since the card was shown
	if no != nil {
		return c.refuse(now, p, rec, v, no)
	}
	var effects []Effect
	if ev.Grant.Scope == policy.Host || ev.Grant.Scope == policy.Computer {
		effects = c.grant(now, rec, v, ev.Grant)
	}
	effects = append(effects, c.allow(now, rec, nil)...)
	return append(c.pin(now, p, v), effects...) // made after all that says what the card said
}

// reject is a person's no, and a block, if it comes with one, whatever is found out of
// the request by now.
func (c *Core) reject(now time.Time, p *pairRecord, rec *reqRecord, g policy.Grant) []Effect {
	var effects []Effect
	if g.Scope == policy.Block {
		effects = c.grant(now, rec, view{facts: policy.Facts{Pairing: p.id}}, g)
	}
	effects = append(effects, c.decline(now, rec, wire.CodeRejected, "")...)
	if rec.Rule != "" {
		effects = append(effects, c.declineOthers(now, p)...)
	}
	return effects
}

// allow makes the decision and its log entry durable and has the payload signed.
func (c *Core) allow(now time.Time, rec *reqRecord, open *opener) []Effect {
	rec.State = reqDecided
	effects := append([]Effect{c.putRequest(rec)}, c.note(now, rec, auditlog.Allowed, "")...)
	return append(effects, c.sign(now, rec, open)...)
}

// refuse answers what must not be signed, and remembers a host key that did not
// fit, so that the person can trust it.
func (c *Core) refuse(now time.Time, p *pairRecord, rec *reqRecord, v view, no *wire.SignResponse) []Effect {
	if c.flood(now, p) {
		return nil
	}
	var effects []Effect
	switch no.Error {
	case wire.CodeHostKey:
		effects = append(effects, c.remember(now, p, v)...)
		effects = append(effects, Alarm{v.card, no.Error, no.Reason})
	case wire.CodeForwarded:
		effects = append(effects, Alarm{v.card, no.Error, no.Reason})
	}
	return append(effects, c.decline(now, rec, no.Error, no.Reason)...)
}

// flood counts an answer that nobody was asked about, and reports whether p's
// computer has had too many: the request is dropped then, as if it had not come.
// So no computer can flush the log or fill the screen with refusals.
func (c *Core) flood(now time.Time, p *pairRecord) bool {
	r := c.refusals[p.id]
	if now.Sub(r.since) >= refusalTime || now.Before(r.since) {
		r = refusals{since: now}
	}
	r.n++
	c.refusals[p.id] = r
	if r.n > maxRefusals {
		c.dropped++
		return true
	}
	return false
}

// refusals is how many requests of a computer were declined by themselves.
type refusals struct {
	since time.Time
	n     int
}

// decline makes a decision against signing durable, with its log entry, and
// answers.
func (c *Core) decline(now time.Time, rec *reqRecord, code wire.Code, reason string) []Effect {
	d := auditlog.Refused
	switch code {
	case wire.CodeRejected:
		d = auditlog.Rejected
	case wire.CodeExpired:
		d = auditlog.Expired
	}
	return append(c.note(now, rec, d, reason), c.answer(now, rec, &wire.SignResponse{Error: code, Reason: reason})...)
}

// declineOthers answers what else waits for the person, of a computer that was just
// blocked: the rule would have, had it come later.
func (c *Core) declineOthers(now time.Time, p *pairRecord) (effects []Effect) {
	for _, r := range c.open() {
		if r.pairing == p.id && r.State == reqPending {
			effects = append(effects, c.decline(now, r, wire.CodeRejected, blocked)...)
		}
	}
	return effects
}

// grant makes a rule of a grant that came with the answer to rec, if it may be
// one. Its id is the number of the log entry that this answer gets.
func (c *Core) grant(now time.Time, rec *reqRecord, v view, g policy.Grant) []Effect {
	r, err := policy.NewRule(strconv.FormatUint(c.log.Len()+1, 10), now, g, v.granted(), string(v.card.HostName))
	if err != nil || c.rulesOf(rec.pairing) >= policy.MaxRules {
		return nil // the person's answer holds for this request, at least
	}
	rec.Rule = r.ID
	effects := c.dropRule(r.ID) // a log that was begun anew numbers anew
	c.rules[r.ID] = r
	return append(effects, putRule(r))
}
