package phone

import (
	"bytes"
	"slices"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// usable are those of the computer's addresses that the phone uses: of queues at
// SQS one pair at most, as it listens there, of Bluetooth the pairing's service.
func (c *Core) usable(p *pairRecord, theirs []wire.Address) (out []wire.Address) {
	queues, service := false, false
	for _, a := range theirs {
		switch {
		case a.Relay != nil:
			out = append(out, a)
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

// moved takes the addresses of a hello if they are newer than those that are here:
// a channel is left, or listened to. Without one where this phone can listen, they
// are not taken. [kr-protocol] §5.1.
func (c *Core) moved(p *pairRecord, me *wire.MeRequest) (moved bool, effects []Effect) {
	if me.AddressesSeq <= p.AddressesSeq || me.AddressesSeq > maxSeq {
		return false, nil
	}
	to := c.usable(p, me.Addresses)
	before, after := p.sqs(), queuesIn(to)
	if len(to) == 0 || p.Own == nil && after == nil && !hasService(to) {
		c.dropped++
		return false, nil
	}
	if before != nil && (after == nil || *before != *after) {
		effects = append(effects, Close{Pairing: p.id, SQS: before})
	}
	if hasService(p.To) && !hasService(to) {
		effects = append(effects, Close{Pairing: p.id, Bluetooth: p.service()})
	}
	p.To, p.AddressesSeq = to, me.AddressesSeq
	return true, append(effects, p.listenTo()...)
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
