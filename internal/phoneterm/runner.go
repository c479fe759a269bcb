package phoneterm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/keystore"
	"kryptonite/internal/phone"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/statedir"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/transport/sqs"
)

// runner performs the effects of a phone core on this machine. Its loop owns
// the core; everything else talks to it by events.
type runner struct {
	core    *phone.Core
	journal *statedir.Journal
	keys    signer             // nil for commands that sign nothing
	show    func(phone.Effect) // for people: ShowWords, Ask, Withdraw, Note
	log     *slog.Logger

	events chan posted
	bg     sync.WaitGroup

	clients map[string]*relay.Client  // by origin; the loop's own
	sqs     *sqs.Client               // nil until it is needed; the loop's own
	queues  map[string]transport.Link // by name of the queue to the phone; the loop's own
	ears    map[string]ear            // by mailbox seed, name of the queue, or service; the loop's own

	central  *bluez.Central
	services map[sealbox.ServiceUUID]*ble.Link // the loop's own
	parted   map[string]context.CancelFunc     // by pairing: whose last word looks for its computer by Bluetooth; the loop's own
	radios   sync.WaitGroup                    // that serve them
	air      context.Context                   // of radios: ends after bg
	still    context.CancelFunc
	parting  time.Duration // how long frames may still go by Bluetooth when run ends; set before that
}

// look lets f look at the core, in the loop, where nothing changes it meanwhile.
func (r *runner) look(ctx context.Context, f func(*phone.Core) error) error {
	p := posted{look: f, done: make(chan error, 1)}
	return r.hand(ctx, p)
}

// signer is what the runner needs of a keystore.
type signer interface {
	Sign(fingerprint string, data []byte) ([]byte, error)
}

// posted is an event on its way to the loop; done gets the outcome once its
// Store effects are durable.
type posted struct {
	ev   phone.Event
	look func(*phone.Core) error // instead of an event
	done chan error
}

func newRunner(core *phone.Core, j *statedir.Journal, keys signer, show func(phone.Effect), log *slog.Logger) *runner {
	air, still := context.WithCancel(context.Background())
	return &runner{core: core, journal: j, keys: keys, show: show, log: log, air: air, still: still, parting: partLimit,
		central:  bluez.NewCentral(bluez.Options{Adapter: os.Getenv(bluez.AdapterVariable), Log: log}),
		services: map[sealbox.ServiceUUID]*ble.Link{}, parted: map[string]context.CancelFunc{},
		events: make(chan posted), clients: map[string]*relay.Client{}, queues: map[string]transport.Link{}, ears: map[string]ear{}}
}

// post hands an event to the loop and waits until it is durable.
func (r *runner) post(ctx context.Context, ev phone.Event) error {
	return r.hand(ctx, posted{ev: ev, done: make(chan error, 1)})
}

func (r *runner) hand(ctx context.Context, p posted) error {
	select {
	case r.events <- p:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begin runs the loop beside its caller, until end, or ctx does. The context that
// it returns ends with the loop, also when that fails. end returns the loop's
// error, if there is one, beside err, which is what the caller came to.
func (r *runner) begin(ctx context.Context) (_ context.Context, end func(err error) error) {
	ctx, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := r.run(ctx)
		stop(err)
		ended <- err
	}()
	return ctx, func(err error) error {
		stop(nil)
		own := <-ended
		switch {
		case own == nil:
			return err
		case errors.Is(err, own), errors.Is(err, context.Canceled): // by the loop's end
			return own
		}
		return errors.Join(err, own)
	}
}

// run is the loop. It returns when ctx ends, after all it started has ended,
// or with the error of a store that does not take a decision.
func (r *runner) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.radios.Wait()
	defer r.still()
	defer r.bg.Wait()
	defer cancel()
	if err := r.handle(ctx, phone.Start{}); err != nil {
		return err
	}
	for {
		timer := time.NewTimer(r.untilNext())
		select {
		case p := <-r.events:
			var err error
			if p.look != nil {
				p.done <- p.look(r.core)
			} else {
				err = r.handle(ctx, p.ev)
				p.done <- err
			}
			if stored := new(storeError); errors.As(err, &stored) {
				return err // the core knows more than the disk: go on from the disk
			}
		case <-timer.C:
			if err := r.handle(ctx, phone.Tick{}); err != nil {
				return err
			}
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

func (r *runner) untilNext() time.Duration {
	at, ok := r.core.Next()
	if !ok {
		return time.Hour
	}
	return max(at.Sub(fault.Now()), 100*time.Millisecond)
}

// handle gives an event to the core and performs the effects: first what must
// be durable, then the rest in order.
func (r *runner) handle(ctx context.Context, ev phone.Event) error {
	if told, ok := ev.(phone.Told); ok && r.parted[told.Pairing] != nil {
		r.parted[told.Pairing]()
	}
	effects := r.core.Handle(fault.Now(), ev)
	fault.Point("%T.handled", ev)
	var ops []statedir.Op
	for _, e := range effects {
		if s, ok := e.(phone.Store); ok {
			ops = append(ops, statedir.Op{Key: s.Key, Value: s.Value})
		}
	}
	if err := r.journal.Commit(ops); err != nil {
		return &storeError{err}
	}
	fault.Point("%T.stored", ev)
	for _, e := range effects {
		if err := r.perform(ctx, e); err != nil {
			return err
		}
		fault.Point("%T.%T", ev, e)
	}
	return nil
}

func (r *runner) perform(ctx context.Context, e phone.Effect) error {
	switch e := e.(type) {
	case phone.Store, phone.Subscribe: // a terminal has no push service
	case phone.Listen:
		return r.listen(ctx, e)
	case phone.Close:
		r.close(ctx, e)
	case phone.Send:
		r.send(ctx, e)
	case phone.Sign:
		return r.handle(ctx, r.sign(e))
	default:
		r.show(e)
	}
	return nil
}

func (r *runner) sign(e phone.Sign) phone.Signed {
	out := phone.Signed{Pairing: e.Pairing, Request: e.Request}
	if r.keys == nil {
		out.Failed = keystore.ErrLocked.Error()
		return out
	}
	sig, err := r.keys.Sign(e.Fingerprint, e.Payload)
	if err != nil {
		out.Failed = err.Error()
		return out
	}
	out.Signature = sig
	r.log.Debug("signed", "pairing", e.Pairing, "request", e.Request, "payload_sha256", fmt.Sprintf("%x", sha256.Sum256(e.Payload)))
	return out
}

// storeError is a disk that does not take what the core decided.
type storeError struct{ err error }

func (e *storeError) Error() string { return fmt.Sprintf("store what happened: %v", e.err) }
func (e *storeError) Unwrap() error { return e.err }
func (e *storeError) Hint() []string {
	return []string{"nothing was signed or sent; make room on the disk and start again"}
}
