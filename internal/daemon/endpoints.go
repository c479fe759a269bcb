package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"kryptonite/internal/backoff"
	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/wake/sns"
	snsowner "kryptonite/internal/wake/sns/owner"
	"kryptonite/internal/wire"
)

const endpointDir = "endpoints"

// endpoint is a phone's endpoint at Amazon SNS, and how to reach the account.
type endpoint struct {
	snsowner.Endpoint
	Profile string `json:"profile,omitempty"`
	URL     string `json:"url,omitempty"` // of SNS
}

// setDevice makes the waker of the phone's device, and gives up an endpoint that it
// has no use for. The caller holds list.mu.
func (d *Daemon) setDevice(p *phone) {
	p.device, p.snsErr = nil, nil
	w, err := d.deviceWaker(p)
	if err != nil {
		p.snsErr = err
		d.cfg.Log.Warn("the phone's device cannot be woken", "pairing", p.ID, "err", err)
	}
	if w == nil {
		return
	}
	p.device = w
	d.bg.Go(func() {
		ctx, cancel := context.WithTimeout(d.life, makePatience)
		defer cancel()
		if err := w.Make(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, errOver) {
			d.cfg.Log.Warn("the phone's device cannot be woken yet", "pairing", p.ID, "err", err)
		}
	})
}

// errOver is for a waker that is not the phone's any more.
var errOver = errors.New("the pairing, or the token of the phone's device, is another one by now")

// deviceWaker returns the waker that fits the phone and the settings; nil: none. The
// caller holds list.mu.
func (d *Daemon) deviceWaker(p *phone) (*snsowner.Waker, error) {
	s, app := d.sns.Load(), sns.Application{}
	if s != nil && p.PushToken != nil {
		app = s.apps[p.PushToken.Platform]
	}
	switch {
	case p.SNS == nil:
	case p.SNS.Application != app.String(): // or there is none
		if err := d.giveUpEndpoint(p); err != nil {
			return nil, err
		}
	case p.SNS.Profile != s.Profile || p.SNS.URL != s.Endpoint:
		if err := d.keepSNS(p, &endpoint{p.SNS.Endpoint, s.Profile, s.Endpoint}); err != nil {
			return nil, err
		}
	}
	switch {
	case s == nil || p.PushToken == nil:
		return nil, nil
	case app.String() == "":
		return nil, fmt.Errorf("no platform application for %s is set up", p.PushToken.Platform)
	}
	account, err := s.account(d.life, app)
	if err != nil {
		return nil, err
	}
	kept := snsowner.Endpoint{}
	if p.SNS != nil {
		kept = p.SNS.Endpoint
	}
	var w *snsowner.Waker
	w, err = account.Waker(app, *p.PushToken, kept, fault.Now, func(e snsowner.Endpoint) error {
		p.list.mu.Lock()
		defer p.list.mu.Unlock()
		if p.list.over || p.device != w {
			return errOver
		}
		return d.keepSNS(p, &endpoint{e, s.Profile, s.Endpoint})
	})
	return w, err
}

// keepSNS makes durable where the phone's device is at SNS. The caller holds list.mu.
func (d *Daemon) keepSNS(p *phone, e *endpoint) error {
	r := p.record
	r.SNS = e
	if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
		return fmt.Errorf("store the phone's endpoint: %w", err)
	}
	p.SNS = e
	return nil
}

// giveUpEndpoint has the phone's endpoint deleted. The caller holds list.mu.
func (d *Daemon) giveUpEndpoint(p *phone) error {
	l, err := d.keepEndpoint(p.SNS)
	if err != nil {
		return err
	}
	if err := d.keepSNS(p, nil); err != nil {
		return err
	}
	d.dropEndpoint(l)
	return nil
}

// releaseDevice notes durably that the endpoint of a phone that goes is to be
// deleted. That its list is over keeps another one from being made.
func (d *Daemon) releaseDevice(p *phone) (ended, error) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	return d.keepEndpoint(p.SNS)
}

// publish pushes to the phone's device.
func (b bell) publish(ctx context.Context, w *snsowner.Waker, id wire.ID, frame []byte, ttl time.Duration) error {
	start := time.Now()
	err := w.Wake(ctx, id, frame, ttl)
	switch {
	case err == nil:
		b.d.cfg.Log.Debug("push sent", "pairing", b.p.ID, "request", id, "service", "SNS", "platform", w.Status().Platform, "took", time.Since(start))
	case errors.Is(err, snsowner.ErrGone):
		b.d.cfg.Log.Info("the phone's device takes no pushes any more", "pairing", b.p.ID, "platform", w.Status().Platform)
	}
	return err
}

// describeSNS says how the phone's device can be woken.
func (p *phone) describeSNS() control.Push {
	p.list.mu.Lock()
	w, err := p.device, p.snsErr
	p.list.mu.Unlock()
	switch {
	case err != nil:
		return control.Push{State: control.PushFailing, LastError: err.Error()}
	case w == nil:
		return control.Push{State: control.PushNone}
	}
	st := w.Status()
	out := control.Push{State: control.PushYes, Host: st.Platform, LastOK: st.LastOK}
	switch {
	case st.Gone:
		out.State = control.PushGone
	case st.LastError != nil:
		out.State, out.LastError = control.PushFailing, st.LastError.Error()
	}
	return out
}

// ended is an endpoint that is no phone's any more. It is on disk until it is
// deleted.
type ended struct {
	Endpoint *endpoint `json:"endpoint"`
	Since    time.Time `json:"since"`
}

// name is that of the file; it tells no device.
func (l ended) name() string {
	sum := sha256.Sum256([]byte(l.Endpoint.Application + " " + l.Endpoint.Device.Token))
	return endpointDir + "/" + hex.EncodeToString(sum[:8]) + ".json"
}

// keepEndpoint notes durably that an endpoint is to be deleted; a nil one is not.
func (d *Daemon) keepEndpoint(e *endpoint) (ended, error) {
	if e == nil {
		return ended{}, nil
	}
	l := ended{e, fault.Now().Truncate(time.Second)}
	if err := d.cfg.Dir.WriteJSON(l.name(), recordVersion, l); err != nil {
		return l, fmt.Errorf("store which endpoint is to be deleted: %w", err)
	}
	return l, nil
}

// loadEndpoints goes on deleting.
func (d *Daemon) loadEndpoints() error {
	name := func(l ended) string {
		if l.Endpoint == nil || l.Endpoint.Check() != nil {
			return ""
		}
		return l.name()
	}
	return eachNote(d, endpointDir, "an endpoint at SNS may be left; delete it by hand", name, func(l ended) error {
		d.dropEndpoint(l)
		return nil
	})
}

// dropEndpoint deletes an endpoint in the background, until it is gone, krd ends,
// or it is of no use any more. One that a phone has all the same stays: its pairing
// was not ended, or another one of that phone has it, too.
func (d *Daemon) dropEndpoint(l ended) {
	if l.Endpoint == nil {
		return
	}
	d.bg.Go(func() {
		for wait := farewellPause; ; wait = min(2*wait, farewellMaxPause) {
			err := d.deleteEndpoint(l)
			if err != nil && fault.Now().Sub(l.Since) > leftoverLife {
				d.cfg.Log.Error("an endpoint at SNS is left; delete it by hand", "application", l.Endpoint.Application, "err", err)
				err = nil
			}
			if err == nil {
				if err := d.cfg.Dir.Remove(l.name()); err != nil {
					d.cfg.Log.Warn("left behind", "err", err)
				}
				return
			}
			d.cfg.Log.Debug("an endpoint is not deleted yet", "err", err, "again_in", wait)
			if backoff.Sleep(d.life, wait) != nil {
				return // the next krd goes on
			}
		}
	})
}

func (d *Daemon) deleteEndpoint(l ended) error {
	for _, p := range d.list() {
		p.list.mu.Lock()
		used := p.SNS != nil && p.SNS.Application == l.Endpoint.Application && p.SNS.Device == l.Endpoint.Device
		p.list.mu.Unlock()
		if used {
			return nil
		}
	}
	app, err := sns.ParseApplication(l.Endpoint.Application)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(d.life, farewellLimit)
	defer cancel()
	a, err := snsowner.Open(ctx, snsowner.Config{Region: app.Region, Profile: l.Endpoint.Profile, Endpoint: l.Endpoint.URL})
	if err != nil {
		return err
	}
	return a.Delete(ctx, l.Endpoint.Endpoint)
}
