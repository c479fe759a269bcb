package daemon

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/control"
	"kryptonite/internal/peer"
	"kryptonite/internal/session"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/statedir"
	"kryptonite/internal/wire"
)

// openAsked is a log as krd opens it, and what krd says while it does.
func openAsked(t *testing.T, dir *statedir.Dir, paired ...string) (*askedLog, *bytes.Buffer) {
	t.Helper()
	var said bytes.Buffer
	l := &askedLog{}
	l.open(dir, slog.New(slog.NewTextHandler(&said, nil)), paired)
	t.Cleanup(l.close)
	return l, &said
}

func markAt(n uint64, b byte) auditlog.Mark { return auditlog.Mark{Length: n, Head: auditlog.Head{b}} }

// TestAskedLogSurvives: what was added is there after krd's sudden end, with
// what was found of the phones' logs; a pairing that is gone is not watched.
func TestAskedLogSurvives(t *testing.T) {
	dir := newDaemon(t).cfg.Dir
	l, _ := openAsked(t, dir, "a", "b")
	for i := range 5 {
		for _, id := range []string{"a", "b"} {
			if f := l.answer(id, l.ask(id), markAt(uint64(i+1), 7), time.Now()); f != nil {
				t.Fatal(f)
			}
			l.add(control.LogEntry{Pairing: id, User: fmt.Sprint(i)})
		}
	}
	if f := l.answer("a", l.ask("a"), markAt(2, 7), time.Now()); f == nil {
		t.Fatal("a log that shrank is not found")
	}
	l.flush()
	// The journal is not closed: krd was killed.
	l, said := openAsked(t, dir, "a")
	if got := l.page("", 0, 0).Entries; len(got) != 10 || got[0].Seq != 1 || got[9].Seq != 10 || got[9].User != "4" {
		t.Errorf("kept: %+v", got)
	}
	a, b := l.state("a"), l.state("b")
	if a.Length != 2 || len(a.Wrong) != 1 || a.Wrong[0].Kind != "shorter" || a.Wrong[0].LengthBefore != 5 || len(a.Open()) != 1 || b.Head != "" {
		t.Errorf("a: %+v, b: %+v", a, b)
	}
	for _, want := range []int{1, 0} {
		if n, err := l.accept("a"); n != want || err != nil || len(l.state("a").Open()) != 0 {
			t.Errorf("%d findings accepted, %v", n, err)
		}
	}
	l.add(control.LogEntry{Pairing: "a"})
	l, _ = openAsked(t, dir, "a", "b")
	if a := l.state("a"); len(a.Wrong) != 1 || !a.Wrong[0].Accepted || l.next != 11 || len(l.watches) != 1 {
		t.Errorf("after one more start: %+v, %d, %d watches", a, l.next, len(l.watches))
	}
	if said.Len() != 0 {
		t.Errorf("krd says: %s", said)
	}
}

// TestAskedLogIsBounded: the oldest entries go, on disk, too.
func TestAskedLogIsBounded(t *testing.T) {
	dir := newDaemon(t).cfg.Dir
	j, _, err := statedir.OpenJournal(dir, askedFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ops []statedir.Op
	for i := range uint64(maxAsked) {
		ops = append(ops, statedir.Op{Key: entryKey(i + 1), Value: encoded(control.LogEntry{Seq: i + 1})})
	}
	if err := errors.Join(j.Commit(ops), j.Close()); err != nil {
		t.Fatal(err)
	}
	l, _ := openAsked(t, dir)
	for range 3 {
		l.add(control.LogEntry{})
	}
	for range 2 * maxFindings {
		l.answer("a", l.ask("a"), markAt(9, 9), time.Now())
		l.answer("a", l.ask("a"), markAt(1, 1), time.Now())
	}
	l.flush()
	if n := len(l.state("a").Wrong); n != maxFindings {
		t.Errorf("%d findings are kept", n)
	}
	l, _ = openAsked(t, dir)
	if n := len(l.entries); n != maxAsked || l.entries[0].Seq != 4 || l.next != maxAsked+3 {
		t.Errorf("%d entries from %d to %d", n, l.entries[0].Seq, l.next)
	}
}

// TestAcceptedIsWritten: who accepts hears when it could not be kept, and it is
// written with what is kept next.
func TestAcceptedIsWritten(t *testing.T) {
	dir := newDaemon(t).cfg.Dir
	l, _ := openAsked(t, dir, "a")
	for _, n := range []uint64{5, 2} {
		l.answer("a", l.ask("a"), markAt(n, 7), time.Now())
	}
	good := l.journal
	broken, _, err := statedir.OpenJournal(dir, "broken.journal", nil)
	if err != nil || broken.Close() != nil {
		t.Fatal(err)
	}
	l.journal = broken
	if n, err := l.accept("a"); n != 1 || err == nil || !strings.Contains(err.Error(), "could not be written") {
		t.Errorf("%d accepted, %v", n, err)
	}
	l.journal = good
	l.add(control.LogEntry{})
	l, _ = openAsked(t, dir, "a")
	if len(l.state("a").Wrong) != 1 || len(l.state("a").Open()) != 0 {
		t.Errorf("after krd's end: %+v", l.state("a"))
	}
	none := &askedLog{}
	none.answer("a", none.ask("a"), markAt(5, 7), time.Now())
	none.answer("a", none.ask("a"), markAt(2, 7), time.Now())
	if _, err := none.accept("a"); err == nil {
		t.Error("accepted for ever, by a log that is not kept")
	}
}

// TestManyAtOnce are all kept, with few syncs.
func TestManyAtOnce(t *testing.T) {
	dir := newDaemon(t).cfg.Dir
	l, _ := openAsked(t, dir)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { l.add(control.LogEntry{Phone: "ana"}) })
	}
	wg.Wait()
	l, _ = openAsked(t, dir)
	if n := len(l.page("ANA", 0, 0).Entries); n != 200 {
		t.Errorf("%d entries are on disk, want 200", n)
	}
}

// TestDamagedAskedLog: krd works on, and says what is gone.
func TestDamagedAskedLog(t *testing.T) {
	dir := newDaemon(t).cfg.Dir
	l, _ := openAsked(t, dir)
	l.add(control.LogEntry{Phone: "ana"})
	l.close()
	b, err := dir.ReadFile(askedFile)
	if err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if err := os.WriteFile(dir.Path(askedFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	l, said := openAsked(t, dir)
	if !strings.Contains(said.String(), askedFile+".damaged-") || len(l.entries) != 0 {
		t.Errorf("krd says: %s", said)
	}
	l.add(control.LogEntry{Phone: "bea"})
	if err := l.journal.Commit([]statedir.Op{{Key: entryKey(7), Value: []byte("{")}, {Key: watchPrefix + "a", Value: []byte("7")}}); err != nil {
		t.Fatal(err)
	}
	if l, said = openAsked(t, dir, "a"); len(l.entries) != 1 || strings.Count(said.String(), "cannot be read") != 2 {
		t.Errorf("%d entries; krd says: %s", len(l.entries), said)
	}
	newer := bytes.Replace(b, []byte("ryptonite journal v1"), []byte("ryptonite journal v2"), 1)
	newer[0] ^= 1
	if err := os.WriteFile(dir.Path(askedFile), newer, 0o600); err != nil {
		t.Fatal(err)
	}
	l, said = openAsked(t, dir)
	l.add(control.LogEntry{})
	if !strings.Contains(said.String(), "is not kept") || len(l.entries) != 1 {
		t.Errorf("a newer krd's log: %s", said)
	}
}

func TestOutcomesInTheLog(t *testing.T) {
	for want, err := range map[control.Outcome]error{
		control.OutcomeAllowed: nil, control.OutcomeRejected: session.ErrDenied, control.OutcomeRefused: &session.RefusedError{Reason: "no"},
		control.OutcomeExpired: session.ErrTimeout, control.OutcomeNoAnswer: session.ErrNoAck, control.OutcomeSkew: session.ErrSkew,
		control.OutcomeUnpaired: fmt.Errorf("x: %w", session.ErrUnpaired), control.OutcomeWithdrawn: context.Canceled,
	} {
		if got, _ := outcome(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

// TestEntriesHoldNoPayload: neither the bytes to be signed nor the session id
// are kept, and texts from outside are bounded.
func TestEntriesHoldNoPayload(t *testing.T) {
	d := newDaemon(t)
	life, end := context.WithCancel(context.Background())
	d.life = life
	d.asked.open(d.cfg.Dir, d.cfg.Log, nil)
	p := &phone{record: newRecord(t)}
	sid := []byte("a session id of 32 bytes, secret")
	blob := sshwire.Ed25519Blob(make([]byte, 32))
	login := sshwire.Userauth{SessionID: sid, User: strings.Repeat("\xff", 900), Method: sshwire.MethodHostbound, Algorithm: sshwire.KeyEd25519, PublicKey: blob, HostKey: blob}.Marshal()
	report := session.Report{Request: wire.ID{1}, Log: markAt(3, 3), Told: true}
	d.keepAsked(p, "SHA256:x", login, "server.example", report, 1500*time.Millisecond, nil)
	d.keepAsked(p, "SHA256:x", []byte("neither"), "server.example", report, time.Second, &session.RefusedError{Reason: strings.Repeat("x", 5000)})
	d.keepAsked(p, "SHA256:x", login, "", session.Report{}, 0, session.ErrUnpaired) // never went out
	d.bg.Wait()
	got := d.asked.page(p.ID, 0, 0).Entries
	if len(got) != 2 {
		t.Fatalf("%d entries", len(got))
	}
	var first, second control.LogEntry
	for _, e := range got {
		if e.Kind == control.KindLogin {
			first = e
		} else {
			second = e
		}
	}
	if first.HostKey != fingerprintOf(t, blob) || first.Host != "server.example" || first.TookMS != 1500 || first.LogLength != 3 || first.Outcome != control.OutcomeAllowed || len(first.User) > 4*maxText {
		t.Errorf("login: %+v", first)
	}
	if second.Kind != control.KindOther || second.Host != "" || len(second.Reason) > maxText+3 {
		t.Errorf("other: %+v", second)
	}
	d.close(end)
	file, err := d.cfg.Dir.ReadFile(askedFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{string(sid), base64.StdEncoding.EncodeToString(login)[:40], base64.StdEncoding.EncodeToString(sid), "c_priv"} {
		if bytes.Contains(file, []byte(bad)) {
			t.Errorf("the file holds %q", bad)
		}
	}
}

func fingerprintOf(t *testing.T, blob []byte) string {
	t.Helper()
	k, err := sshwire.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	return k.Fingerprint()
}

// served is a client of d's control API.
func served(t *testing.T, d *Daemon) *control.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "kr") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: d.api()}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close(); os.RemoveAll(dir) })
	return control.NewClient(filepath.Join(dir, "s"), peer.SameUser)
}

// TestLogRepliesAreBounded: a long log of long entries comes in several replies,
// each of which a client reads, and kr puts them together in order.
func TestLogRepliesAreBounded(t *testing.T) {
	d := newDaemon(t)
	for i := range 2000 {
		d.asked.add(control.LogEntry{Pairing: fmt.Sprint(i % 2), Phone: "ana", User: strings.Repeat("\x01", maxText), Outcome: control.OutcomeAllowed})
	}
	w := get(t, d, "/v1/log")
	var page control.Log
	if err := json.Unmarshal(w, &page); err != nil || !page.More || len(w) > 1<<20 {
		t.Errorf("a reply of %d bytes, more: %v, %v", len(w), page.More, err)
	}
	c := served(t, d)
	for _, q := range []struct {
		phone string
		n     int
		want  int
		first uint64
	}{{"", 0, 2000, 1}, {"", 3, 3, 1998}, {"", 1500, 1500, 501}, {"0", 0, 1000, 1}, {"1", 7, 7, 1988}} {
		log, err := c.Log(t.Context(), q.phone, q.n)
		if err != nil || len(log.Entries) != q.want || log.Entries[0].Seq != q.first || log.More {
			t.Errorf("%+v: %d entries, %v", q, len(log.Entries), err)
		}
		for i := 1; i < len(log.Entries); i++ {
			if log.Entries[i].Seq <= log.Entries[i-1].Seq {
				t.Fatalf("%+v: %d after %d", q, log.Entries[i].Seq, log.Entries[i-1].Seq)
			}
		}
	}
	if _, err := c.Log(t.Context(), "nobody", 0); errCode(err) != control.CodeNoSuch {
		t.Errorf("a phone that was never there: %v", err)
	}
	if _, err := c.AcceptLog(t.Context(), "nobody"); errCode(err) != control.CodeNoSuch {
		t.Errorf("accept for a phone that is not there: %v", err)
	}
}

func errCode(err error) control.Code {
	if e := new(control.Error); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// get asks the API of d.
func get(t *testing.T, d *Daemon, path string) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	d.api().ServeHTTP(w, request("GET", path, ""))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// TestStatusTellsOfTheLog: what was found is said until it is accepted.
func TestStatusTellsOfTheLog(t *testing.T) {
	d := newDaemon(t)
	alive(t, d)
	r := named(newRecord(t), "ana")
	var said bytes.Buffer
	d.cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	d.asked.open(d.cfg.Dir, d.cfg.Log, nil)
	t.Cleanup(d.asked.close)
	if err := d.startPhone(r, nil, 0); err != nil {
		t.Fatal(err)
	}
	w := witness{d, r.ID}
	w.Answer(w.Ask(), markAt(5, 5))
	w.Answer(w.Ask(), markAt(4, 4))
	c := served(t, d)
	for _, open := range []int{1, 0} {
		st, err := c.Status(t.Context())
		if err != nil || len(st.Phones) != 1 || len(st.Phones[0].Log.Open()) != open || len(st.Phones[0].Log.Wrong) != 1 || st.Phones[0].Log.Length != 4 {
			t.Fatalf("status: %+v, %v", st, err)
		}
		if out, err := c.AcceptLog(t.Context(), "ANA"); err != nil || out.Findings != open {
			t.Errorf("accepted: %+v, %v", out, err)
		}
	}
	if !strings.Contains(said.String(), "shorter than it was: restored from a backup") || !strings.Contains(said.String(), "before=5:05") {
		t.Errorf("krd's log: %s", said.String())
	}
	if !strings.Contains(string(get(t, d, "/v1/status")), `"wrong":[{`) {
		t.Error("no list of findings in the status")
	}
}

// TestEntriesOfOtherVersions: what an older krd kept has no host; what a newer one
// keeps beside the fields that are known here is no fault, and the file keeps it.
func TestEntriesOfOtherVersions(t *testing.T) {
	dir := newDaemon(t).cfg.Dir
	j, _, err := statedir.OpenJournal(dir, askedFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	const newer = `{"seq":2,"kind":"login","user":"root","host":"server.example","jump":"gate.example","outcome":"allowed"}`
	err = j.Commit([]statedir.Op{
		{Key: entryKey(1), Value: []byte(`{"seq":1,"kind":"login","user":"root","host_key":"SHA256:x","outcome":"allowed"}`)},
		{Key: entryKey(2), Value: []byte(newer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	l, said := openAsked(t, dir)
	l.add(control.LogEntry{Kind: control.KindLogin, Host: "other.example"})
	l.close()
	got := l.page("", 0, 0).Entries
	if len(got) != 3 || got[0].Host != "" || got[0].HostKey != "SHA256:x" || got[1].Host != "server.example" || got[2].Host != "other.example" || said.Len() > 0 {
		t.Errorf("%+v, said %s", got, said)
	}
	_, records, err := statedir.OpenJournal(dir, askedFile, nil)
	if err != nil || string(records[entryKey(2)]) != newer {
		t.Errorf("the newer one is %s, %v", records[entryKey(2)], err)
	}
}
