package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kryptonite/internal/backoff"
	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/wire"
)

// Times of a farewell. [kr-protocol] §4.6.
const (
	farewellDir      = "farewells"
	farewellLife     = 48 * time.Hour
	farewellPause    = 5 * time.Second // before the next try, then doubled
	farewellMaxPause = 30 * time.Minute
	farewellLimit    = 15 * time.Second // one try
	farewellNearby   = 10 * time.Minute // the first try, of a phone that comes by Bluetooth alone: until it is near
	tellPatience     = 10 * time.Second // how long kr unpair waits for the first
)

// farewell is a phone that has not been told yet that its pairing is over: a
// frame sealed before the keys went, and where to send it. It is on disk before
// the pairing goes, and until a channel has taken the frame.
type farewell struct {
	ID    string          `json:"id"` // of the pairing
	Name  string          `json:"phone"`
	Relay string          `json:"relay"`
	To    mailbox.Address `json:"phone_mailbox"`
	SQS   *queues         `json:"sqs,omitempty"`

	Bluetooth *wire.BluetoothAddress `json:"bluetooth,omitempty"`

	Frame []byte    `json:"frame"`
	Since time.Time `json:"since"`

	// Attempt marks a pairing that was begun and is not live. It is written
	// before the phone hears of us, so that a phone which agreed while krd died
	// is told that nothing came of it. A live pairing of this ID wins over it.
	Attempt bool `json:"attempt,omitempty"`
}

// posts reports whether there is a mailbox to post it to: a phone that has not been told
// of a new relay yet has none there.
func (f farewell) posts() bool { return f.Relay != "" && !f.To.IsZero() }

// limit is how long a try of now may last.
func (f farewell) limit(now time.Time) time.Duration {
	if f.posts() || f.SQS != nil || f.Attempt {
		return farewellLimit
	}
	return max(farewellLimit, f.Since.Add(farewellNearby).Sub(now))
}

func farewellName(id string) string { return farewellDir + "/" + id + ".json" }

func (d *Daemon) keepFarewell(f farewell) error {
	if err := d.cfg.Dir.WriteJSON(farewellName(f.ID), recordVersion, f); err != nil {
		return fmt.Errorf("store what is to be told to the phone: %w", err)
	}
	return nil
}

// loadFarewells goes on telling, and finishes what a crash left half done.
func (d *Daemon) loadFarewells() error {
	name := func(f farewell) string { return farewellName(f.ID) }
	return eachNote(d, farewellDir, "a phone may not learn that it was unpaired; unpair there, too", name, d.resume)
}

// resume goes on with a farewell that was on disk when krd began.
func (d *Daemon) resume(f farewell) error {
	live, err := d.isPaired(f.ID)
	switch {
	case err != nil:
		return err
	case live && f.Attempt: // the pairing was stored, and then krd died
		return d.cfg.Dir.Remove(farewellName(f.ID))
	case live: // the unpair was stored, and then krd died
		if err := d.cfg.Dir.Remove(recordName(f.ID)); err != nil {
			return err
		}
	}
	d.tell(f)
	return nil
}

func (d *Daemon) isPaired(id string) (bool, error) {
	names, err := d.cfg.Dir.List(pairingDir)
	if err != nil {
		return false, fmt.Errorf("list pairings: %w", err)
	}
	for _, n := range names {
		if n == id+".json" {
			return true, nil
		}
	}
	return false, nil
}

// tell sends a farewell, which is on disk, in the background until a channel
// took it, its time is over, or krd ends. The channel closes when one took it.
func (d *Daemon) tell(f farewell) (told <-chan struct{}) {
	done := make(chan struct{})
	d.mu.Lock()
	d.farewells[f.ID] = f
	d.mu.Unlock()
	d.bg.Go(func() {
		err := d.sendFarewell(d.life, f)
		if err != nil && d.life.Err() != nil {
			return // the next krd goes on
		}
		if err := d.cfg.Dir.Remove(farewellName(f.ID)); err != nil {
			d.cfg.Log.Error("a farewell will be sent again", "pairing", f.ID, "err", err)
		}
		d.mu.Lock()
		delete(d.farewells, f.ID)
		d.mu.Unlock()
		if err != nil {
			d.cfg.Log.Warn("a phone was not told that it is unpaired", "pairing", f.ID, "err", err)
			return
		}
		close(done)
	})
	return done
}

// sendFarewell returns nil when a channel took the frame, and an error when ctx
// ended before or there is no use in more tries.
func (d *Daemon) sendFarewell(ctx context.Context, f farewell) error {
	for pause := farewellPause; ; pause = min(2*pause, farewellMaxPause) {
		err := d.sendEverywhere(ctx, f)
		switch {
		case err == nil:
			fault.Point("krd.farewell.taken")
			return nil
		case f.Attempt && errors.Is(err, transport.ErrNoMailbox):
			return nil // the phone gave it up, too
		case f.Attempt && f.Relay == "" && f.SQS == nil && fault.Now().Sub(f.Since) >= pairLife:
			return nil // here, too; nobody listens any more
		case fault.Now().Add(pause).Sub(f.Since) >= farewellLife:
			return err
		}
		d.cfg.Log.Debug("the phone could not be told yet", "pairing", f.ID, "err", err, "again_in", pause)
		if backoff.Sleep(ctx, pause) != nil {
			return context.Cause(ctx)
		}
	}
}

// sendEverywhere sends a farewell on all channels and returns nil as soon as one
// took it; others that keep it for the phone go on with it until the limit.
func (d *Daemon) sendEverywhere(ctx context.Context, f farewell) error {
	limit := f.limit(fault.Now())
	near, hush := context.WithTimeout(ctx, limit)
	defer hush() // nobody is to see this computer for what is on its way
	var ways []func(context.Context) error
	if f.posts() {
		ways = append(ways, func(ctx context.Context) error {
			client, err := relay.NewClient(f.Relay, relay.Options{})
			if err != nil {
				return err
			}
			defer client.Close()
			return client.Post(ctx, f.To, f.Frame)
		})
	}
	if f.SQS != nil {
		ways = append(ways, func(ctx context.Context) error {
			link, err := f.SQS.link(ctx, d.cfg.Log)
			if err != nil {
				return err
			}
			return link.Send(ctx, f.Frame)
		})
	}
	if f.Bluetooth != nil {
		ways = append(ways, func(context.Context) error { return d.sendNearby(near, *f.Bluetooth, f.Frame) })
	}
	results := make(chan error, len(ways))
	for _, way := range ways {
		d.bg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			results <- way(ctx)
		})
	}
	var errs []error
	for range ways {
		err := <-results
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// untold lists the phones that have not been told yet.
func (d *Daemon) untold() []control.Untold {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []control.Untold{}
	for _, f := range d.farewells {
		if f.Attempt {
			continue // nobody knew that phone
		}
		out = append(out, control.Untold{ID: f.ID, Name: f.Name, Since: f.Since, Until: f.Since.Add(farewellLife)})
	}
	return out
}
