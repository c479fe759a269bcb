package daemon

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

func sshKey(seed byte, name string) wire.SSHKey {
	b := make([]byte, 32)
	b[0] = seed
	return wire.SSHKey{PublicKey: sshwire.Ed25519Blob(b), Name: name}
}

// working starts krd's part for these pairings.
func working(t *testing.T, d *Daemon, rs ...record) {
	t.Helper()
	life, end := context.WithCancel(context.Background())
	d.life, d.phones = life, map[string]*phone{}
	t.Cleanup(func() { d.close(end) })
	for _, r := range rs {
		store(t, d, r)
		if err := d.startPhone(r, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func comments(d *Daemon) (out []string) {
	for _, k := range d.Keys(func() bool { return true }, nil) {
		out = append(out, k.Comment)
	}
	return out
}

// TestKeysThatThePhoneTells are offered from then on and durable: the first key
// of each phone before all others.
func TestKeysThatThePhoneTells(t *testing.T) {
	d := newDaemon(t)
	ana, bo := newRecord(t), newRecord(t)
	bo.Name, bo.Paired = "bo", ana.Paired.Add(1)
	working(t, d, ana, bo)
	p := d.phones[ana.ID]
	if err := d.keysTold(p, 7, []wire.SSHKey{sshKey(1, "work"), sshKey(2, "default")}, wire.Wakers{}, false); err != nil {
		t.Fatal(err)
	}
	if err := d.keysTold(d.phones[bo.ID], 3, []wire.SSHKey{sshKey(3, ""), sshKey(4, "x"), sshKey(5, "y")}, wire.Wakers{}, false); err != nil {
		t.Fatal(err)
	}
	if got, want := comments(d), []string{"ana work", "bo", "ana", "bo x", "bo y"}; !slices.Equal(got, want) {
		t.Errorf("offered are %q, want %q", got, want)
	}
	if !p.has(sshKey(2, "").PublicKey) || p.has(sshKey(3, "").PublicKey) {
		t.Error("a key is asked of the wrong phone")
	}
	var r record
	if err := d.cfg.Dir.ReadJSON(recordName(ana.ID), recordVersion, &r); err != nil || r.KeysSeq != 7 || len(r.Keys) != 2 || r.Keys[0].Name != "work" || r.ID != ana.ID {
		t.Errorf("on disk is %+v, %v", r, err)
	}
	if err := d.keysTold(p, 8, []wire.SSHKey{}, wire.Wakers{}, false); err != nil {
		t.Fatal(err)
	}
	if got, want := comments(d), []string{"bo", "bo x", "bo y"}; !slices.Equal(got, want) {
		t.Errorf("after ana hid all: %q, want %q", got, want)
	}
}

// TestKeysBringNoPairingBack: a list that comes while the pairing ends.
func TestKeysBringNoPairingBack(t *testing.T) {
	d := newDaemon(t)
	r := newRecord(t)
	working(t, d, r)
	p := d.phones[r.ID]
	if err := d.phoneLeft(p); err != nil {
		t.Fatal(err)
	}
	if err := d.keysTold(p, 7, []wire.SSHKey{sshKey(1, "work")}, wire.Wakers{}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := d.cfg.Dir.ReadFile(recordName(r.ID)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the pairing's file: %v, want none", err)
	}
}

// TestLockThatThePhoneTells is durable, with when it began, and ends by its word.
func TestLockThatThePhoneTells(t *testing.T) {
	d := newDaemon(t)
	r := newRecord(t)
	working(t, d, r)
	p := d.phones[r.ID]
	tell := func(seq int64, locked bool) (onDisk record) {
		t.Helper()
		if err := d.keysTold(p, seq, []wire.SSHKey{sshKey(1, "")}, wire.Wakers{}, locked); err != nil {
			t.Fatal(err)
		}
		if err := d.cfg.Dir.ReadJSON(recordName(r.ID), recordVersion, &onDisk); err != nil {
			t.Fatal(err)
		}
		if !onDisk.Locked.Equal(p.locked()) || !onDisk.Locked.Equal(d.describe(p).Locked) {
			t.Errorf("locked since %v on disk, %v here", onDisk.Locked, p.locked())
		}
		return onDisk
	}
	if first := tell(1, false); !first.Locked.IsZero() {
		t.Errorf("locked since %v without a word", first.Locked)
	}
	since := tell(2, true).Locked
	if since.IsZero() || !tell(3, true).Locked.Equal(since) {
		t.Error("it is not said since when, or a second notice changes that")
	}
	if !tell(4, false).Locked.IsZero() {
		t.Error("it stays locked")
	}
}
