package phone

import (
	"bytes"
	"slices"
	"strings"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// usable are those of a computer's addresses that the phone uses: at most one
// relay and one pair of queues, as it listens there, too, and of Bluetooth the
// pairing's service.
func (c *Core) usable(p *pairRecord, theirs []wire.Address) (out []wire.Address) {
	relay, queues, service := false, false, false
	for _, a := range theirs {
		switch {
		case a.Relay != nil && !relay && p.trusts(a.Relay):
			out = append(out, a)
			relay = true
		case a.SQS != nil && !queues:
			out = append(out, a)
			queues = true
		case a.Bluetooth != nil && !service && c.cfg.Bluetooth && bytes.Equal(a.Bluetooth.Service, p.service().Service):
			out = append(out, a)
			service = true
		}
	}
	return out
}

// trusts reports whether the phone goes to a relay that the computer names: the
// one that it is at, or one that a pairing link could name, with the scheme of
// this pairing's. So no computer leads a phone to what is on the phone's own
// loopback. [kr-protocol] §5.1.
func (p *pairRecord) trusts(a *wire.RelayAddress) bool {
	origin, err := mailbox.CanonicalOrigin(a.Origin)
	return err == nil && origin == a.Origin && len(a.Mailbox) == mailbox.AddressSize &&
		(origin == p.Origin || p.HTTP || strings.HasPrefix(origin, "https://"))
}

// moved takes the addresses of a hello if they are newer than those that are here:
// a channel is left, or listened to. Without one that this phone can use, they are
// not taken. [kr-protocol] §5.1.
func (c *Core) moved(p *pairRecord, me *wire.MeRequest) (moved bool, effects []Effect) {
	if me.AddressesSeq <= p.AddressesSeq || me.AddressesSeq > maxSeq {
		return false, nil
	}
	to := c.usable(p, me.Addresses)
	if len(to) == 0 {
		c.dropped++
		return false, nil
	}
	if origin := relayIn(to); origin != p.Origin {
		own, err := newSeed(origin)
		if err != nil {
			c.dropped++
			return false, nil
		}
		effects = p.moveMailbox(origin, own)
	}
	before, after := p.sqs(), queuesIn(to)
	if before != nil && (after == nil || *before != *after) {
		effects = append(effects, Close{Pairing: p.id, SQS: before})
	}
	if hasService(p.To) && !hasService(to) {
		effects = append(effects, Close{Pairing: p.id, Bluetooth: p.service()})
	}
	p.To, p.AddressesSeq = to, me.AddressesSeq
	return true, append(effects, p.listenTo()...)
}

// newSeed is that of a mailbox at a relay; none if there is no relay.
func newSeed(origin string) ([]byte, error) {
	if origin == "" {
		return nil, nil
	}
	k, err := mailbox.NewKey()
	if err != nil {
		return nil, err
	}
	return k.Seed(), nil
}

// moveMailbox leaves the mailboxes at the relay of before, if there was one, for
// one at another, or none. It waits for no relay: one that is dead is no reason not
// to be heard by the others.
func (p *pairRecord) moveMailbox(origin string, own []byte) (effects []Effect) {
	for _, seed := range [][]byte{p.Rendezvous, p.Own} {
		if seed != nil {
			effects = append(effects, p.close(seed))
		}
	}
	p.Origin, p.Own, p.Rendezvous = origin, own, nil
	if own != nil {
		effects = append(effects, Listen{Pairing: p.id, Origin: origin, Seed: own})
	}
	return effects
}

// relayIn is the origin of the relay among addresses, or "".
func relayIn(list []wire.Address) string {
	for _, a := range list {
		if a.Relay != nil {
			return a.Relay.Origin
		}
	}
	return ""
}

// sqs are the queues of the pairing, or nil.
func (p *pairRecord) sqs() *wire.SQSAddress { return queuesIn(p.To) }

// queuesIn are the queues among addresses, or nil.
func queuesIn(list []wire.Address) *wire.SQSAddress {
	for _, a := range list {
		if a.SQS != nil {
			return a.SQS
		}
	}
	return nil
}

// hasService reports whether the pairing's service is among addresses.
func hasService(list []wire.Address) bool {
	return slices.ContainsFunc(list, func(a wire.Address) bool { return a.Bluetooth != nil })
}

// service is that of the pairing over Bluetooth, whether or not it is used.
func (p *pairRecord) service() *wire.BluetoothAddress {
	u, err := sealbox.PhoneService(p.S, p.C)
	if err != nil {
		panic("phone: bug: a pairing by a key of low order: " + err.Error()) // load has refused it
	}
	return &wire.BluetoothAddress{Service: u[:]}
}

// listenTo listens where the computer's addresses say.
func (p *pairRecord) listenTo() (effects []Effect) {
	if q := p.sqs(); q != nil {
		effects = append(effects, Listen{Pairing: p.id, SQS: q})
	}
	if hasService(p.To) {
		effects = append(effects, Listen{Pairing: p.id, Bluetooth: p.service()})
	}
	return effects
}

// ownAddresses are where the phone listens. Queues, and Bluetooth, it takes by
// repeating them.
func (p *pairRecord) ownAddresses() []wire.Address {
	var own []wire.Address
	if k, err := mailbox.KeyFromSeed(p.Own); err == nil {
		a := k.Address()
		own = append(own, wire.Address{Relay: &wire.RelayAddress{Origin: p.Origin, Mailbox: a[:]}})
	}
	if q := p.sqs(); q != nil {
		own = append(own, wire.Address{SQS: q})
	}
	if hasService(p.To) {
		own = append(own, wire.Address{Bluetooth: p.service()})
	}
	return own
}
