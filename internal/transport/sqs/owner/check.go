package owner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kryptonite/internal/backoff"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/wire"
)

// Fact is one thing that Check tried.
type Fact struct {
	What string
	Err  error // nil: it works
}

const (
	spreading  = time.Minute // how long AWS takes to let a new policy count
	checkPause = 2 * time.Second
)

// Check tries, with two queues that it makes and deletes, all that a pairing
// does: as the account, as a phone, which has no credentials, and as a phone in a
// browser, which needs leave beside that (see sqs.NewPage). It stops at the first
// thing that does not work. It takes up to three minutes where policies spread
// slowly.
func (a *Account) Check(ctx context.Context, phone, page sqs.Caller) (facts []Fact) {
	q, err := a.Create(ctx, a.Names())
	facts = append(facts, Fact{"make two queues and open them", err})
	if err != nil {
		return facts
	}
	for _, step := range a.steps(q, phone, page) {
		err := step.do(ctx)
		facts = append(facts, Fact{step.what, err})
		if err != nil {
			break
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return append(facts, Fact{"delete the queues", errors.Join(a.DeleteToComputer(end, q), a.DeleteToPhone(end, q))})
}

type step struct {
	what string
	do   func(context.Context) error
}

func (a *Account) steps(q wire.SQSAddress, phone, page sqs.Caller) []step {
	toComputer, toPhone := *a.url(q.Account, q.ToComputer), *a.url(q.Account, q.ToPhone)
	own := caller{a.sqs}
	send := func(c sqs.Caller, queue string) func(context.Context) error {
		return func(ctx context.Context) error { return c.SendMessage(ctx, queue, "check") }
	}
	take := func(c sqs.Caller, queue string) func(context.Context) error {
		return func(ctx context.Context) error {
			for range 3 { // SQS may say too early that there is nothing
				list, err := c.ReceiveMessages(ctx, queue, sqs.PollSeconds)
				if err != nil {
					return err
				}
				if len(list) > 0 {
					return c.DeleteMessages(ctx, queue, []string{list[0].Handle})
				}
			}
			return errors.New("what was sent did not arrive within a minute")
		}
	}
	return []step{
		{"send to the phone", send(own, toPhone)},
		{"take it as a phone, without credentials", spread(take(phone, toPhone))},
		{"send as a phone, without credentials", spread(send(phone, toComputer))},
		{"take it here", take(own, toComputer)},
		{"count what a phone has not taken", func(ctx context.Context) error { _, err := a.Taken(ctx, q); return err }},
		{"send as a page in a browser", send(page, toComputer)},
	}
}

// spread tries again what is denied while a new policy may not count yet.
func spread(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for end := time.Now().Add(spreading); ; {
			err := do(ctx)
			said := new(sqs.Error)
			if !errors.As(err, &said) {
				return err
			}
			if !said.Denied() && !said.NoQueue() || time.Now().After(end) {
				return fmt.Errorf("%w: AWS, or a rule of your organisation, does not let those without credentials use such a queue", err)
			}
			if err := backoff.Sleep(ctx, checkPause); err != nil {
				return err
			}
		}
	}
}
