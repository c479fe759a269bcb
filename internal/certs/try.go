package certs

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"syscall"
	"time"
)

const (
	orderTimeout = 5 * time.Minute // for one certificate, from the first word to the last
	firstPause   = time.Minute     // after a failure, then three times as long each time
	longestPause = 6 * time.Hour   // so: five tries in the first hour, what Let's Encrypt grants a name
	sayAgain     = 24 * time.Hour  // a failure that goes on is a warning again
)

// try is how it stands with one name's certificate.
type try struct {
	failures int
	next     time.Time // not before
	said     time.Time // the last warning
	reason   string    // and what it said
	unsaved  []byte    // the file of the certificate that is served, if it is not stored yet
}

// attend asks the CA for domain's certificate if it is time, and returns when to
// look again.
func (k *Keeper) attend(ctx context.Context, domain string, t *try) time.Time {
	now := k.cfg.Now()
	_, renew := k.expires(domain)
	due := !now.Before(renew)
	if (due || t.unsaved != nil) && now.Before(t.next) {
		return t.next
	}
	if t.unsaved != nil {
		if err := k.save(domain, t); err == nil {
			k.log.Info("certificate stored", "domain", domain)
		} else if !due {
			k.failed(domain, t, err)
			return t.next
		}
	}
	if !due {
		*t = try{}
		return renew
	}
	order, cancel := context.WithTimeout(ctx, orderTimeout)
	file, err := k.obtain(order, domain)
	cancel()
	if file != nil {
		t.unsaved = file
		if saved := k.save(domain, t); err == nil {
			err = saved
		}
	}
	switch {
	case ctx.Err() != nil:
		return now
	case err == nil:
		*t = try{}
		end, renew := k.expires(domain)
		k.log.Info("certificate obtained", "domain", domain, "expires", end.UTC(), "took", k.cfg.Now().Sub(now).Round(time.Millisecond))
		return renew
	}
	k.failed(domain, t, err)
	return t.next
}

// save stores the certificate that is served already. A failure that goes on is
// told in the same words, without the temporary file's name.
func (k *Keeper) save(domain string, t *try) error {
	name := k.sub + domain + ".pem"
	if err := k.dir.WriteFile(name, t.unsaved); err != nil {
		if cause := syscall.Errno(0); errors.As(err, &cause) {
			err = cause
		}
		return &fs.PathError{Op: "write", Path: k.dir.Path(name), Err: err}
	}
	t.unsaved = nil
	return nil
}

// failed notes a failure, sets the time of the next try, and says it: at once,
// when the reason is a new one, and then daily.
func (k *Keeper) failed(domain string, t *try, err error) {
	now := k.cfg.Now()
	t.next = now.Add(pause(t.failures, err))
	t.failures++
	what, hint := explain(err, domain)
	level := slog.LevelInfo
	if what != t.reason || now.Sub(t.said) >= sayAgain {
		level, t.said, t.reason = slog.LevelWarn, now, what
	}
	facts := []any{"domain", domain, "error", what, "hint", hint, "again", t.next.UTC().Truncate(time.Second)}
	end, _ := k.expires(domain)
	switch {
	case end.IsZero():
		k.log.Log(context.Background(), level, "no certificate yet", facts...)
		return
	case t.unsaved != nil:
		k.log.Log(context.Background(), level, "certificate obtained and served, but not stored: a restart would ask the CA again", facts...)
		return
	}
	k.log.Log(context.Background(), level, "certificate not renewed", append(facts, "expires", end.UTC())...)
}

// pause returns how long to wait after a failure that followed on so many: what
// the CA asks for if it does, up to a day.
func pause(failures int, err error) time.Duration {
	d := firstPause
	for range min(failures, 10) {
		d = min(3*d, longestPause)
	}
	return max(d, min(retryAfter(err), sayAgain))
}
