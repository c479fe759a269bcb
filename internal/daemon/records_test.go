package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// newRecord is a pairing as finish stores it, with a relay that is not there.
func newRecord(t testing.TB) record {
	t.Helper()
	c, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	box, err := mailbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	r := record{ID: pairing.ID(c.Public(), s.Public()), Name: "ana", Own: c, Phone: s.Public(), Relay: "http://127.0.0.1:1",
		Mailbox: box.Seed(), Peer: box.Address(), Paired: time.Unix(1_795_000_000, 0).UTC(),
		Keys: []wire.SSHKey{{PublicKey: sshwire.Ed25519Blob(make([]byte, 32)), Name: "default"}}}
	if err := r.check(); err != nil {
		t.Fatal(err)
	}
	return r
}

// store writes a record as krd does and returns the file's bytes.
func store(t testing.TB, d *Daemon, r record) []byte {
	t.Helper()
	if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
		t.Fatal(err)
	}
	b, err := d.cfg.Dir.ReadFile(recordName(r.ID))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loaded loads what is on disk, and returns the ids at work and the log.
func loaded(t testing.TB, d *Daemon) (ids []string, log string) {
	t.Helper()
	var out bytes.Buffer
	d.cfg.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))
	life, end := context.WithCancel(context.Background())
	defer end()
	d.life, d.phones = life, map[string]*phone{}
	if err := d.loadPhones(); err != nil {
		t.Fatal(err)
	}
	d.close(end)
	return slices.Sorted(maps.Keys(d.phones)), out.String()
}

// TestDamagedPairings: of many damaged files each is set aside and named, none
// is at work, and the good one beside them is.
func TestDamagedPairings(t *testing.T) {
	d := newDaemon(t)
	bad := newRecord(t)
	whole := store(t, d, bad)
	if err := d.cfg.Dir.Remove(recordName(bad.ID)); err != nil {
		t.Fatal(err)
	}
	good := newRecord(t)
	store(t, d, good)
	var names []string
	for n := range len(whole) - 2 { // all but the last brace and line end
		name := pairingDir + fmt.Sprintf("/cut%04d.json", n)
		// As statedir would, without a sync for each: nobody pulls a plug here.
		if err := os.WriteFile(d.cfg.Dir.Path(name), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, d.cfg.Dir.Path(name))
	}
	ids, log := loaded(t, d)
	if !slices.Equal(ids, []string{good.ID}) {
		t.Errorf("at work: %q, want %q", ids, good.ID)
	}
	for _, name := range names {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
		if !strings.Contains(log, name+".damaged-") {
			t.Errorf("the log does not say where %s is", name)
		}
	}
	left, err := d.cfg.Dir.List(pairingDir)
	if err != nil || len(left) != len(names)+1 {
		t.Errorf("%d files are left, %v, want %d", len(left), err, len(names)+1)
	}
}

// TestFlippedPairings: a pairing with a bit flipped, three to a byte, is refused, or is whole and
// has the same keys: what differs is in words for people, times, or addresses
// that nobody can check.
func TestFlippedPairings(t *testing.T) {
	want := newRecord(t)
	whole, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 3 * len(whole) {
		b := bytes.Clone(whole)
		b[i/3] ^= []byte{0x01, 0x10, 0x20}[i%3]
		var got record
		if err := json.Unmarshal(b, &got); err != nil {
			refused++
			continue
		}
		// Some bits of a private key change nothing: X25519 sets them itself.
		if got.ID != want.ID || got.Own.Public() != want.Own.Public() || got.Phone != want.Phone || len(got.Mailbox) != mailbox.SeedSize {
			t.Errorf("flip %d of byte %d: read with other keys", i%3, i/3)
		}
		if err := got.check(); err != nil {
			t.Errorf("flip %d of byte %d: read, but %v", i%3, i/3, err)
		}
	}
	if refused < len(whole) {
		t.Errorf("only %d of %d flips were refused", refused, 3*len(whole))
	}
}

// TestHalfAPairingIsNone: every field that is gone or of another shape.
func TestHalfAPairingIsNone(t *testing.T) {
	b, err := json.Marshal(newRecord(t))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	text := []any{nil, "", 7}
	other := append(text, "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "http://relay.example", "HTTP://127.0.0.1:1")
	for name, bads := range map[string][]any{
		"id": other, "phone": text, "c_priv": other, "s_pub": other, "relay": other, "mailbox_seed": other,
		"phone_mailbox": {nil, "", 7, "AAAA", "AAAAAAAAAAAAAAAAAAAAAA=="}, "paired": other,
		"keys":     {7, "AAAA", []any{map[string]any{}}, []any{nil}, slices.Repeat([]any{map[string]any{"public_key": "AAAA"}}, 17)},
		"keys_seq": {-1, "1", 1.5},
	} {
		old := fields[name]
		for _, bad := range bads {
			fields[name] = bad
			b, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, new(record)); err == nil {
				t.Errorf("read although %s is %v", name, bad)
			}
		}
		fields[name] = old
	}
	if len(fields) != 10 {
		t.Errorf("%d fields, 10 are tested", len(fields))
	}
}

// TestOtherNamesAndVersions: a copy of a pairing under another name, and one of
// a newer krd, are left alone and named; the others work.
func TestOtherNamesAndVersions(t *testing.T) {
	d := newDaemon(t)
	good := newRecord(t)
	whole := store(t, d, good)
	newer := bytes.Replace(whole, []byte(`"version": 1`), []byte(`"version": 2`), 1)
	for name, b := range map[string][]byte{"copy.json": whole, "newer.json": newer} {
		if err := d.cfg.Dir.WriteFile(pairingDir+"/"+name, b); err != nil {
			t.Fatal(err)
		}
	}
	ids, log := loaded(t, d)
	if !slices.Equal(ids, []string{good.ID}) || !strings.Contains(log, "copy.json") || !strings.Contains(log, "newer.json") {
		t.Errorf("at work: %q; the log: %s", ids, log)
	}
	if left, err := d.cfg.Dir.List(pairingDir); err != nil || len(left) != 3 {
		t.Errorf("left are %q, %v", left, err)
	}
}

// FuzzRecord: what is read as a pairing is whole, and is written as the same.
func FuzzRecord(f *testing.F) {
	b, err := json.Marshal(newRecord(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte(`"keys":[`), []byte(`"keys":[{},`), 1))
	f.Add(bytes.Replace(b, []byte(`"relay":"http://127.0.0.1:1"`), []byte(`"relay":"https://a.example"`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r record
		if json.Unmarshal(b, &r) != nil {
			return
		}
		if err := r.check(); err != nil {
			t.Fatalf("read, but %v", err)
		}
		p, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again record
		if err := json.Unmarshal(p, &again); err != nil || again.ID != r.ID || again.Peer != r.Peer || again.Relay != r.Relay {
			t.Errorf("written as %s: %v", p, err)
		}
	})
}
