package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/wire"
)

// Times of pairing. [kr-protocol] §3.1, §3.5.
const (
	qrLife      = 5 * time.Minute
	pairLife    = 10 * time.Minute
	helloAgain  = 2 * time.Second // how often the same hello is repeated
	burnPatient = 3 * time.Second // for telling the phone that it is over
)

// errDone ends the receivers of a pairing.
var errDone = errors.New("daemon: pairing is over")

// pairRun is one QR code from its making to its end.
type pairRun struct {
	d          *Daemon
	req        control.PairRequest
	emit       func(control.PairEvent) error
	question   *question              // to the person at kr pair
	client     *relay.Client          // nil: they meet elsewhere
	rendezvous mailbox.Key            // at the relay
	own        mailbox.Key            // at the relay
	to         mailbox.Address        // where the phone waits for the hello at the relay
	queues     *queues                // nil: no SQS, or the phone does not use it
	left       leftover               // of queues
	meeting    *queues                // where they meet, without a relay
	meetLeft   leftover               // of meeting
	radios     []*radio               // the services that are served
	ownNearby  *ble.Link              // by Bluetooth alone: of the pairing's service
	begun      *wire.BluetoothAddress // where they meet then
	computer   *pairing.Computer

	first, later func(context.Context, func([]byte) error) error // receive the phone's first frame, and the others
	hello        func(context.Context, []byte) error             // sends to where the phone waits for the hello
	attempt      farewell                                        // what tells the phone if nothing comes of it; none before its first frame

	agreed, same bool      // on the phone, at kr pair
	heard        time.Time // when the phone's me_response came
}

// run pairs one phone. It returns the live pairing's phone, or why not.
func (r *pairRun) run(ctx context.Context) (*phone, error) {
	defer r.dropQueues() // none, once they are the pairing's
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	defer r.close(ctx)
	fault.Point("krd.pair.prepared")
	if err := r.emit(control.PairEvent{Link: r.computer.Invitation().Link()}); err != nil {
		return nil, err
	}
	fault.Point("krd.pair.shown")
	first, later := make(chan []byte), make(chan []byte)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.first(gctx, pass(gctx, first)) })
	g.Go(func() error { return r.later(gctx, pass(gctx, later)) })
	var result error
	g.Go(func() error {
		result = r.steps(gctx, first, later)
		return errDone
	})
	if err := g.Wait(); !errors.Is(err, errDone) {
		result = err
	}
	r.silence() // the pairing, or the word that there is none, has the service to itself
	if cause := context.Cause(ctx); cause != nil && result != nil {
		result = cause
	}
	if result != nil {
		r.burn(ctx)
		return nil, result
	}
	p, err := r.finish()
	if err != nil {
		r.burn(ctx)
	}
	return p, err
}

func pass(ctx context.Context, to chan<- []byte) func([]byte) error {
	return func(frame []byte) error {
		select {
		case to <- frame:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// prepare makes keys, and opens what they meet by before anyone hears of it.
func (r *pairRun) prepare(ctx context.Context) (err error) {
	where, addresses := wire.Invitation{App: r.req.App, Relay: r.req.Relay}, []wire.Address(nil)
	if r.req.Relay != "" {
		if err := r.relayKeys(); err != nil {
			return err
		}
		a := r.own.Address()
		where.Rendezvous = r.rendezvous.Address()
		addresses = append(addresses, wire.Address{Relay: &wire.RelayAddress{Origin: r.req.Relay, Mailbox: a[:]}})
	}
	if r.req.SQS != nil {
		if err := r.makeQueues(ctx); err != nil {
			return err
		}
		addresses = append(addresses, wire.Address{SQS: &r.queues.SQSAddress})
		if r.req.Relay == "" {
			where.SQS = wire.Meeting{Region: r.queues.Region, Account: r.queues.Account, Prefix: r.req.SQS.Prefix}
		}
	}
	where.Bluetooth = r.req.Bluetooth && r.req.Relay == "" && r.req.SQS == nil
	r.computer, err = pairing.NewComputer(where, pairing.Self{Name: r.req.Name, Version: r.d.cfg.Version, Addresses: addresses, Bluetooth: r.req.Bluetooth})
	if err != nil {
		return err
	}
	if _, err := wire.ParseLink(r.computer.Invitation().Link()); err != nil {
		return &control.Error{Code: control.CodeBadRequest,
			Text: "no QR code can carry the address of this relay or app: use a host name of letters, digits, dots and hyphens, or 127.0.0.1"}
	}
	switch {
	case where.Bluetooth:
		r.meetNearby()
		return nil
	case r.client == nil:
		return r.makeMeeting(ctx)
	}
	return r.openMailboxes(ctx)
}

func (r *pairRun) relayKeys() (err error) {
	if r.client, err = relay.NewClient(r.req.Relay, relay.Options{}); err != nil {
		return &control.Error{Code: control.CodeBadRequest, Text: err.Error()}
	}
	if r.rendezvous, err = mailbox.NewKey(); err != nil {
		return err
	}
	r.own, err = mailbox.NewKey()
	return err
}

func (r *pairRun) openMailboxes(ctx context.Context) error {
	open, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, k := range []mailbox.Key{r.rendezvous, r.own} {
		if err := r.client.Open(open, k); err != nil {
			return &control.Error{Code: control.CodeChannel, Text: fmt.Sprintf("the relay %s cannot be reached: %v", r.req.Relay, err)}
		}
	}
	receive := func(k mailbox.Key) func(context.Context, func([]byte) error) error {
		return func(ctx context.Context, handle func([]byte) error) error { return r.client.Receive(ctx, k, handle) }
	}
	r.first, r.later = receive(r.rendezvous), receive(r.own)
	r.hello = func(ctx context.Context, frame []byte) error { return r.client.Post(ctx, r.to, frame) }
	return nil
}

// steps takes frames and the person's answer until both sides have agreed.
func (r *pairRun) steps(ctx context.Context, first, later <-chan []byte) error {
	qr, end := time.NewTimer(qrLife), time.NewTimer(pairLife)
	defer qr.Stop()
	defer end.Stop()
	again := time.NewTicker(helloAgain)
	defer again.Stop()
	for !r.agreed || !r.same {
		select {
		case frame := <-first:
			hello, to, err := r.computer.Accept(fault.Now(), frame)
			if err != nil {
				continue // a stranger, or a second phone that scanned the same code
			}
			fault.Point("krd.pair.accepted")
			qr.Stop()
			r.to = to
			if err := r.keepAttempt(to, r.meeting, r.begun); err != nil {
				return err
			}
			fault.Point("krd.pair.attempt")
			r.knowNearby()
			r.post(ctx, hello)
			fault.Point("krd.pair.hello")
		case frame := <-later:
			if err := r.take(frame); err != nil {
				return err
			}
		case same := <-r.question.answers:
			if !same {
				return &control.Error{Code: control.CodeDeclined, Text: "the words were not the same: this pairing was given up, and the code is burned"}
			}
			r.same = true
			fault.Point("krd.pair.same")
		case <-again.C:
			if hello := r.computer.Hello(); hello != nil && !r.agreed {
				r.post(ctx, hello)
			}
		case <-qr.C:
			return &control.Error{Code: control.CodeNoAnswer, Text: "nobody scanned the code within 5 minutes"}
		case <-end.C:
			return &control.Error{Code: control.CodeNoAnswer, Text: "the pairing was not finished within 10 minutes"}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// take handles a frame of the phone after its first.
func (r *pairRun) take(frame []byte) error {
	before := r.computer.Words()
	done, err := r.computer.Receive(frame)
	switch {
	case errors.Is(err, pairing.ErrCommit):
		return &control.Error{Code: control.CodeCommit, Text: "someone else may be in between: this pairing was given up, and the code is burned"}
	case errors.Is(err, pairing.ErrUnpaired):
		return &control.Error{Code: control.CodeDeclined, Text: "declined on the phone"}
	case err != nil:
		return nil
	}
	if done && !r.agreed {
		r.agreed, r.heard = true, fault.Now()
		fault.Point("krd.pair.agreed")
	}
	if w := r.computer.Words(); w != before {
		if !r.queues.among(r.computer.Peer().Addresses) {
			r.dropQueues()
		}
		if to, ok := relayAddress(r.computer.Peer().Addresses); ok || r.client == nil && r.queues != nil || r.ownNearby != nil {
			if err := r.keepAttempt(to, r.queues, r.service()); err != nil {
				return err
			}
		}
		fault.Point("krd.pair.words")
		r.question.ask(w)
		return r.emit(control.PairEvent{Words: w})
	}
	return nil
}

// keepAttempt makes sure that the phone, which listens at to, or without a relay
// to the queue of q, or by Bluetooth alone, is told if nothing comes of this, even if
// krd dies.
func (r *pairRun) keepAttempt(to mailbox.Address, q *queues, nearby *wire.BluetoothAddress) error {
	if r.ownNearby == nil {
		nearby = nil
	}
	if r.client != nil {
		q = nil
	}
	frame, err := r.computer.Unpair(fault.Now())
	if err != nil {
		return err
	}
	own, s, _ := r.computer.Keys()
	r.attempt = farewell{ID: pairing.ID(own.Public(), s), Name: "a phone that was not paired", Relay: r.req.Relay, To: to,
		SQS: q, Bluetooth: nearby, Frame: frame, Since: fault.Now().Truncate(time.Second), Attempt: true}
	return r.d.keepFarewell(r.attempt)
}

// post sends the hello to where the phone waits for it; a failure is repeated with
// the next hello.
func (r *pairRun) post(ctx context.Context, frame []byte) {
	ctx, cancel := context.WithTimeout(ctx, helloAgain)
	defer cancel()
	if err := r.hello(ctx, frame); err != nil {
		r.d.cfg.Log.Debug("hello not sent", "err", err)
	}
}

// burn tells the phone, if there is one, that nothing came of it, and lets go
// of our mailbox.
func (r *pairRun) burn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), burnPatient)
	defer cancel()
	if r.attempt.ID != "" {
		select {
		case <-r.d.tell(r.attempt):
		case <-ctx.Done():
		}
	}
	if r.client == nil {
		return
	}
	if err := r.client.Delete(ctx, r.own); err != nil {
		r.d.cfg.Log.Debug("mailbox not deleted", "err", err)
	}
}

// close deletes the rendezvous mailbox: its time is over.
func (r *pairRun) close(ctx context.Context) {
	if r.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), burnPatient)
	defer cancel()
	if err := r.client.Delete(ctx, r.rendezvous); err != nil {
		r.d.cfg.Log.Debug("mailbox not deleted", "err", err)
	}
}

// finish makes the pairing durable and live.
func (r *pairRun) finish() (*phone, error) {
	own, s, epoch := r.computer.Keys()
	peer := r.computer.Peer()
	to, ok := relayAddress(peer.Addresses)
	nearby := r.req.Bluetooth && listensNearby(peer.Addresses)
	if r.client != nil && !ok || r.client == nil && r.queues == nil && !nearby {
		return nil, &control.Error{Code: control.CodeChannel, Text: "the phone did not say where it listens"}
	}
	rec := record{
		ID: pairing.ID(own.Public(), s), Name: r.d.freeName(phoneName(peer.Name)), Own: own, Phone: s,
		Keys: peer.Keys, Paired: time.Now().Truncate(time.Millisecond), App: r.req.App, Wakers: peer.Wakers, SQS: r.queues, Bluetooth: nearby,
	}
	if r.client != nil {
		rec.Relay, rec.Mailbox, rec.Peer = r.req.Relay, r.own.Seed(), to
	}
	if err := rec.check(); err != nil {
		return nil, &control.Error{Code: control.CodeChannel, Text: fmt.Sprintf("the phone did not introduce itself properly: %v", err)}
	}
	fault.Point("krd.pair.done")
	if err := r.d.cfg.Dir.WriteJSON(recordName(rec.ID), recordVersion, rec); err != nil {
		return nil, fmt.Errorf("store the pairing: %w", err)
	}
	fault.Point("krd.pair.stored")
	offset := time.Unix(peer.Unix, 0).Sub(r.heard.Truncate(time.Second))
	if err := r.d.startPhone(rec, &sealbox.Epoch{ID: epoch.ID, Send: epoch.Send, Recv: epoch.Recv}, offset); err != nil {
		return nil, errors.Join(err, r.d.cfg.Dir.Remove(recordName(rec.ID)))
	}
	if err := r.d.cfg.Dir.Remove(farewellName(rec.ID)); err != nil {
		r.d.cfg.Log.Warn("left behind", "err", err) // a live pairing wins over it
	}
	if err := r.d.forgetLeftover(r.left); err != nil {
		r.d.cfg.Log.Warn("left behind", "err", err) // here, too
	}
	r.queues = nil
	fault.Point("krd.pair.live")
	r.d.cfg.Log.Info("phone paired", "pairing", rec.ID, "keys", len(rec.Keys))
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	return r.d.phones[rec.ID], nil
}

// relayAddress finds the phone's mailbox among its addresses.
func relayAddress(as []wire.Address) (mailbox.Address, bool) {
	for _, a := range as {
		if a.Relay != nil && len(a.Relay.Mailbox) == mailbox.AddressSize {
			return mailbox.Address(a.Relay.Mailbox), true
		}
	}
	return mailbox.Address{}, false
}
