package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/wake/webpush"
	"kryptonite/internal/wire"
)

// pushClient is what all phones are pushed with.
func (d *Daemon) pushClient() *webpush.Client {
	d.pushOnce.Do(func() {
		o := d.cfg.Push
		if o.Now == nil {
			o.Now = fault.Now
		}
		d.push = webpush.NewClient(o)
	})
	return d.push
}

// setPush makes the waker of the phone's push address. The caller holds list.mu.
func (d *Daemon) setPush(p *phone) {
	p.waker, p.pushErr = nil, nil
	if p.Push == nil {
		return
	}
	if p.waker, p.pushErr = d.pushClient().Waker(*p.Push, contact(p.record)); p.pushErr != nil {
		d.cfg.Log.Warn("the phone cannot be woken", "pairing", p.ID, "err", p.pushErr)
	}
}

// contact is who answers for the pushes of this computer, "sub" in [RFC 8292]
// §2.1: where its person has the app from, else the relay. Apple wants one that
// may exist; "" if there is none.
func contact(r record) string {
	for _, origin := range []string{r.App, r.Relay} {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" || !strings.Contains(u.Hostname(), ".") {
			continue
		}
		if _, err := netip.ParseAddr(u.Hostname()); err != nil {
			return origin
		}
	}
	return ""
}

// bell is a phone's session.Waker.
type bell struct {
	d *Daemon
	p *phone
}

// Wake pushes to the phone, by all ways that it has told.
func (b bell) Wake(ctx context.Context, id wire.ID, frame []byte, ttl time.Duration) (taken []string, err error) {
	b.p.list.mu.Lock()
	web, device := b.p.waker, b.p.device
	b.p.list.mu.Unlock()
	var all sync.WaitGroup
	var errs [2]error
	if web != nil {
		all.Go(func() { errs[0] = b.push(ctx, web, id, frame, ttl) })
	}
	if device != nil {
		all.Go(func() { errs[1] = b.publish(ctx, device, id, frame, ttl) })
	}
	all.Wait()
	if web != nil && errs[0] == nil {
		taken = append(taken, web.Status().Host)
	}
	if device != nil && errs[1] == nil {
		taken = append(taken, "SNS "+device.Status().Platform)
	}
	return taken, errors.Join(errs[:]...)
}

// push pushes to the phone's browser.
func (b bell) push(ctx context.Context, w *webpush.Waker, id wire.ID, frame []byte, ttl time.Duration) error {
	start := time.Now()
	err := w.Wake(ctx, id, frame, ttl)
	switch {
	case err == nil:
		fault.Point("krd.push.taken")
		b.d.cfg.Log.Debug("push sent", "pairing", b.p.ID, "request", id, "service", w.Status().Host, "took", time.Since(start))
	case errors.Is(err, webpush.ErrGone):
		err = errors.Join(err, b.d.pushGone(b.p, w))
	}
	return err
}

// pushGone drops a subscription that has ended. The phone tells the next one.
func (d *Daemon) pushGone(p *phone, w *webpush.Waker) error {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if p.list.over || p.waker != w {
		return nil
	}
	r := p.record
	r.Push, r.PushGone = nil, fault.Now().UTC().Truncate(time.Second)
	if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
		return fmt.Errorf("store that the subscription has ended: %w", err)
	}
	p.Push, p.PushGone, p.waker = nil, r.PushGone, nil
	d.cfg.Log.Info("the phone's push subscription has ended", "pairing", p.ID, "service", w.Status().Host)
	return nil
}

// describePush says how the phone can be woken.
func (p *phone) describePush() control.Push {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	switch {
	case p.pushErr != nil:
		return control.Push{State: control.PushFailing, LastError: p.pushErr.Error()}
	case p.waker != nil:
		st := p.waker.Status()
		out := control.Push{State: control.PushYes, Host: st.Host, LastOK: st.LastOK}
		if st.LastError != nil {
			out.State, out.LastError = control.PushFailing, st.LastError.Error()
		}
		return out
	case !p.PushGone.IsZero():
		return control.Push{State: control.PushGone}
	}
	return control.Push{State: control.PushNone}
}
