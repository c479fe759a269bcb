package daemon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"kryptonite/internal/backoff"
	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/sqs/owner"
	"kryptonite/internal/wire"
)

const (
	leftoverDir  = "queues"
	leftoverLife = 7 * 24 * time.Hour // after which krd gives up deleting
	makePatience = 15 * time.Second   // for two new queues
	settling     = 2 * time.Minute    // SQS counts messages right after a minute
)

// queues are a pairing's two queues at Amazon SQS, and how to reach the account.
type queues struct {
	wire.SQSAddress
	Profile  string `json:"profile,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
}

func (q *queues) account(ctx context.Context) (*owner.Account, error) {
	return owner.Open(ctx, owner.Config{Region: q.Region, Profile: q.Profile, Endpoint: q.Endpoint})
}

func (q *queues) link(ctx context.Context, log *slog.Logger) (transport.Link, error) {
	a, err := q.account(ctx)
	if err != nil {
		return nil, err
	}
	return a.Link(q.SQSAddress, log)
}

// wellNamed reports whether the names are some; the account may be unknown yet.
func (q *queues) wellNamed() bool {
	a := q.SQSAddress
	a.Account = cmp.Or(a.Account, "000000000000")
	return a.Check() == nil
}

// among reports whether the phone has taken the queues, by repeating them.
func (q *queues) among(list []wire.Address) bool {
	for _, a := range list {
		if q != nil && a.SQS != nil && *a.SQS == q.SQSAddress {
			return true
		}
	}
	return false
}

// makeQueues makes two queues, which their names are given to by names. These are
// on disk before SQS has them: until the leftover is forgotten, krd deletes the
// queues at its next start.
func (d *Daemon) makeQueues(ctx context.Context, in control.SQS, names func(*owner.Account) wire.SQSAddress, lastWord time.Duration) (*queues, leftover, error) {
	ctx, cancel := context.WithTimeout(ctx, makePatience)
	defer cancel()
	a, err := owner.Open(ctx, owner.Config{Region: in.Region, Profile: in.Profile, Endpoint: in.Endpoint, Prefix: in.Prefix})
	if err != nil {
		return nil, leftover{}, &control.Error{Code: control.CodeSQS, Text: err.Error()}
	}
	q := queues{SQSAddress: names(a), Profile: in.Profile, Endpoint: in.Endpoint}
	named, err := d.keepLeftover(&q, lastWord)
	if err != nil {
		return nil, leftover{}, err
	}
	fault.Point("krd.queues.named")
	made := q
	made.SQSAddress, err = a.Create(ctx, q.SQSAddress)
	if err != nil {
		if perhaps := new(owner.LeftError); errors.As(err, &perhaps) {
			d.dropQueues(named)
		} else if gone := d.forgetLeftover(named); gone != nil {
			d.cfg.Log.Warn("left behind", "err", gone)
		}
		return nil, leftover{}, &control.Error{Code: control.CodeSQS, Text: fmt.Sprintf("Amazon SQS in %s cannot be used: %v", a.Region(), err)}
	}
	fault.Point("krd.queues.made")
	left, err := d.keepLeftover(&made, lastWord) // with the account
	if err != nil {
		d.dropQueues(named)
		return nil, leftover{}, err
	}
	return &made, left, nil
}

// makeQueues makes the queues of a pairing that is only begun. If nothing comes
// of it, they are deleted, also if krd dies.
func (r *pairRun) makeQueues(ctx context.Context) (err error) {
	r.queues, r.left, err = r.d.makeQueues(ctx, *r.req.SQS, (*owner.Account).Names, r.lastWord())
	return err
}

// makeMeeting makes the queues where phone and computer meet without a relay.
func (r *pairRun) makeMeeting(ctx context.Context) (err error) {
	inv := r.computer.Invitation()
	names := func(*owner.Account) wire.SQSAddress { return inv.SQS.Queues(inv.CPub) }
	if r.meeting, r.meetLeft, err = r.d.makeQueues(ctx, *r.req.SQS, names, r.lastWord()); err != nil {
		return err
	}
	first, err := r.meeting.link(ctx, r.d.cfg.Log)
	if err != nil {
		return err
	}
	later, err := r.queues.link(ctx, r.d.cfg.Log)
	if err != nil {
		return err
	}
	r.first, r.later, r.hello = first.Receive, later.Receive, first.Send
	return nil
}

// lastWord is how long the queues of an attempt are kept for what the phone is
// still to be told by them: if there is a relay, it is told there.
func (r *pairRun) lastWord() time.Duration {
	if r.client != nil {
		return 0
	}
	return pairLife
}

// dropQueues gives up the queues of a pairing that has none, or does not come
// about, and the meeting place in any case.
func (r *pairRun) dropQueues() {
	if r.queues != nil {
		r.d.dropQueues(r.left)
		r.queues, r.left = nil, leftover{}
	}
	if r.meeting != nil {
		r.d.dropQueues(r.meetLeft)
		r.meeting = nil
	}
}

// leftover are queues that are no pairing's, or not any more. It is on disk
// until they are deleted; a pairing that has the queues wins over it.
type leftover struct {
	Queues *queues   `json:"queues"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"` // the phone may still take a last word from its queue until then
}

// name is that of the file; it tells no queue.
func (l leftover) name() string {
	sum := sha256.Sum256([]byte(l.Queues.ToPhone))
	return leftoverDir + "/" + hex.EncodeToString(sum[:8]) + ".json"
}

// keepLeftover notes durably that queues are to be deleted; nil ones are not.
// For that long the phone may take what is in its queue.
func (d *Daemon) keepLeftover(q *queues, forPhone time.Duration) (leftover, error) {
	if q == nil {
		return leftover{}, nil
	}
	now := fault.Now().Truncate(time.Second)
	l := leftover{Queues: q, Since: now, Until: now.Add(forPhone)}
	if err := d.cfg.Dir.WriteJSON(l.name(), recordVersion, l); err != nil {
		return l, fmt.Errorf("store which queues are to be deleted: %w", err)
	}
	return l, nil
}

func (d *Daemon) forgetLeftover(l leftover) error {
	if l.Queues == nil {
		return nil
	}
	return d.cfg.Dir.Remove(l.name())
}

// loadLeftovers goes on deleting.
func (d *Daemon) loadLeftovers() error {
	used := map[string]bool{} // by name of the queue to the phone
	for _, p := range d.list() {
		if q := p.queues(); q != nil {
			used[q.ToPhone] = true
		}
	}
	name := func(l leftover) string {
		if l.Queues == nil || !l.Queues.wellNamed() {
			return ""
		}
		return l.name()
	}
	return eachNote(d, leftoverDir, "two queues at SQS may be left; delete them by hand", name, func(l leftover) error {
		if used[l.Queues.ToPhone] { // the pairing was stored, and then krd died
			return d.forgetLeftover(l)
		}
		d.dropQueues(l)
		return nil
	})
}

// dropQueues deletes queues in the background, until both are gone, krd ends, or
// it is of no use any more.
func (d *Daemon) dropQueues(l leftover) {
	if l.Queues == nil {
		return
	}
	d.bg.Go(func() {
		for wait := farewellPause; ; wait = min(2*wait, farewellMaxPause) {
			gone, err := d.deleteQueues(d.life, l)
			if !gone && err != nil && fault.Now().Sub(l.Until) > leftoverLife {
				d.cfg.Log.Error("two queues at SQS may be left; delete them by hand", "region", l.Queues.Region, "err", err)
				gone = true
			}
			if gone {
				if err := d.forgetLeftover(l); err != nil {
					d.cfg.Log.Warn("left behind", "err", err)
				}
				return
			}
			d.cfg.Log.Debug("queues are not deleted yet", "err", err, "again_in", wait)
			if backoff.Sleep(d.life, wait) != nil {
				return // the next krd goes on
			}
		}
	})
}

// deleteQueues deletes what may be deleted now, and reports whether that was all.
func (d *Daemon) deleteQueues(ctx context.Context, l leftover) (all bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, farewellLimit)
	defer cancel()
	a, err := l.Queues.account(ctx)
	if err != nil {
		return false, err
	}
	if err := a.DeleteToComputer(ctx, l.Queues.SQSAddress); err != nil {
		return false, err
	}
	now := fault.Now()
	if now.Before(l.Until) && now.Sub(l.Since) < settling {
		return false, nil
	}
	if now.Before(l.Until) {
		if taken, err := a.Taken(ctx, l.Queues.SQSAddress); err != nil || !taken {
			return false, err
		}
	}
	err = a.DeleteToPhone(ctx, l.Queues.SQSAddress)
	return err == nil, err
}
