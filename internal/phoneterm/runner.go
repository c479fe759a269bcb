package phoneterm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/keystore"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/phone"
	"kryptonite/internal/statedir"
	"kryptonite/internal/transport/relay"
)

const (
	sendLimit = 20 * time.Second // one frame on one channel
	openLimit = 10 * time.Second // making a mailbox
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

	clients map[string]*relay.Client      // by origin; the loop's own
	ears    map[string]context.CancelFunc // by mailbox seed; the loop's own
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
	return &runner{core: core, journal: j, keys: keys, show: show, log: log,
		events: make(chan posted), clients: map[string]*relay.Client{}, ears: map[string]context.CancelFunc{}}
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

// run is the loop. It returns when ctx ends, after all it started has ended,
// or with the error of a store that does not take a decision.
func (r *runner) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
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
		r.closeMailbox(ctx, e)
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

func (r *runner) client(origin string) (*relay.Client, error) {
	if c := r.clients[origin]; c != nil {
		return c, nil
	}
	c, err := relay.NewClient(origin, relay.Options{Logger: r.log})
	if err != nil {
		return nil, err
	}
	r.clients[origin] = c
	return c, nil
}

// listen receives a mailbox until it is closed or ctx ends.
func (r *runner) listen(ctx context.Context, e phone.Listen) error {
	if r.ears[string(e.Seed)] != nil {
		return nil
	}
	c, err := r.client(e.Origin)
	if err != nil {
		return err
	}
	key, err := mailbox.KeyFromSeed(e.Seed)
	if err != nil {
		return err
	}
	if e.New {
		open, cancel := context.WithTimeout(ctx, openLimit)
		defer cancel()
		if err := c.Open(open, key); err != nil {
			return &unreachableError{e.Origin, err}
		}
	}
	ear, cancel := context.WithCancel(ctx)
	r.ears[string(e.Seed)] = cancel
	r.bg.Go(func() {
		err := c.Receive(ear, key, func(frame []byte) error {
			return r.post(ear, phone.Frame{Pairing: e.Pairing, Data: frame})
		})
		if ear.Err() == nil && !errors.Is(err, relay.ErrDeleted) {
			r.log.Error("mailbox is not received any more", "err", err)
		}
	})
	return nil
}

// storeError is a disk that does not take what the core decided.
type storeError struct{ err error }

func (e *storeError) Error() string { return fmt.Sprintf("store what happened: %v", e.err) }
func (e *storeError) Unwrap() error { return e.err }
func (e *storeError) Hint() []string {
	return []string{"nothing was signed or sent; make room on the disk and start again"}
}

// unreachableError is a relay that cannot be reached when it must.
type unreachableError struct {
	origin string
	err    error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("the relay %s cannot be reached: %v", e.origin, e.err)
}
func (e *unreachableError) Unwrap() error { return e.err }
func (e *unreachableError) ExitCode() int { return 5 }
func (e *unreachableError) Hint() []string {
	return []string{"is it running, and is this phone online?"}
}

// closeMailbox stops listening and deletes the mailbox in the background.
func (r *runner) closeMailbox(ctx context.Context, e phone.Close) {
	if cancel := r.ears[string(e.Seed)]; cancel != nil {
		cancel()
		delete(r.ears, string(e.Seed))
	}
	c, err := r.client(e.Origin)
	if err != nil {
		return
	}
	key, err := mailbox.KeyFromSeed(e.Seed)
	if err != nil {
		return
	}
	r.bg.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openLimit)
		defer cancel()
		if err := c.Delete(ctx, key); err != nil {
			r.log.Debug("mailbox not deleted", "err", err)
		}
	})
}

// send posts a frame to every address it knows the channel of.
func (r *runner) send(ctx context.Context, e phone.Send) {
	for _, a := range e.To {
		if a.Relay == nil || len(a.Relay.Mailbox) != mailbox.AddressSize {
			continue
		}
		c, err := r.client(a.Relay.Origin)
		if err != nil {
			r.log.Warn("a computer named a bad relay", "err", err)
			continue
		}
		to := mailbox.Address(a.Relay.Mailbox)
		r.bg.Go(func() {
			sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendLimit)
			defer cancel()
			if err := c.Post(sending, to, e.Frame); err != nil {
				r.log.Warn("frame not sent", "pairing", e.Pairing, "err", err)
				return
			}
			fault.Point("phone.send.taken")
			if e.Farewell {
				r.post(ctx, phone.Told{Pairing: e.Pairing}) // told twice if we end before
			}
		})
	}
}
