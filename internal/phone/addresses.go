package phone

import (
	"kryptonite/internal/mailbox"
	"kryptonite/internal/wire"
)

// usable are those of a computer's addresses that the phone uses: of queues at
// SQS one pair at most, as it listens there.
func usable(theirs []wire.Address) (out []wire.Address) {
	queues := false
	for _, a := range theirs {
		switch {
		case a.Relay != nil:
			out = append(out, a)
		case a.SQS != nil && !queues:
			out = append(out, a)
			queues = true
		}
	}
	return out
}

// moved takes the addresses of a hello if they are newer than those that are here:
// a channel is left, or listened to. Without one where this phone can listen, they
// are not taken. [kr-protocol] §5.1.
func (c *Core) moved(p *pairRecord, me *wire.MeRequest) (moved bool, effects []Effect) {
	if me.AddressesSeq <= p.AddressesSeq || me.AddressesSeq > maxSeq {
		return false, nil
	}
	to := usable(me.Addresses)
	before, after := p.sqs(), queuesIn(to)
	if len(to) == 0 || p.Own == nil && after == nil {
		c.dropped++
		return false, nil
	}
	if before != nil && (after == nil || *before != *after) {
		effects = append(effects, Close{Pairing: p.id, SQS: before})
	}
	p.To, p.AddressesSeq = to, me.AddressesSeq
	return true, append(effects, p.listenSQS()...)
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

func (p *pairRecord) listenSQS() []Effect {
	if q := p.sqs(); q != nil {
		return []Effect{Listen{Pairing: p.id, SQS: q}}
	}
	return nil
}

// ownAddresses are where the phone listens. Queues it takes by repeating them.
func (p *pairRecord) ownAddresses() []wire.Address {
	var own []wire.Address
	if k, err := mailbox.KeyFromSeed(p.Own); err == nil {
		a := k.Address()
		own = append(own, wire.Address{Relay: &wire.RelayAddress{Origin: p.Origin, Mailbox: a[:]}})
	}
	if q := p.sqs(); q != nil {
		own = append(own, wire.Address{SQS: q})
	}
	return own
}
