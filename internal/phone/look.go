package phone

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"kryptonite/internal/hostauth"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/policy"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// view is a request as the phone understands it.
type view struct {
	card  Card
	facts policy.Facts
}

// look parses the payload and finds out what it means. A non-nil refusal says
// why this is never signed.
func (c *Core) look(p *pairRecord, rec *reqRecord) (v view, refusal *wire.SignResponse) {
	s := rec.Request.Sign
	no := func(code wire.Code, reason string) (view, *wire.SignResponse) {
		return v, &wire.SignResponse{Error: code, Reason: reason}
	}
	key, ok := c.allowedKey(p, s.Fingerprint)
	if !ok {
		return no(wire.CodeUnknownKey, noSuchKey)
	}
	v.card = Card{Pairing: p.id, Request: rec.id, Computer: p.Computer, KeyName: key.Name, Expires: unix(rec.until())}
	v.facts = policy.Facts{Pairing: p.id, Key: s.Fingerprint}
	if s.Reported != nil {
		v.card.Reported = s.Reported.Checked()
	}
	pub, err := sshwire.ParsePublicKey(key.PublicKey)
	if err == nil && pub.Type() == sshwire.KeyPasskey && len(s.Payload) > maxPasskeyData {
		return no(wire.CodeRefused, "the data to sign is too long for a passkey")
	}
	way, err := hostauth.Check(s.Binds)
	if err != nil {
		return no(wire.CodeRefused, err.Error())
	}
	if sig, err := sshwire.ParseSSHSIG(s.Payload); err == nil {
		v.card.Namespace, v.card.Host = sig.Namespace, way.Host()
	} else if refusal := c.lookLogin(&v, s.Payload, key.PublicKey, way); refusal != nil {
		return v, refusal
	}
	if len(v.card.Host.Path) > 0 && !p.Forward {
		return no(wire.CodeForwarded, "it was forwarded through "+c.pathText(v)+", and forwarding is off for this computer on the phone")
	}
	v.grants()
	return v, nil
}

// lookLogin is look for what must be a login by the key own.
func (c *Core) lookLogin(v *view, payload, own []byte, way hostauth.Way) *wire.SignResponse {
	no := func(reason string) *wire.SignResponse {
		return &wire.SignResponse{Error: wire.CodeRefused, Reason: reason}
	}
	u, err := sshwire.ParseUserauth(payload)
	if err != nil {
		return no("the data to sign is neither a login nor an ssh signature")
	}
	if !bytes.Equal(u.PublicKey, own) {
		return no("the data to sign names another key")
	}
	if pub, err := sshwire.ParsePublicKey(own); err != nil || u.Algorithm != pub.Type() {
		return no("the data to sign names another algorithm")
	}
	v.card.User = u.User
	if v.card.Host, err = way.Login(u); err != nil {
		return no(err.Error())
	}
	h := v.card.Host
	v.facts.Login, v.facts.User, v.facts.HostKey, v.facts.Proof, v.facts.Local = true, u.User, h.Fingerprint, h.Proof, h.Local
	reason := c.checkPins(v, u.HostKey != nil)
	v.card.nameHost()
	if reason != "" {
		return &wire.SignResponse{Error: wire.CodeHostKey, Reason: reason}
	}
	return nil
}

// checkPins compares the host key with what is pinned, fills in what the phone
// knows of the host, and returns why the login must be refused, or "".
func (c *Core) checkPins(v *view, hostbound bool) string {
	h := v.card.Host
	if h.Fingerprint == "" {
		return ""
	}
	if h.Local { // what was forwarded has no name: the computer cannot know it
		v.card.Name = knownhosts.NewName(v.card.Reported.Host, v.card.Reported.Port)
	}
	verdict, pins := c.hosts.Check(v.card.Name, v.facts.Pairing, h.KeyType, h.Fingerprint, hostbound)
	v.card.Pins, v.card.Known = pins, verdict
	v.card.KnownAs = c.hosts.Names(v.facts.Pairing, h.Fingerprint)
	switch verdict {
	case knownhosts.Mismatch, knownhosts.NewType:
		return mismatch(v.card)
	case knownhosts.Downgraded:
		return downgrade(string(v.card.Name))
	}
	if !hostbound && c.hosts.Hostbound(v.facts.Pairing, h.Fingerprint) {
		v.card.Known = knownhosts.Downgraded
		return downgrade(string(v.card.KnownAs[0]))
	}
	v.facts.Pinned = verdict == knownhosts.Match || len(v.card.KnownAs) > 0
	return ""
}

// pathText is the way a request was forwarded, by the names that the phone
// knows the hosts by.
func (c *Core) pathText(v view) string {
	var hops []string
	for _, fp := range v.card.Host.Path {
		if names := c.hosts.Names(v.facts.Pairing, fp); len(names) > 0 {
			fp = string(names[0])
		}
		hops = append(hops, fp)
	}
	return strings.Join(hops, ", ")
}

func downgrade(name string) string {
	return name + " used to name its host key in each login, and this login does not: someone may be in between"
}

// mismatch says what was expected and what was seen.
func mismatch(card Card) string {
	p := card.Pins[0]
	return fmt.Sprintf("%s shows the host key %s (%s); pinned on the phone since %s is %s (%s)", card.Name,
		card.Host.Fingerprint, card.Host.KeyType, time.Unix(p.Unix, 0).UTC().Format("2 January 2006"), p.Fingerprint, p.KeyType)
}

// granted are the facts of a rule that is given with the answer: allowing a card pins
// its host key.
func (v view) granted() policy.Facts {
	f := v.facts
	f.Pinned = f.Pinned || v.pinnable()
	return f
}

// grants says which rules the person may add to the answer.
func (v *view) grants() {
	f := v.granted()
	v.card.NoHostRule, v.card.NoComputerRule = f.Excluded(policy.Host), f.Excluded(policy.Computer)
}

// pinnable reports whether allowing the card pins its host key.
func (v view) pinnable() bool {
	h := v.card.Host
	return v.card.Known == knownhosts.New && h.Local && (h.Proof == hostauth.Proved || h.Proof == hostauth.Vouched)
}

// nameHost finds what to call the host: what its key is known as leads, and what the
// computer says is beside it.
func (c *Card) nameHost() {
	reported := knownhosts.NewName(c.Reported.Host, c.Reported.Port)
	switch {
	case len(c.Pins) > 0: // for or against this key
		c.HostName = c.Name
	case len(c.KnownAs) > 0:
		c.HostName = c.KnownAs[0]
	case c.Name != "" || c.Host.Fingerprint == "":
		c.HostName = reported
	}
	if reported != c.HostName {
		c.Called = reported
	}
}
