package daemon

import (
	"errors"
	"io/fs"
	"time"

	"kryptonite/internal/statedir"
)

const (
	heardFile  = "heard.json" // pairing id → when that phone was last heard of
	heardGrain = 10 * time.Minute
)

// readHeard returns when each phone was last heard of; what cannot be read is
// only not known.
func (d *Daemon) readHeard() map[string]time.Time {
	out := map[string]time.Time{}
	err := d.cfg.Dir.ReadJSON(heardFile, recordVersion, &out)
	if damaged := new(statedir.DamagedError); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.cfg.Log.Warn("when phones were last heard of is not known", "err", err, "damaged", errors.As(err, &damaged))
	}
	return out
}

// lastHeard is when a phone was last heard of in an earlier run, or in pairing.
func (d *Daemon) lastHeard(r record) time.Time {
	d.heardMu.Lock()
	defer d.heardMu.Unlock()
	if at := d.heard[r.ID]; at.After(r.Paired) {
		return at
	}
	return r.Paired
}

// keepHeard writes when the phones were last heard of, if that is news by more
// than grain.
func (d *Daemon) keepHeard(grain time.Duration) {
	d.heardMu.Lock()
	defer d.heardMu.Unlock()
	news := false
	now := map[string]time.Time{}
	for _, p := range d.list() {
		at := p.session.Status().Heard.Round(0).Truncate(time.Second)
		if at.IsZero() {
			continue
		}
		now[p.ID] = at
		news = news || at.Sub(d.heard[p.ID]) > grain
	}
	if !news {
		return
	}
	if err := d.cfg.Dir.WriteJSON(heardFile, recordVersion, now); err != nil {
		d.cfg.Log.Warn("when phones were last heard of is not kept", "err", err)
		return
	}
	d.heard = now
}
