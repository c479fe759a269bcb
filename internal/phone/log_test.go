package phone

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// markOf is what a response tells of the log.
func markOf(t *testing.T, r *wire.Response) auditlog.Mark {
	t.Helper()
	m, ok := auditlog.MarkOf(r.LogLength, r.LogHead)
	if !ok {
		t.Fatalf("the response tells no log: %d %x", r.LogLength, r.LogHead)
	}
	return m
}

// mark is how the log on disk ends.
func (w *world) mark() auditlog.Mark {
	w.t.Helper()
	_, end, err := Log(w.disk)
	if err != nil {
		w.t.Fatal(err)
	}
	return end.Mark()
}

// login1 asks for a login and has it allowed.
func (w *world) login1(id byte) *wire.Response {
	w.t.Helper()
	h := newHost(1)
	w.send(w.request(id, w.login(h, true), h.bind(false)))
	return w.approve(id)
}

// TestResponsesTellTheLog: as it is on disk when they are sent; answers that are
// sent again tell the log of then.
func TestResponsesTellTheLog(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	first := w.request(1, w.login(h, true), h.bind(false))
	if m := markOf(t, w.response(w.send(first))); m != (auditlog.Mark{}) {
		t.Errorf("the ack of the first request: %s", m)
	}
	if m := markOf(t, w.approve(1)); m != w.mark() || m.Length != 1 {
		t.Errorf("the answer tells %s, on disk is %s", m, w.mark())
	}
	w.send(w.request(2, w.login(h, true), h.bind(false)))
	if m := markOf(t, w.response(w.do(Decide{Pairing: w.pairing, Request: wire.ID{2}, Allow: false}))); m != w.mark() || m.Length != 2 {
		t.Errorf("the rejection tells %s, on disk is %s", m, w.mark())
	}
	if m := markOf(t, w.response(w.send(first))); m != w.mark() {
		t.Errorf("an answer that is sent again tells %s, on disk is %s", m, w.mark())
	}
	skewed := w.request(3, w.login(h, true))
	skewed.Unix -= 3600
	if m := markOf(t, w.response(w.send(skewed))); m != w.mark() {
		t.Errorf("clock_skew tells %s", m)
	}
	eC, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	pub := eC.Public()
	plain, err := wire.Encode(wire.Message{Request: &wire.Request{ID: wire.ID{9}, Unix: w.now.Unix(), K: 1, EphemeralC: &pub, Me: &wire.MeRequest{}}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := w.box.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if r := w.response(w.do(Frame{w.pairing, wire.NewFrame(wire.HeaderSession, body)})); r.Ack == nil || r.LogHead != nil {
		t.Errorf("the ack of a hello, under long-term keys, tells the log: %+v", r)
	}
}

// TestTellingTheLogCostsNoPadding: ordinary answers stay in the smallest size,
// with the longest log and a new epoch, too.
func TestTellingTheLogCostsNoPadding(t *testing.T) {
	var eS sealbox.PublicKey
	sizes := map[string]int{}
	for name, s := range map[string]*wire.SignResponse{
		"signed":   {Signature: make([]byte, 83)}, // Ed25519
		"rejected": {Error: wire.CodeRejected},
		"refused":  {Error: wire.CodeRefused, Reason: "a session bind is not signed by its host key"},
	} {
		r := &wire.Response{ID: wire.ID{1}, Unix: 1_795_000_000, K: 1, V: "0.1.0-12345678", EphemeralS: &eS, EpochProof: &sealbox.Key32{}, Sign: s}
		before, err := wire.Encode(wire.Message{Response: r})
		if err != nil {
			t.Fatal(err)
		}
		r.LogHead, r.LogLength = make([]byte, 32), 1<<40
		after, err := wire.Encode(wire.Message{Response: r})
		if err != nil {
			t.Fatal(err)
		}
		if len(before) != 512 || len(after) != 512 {
			t.Errorf("%s: %d bytes before, %d with the log", name, len(before), len(after))
		}
		sizes[name] = len(bytes.TrimRight(after, " "))
	}
	t.Log("unpadded:", sizes)
}

// tampered calls try with every way of spoiling a log of n entries: each one
// changed, dropped, moved, swapped with the next; the older half gone.
func tampered(t *testing.T, disk map[string][]byte, n int, try func(what string, disk map[string][]byte)) {
	t.Helper()
	change := func(what string, f func(map[string][]byte)) {
		d := maps.Clone(disk)
		f(d)
		try(what, d)
	}
	for i := 1; i <= n; i++ {
		k, next := logKey(uint64(i)), logKey(uint64(i+1))
		change(fmt.Sprintf("entry %d is changed", i), func(d map[string][]byte) {
			d[k] = bytes.Replace(d[k], []byte(`"user":"root"`), []byte(`"user":"ruth"`), 1)
			if i == n { // only who remembers its hash can tell: see below
				d[k] = append(d[k][:len(d[k]):len(d[k])], '}')
			}
		})
		change(fmt.Sprintf("entry %d stands in another place", i), func(d map[string][]byte) {
			d[logKey(uint64(i+n))] = d[k]
			delete(d, k)
		})
		if i < n {
			change(fmt.Sprintf("entry %d is gone", i), func(d map[string][]byte) { delete(d, k) })
			change(fmt.Sprintf("entries %d and %d are swapped", i, i+1), func(d map[string][]byte) { d[k], d[next] = d[next], d[k] })
		}
	}
	change("the older half is gone", func(d map[string][]byte) {
		for i := range n / 2 {
			delete(d, logKey(uint64(i+1)))
		}
	})
}

// TestADamagedLogStopsNoPhone: whatever happened to the log, the phone starts,
// tells the person at each start until it is acknowledged, keeps what it found,
// begins a new log that says so, and signs; and the computer notices.
func TestADamagedLogStopsNoPhone(t *testing.T) {
	const n = 4
	w := newWorld(t, ApproveAsk)
	var before auditlog.Mark
	for i := range byte(n) {
		before = markOf(t, w.login1(i+1))
	}
	tampered(t, w.disk, n, func(what string, disk map[string][]byte) {
		t.Run(what, func(t *testing.T) {
			v := *w
			v.t, v.device, v.signed = t, &device{disk: disk}, map[string]bool{}
			damagedLog(&v, n, before)
		})
	})
}

func damagedLog(w *world, n int, before auditlog.Mark) {
	t := w.t
	watch := auditlog.WatchFrom([]auditlog.Mark{before})
	found := maps.Clone(w.disk)
	if _, _, err := Log(w.disk); !errors.As(err, new(*auditlog.BrokenError)) {
		t.Fatalf("the log is read: %v", err)
	}
	w.reload()
	for range 2 {
		if note := one[Note](t, w.do(Start{})); note.Kind != NoteLogDamaged || note.Err == nil {
			t.Fatalf("the person is told %+v", note)
		}
	}
	var kept [][]byte
	for _, k := range keysWith(found, LogPrefix) {
		kept = append(kept, found[k])
	}
	if got := Aside(w.disk); !slices.EqualFunc(got, kept, bytes.Equal) {
		t.Errorf("set aside: %q, want %q", got, kept)
	}
	entries, _, err := Log(w.disk)
	if err != nil || len(entries) != 1 || entries[0].Decision != auditlog.Damaged || !strings.Contains(entries[0].Reason, "set aside") {
		t.Fatalf("the new log: %+v, %v", entries, err)
	}
	s, ok := AcknowledgeAside(w.disk)
	if !ok {
		t.Fatal("there is nothing to acknowledge")
	}
	if got := one[Store](t, w.do(Acknowledge{})); got.Key != s.Key || !bytes.Equal(got.Value, s.Value) {
		t.Errorf("the event stores %q in %s, the command %q in %s", got.Value, got.Key, s.Value, s.Key)
	}
	if effects := w.do(Acknowledge{}); len(effects) != 0 {
		t.Errorf("acknowledged twice: %#v", effects)
	}
	if notes := all[Note](w.do(Start{})); len(notes) != 0 {
		t.Errorf("told again: %+v", notes)
	}
	if _, ok := AcknowledgeAside(w.disk); ok {
		t.Error("it can be acknowledged twice")
	}

	ticket := watch.Ask()
	answer := w.login1(100)
	if len(answer.Sign.Signature) == 0 || markOf(t, answer) != w.mark() {
		t.Errorf("the next login: %+v", answer)
	}
	if f := watch.Answer(ticket, markOf(t, answer)); f == nil || f.Kind != auditlog.Shorter {
		t.Errorf("the computer finds %v", f)
	}

	// Damaged again, at the same second and with a clock that was set back.
	w.now = w.now.Add(-time.Minute)
	w.disk[logKey(1)] = []byte("{}")
	w.reload()
	if note := one[Note](t, w.do(Start{})); note.Kind != NoteLogDamaged {
		t.Errorf("damaged again, the person is told %+v", note)
	}
	if got := len(Aside(w.disk)); got != len(kept)+2 {
		t.Errorf("%d entries are set aside, want %d", got, len(kept)+2)
	}
}

// TestACutOrForgedEndIsFound: only somebody who remembers it can tell; the
// computer does, and so does a person by LENGTH:HEAD.
func TestACutOrForgedEndIsFound(t *testing.T) {
	const n = 4
	w := newWorld(t, ApproveAsk)
	var told []auditlog.Mark
	for i := range byte(n) {
		told = append(told, markOf(t, w.login1(i+1)))
	}
	for cut := range n {
		disk := maps.Clone(w.disk)
		for i := cut; i < n; i++ {
			delete(disk, logKey(uint64(i+1)))
		}
		forged := maps.Clone(w.disk)
		forgeFrom(t, forged, cut+1, n)
		for what, d := range map[string]map[string][]byte{"cut": disk, "forged": forged} {
			entries, end, err := Log(d)
			if err != nil {
				t.Fatal(err)
			}
			watch := auditlog.WatchFrom(told)
			if f := watch.Answer(watch.Ask(), end.Mark()); f == nil {
				t.Errorf("%s after %d: the computer finds nothing", what, cut)
			}
			for i, m := range told {
				claim, err := auditlog.ParseClaim(m.Short())
				if err != nil {
					t.Fatal(err)
				}
				if v := claim.Check(entries, end); (v == auditlog.Holds) != (i < cut) {
					t.Errorf("%s after %d: to %s the phone says %d", what, cut, m.Short(), v)
				}
			}
		}
	}
}

// forgeFrom writes the entries from seq to n anew, with another user.
func forgeFrom(t *testing.T, disk map[string][]byte, seq, n int) {
	t.Helper()
	entries, _, err := Log(disk)
	if err != nil {
		t.Fatal(err)
	}
	var l auditlog.Log
	for i := range n {
		if i+1 >= seq {
			entries[i].User = "mallory"
		}
		disk[logKey(uint64(i+1))] = l.Append(entries[i])
	}
}
