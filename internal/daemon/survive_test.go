package daemon

import (
	"context"
	"encoding/binary"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/memstore"
	"kryptonite/internal/sshwire"
	relaylink "kryptonite/internal/transport/relay"
)

// alive makes d work as in Run, without sockets.
func alive(t *testing.T, d *Daemon) {
	t.Helper()
	life, end := context.WithCancel(context.Background())
	d.life, d.farewells = life, map[string]farewell{}
	t.Cleanup(func() { d.close(end) })
}

// TestRejectHoldsForAllPhones: whoever is asked about a rejected session gets
// the same answer, and another session does not.
func TestRejectHoldsForAllPhones(t *testing.T) {
	login := func(session uint16, key string) []byte {
		return sshwire.Userauth{SessionID: binary.BigEndian.AppendUint16(make([]byte, 30), session), User: "root", Method: sshwire.MethodPublicKey,
			Algorithm: sshwire.KeyEd25519, PublicKey: []byte(key)}.Marshal()
	}
	var r rejected
	now := time.Now()
	r.add(login(1, "a"), now)
	if !r.has(login(1, "another phone's key"), now) {
		t.Error("another key may ask again for the rejected session")
	}
	if r.has(login(2, "a"), now) || r.has([]byte("no login"), now) {
		t.Error("another session counts as rejected")
	}
	if r.has(login(1, "a"), now.Add(rejectedLife)) {
		t.Error("it is remembered for ever")
	}
	r.add([]byte("no login"), now)
	for i := range uint16(maxRejected + 10) {
		r.add(login(100+i, "a"), now.Add(time.Duration(i)))
	}
	if n := len(r.at); n != maxRejected || r.has(login(100, "a"), now) || !r.has(login(100+maxRejected+9, "a"), now) {
		t.Errorf("%d sessions are remembered, %d may be, the newest", n, maxRejected)
	}
}

func named(r record, name string) record {
	r.Name = name
	return r
}

// TestPhonesHaveDifferentNames: so that a person can tell them apart.
func TestPhonesHaveDifferentNames(t *testing.T) {
	d := newDaemon(t)
	alive(t, d)
	for i, want := range []string{"Ana", "ana 2", "ANA 3"} {
		name := d.freeName([]string{"Ana", "ana", "ANA"}[i])
		if name != want {
			t.Errorf("name %q, want %q", name, want)
		}
		if err := d.startPhone(named(newRecord(t), name), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFarewellIsToldByTheNextKrd: what the crash left is finished, and told.
func TestFarewellIsToldByTheNextKrd(t *testing.T) {
	server, err := relay.New(relay.Config{Store: memstore.New()})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() { server.Close(); web.Close() })
	client, err := relaylink.NewClient(web.URL, relaylink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		record, attempt     bool // what is on disk
		wantRecord, wantSay bool
	}{
		"unpair, pairing still there":    {true, false, false, true},
		"unpair":                         {false, false, false, true},
		"begun and not stored":           {false, true, false, true},
		"begun, stored, then krd's end ": {true, true, true, false},
	} {
		phone, err := mailbox.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Open(t.Context(), phone); err != nil {
			t.Fatal(err)
		}
		d := newDaemon(t)
		alive(t, d)
		r := named(newRecord(t), "ana")
		f := farewell{ID: r.ID, Name: "ana", Relay: web.URL, To: phone.Address(), Frame: []byte(name), Since: time.Now(), Attempt: c.attempt}
		if c.record {
			if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.keepFarewell(f); err != nil {
			t.Fatal(err)
		}
		if err := d.loadFarewells(); err != nil {
			t.Fatal(err)
		}
		d.bg.Wait()
		if _, err := os.Stat(d.cfg.Dir.Path(recordName(r.ID))); (err == nil) != c.wantRecord {
			t.Errorf("%s: the pairing: %v", name, err)
		}
		if left, _ := filepath.Glob(d.cfg.Dir.Path(farewellDir, "*")); len(left) != 0 {
			t.Errorf("%s: still there: %q", name, left)
		}
		if c.wantSay {
			ctx, stop := context.WithCancel(t.Context())
			client.Receive(ctx, phone, func(b []byte) error {
				defer stop()
				if string(b) != name {
					t.Errorf("the phone heard %q, want %q", b, name)
				}
				return nil
			})
		}
	}
}

// TestFarewellStaysWhileKrdIsOff: krd's end does not lose it, and nobody counts
// as told.
func TestFarewellStaysWhileKrdIsOff(t *testing.T) {
	d := newDaemon(t)
	life, end := context.WithCancel(context.Background())
	d.life, d.farewells = life, map[string]farewell{}
	f := farewell{ID: "00", Name: "ana", Relay: "http://127.0.0.1:9", To: mailbox.Address{1}, Frame: []byte("x"), Since: time.Now()}
	if err := d.keepFarewell(f); err != nil {
		t.Fatal(err)
	}
	told := d.tell(f)
	if got := d.untold(); len(got) != 1 || got[0].Name != "ana" || got[0].Until.Sub(f.Since) != farewellLife {
		t.Errorf("untold: %+v", got)
	}
	d.close(end)
	select {
	case <-told:
		t.Error("a phone that nobody reached counts as told")
	default:
	}
	if _, err := os.Stat(d.cfg.Dir.Path(farewellName("00"))); err != nil {
		t.Error("the farewell is lost:", err)
	}
}

// TestHeardSurvives: when a phone was last heard of outlives krd.
func TestHeardSurvives(t *testing.T) {
	d := newDaemon(t)
	alive(t, d)
	r := named(newRecord(t), "ana")
	at := r.Paired.Add(-time.Hour)
	r.Paired = at.Add(-time.Hour)
	if err := d.cfg.Dir.WriteJSON(recordName(r.ID), recordVersion, r); err != nil {
		t.Fatal(err)
	}
	if err := d.cfg.Dir.WriteJSON(heardFile, recordVersion, map[string]time.Time{r.ID: at, "gone": at}); err != nil {
		t.Fatal(err)
	}
	if err := d.loadPhones(); err != nil {
		t.Fatal(err)
	}
	if got := d.describe(d.list()[0]).Heard; !got.Equal(at) {
		t.Errorf("heard %s, want %s", got, at)
	}
	d.keepHeard(heardGrain)
	if err := d.cfg.Dir.WriteFile(heardFile, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if got := d.readHeard(); len(got) != 0 {
		t.Errorf("a damaged file says %v", got)
	}
}
