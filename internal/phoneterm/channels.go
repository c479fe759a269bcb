package phoneterm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/phone"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/wire"
)

const (
	sendLimit = 20 * time.Second // one frame on one channel
	openLimit = 10 * time.Second // making a mailbox
)

// endpointEnv is AWS's own name for another endpoint of SQS. The computer has no
// say in it.
const endpointEnv = "AWS_ENDPOINT_URL_SQS"

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

// link is the phone's end of a pairing's queues at SQS.
func (r *runner) link(a wire.SQSAddress) (transport.Link, error) {
	if l := r.queues[a.ToPhone]; l != nil {
		return l, nil
	}
	toComputer, toPhone, err := sqs.Queues(a, os.Getenv(endpointEnv))
	if err != nil {
		return nil, err
	}
	if r.sqs == nil {
		r.sqs = sqs.NewClient(nil)
	}
	l := sqs.NewLink(r.sqs, toComputer, toPhone, r.log)
	r.queues[a.ToPhone] = l
	return l, nil
}

// listen receives a mailbox, a queue, or a service nearby, until it is closed or ctx ends.
func (r *runner) listen(ctx context.Context, e phone.Listen) error {
	switch {
	case e.SQS != nil:
		return r.listenSQS(ctx, e)
	case e.Bluetooth != nil:
		r.listenNearby(ctx, e)
		return nil
	}
	if _, listens := r.ears[string(e.Seed)]; listens {
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
	r.hear(ctx, string(e.Seed), e.Origin, e.Pairing, func(ctx context.Context, handle func([]byte) error) error {
		return c.Receive(ctx, key, handle)
	})
	return nil
}

func (r *runner) listenSQS(ctx context.Context, e phone.Listen) error {
	if _, listens := r.ears[e.SQS.ToPhone]; listens {
		return nil
	}
	l, err := r.link(*e.SQS)
	if err != nil {
		return err
	}
	r.hear(ctx, e.SQS.ToPhone, "", e.Pairing, l.Receive)
	return nil
}

// ear is one place where the phone listens.
type ear struct {
	end    context.CancelFunc
	origin string // of a relay; "" for a queue
}

// hear posts what receive brings to the loop, until the ear is ended. A frame
// that ends it, as the last word of a pairing does, is still acknowledged.
func (r *runner) hear(ctx context.Context, name, origin, pairing string, receive func(context.Context, func([]byte) error) error) {
	hearing, cancel := context.WithCancel(ctx)
	r.ears[name] = ear{cancel, origin}
	r.bg.Go(func() {
		err := receive(hearing, func(frame []byte) error {
			return r.post(ctx, phone.Frame{Pairing: pairing, Data: frame})
		})
		if hearing.Err() == nil && !errors.Is(err, relay.ErrDeleted) {
			r.log.Error("a channel is not received any more", "pairing", pairing, "err", err)
		}
	})
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

// close stops listening and deletes the mailbox in the background. A relay where
// nobody listens any more is forgotten: computers may name one after the other.
func (r *runner) close(ctx context.Context, e phone.Close) {
	name := string(e.Seed)
	if e.SQS != nil {
		name = e.SQS.ToPhone
		delete(r.queues, name)
	}
	if e.Bluetooth != nil {
		name = string(e.Bluetooth.Service)
	}
	if was, listens := r.ears[name]; listens {
		was.end()
		delete(r.ears, name)
	}
	if e.SQS != nil || e.Bluetooth != nil {
		return
	}
	c, err := r.client(e.Origin)
	if err != nil {
		return
	}
	key, err := mailbox.KeyFromSeed(e.Seed)
	if err != nil {
		return
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(r.ears)), func(other ear) bool { return other.origin == e.Origin }) {
		delete(r.clients, e.Origin)
	}
	r.bg.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openLimit)
		defer cancel()
		defer c.Close()
		if err := c.Delete(ctx, key); err != nil {
			r.log.Debug("mailbox not deleted", "err", err)
		}
	})
}

// send sends a frame to every address it knows the channel of.
func (r *runner) send(ctx context.Context, e phone.Send) {
	for _, a := range e.To {
		post, err := r.sender(a)
		if err != nil {
			r.log.Warn("a computer named a bad address", "err", err)
		}
		if post == nil {
			continue
		}
		wanted, limit := context.WithoutCancel(ctx), sendLimit
		if a.Bluetooth != nil && e.Farewell {
			if r.parted[e.Pairing] != nil {
				continue // it waits
			}
			limit = farewellLimit
			wanted, r.parted[e.Pairing] = context.WithCancel(wanted)
		}
		r.bg.Go(func() {
			sending, cancel := context.WithTimeout(wanted, limit)
			defer cancel()
			if a.Bluetooth != nil {
				sending, cancel = r.soon(sending, ctx)
				defer cancel()
			}
			if err := post(sending, e.Frame); err != nil {
				if wanted.Err() != nil {
					return // another channel was faster
				}
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

// sender sends frames to an address; nil if its channel is not known.
func (r *runner) sender(a wire.Address) (func(context.Context, []byte) error, error) {
	switch {
	case a.Bluetooth != nil:
		return r.near(*a.Bluetooth).Send, nil
	case a.SQS != nil:
		l, err := r.link(*a.SQS)
		if err != nil {
			return nil, err
		}
		return l.Send, nil
	case a.Relay != nil && len(a.Relay.Mailbox) == mailbox.AddressSize:
		c, err := r.client(a.Relay.Origin)
		if err != nil {
			return nil, err
		}
		to := mailbox.Address(a.Relay.Mailbox)
		return func(ctx context.Context, frame []byte) error { return c.Post(ctx, to, frame) }, nil
	}
	return nil, nil
}
