package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/session"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/transport/sqs/owner"
	"kryptonite/internal/wire"
)

// Names of links.
const (
	nameRelay     = "relay"
	nameSQS       = "sqs"
	nameBluetooth = "bluetooth"
)

// openLinks makes a phone's channels, for its start.
func (d *Daemon) openLinks(p *phone) error {
	if p.Relay != "" {
		link, err := p.linkRelay(p.record)
		if err != nil {
			return err
		}
		p.links = append(p.links, link)
	}
	if p.SQS != nil {
		p.links = append(p.links, d.linkSQS(p.ID, p.SQS))
	}
	if p.Bluetooth {
		return d.linkBluetooth(p)
	}
	return nil
}

// linkRelay is the link by the relay of r, whose client the phone has from then on.
func (p *phone) linkRelay(r record) (transport.Link, error) {
	box, err := mailbox.KeyFromSeed(r.Mailbox)
	if err != nil {
		return nil, err
	}
	if p.client == nil || p.client.Origin() != r.Relay {
		if p.client, err = relay.NewClient(r.Relay, relay.Options{}); err != nil {
			return nil, err
		}
	}
	return p.client.Link(box, r.Peer), nil
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

// channels are the names of the links of r.
func (r *record) channels() (names []string) {
	for name, has := range map[string]bool{nameRelay: r.Relay != "", nameSQS: r.SQS != nil, nameBluetooth: r.Bluetooth} {
		if has {
			names = append(names, name)
		}
	}
	return names
}

// gained notes that the phone is told of one more channel.
func (r *record) gained(name string) {
	r.Untaken = append(slices.Clip(r.Untaken), name)
	r.AddressesSeq = nextSeq(r.AddressesSeq)
}

// lost notes that the phone is told of one channel less.
func (r *record) lost(name string) {
	r.Untaken = slices.DeleteFunc(slices.Clone(r.Untaken), func(n string) bool { return n == name })
	r.AddressesSeq = nextSeq(r.AddressesSeq)
}

// needs is why the phone cannot do without a channel; nil: it has taken another.
func (r *record) needs(name string) error {
	others := slices.DeleteFunc(r.channels(), func(n string) bool { return n == name })
	switch {
	case len(others) == 0:
		return &control.Error{Code: control.CodeChannel, Text: "it has no other channel"}
	case !slices.ContainsFunc(others, func(n string) bool { return !slices.Contains(r.Untaken, n) }):
		return &control.Error{Code: control.CodeChannel, Text: "the phone has not taken its other channel yet"}
	}
	return nil
}

// queues are the phone's queues of now, or nil.
func (p *phone) queues() *queues {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	return p.SQS
}

// untaken are the links, by name, that the phone has not taken yet, as far as is known.
func (p *phone) untaken() []string {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	return p.Untaken
}

// nextSeq numbers a list of addresses that follows last.
func nextSeq(last int64) int64 { return max(last+1, fault.Now().UnixMilli()) }

// useChannels makes durable that the phone has another relay, other queues or
// Bluetooth, or none, or that its addresses have another number, and goes by that.
// The session tells the phone. The caller holds p.list.mu.
func (d *Daemon) useChannels(p *phone, r record) error {
	if p.list.over {
		return errors.New("the pairing has ended")
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("change the pairing's channels: %w", err)
	}
	if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
		return fmt.Errorf("store the pairing's channels: %w", err)
	}
	fault.Point("krd.channel.stored")
	changed := map[string]bool{nameRelay: !r.sameRelay(p.record), nameSQS: r.SQS != p.SQS, nameBluetooth: r.Bluetooth != p.Bluetooth}
	links := slices.DeleteFunc(slices.Clone(p.links), func(l transport.Link) bool { return changed[l.Name()] })
	if changed[nameRelay] && r.Relay != "" {
		link, err := p.linkRelay(r)
		if err != nil {
			return err
		}
		links = append(links, link)
	}
	if changed[nameSQS] && r.SQS != nil {
		links = append(links, d.linkSQS(r.ID, r.SQS))
	}
	before, client := p.record, p.client
	p.links, p.Relay, p.Mailbox, p.Peer, p.SQS, p.Bluetooth = links, r.Relay, r.Mailbox, r.Peer, r.SQS, r.Bluetooth
	p.AddressesSeq, p.Untaken = r.AddressesSeq, r.Untaken
	if changed[nameBluetooth] {
		if p.radio != nil {
			d.bg.Go(p.radio.stop)
			p.radio = nil
		}
		if r.Bluetooth {
			if err := d.linkBluetooth(p); err != nil {
				return err
			}
		}
	}
	p.session.SetLinks(p.links, r.addresses())
	if before.Relay != "" && r.Relay == "" {
		p.client = nil
		d.bg.Go(func() { d.deleteMailbox(before, client) })
	}
	return nil
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
	r.SQS = q
	r.gained(nameSQS)
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
	if r.SQS == nil {
		return false, nil
	}
	if err := r.needs(nameSQS); err != nil {
		return false, err
	}
	left, err := d.keepLeftover(r.SQS, 0)
	if err != nil {
		return false, err
	}
	fault.Point("krd.channel.left")
	r.SQS = nil
	r.lost(nameSQS)
	if err := d.useChannels(p, r); err != nil {
		return false, err // the pairing wins over what is left
	}
	d.dropQueues(left)
	return true, nil
}

// addressesTold takes the phone's word on which of our addresses it has, and where
// it listens. A channel that it does not use goes, unless it has no other.
// It is called from the session's own goroutines.
func (d *Daemon) addressesTold(p *phone, seq int64, at []wire.Address) (err error) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	r, left := p.record, leftover{}
	switch {
	case p.list.over:
		return nil
	case seq > r.AddressesSeq: // one of us is a restored copy, and the phone takes only what is newer
		r.AddressesSeq = nextSeq(seq)
		return d.useChannels(p, r)
	case seq < r.AddressesSeq || at == nil:
		return nil
	}
	r.Untaken = nil
	to, mailbox := mailboxAt(r.Relay, at)
	queues, nearby := r.SQS.among(at), r.Bluetooth && listensNearby(at)
	switch {
	case mailbox:
		r.Peer = to
	case r.Relay != "" && (queues || nearby || r.Peer.IsZero()):
		d.cfg.Log.Info("the phone does not use the relay", "pairing", r.ID)
		r.leaveRelay()
	}
	if r.Bluetooth && !nearby && (mailbox || queues) {
		d.cfg.Log.Info("the phone does not use Bluetooth", "pairing", r.ID)
		r.Bluetooth = false
	}
	if r.SQS != nil && !queues && (mailbox || nearby) {
		if left, err = d.keepLeftover(r.SQS, 0); err != nil {
			return err
		}
		d.cfg.Log.Info("the phone does not use SQS", "pairing", r.ID)
		r.SQS = nil
	}
	if r.sameRelay(p.record) && r.SQS == p.SQS && r.Bluetooth == p.Bluetooth && len(p.Untaken) == 0 {
		return nil
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
	out := control.Link{Name: name, Connected: s.Connected, Mode: s.Mode, LastOK: s.LastOK, TookMS: float64(s.Took.Microseconds()) / 1000, Untold: untold}
	if s.LastError != nil {
		out.LastError = s.LastError.Error()
	}
	return out
}
