package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/session"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/relay"
	snsowner "kryptonite/internal/wake/sns/owner"
	"kryptonite/internal/wake/webpush"
	"kryptonite/internal/wire"
)

const (
	pairingDir    = "pairings"
	recordVersion = 1
)

// record is a pairing on disk. Nothing else holds these keys.
type record struct {
	ID      string             `json:"id"`
	Name    string             `json:"phone"`
	Own     sealbox.PrivateKey `json:"c_priv"`
	Phone   sealbox.PublicKey  `json:"s_pub"`
	Relay   string             `json:"relay"` // "", without mailboxes: SQS, or Bluetooth, is the only link
	Mailbox []byte             `json:"mailbox_seed"`
	Peer    mailbox.Address    `json:"phone_mailbox"` // zero while the phone has not told one at a relay that it is told of
	Keys    []wire.SSHKey      `json:"keys"`
	KeysSeq int64              `json:"keys_seq"`        // of the notice that told Keys and Locked; 0: the pairing did
	Locked  time.Time          `json:"locked,omitzero"` // since when the phone refuses all that is asked; zero: it does not
	Paired  time.Time          `json:"paired"`

	App         string    `json:"app,omitempty"` // origin of the phone's app; none of before there was push
	wire.Wakers           // KeysSeq is of them, too
	PushGone    time.Time `json:"push_gone,omitzero"` // when the last Push was found to have ended, while there is no other
	SNS         *endpoint `json:"sns,omitempty"`      // where PushToken is at Amazon SNS; nil: nowhere

	SQS       *queues `json:"sqs,omitempty"`       // nil: no queues
	Bluetooth bool    `json:"bluetooth,omitempty"` // the phone comes by it, too

	AddressesSeq int64    `json:"addresses_seq,omitempty"`    // of what the phone is told of channels; 0: the pairing did
	Untaken      []string `json:"channels_untaken,omitempty"` // links, by name, that the phone has not said to have
}

// UnmarshalJSON reads a record and checks it, so that a file with a key or an
// address missing counts as damaged.
func (r *record) UnmarshalJSON(b []byte) error {
	type fields record
	if err := json.Unmarshal(b, (*fields)(r)); err != nil {
		return err
	}
	return r.check()
}

// check reports what is missing in a record, or does not fit together.
func (r *record) check() error {
	if r.Own.IsZero() || r.ID != pairing.ID(r.Own.Public(), r.Phone) {
		return errors.New("its keys are not those of the pairing it names")
	}
	if _, err := sealbox.NewShared(r.Own, r.Phone); err != nil {
		return err
	}
	if err := r.checkRelay(); err != nil {
		return err
	}
	if r.Name == "" || r.Paired.IsZero() {
		return errors.New("the phone's name, or the time, is missing")
	}
	if r.KeysSeq < 0 || len(r.Keys) > wire.MaxKeys {
		return fmt.Errorf("it has %d keys, at most %d are allowed, or no number of their notice", len(r.Keys), wire.MaxKeys)
	}
	if r.Push != nil && r.Push.Check() != nil {
		return errors.New("where the phone can be pushed to is not a push address")
	}
	if r.PushToken != nil && r.PushToken.Check() != nil || r.SNS != nil && r.SNS.Check() != nil {
		return errors.New("the token of the phone's device, or its endpoint at SNS, is none")
	}
	if r.SQS != nil && r.SQS.Check() != nil || r.AddressesSeq < 0 {
		return errors.New("its queues at SQS are not well named, or its addresses not numbered")
	}
	if slices.ContainsFunc(r.Keys, func(k wire.SSHKey) bool { return len(k.PublicKey) == 0 }) {
		return errors.New("a public key of the phone is empty") // of kinds we do not know there may be some
	}
	return nil
}

// checkRelay is check for the relay, which may be missing if there is another link.
func (r *record) checkRelay() error {
	if r.Relay == "" && r.Mailbox == nil && r.Peer.IsZero() && (r.SQS != nil || r.Bluetooth) {
		return nil
	}
	if _, err := mailbox.KeyFromSeed(r.Mailbox); err != nil {
		return err
	}
	if origin, err := mailbox.CanonicalOrigin(r.Relay); err != nil || origin != r.Relay {
		return fmt.Errorf("its relay is no canonical origin: %q", r.Relay)
	}
	if r.Peer.IsZero() && (!slices.Contains(r.Untaken, nameRelay) || r.needs(nameRelay) != nil) {
		return errors.New("the phone's mailbox is missing")
	}
	return nil
}

// phone is a pairing at work.
type phone struct {
	record  // Relay, Mailbox, Peer, Keys, KeysSeq, Locked, Wakers, PushGone, SNS, SQS, Bluetooth and those of addresses belong to list
	list    keyList
	links   []transport.Link // belong to list
	radio   *radio           // for Bluetooth, else nil; belongs to list
	waker   *webpush.Waker   // for Push; belongs to list; nil: there is none, or pushErr says why not
	pushErr error
	device  *snsowner.Waker // the same for PushToken
	snsErr  error
	session *session.Session
	client  *relay.Client // of Relay; belongs to list; nil: no relay
	cancel  context.CancelFunc
	done    chan struct{}
}

func recordName(id string) string { return pairingDir + "/" + id + ".json" }

// loadPhones starts a session for every pairing on disk. A damaged file is set
// aside and named; the others work on.
func (d *Daemon) loadPhones() error {
	d.heard = d.readHeard()
	name := func(r record) string { return recordName(r.ID) }
	return eachNote(d, pairingDir, "a pairing cannot be read; pair that phone again", name, func(r record) error {
		if err := d.startPhone(r, nil, 0); err != nil {
			return fmt.Errorf("start pairing with %q: %w", r.Name, err)
		}
		return nil
	})
}

// startPhone begins to work with a phone. first is the epoch of a new pairing.
func (d *Daemon) startPhone(r record, first *sealbox.Epoch, offset time.Duration) error {
	p := &phone{record: r, done: make(chan struct{})}
	if err := d.openLinks(p); err != nil {
		return err
	}
	d.setPush(p)
	var err error
	p.session, err = session.New(session.Config{
		Own: r.Own, Phone: r.Phone, Links: p.links, Addresses: r.addresses(),
		Version: d.cfg.Version, Log: d.cfg.Log.With("pairing", r.ID), FirstEpoch: first, Offset: offset,
		Heard: d.lastHeard(r), Now: fault.Now, Witness: witness{d, r.ID},
		Unpaired: func() error { return d.phoneLeft(p) },
		Told:     func(seq int64, at []wire.Address) error { return d.addressesTold(p, seq, at) },
		KeysSeq:  r.KeysSeq, Locked: !r.Locked.IsZero(), Waker: bell{d, p}, Asking: p.asking,
		Keys: func(seq int64, keys []wire.SSHKey, wake wire.Wakers, locked bool) error {
			return d.keysTold(p, seq, keys, wake, locked)
		},
	})
	if err != nil {
		return err
	}
	d.setDevice(p)
	ctx, cancel := context.WithCancel(d.life)
	p.cancel = cancel
	d.mu.Lock()
	d.phones[r.ID] = p
	d.mu.Unlock()
	d.bg.Go(func() {
		defer close(p.done)
		if err := p.session.Run(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.Error("session ended", "pairing", r.ID, "err", err)
		}
	})
	return nil
}

// phoneLeft makes the phone's end of a pairing durable. It is called from the
// session's own goroutine, so the session is only told to stop.
func (d *Daemon) phoneLeft(p *phone) (err error) {
	was, undo := p.end()
	defer func() {
		if err != nil {
			undo()
		}
	}()
	left, err := d.keepLeftover(was.SQS, 0)
	if err != nil {
		return err
	}
	device, err := d.releaseDevice(p)
	if err != nil {
		return err
	}
	if err := d.cfg.Dir.Remove(recordName(p.ID)); err != nil {
		return err
	}
	d.cfg.Log.Info("the phone has unpaired", "pairing", p.ID)
	d.mu.Lock()
	delete(d.phones, p.ID)
	d.mu.Unlock()
	p.cancel()
	d.bg.Go(func() {
		<-p.done
		p.silence()
		d.deleteMailbox(was, p.client)
		d.dropQueues(left)
		d.dropEndpoint(device)
	})
	return nil
}

// close ends all sessions and what else goes on, and waits for it.
func (d *Daemon) close(end context.CancelFunc) {
	d.notes.Wait()
	d.keepHeard(0)
	for _, p := range d.list() {
		p.cancel()
		<-p.done
	}
	end()
	d.bg.Wait()
	d.pushClient().Close()
	d.asked.close()
}

// list returns the phones: those that answered last time first, then by age.
func (d *Daemon) list() []*phone {
	d.mu.Lock()
	var out []*phone
	for _, p := range d.phones {
		out = append(out, p)
	}
	d.mu.Unlock()
	slices.SortFunc(out, func(a, b *phone) int {
		return cmp.Or(byBool(a.session.Away(), b.session.Away()), a.Paired.Compare(b.Paired), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func byBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// find returns the phone with this name or id.
func (d *Daemon) find(nameOrID string) (*phone, error) {
	var found []*phone
	for _, p := range d.list() {
		if p.ID == nameOrID {
			return p, nil
		}
		if strings.EqualFold(p.Name, nameOrID) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, &control.Error{Code: control.CodeNoSuch, Text: fmt.Sprintf("no paired phone is called %q", nameOrID)}
	}
	return nil, &control.Error{Code: control.CodeNoSuch,
		Text: fmt.Sprintf("%d paired phones are called %q; use the id that kr status shows", len(found), nameOrID)}
}

// unpair ends a pairing here at once. told says whether the phone knows; if not
// yet, krd goes on telling it.
func (d *Daemon) unpair(ctx context.Context, p *phone) (told bool, err error) {
	frame, err := p.session.Farewell()
	if err != nil {
		return false, err
	}
	was, undo := p.end()
	defer func() {
		if err != nil {
			undo()
		}
	}()
	nearby, err := p.nearby()
	if err != nil {
		return false, err
	}
	left, err := d.keepLeftover(was.SQS, farewellLife)
	if err != nil {
		return false, err
	}
	device, err := d.releaseDevice(p)
	if err != nil {
		return false, err
	}
	fault.Point("krd.unpair.queues")
	f := farewell{ID: p.ID, Name: p.Name, Relay: was.Relay, To: was.Peer, SQS: was.SQS, Bluetooth: nearby, Frame: frame, Since: fault.Now().Truncate(time.Second)}
	if err := d.keepFarewell(f); err != nil {
		return false, err
	}
	fault.Point("krd.unpair.stored")
	if err := d.cfg.Dir.Remove(recordName(p.ID)); err != nil {
		return false, fmt.Errorf("remove the pairing: %w", err)
	}
	fault.Point("krd.unpair.removed")
	d.mu.Lock()
	delete(d.phones, p.ID)
	d.mu.Unlock()
	p.silence() // the last word has the service to itself
	done := d.tell(f)
	p.cancel()
	<-p.done
	d.bg.Go(func() { d.deleteMailbox(was, p.client); d.dropQueues(left); d.dropEndpoint(device) })
	timer := time.NewTimer(tellPatience)
	defer timer.Stop()
	select {
	case <-done:
		return true, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return false, nil
}

// freeName is name, or "name 2" and so on when another phone has it.
func (d *Daemon) freeName(name string) string {
	taken := map[string]bool{}
	for _, p := range d.list() {
		taken[strings.ToLower(p.Name)] = true
	}
	free := name
	for n := 2; taken[strings.ToLower(free)]; n++ {
		free = fmt.Sprintf("%s %d", name, n)
	}
	return free
}

// describe is a phone as kr sees it.
func (d *Daemon) describe(p *phone) control.Phone {
	st := p.session.Status()
	out := control.Phone{ID: p.ID, Name: p.Name, Paired: p.Paired, Heard: st.Heard, Away: st.Away, Locked: p.locked(), Keys: []control.Key{}, Push: p.describePush(), SNS: p.describeSNS()}
	for _, k := range p.keys() {
		fp, typ := "", ""
		if key, err := sshwire.ParsePublicKey(k.PublicKey); err == nil {
			fp, typ = key.Fingerprint(), key.Type()
		}
		only, _ := d.limits.of(k.PublicKey)
		out.Keys = append(out.Keys, control.Key{Name: k.Name, Fingerprint: fp, Type: typ, Hosts: only,
			AuthorizedKey: sshwire.AuthorizedKey(k.PublicKey, k.Comment(p.Name))})
	}
	untaken := p.untaken()
	for name, l := range st.Links {
		out.Links = append(out.Links, describeLink(name, l, slices.Contains(untaken, name)))
	}
	slices.SortFunc(out.Links, func(a, b control.Link) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
