package daemon

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"

	"kryptonite/internal/control"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/wire"
)

// sameRelay reports whether r and other are by the same two mailboxes.
func (r *record) sameRelay(other record) bool {
	return r.Relay == other.Relay && r.Peer == other.Peer && bytes.Equal(r.Mailbox, other.Mailbox)
}

// leaveRelay takes the relay out of r.
func (r *record) leaveRelay() { r.Relay, r.Mailbox, r.Peer = "", nil, mailbox.Address{} }

// mailboxAt finds the phone's mailbox at a relay among its addresses.
func mailboxAt(origin string, as []wire.Address) (mailbox.Address, bool) {
	elsewhere := func(a wire.Address) bool { return a.Relay == nil || a.Relay.Origin != origin }
	to, ok := relayAddress(slices.DeleteFunc(slices.Clone(as), elsewhere))
	return to, ok && !to.IsZero()
}

// gainRelay opens a mailbox for a phone that is paired without a relay. What the
// phone is to be posted to, it tells when it has one, too.
func (d *Daemon) gainRelay(ctx context.Context, p *phone, origin string) (gained bool, err error) {
	switch at := p.relay(); at {
	case "":
	case origin:
		return false, nil
	default:
		return false, &control.Error{Code: control.CodeChannel, Text: "it uses the relay " + at}
	}
	key, err := mailbox.NewKey()
	if err != nil {
		return false, err
	}
	client, err := relay.NewClient(origin, relay.Options{})
	if err != nil {
		return false, &control.Error{Code: control.CodeBadRequest, Text: err.Error()}
	}
	defer client.Close()
	open, cancel := context.WithTimeout(ctx, makePatience)
	defer cancel()
	if err := client.Open(open, key); err != nil {
		return false, &control.Error{Code: control.CodeChannel, Text: fmt.Sprintf("the relay %s cannot be reached: %v", origin, err)}
	}
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	r := p.record
	r.Relay, r.Mailbox = origin, key.Seed()
	r.gained(nameRelay)
	if err := d.useChannels(p, r); err != nil {
		return false, err // the mailbox is empty, and expires
	}
	return true, nil
}

// loseRelay takes a phone's relay away, unless it is all that the phone has for sure.
func (d *Daemon) loseRelay(p *phone) (lost bool, err error) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	r := p.record
	if r.Relay == "" {
		return false, nil
	}
	if err := r.needs(nameRelay); err != nil {
		return false, err
	}
	r.leaveRelay()
	r.lost(nameRelay)
	if err := d.useChannels(p, r); err != nil {
		return false, err
	}
	return true, nil
}

// relay is the origin of the phone's relay of now, or "".
func (p *phone) relay() string {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	return p.Relay
}

// handleAddRelay opens mailboxes for the phones that have none.
func (d *Daemon) handleAddRelay(w http.ResponseWriter, req *http.Request) {
	var in control.Relay
	if !decode(w, req, &in) {
		return
	}
	origin, err := mailbox.CanonicalOrigin(in.Origin)
	if err != nil {
		fail(w, http.StatusBadRequest, &control.Error{Code: control.CodeBadRequest, Text: err.Error()})
		return
	}
	reply(w, d.changeAll(func(p *phone) (bool, error) { return d.gainRelay(req.Context(), p, origin) }))
}

// handleRemoveRelay takes the relay of all phones away that have another channel.
func (d *Daemon) handleRemoveRelay(w http.ResponseWriter, _ *http.Request) {
	reply(w, d.changeAll(d.loseRelay))
}

// deleteMailbox lets go of our mailbox at the relay; one that stays is empty
// and expires.
func (d *Daemon) deleteMailbox(r record, client *relay.Client) {
	if client == nil {
		return
	}
	box, err := mailbox.KeyFromSeed(r.Mailbox)
	if err != nil {
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.life), shutdownPatience)
	defer cancel()
	if err := client.Delete(ctx, box); err != nil {
		d.cfg.Log.Debug("own mailbox not deleted", "pairing", r.ID, "err", err)
	}
}
