package phone

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kryptonite/internal/auditlog"
)

// logDamage is a log that is not what was written. The phone works on: it sets
// the log aside as it is, begins a new one whose first entry says so, and tells
// the person at each start until it was acknowledged. [kr-protocol] §4.7.
type logDamage struct {
	broken *auditlog.BrokenError // found by New; nil after the first event
	log    map[string][]byte     // the records that will be set aside then
	aside  []string              // keys of what is set aside, oldest first
	seen   string                // the newest of them that a person knows of
}

// loadLog reads the log. Damage is no error.
func (c *Core) loadLog(records map[string][]byte) error {
	c.damage = logDamage{aside: keysWith(records, asidePrefix), seen: string(records[asideSeenKey])}
	_, end, err := Log(records)
	switch {
	case err == nil:
		c.log = end
	case errors.As(err, &c.damage.broken):
		c.damage.log = map[string][]byte{}
		for _, k := range keysWith(records, LogPrefix) {
			c.damage.log[k] = records[k]
		}
	default:
		return fmt.Errorf("phone: %w", err)
	}
	return nil
}

// beginLog is done before the first event: it sets a broken log aside. At most
// auditlog.Kept records stay there, the newest.
func (c *Core) beginLog(now time.Time) []Effect {
	d := &c.damage
	if d.broken == nil {
		return nil
	}
	var effects []Effect
	group := d.nextGroup(now)
	for _, k := range keysWith(d.log, LogPrefix) {
		to := fmt.Sprintf("%s%020d/%s", asidePrefix, group, strings.TrimPrefix(k, LogPrefix))
		effects = append(effects, Store{Key: to, Value: d.log[k]}, Store{Key: k})
		d.aside = append(d.aside, to)
	}
	for len(d.aside) > auditlog.Kept {
		effects = append(effects, Store{Key: d.aside[0]})
		d.aside = d.aside[1:]
	}
	b := c.log.Append(auditlog.Entry{Unix: now.Unix(), Decision: auditlog.Damaged,
		Reason: fmt.Sprintf("%v; %d entries were set aside", d.broken, len(d.log))})
	d.broken, d.log = nil, nil
	return append(effects, Store{Key: logKey(c.log.Len()), Value: b})
}

// nextGroup names what is set aside at once: the time, or more, so that it is
// later than all before.
func (d *logDamage) nextGroup(now time.Time) int64 {
	group := max(0, now.Unix())
	if n := len(d.aside); n > 0 {
		newest, _, _ := strings.Cut(strings.TrimPrefix(d.aside[n-1], asidePrefix), "/")
		if before, err := strconv.ParseInt(newest, 10, 64); err == nil {
			group = max(group, before+1)
		}
	}
	return group
}

// tellDamage is what the person is told at the start.
func (c *Core) tellDamage() []Effect {
	n := 0
	for _, k := range c.damage.aside {
		if k > c.damage.seen {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []Effect{Note{Kind: NoteLogDamaged, Err: fmt.Errorf("%d entries are not what was written, or stood with some that are not; they were set aside", n)}}
}

// acknowledge keeps that a person knows of all that is set aside.
func (d *logDamage) acknowledge() []Effect {
	n := len(d.aside)
	if n == 0 || d.aside[n-1] <= d.seen {
		return nil
	}
	d.seen = d.aside[n-1]
	return []Effect{Store{Key: asideSeenKey, Value: []byte(d.seen)}}
}

// Aside is what was set aside of a broken log among stored records, oldest
// first: bytes that no longer say anything for sure.
func Aside(records map[string][]byte) (out [][]byte) {
	for _, k := range keysWith(records, asidePrefix) {
		out = append(out, records[k])
	}
	return out
}

// AcknowledgeAside is what to store so that the person is not told any more of
// what is set aside now; ok is false when there is nothing to tell. It is the
// event Acknowledge for a program that runs no core.
func AcknowledgeAside(records map[string][]byte) (s Store, ok bool) {
	keys := keysWith(records, asidePrefix)
	if len(keys) == 0 || keys[len(keys)-1] <= string(records[asideSeenKey]) {
		return Store{}, false
	}
	return Store{Key: asideSeenKey, Value: []byte(keys[len(keys)-1])}, true
}
