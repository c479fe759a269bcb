package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/session"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/transport/sqs/owner"
	"kryptonite/internal/wire"
)

// The names of links.
const (
	nameRelay = "relay"
	nameSQS   = "sqs"
)

// openLinks makes a phone's channels, for its start.
func (d *Daemon) openLinks(p *phone) (err error) {
	if p.Relay != "" {
		if p.box, err = mailbox.KeyFromSeed(p.Mailbox); err != nil {
			return err
		}
		if p.client, err = relay.NewClient(p.Relay, relay.Options{}); err != nil {
			return err
		}
		p.links = append(p.links, p.client.Link(p.box, p.Peer))
	}
	if p.SQS != nil {
		p.links = append(p.links, d.linkSQS(p.ID, p.SQS))
	}
	if p.Bluetooth {
		return d.linkBluetooth(p)
	}
	return nil
}

// linkSQS is the link by queues; if they cannot be used now, one that says so and
// carries nothing.
func (d *Daemon) linkSQS(pairing string, q *queues) transport.Link {
	link, err := q.link(d.life, d.cfg.Log)
	if err != nil {
		d.cfg.Log.Error("SQS is not used", "pairing", pairing, "err", err)
		return transport.Broken(nameSQS, err)
	}
	return link
}

// addresses are where this computer listens for the phone.
func (r *record) addresses() session.Addresses {
	out := session.Addresses{Seq: r.AddressesSeq}
	if k, err := mailbox.KeyFromSeed(r.Mailbox); err == nil {
		a := k.Address()
		out.List = append(out.List, wire.Address{Relay: &wire.RelayAddress{Origin: r.Relay, Mailbox: a[:]}})
	}
	if r.SQS != nil {
		out.List = append(out.List, wire.Address{SQS: &r.SQS.SQSAddress})
	}
	if at, err := r.service(); r.Bluetooth && err == nil {
		out.List = append(out.List, wire.Address{Bluetooth: &at})
	}
	return out
}

// queues are the phone's queues of now, or nil.
func (p *phone) queues() *queues {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	return p.SQS
}

// untold reports whether the phone does not have our newest addresses, as far as
// is known.
func (p *phone) untold() bool {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	return p.AddressesTold < p.AddressesSeq
}

// nextSeq numbers a list of addresses that follows last.
func nextSeq(last int64) int64 { return max(last+1, fault.Now().UnixMilli()) }

// useChannels makes durable that the phone has other queues, or none, that it comes
// by Bluetooth, or not, or that its addresses have another number, and goes by that.
// The session tells the phone. The caller holds p.list.mu.
func (d *Daemon) useChannels(p *phone, r record) error {
	if p.list.over {
		return errors.New("the pairing has ended")
	}
	if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
		return fmt.Errorf("store the pairing's channels: %w", err)
	}
	fault.Point("krd.channel.stored")
	if r.SQS != p.SQS {
		p.links = without(p.links, nameSQS)
		if r.SQS != nil {
			p.links = append(p.links, d.linkSQS(r.ID, r.SQS))
		}
	}
	if r.Bluetooth != p.Bluetooth {
		if p.links = without(p.links, nameBluetooth); p.radio != nil {
			d.bg.Go(p.radio.stop)
			p.radio = nil
		}
		if r.Bluetooth {
			if err := d.linkBluetooth(p); err != nil {
				return err
			}
		}
	}
	p.SQS, p.Bluetooth, p.AddressesSeq, p.AddressesTold = r.SQS, r.Bluetooth, r.AddressesSeq, r.AddressesTold
	p.session.SetLinks(p.links, r.addresses())
	return nil
}

// without are the links but for those of one name.
func without(links []transport.Link, name string) (out []transport.Link) {
	for _, l := range links {
		if l.Name() != name {
			out = append(out, l)
		}
	}
	return out
}

// gainQueues makes queues for a phone that is paired and has none.
func (d *Daemon) gainQueues(ctx context.Context, p *phone, in control.SQS) (gained bool, err error) {
	if p.queues() != nil {
		return false, nil
	}
	q, left, err := d.makeQueues(ctx, in, (*owner.Account).Names, 0)
	if err != nil {
		return false, err
	}
	p.list.mu.Lock() // until nothing deletes them any more but the pairing's end
	defer p.list.mu.Unlock()
	r := p.record
	r.SQS, r.AddressesSeq = q, nextSeq(r.AddressesSeq)
	if err := d.useChannels(p, r); err != nil {
		d.dropQueues(left)
		return false, err
	}
	if err := d.forgetLeftover(left); err != nil {
		d.cfg.Log.Warn("left behind", "err", err) // the pairing wins over it
	}
	return true, nil
}

// loseQueues takes a phone's queues away, unless they are all it has.
func (d *Daemon) loseQueues(p *phone) (lost bool, err error) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	r := p.record
	switch {
	case r.SQS == nil:
		return false, nil
	case r.Relay == "" && !r.Bluetooth:
		return false, &control.Error{Code: control.CodeChannel, Text: "it was paired without a relay, and has no other channel"}
	}
	left, err := d.keepLeftover(r.SQS, 0)
	if err != nil {
		return false, err
	}
	fault.Point("krd.channel.left")
	r.SQS, r.AddressesSeq = nil, nextSeq(r.AddressesSeq)
	if err := d.useChannels(p, r); err != nil {
		return false, err // the pairing wins over what is left
	}
	d.dropQueues(left)
	return true, nil
}

// addressesTold takes the phone's word on which of our addresses it has, and where
// it listens. Queues that it does not use are deleted. It is called from the
// session's own goroutines.
func (d *Daemon) addressesTold(p *phone, seq int64, at []wire.Address) (err error) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	r, left := p.record, leftover{}
	unused := r.SQS != nil && r.Relay != "" && !r.SQS.among(at)
	deaf := r.Bluetooth && r.Relay != "" && !listensNearby(at)
	switch {
	case p.list.over:
		return nil
	case seq > r.AddressesSeq: // one of us is a restored copy, and the phone takes only what is newer
		r.AddressesSeq = nextSeq(seq)
	case seq < r.AddressesSeq || at == nil || r.AddressesTold == seq && !unused && !deaf:
		return nil
	case unused:
		if left, err = d.keepLeftover(r.SQS, 0); err != nil {
			return err
		}
		d.cfg.Log.Info("the phone does not use SQS", "pairing", r.ID)
		r.SQS, r.AddressesTold = nil, seq
	default:
		r.AddressesTold = seq
	}
	if deaf && r.AddressesTold == seq {
		d.cfg.Log.Info("the phone does not use Bluetooth", "pairing", r.ID)
		r.Bluetooth = false
	}
	if err := d.useChannels(p, r); err != nil {
		return err
	}
	d.dropQueues(left)
	fault.Point("krd.channel.told")
	return nil
}

// handleAddSQS makes queues for the phones that have none.
func (d *Daemon) handleAddSQS(w http.ResponseWriter, req *http.Request) {
	var in control.SQS
	if decode(w, req, &in) {
		reply(w, d.changeAll(func(p *phone) (bool, error) { return d.gainQueues(req.Context(), p, in) }))
	}
}

// handleRemoveSQS takes the queues of all phones away that have another channel.
func (d *Daemon) handleRemoveSQS(w http.ResponseWriter, _ *http.Request) {
	reply(w, d.changeAll(d.loseQueues))
}

// changeAll changes the channels of one phone after the other.
func (d *Daemon) changeAll(change func(*phone) (bool, error)) control.ChangedChannels {
	d.channels.Lock()
	defer d.channels.Unlock()
	out := control.ChangedChannels{Phones: []control.ChangedPhone{}}
	for _, p := range d.list() {
		changed, err := change(p)
		one := control.ChangedPhone{Name: p.Name, Changed: changed}
		if err != nil {
			one.Problem = err.Error()
		}
		out.Phones = append(out.Phones, one)
	}
	return out
}

func describeLink(name string, s transport.Status, untold bool) control.Link {
	out := control.Link{Name: name, Connected: s.Connected, Mode: s.Mode, LastOK: s.LastOK, TookMS: float64(s.Took.Microseconds()) / 1000,
		Untold: name != nameRelay && untold}
	if s.LastError != nil {
		out.LastError = s.LastError.Error()
	}
	return out
}
