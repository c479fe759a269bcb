package daemon

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/wire"
)

// keyList guards the keys and the wakers of a phone, which change while it
// is paired, and its file, which must not come back once the pairing is over.
type keyList struct {
	mu   sync.Mutex
	over bool // the pairing's file is removed
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

// keysTold makes the list and the wakers that the phone told durable, and
// goes by them from then on. It is called from the session's own goroutines.
func (d *Daemon) keysTold(p *phone, seq int64, keys []wire.SSHKey, wake wire.Wakers) error {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if p.list.over {
		return nil
	}
	r := p.record
	r.Keys, r.KeysSeq = keys, seq
	r.Wakers, r.PushGone = wake, time.Time{}
	if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
		return fmt.Errorf("store the phone's keys: %w", err)
	}
	p.Keys, p.KeysSeq, p.PushGone = keys, seq, time.Time{}
	old := p.Wakers
	p.Wakers = wake
	if !reflect.DeepEqual(old.Push, wake.Push) {
		d.setPush(p)
	}
	if !reflect.DeepEqual(old.PushToken, wake.PushToken) {
		d.setDevice(p)
	}
	d.cfg.Log.Info("the phone told its keys", "pairing", p.ID, "keys", len(keys), "push", wake.Push != nil, "device", wake.PushToken != nil)
	return nil
}

// removeRecord ends a pairing on disk. A list of keys that comes now does not
// bring it back.
func (d *Daemon) removeRecord(p *phone) error {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if err := d.cfg.Dir.Remove(recordName(p.ID)); err != nil {
		return err
	}
	p.list.over = true
	return nil
}
