package owner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/wake/sns"
	"kryptonite/internal/wire"
)

// ErrGone says that the phone cannot be woken until its app tells anew.
var ErrGone = errors.New("sns: the phone's app does not take pushes any more")

// mendEvery is how often an endpoint is mended. Apple and Google do not like to
// hear of devices that they do not know.
const mendEvery = 24 * time.Hour

const undoLimit = 5 * time.Second

// Endpoint is a phone's endpoint as it is kept from run to run. It is kept before
// it is made, so that it is deleted whatever happens.
type Endpoint struct {
	Application string         `json:"application"` // ARN
	Device      wire.PushToken `json:"device"`      // that SNS has
	ARN         string         `json:"arn,omitempty"`
	Mended      time.Time      `json:"mended,omitzero"` // when it was enabled, or made, once more
	Gone        bool           `json:"gone,omitempty"`  // that did not help
}

// Check reports whether e may have been kept by a Waker.
func (e Endpoint) Check() error {
	app, err := sns.ParseApplication(e.Application)
	if err != nil {
		return err
	}
	if e.Device.Platform != app.Platform || e.ARN != "" && !app.Has(e.ARN) {
		return errors.New("sns: not the endpoint of a device")
	}
	return e.Device.Check()
}

// Waker wakes one phone. It is safe for concurrent use.
type Waker struct {
	account *Account
	app     sns.Application
	device  wire.PushToken // as the phone told it
	now     func() time.Time
	keep    func(Endpoint) error

	turn chan struct{} // full while one works with the endpoint

	mu       sync.Mutex
	endpoint Endpoint
	lastOK   time.Time
	lastErr  error
}

// Status is how a Waker did, for people.
type Status struct {
	Platform  string
	LastOK    time.Time // zero: never
	LastError error     // the newest since LastOK, or nil
	Gone      bool
}

// Waker returns the waker of a device. e is the Endpoint that was kept for the same
// phone and application, or zero. keep makes it durable, each time it changes; an
// error from it ends what goes on, and leaves nothing behind at AWS.
func (a *Account) Waker(app sns.Application, device wire.PushToken, e Endpoint, now func() time.Time, keep func(Endpoint) error) (*Waker, error) {
	if err := device.Check(); err != nil {
		return nil, err
	}
	if device.Platform != app.Platform || e != (Endpoint{}) && e.Application != app.String() {
		return nil, errors.New("sns: bug: an endpoint of another application")
	}
	return &Waker{account: a, app: app, device: device, now: now, keep: keep, turn: make(chan struct{}, 1), endpoint: e}, nil
}

// Status returns the state of now.
func (w *Waker) Status() Status {
	gone := w.gone()
	w.mu.Lock()
	defer w.mu.Unlock()
	return Status{Platform: w.app.Platform, LastOK: w.lastOK, LastError: w.lastErr, Gone: gone}
}

// gone reports whether there is no use in trying.
func (w *Waker) gone() bool {
	e := w.kept()
	return e.Gone && e.Device == w.device && !w.mayMend()
}

// mayMend reports whether the endpoint may be mended.
func (w *Waker) mayMend() bool { return w.now().Sub(w.kept().Mended).Abs() >= mendEvery }

// Make makes the endpoint, or gives it the device's new token.
func (w *Waker) Make(ctx context.Context) error {
	return w.work(ctx, func() error { return w.ready(ctx) })
}

// Wake publishes for the request id, and returns when SNS has taken it: whether
// the device gets it, it does not say. frame, which nobody on the way can read, goes along if
// it fits. ttl is how long it is of use. An endpoint that is disabled or deleted is
// mended once. Errors: ErrGone, ctx's, those of package awsuser, a *sns.Error, the
// network's, or keep's.
func (w *Waker) Wake(ctx context.Context, id wire.ID, frame []byte, ttl time.Duration) error {
	m := sns.NewMessage(w.app.Platform, id, frame, ttl)
	return w.work(ctx, func() error {
		err := w.push(ctx, m)
		if broken(err) && w.mayMend() {
			if err = w.mend(ctx, err); err == nil {
				err = w.push(ctx, m)
			}
		}
		switch {
		case err == nil:
			w.mu.Lock()
			w.lastOK = w.now()
			w.mu.Unlock()
		case broken(err):
			e := w.kept()
			if e.Gone = true; errors.Is(err, errMissing) {
				e.ARN = ""
			}
			err = errors.Join(ErrGone, w.set(e))
		}
		return err
	})
}

func broken(err error) bool { return errors.Is(err, errDisabled) || errors.Is(err, errMissing) }

// work lets one at a time work with the endpoint, and notes what came of it.
func (w *Waker) work(ctx context.Context, do func() error) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	if w.gone() {
		return ErrGone
	}
	err := do()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil || ctx.Err() == nil { // who gives up says nothing of SNS
		w.lastErr = err
	}
	return err
}

func (w *Waker) push(ctx context.Context, m sns.Message) error {
	if err := w.ready(ctx); err != nil {
		return err
	}
	return w.account.publish(ctx, w.kept().ARN, m)
}

// ready makes the endpoint, if it is not made, and gives it the device's token, if
// it has another.
func (w *Waker) ready(ctx context.Context) error {
	old := w.kept()
	if old.ARN != "" && old.Device == w.device {
		return nil
	}
	e := Endpoint{Application: w.app.String(), Device: w.device}
	if old.ARN != "" {
		err := w.account.set(ctx, old.ARN, w.device)
		switch {
		case err == nil:
			e.ARN = old.ARN
			return w.set(e)
		case errors.Is(err, errToken): // another endpoint has it
			err = w.account.delete(ctx, old.ARN)
		case errors.Is(err, errMissing):
			err = nil
		}
		if err != nil {
			return err
		}
	}
	switch {
	case old.Device != w.device:
	case old.Gone: // a day ago
		e.Mended = w.now().UTC().Truncate(time.Second)
	default:
		e.Mended = old.Mended
	}
	if err := w.set(e); err != nil {
		return err
	}
	return w.make(ctx, e)
}

// make makes the endpoint that e is kept for.
func (w *Waker) make(ctx context.Context, e Endpoint) (err error) {
	if e.ARN, err = w.account.make(ctx, w.app, e.Device); err != nil {
		return err
	}
	fault.Point("krd.sns.made")
	if err := w.set(e); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
		defer cancel()
		return errors.Join(err, w.account.delete(undo, e.ARN))
	}
	return w.account.set(ctx, e.ARN, e.Device) // it may have been there, and disabled
}

// mend makes or enables the endpoint once more. The caller pushes again.
func (w *Waker) mend(ctx context.Context, why error) error {
	e := w.kept()
	e.Mended, e.Gone = w.now().UTC().Truncate(time.Second), false
	if errors.Is(why, errMissing) {
		e.ARN = "" // push makes it
	}
	if err := w.set(e); err != nil || e.ARN == "" {
		return err
	}
	return w.account.set(ctx, e.ARN, w.device)
}

func (w *Waker) kept() Endpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.endpoint
}

// set makes e durable, and the endpoint of now.
func (w *Waker) set(e Endpoint) error {
	if err := w.keep(e); err != nil {
		return fmt.Errorf("sns: keep the endpoint: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endpoint = e
	return nil
}

// Delete deletes an endpoint that was kept, for good. It is no error that it is
// gone. One whose ARN was not heard is found by its device.
func (a *Account) Delete(ctx context.Context, e Endpoint) error {
	app, err := sns.ParseApplication(e.Application)
	if err != nil {
		return err
	}
	if e.ARN == "" && e.Gone {
		return nil
	}
	if e.ARN == "" {
		said := new(sns.Error)
		e.ARN, err = a.make(ctx, app, e.Device)
		switch {
		case errors.As(err, &said) && said.Code == "NotFound": // the application is gone, with all its endpoints
			return nil
		case err != nil:
			return err
		}
	}
	return a.delete(ctx, e.ARN)
}
