package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/hostpattern"
	"kryptonite/internal/session"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// Keys is the agent's list, from memory: it never waits for a phone. The first
// key of each phone comes before all others, as servers allow six tries. The
// others are listed so that an IdentityFile can name them. Passkeys are left out
// unless takesPasskeys, and keys that are limited to some hosts unless mayOffer;
// both are asked only when there are any.
func (d *Daemon) Keys(takesPasskeys func() bool, mayOffer func(hostpattern.List) bool) []sshagent.Key {
	takes := sync.OnceValue(takesPasskeys)
	var firsts, others []sshagent.Key
	for _, p := range d.list() {
		first, away := true, p.session.Away()
		for _, k := range p.keys() {
			key := sshagent.Key{Blob: k.PublicKey, Comment: k.Comment(p.Name), Away: away}
			only, limited := d.limits.of(k.PublicKey)
			switch {
			case isPasskey(k.PublicKey) && !takes(), limited && !mayOffer(only):
				continue
			case first:
				firsts = append(firsts, key)
			default:
				others = append(others, key)
			}
			first = false
		}
	}
	return append(firsts, others...)
}

// sign asks the phone that holds r.Key, for the process at the other end of a.
func (d *Daemon) sign(ctx context.Context, r sshagent.Request, a *agentConn) ([]byte, error) {
	key, err := sshwire.ParsePublicKey(r.Key)
	if err != nil { // of a kind that no phone has
		return nil, fmt.Errorf("%w: %w", sshagent.ErrNoKey, err)
	}
	phones := d.list()
	i := slices.IndexFunc(phones, func(p *phone) bool { return p.has(r.Key) })
	if i < 0 {
		return nil, fmt.Errorf("no paired phone has the key %s: %w", key.Fingerprint(), sshagent.ErrNoKey)
	}
	if err := a.mayUse(key, r); err != nil {
		return nil, err
	}
	t := d.traces.begin(phones[i], r.Data)
	a.trace.Store(t)
	sig, err := d.ask(ctx, phones[i], key.Fingerprint(), r, a, t, len(phones) > 1)
	t.end(err)
	return sig, err
}

// ask asks p for a signature by the key with this fingerprint. hurry: another
// phone has keys to try.
func (d *Daemon) ask(ctx context.Context, p *phone, key string, r sshagent.Request, a *agentConn, t *traced, hurry bool) ([]byte, error) {
	reported, host := a.about(ctx)
	t.describe(reported)
	if err := a.withinLimit(host, r); err != nil {
		return nil, err
	}
	if d.rejected.has(r.Data, time.Now()) {
		return nil, session.ErrDenied
	}
	start, report := time.Now(), session.Report{}
	opts := session.SignOptions{Hurry: hurry || r.Others || host.KeyFile, Report: &report, Trace: t.Trace}
	end := a.await(p, r, reported.Host, &opts)
	fault.Point("krd.request.asked")
	sig, err := p.session.Sign(ctx, r.Key, wire.SignRequest{
		Fingerprint: key, Payload: r.Data, Binds: r.Binds, Reported: &reported,
	}, opts)
	end(err)
	fault.Point("krd.request.checked")
	if errors.Is(err, session.ErrDenied) || errors.Is(err, session.ErrLocked) && report.Request != (wire.ID{}) { // locked by this request, perhaps
		d.rejected.add(r.Data, time.Now())
	}
	t.sent(report.Request)
	d.keepAsked(p, key, r.Data, reported.Host, report, time.Since(start), err)
	d.bg.Go(func() { d.keepHeard(heardGrain) })
	d.cfg.Log.Info("signature asked", "pairing", p.ID, "approved", err == nil, "took", time.Since(start).Round(time.Millisecond), "err", err)
	return sig, err
}
