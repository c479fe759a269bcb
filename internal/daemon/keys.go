package daemon

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/wire"
)

// keyList guards the keys, the wakers and the channels of a phone, which change
// while it is paired, and its file, which must not come back once that is over.
type keyList struct {
	mu   sync.Mutex
	over bool // the pairing's file is removed, or about to be
}

// keys is what the phone lets this computer see, the first to be offered first.
// The slice is not changed any more.
func (p *phone) keys() []wire.SSHKey {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	return p.Keys
}

func (p *phone) has(blob []byte) bool {
	return slices.ContainsFunc(p.keys(), func(k wire.SSHKey) bool { return string(k.PublicKey) == string(blob) })
}

// locked is since when the phone refuses all that this computer asks; zero: it does
// not, as far as it has told.
func (p *phone) locked() time.Time {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	return p.Locked
}

// keysTold makes the list, the wakers and the lock that the phone told durable, and
// goes by them from then on. It is called from the session's own goroutines.
func (d *Daemon) keysTold(p *phone, seq int64, keys []wire.SSHKey, wake wire.Wakers, locked bool) error {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if p.list.over {
		return nil
	}
	r := p.record
	r.Keys, r.KeysSeq = keys, seq
	r.Wakers, r.PushGone = wake, time.Time{}
	switch {
	case !locked:
		r.Locked = time.Time{}
	case r.Locked.IsZero():
		r.Locked = fault.Now().Round(0).Truncate(time.Second)
	}
	if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
		return fmt.Errorf("store the phone's keys: %w", err)
	}
	p.Keys, p.KeysSeq, p.Locked, p.PushGone = keys, seq, r.Locked, time.Time{}
	old := p.Wakers
	p.Wakers = wake
	if !reflect.DeepEqual(old.Push, wake.Push) {
		d.setPush(p)
	}
	if !reflect.DeepEqual(old.PushToken, wake.PushToken) {
		d.setDevice(p)
	}
	d.cfg.Log.Info("the phone told its keys", "pairing", p.ID, "keys", len(keys), "locked", locked, "push", wake.Push != nil, "device", wake.PushToken != nil)
	return nil
}

// end keeps what comes now, as a list of keys, from bringing the pairing's file
// back, or its channels from changing, and returns it as it is. undo is for a pairing
// that could not be ended.
func (p *phone) end() (was record, undo func()) {
	set := func(over bool) record {
		p.list.mu.Lock()
		defer p.list.mu.Unlock()
		p.list.over = over
		return p.record
	}
	return set(true), func() { set(false) }
}
