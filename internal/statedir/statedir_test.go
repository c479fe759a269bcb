package statedir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kryptonite/internal/attacktest"
)

func newDir(t testing.TB) *Dir {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestModesAndStrangers(t *testing.T) {
	d := newDir(t)
	if err := d.WriteFile("sub/x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{d.Path(): 0o700, d.Path("sub"): 0o700, d.Path("sub", "x"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %v", path, info.Mode().Perm(), want)
		}
	}
	if err := os.Chmod(d.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Existing(d.Path()); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(d.Path()); info.Mode().Perm() != 0o755 {
		t.Error("who only looks makes the directory private")
	}
	if _, err := Existing(d.Path("nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := Open(d.Path()); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(d.Path()); info.Mode().Perm() != 0o700 {
		t.Error("an open directory is not made private")
	}
	link := d.Path() + "-link"
	if err := os.Symlink(d.Path(), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(link); err == nil {
		t.Error("a symbolic link is taken for a state directory")
	}
	if _, err := Existing(link); err == nil {
		t.Error("a symbolic link is taken for a state directory by who only looks")
	}
	if err := os.Symlink("sub/x", d.Path("y")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReadFile("y"); err == nil {
		t.Error("a symbolic link is read")
	}
}

// TestJSONCutAtEveryByte: a cut file is set aside and named; what was in it is
// still there, and nothing wrong is read.
func TestJSONCutAtEveryByte(t *testing.T) {
	d := newDir(t)
	type data struct{ A, B string }
	if err := d.WriteJSON("f.json", 2, data{"x", "y"}); err != nil {
		t.Fatal(err)
	}
	var got data
	if err := d.ReadJSON("f.json", 2, &got); err != nil || got != (data{"x", "y"}) {
		t.Fatal(got, err)
	}
	whole, err := d.ReadFile("f.json")
	if err != nil {
		t.Fatal(err)
	}
	asides := map[string]bool{}
	for i := range len(whole) - 1 { // the last byte is a line end
		if i == len(whole)-1 {
			break
		}
		if err := d.WriteFile("f.json", whole[:i]); err != nil {
			t.Fatal(err)
		}
		var damaged *DamagedError
		if err := d.ReadJSON("f.json", 2, &got); !errors.As(err, &damaged) {
			if i >= len(bytes.TrimSpace(whole)) {
				continue
			}
			t.Fatalf("cut to %d bytes: %v, want *DamagedError", i, err)
		}
		if asides[damaged.Aside] {
			t.Fatalf("%s was overwritten", damaged.Aside)
		}
		asides[damaged.Aside] = true
		if kept, err := os.ReadFile(damaged.Aside); err != nil || !bytes.Equal(kept, whole[:i]) {
			t.Fatalf("cut to %d bytes: what was there is lost", i)
		}
	}
	var newer *VersionError
	if err := d.WriteJSON("f.json", 3, data{}); err != nil {
		t.Fatal(err)
	}
	if err := d.ReadJSON("f.json", 2, &got); !errors.As(err, &newer) {
		t.Errorf("a newer file: %v, want *VersionError", err)
	}
	if _, err := d.ReadFile("f.json"); err != nil {
		t.Error("a newer file was touched:", err)
	}
}

func TestLock(t *testing.T) {
	d := newDir(t)
	l, err := d.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock("lock"); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v, want ErrLocked", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if l, err = d.Lock("lock"); err != nil {
		t.Fatal(err)
	}
	l.Unlock()
}

// journal commits a few things and returns the state after each commit.
func journal(t testing.TB, d *Dir, erase func(string) bool) (states []map[string][]byte) {
	t.Helper()
	j, live, err := OpenJournal(d, "j", erase)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	states = append(states, maps.Clone(live))
	for i := range 6 {
		ops := []Op{{fmt.Sprint("k", i%3), []byte(fmt.Sprint("value ", i))}, {"last", []byte{byte(i)}}}
		if i == 4 {
			ops = append(ops, Op{"k0", nil})
		}
		if err := j.Commit(ops); err != nil {
			t.Fatal(err)
		}
		states = append(states, j.copyLive())
	}
	return states
}

func equal(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// TestJournalCutAtEveryByte: a crash leaves a prefix of the commits, each whole.
func TestJournalCutAtEveryByte(t *testing.T) {
	d := newDir(t)
	states := journal(t, d, nil)
	whole, err := d.ReadFile("j")
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for i := headerSize; i <= len(whole); i++ {
		if err := d.WriteFile("j", whole[:i]); err != nil {
			t.Fatal(err)
		}
		j, live, err := OpenJournal(d, "j", nil)
		if err != nil {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
		for at < len(states)-1 && !equal(live, states[at]) {
			at++ // later cuts never know less
		}
		if !equal(live, states[at]) {
			t.Fatalf("cut to %d bytes: %v is no state that ever was", i, live)
		}
		if err := j.Commit([]Op{{"more", []byte("x")}}); err != nil {
			t.Fatalf("cut to %d bytes, then a commit: %v", i, err)
		}
		j.Close()
		if j, live, err = OpenJournal(d, "j", nil); err != nil || string(live["more"]) != "x" {
			t.Fatalf("cut to %d bytes, then a commit: %v", i, err)
		}
		j.Close()
	}
	if at != len(states)-1 {
		t.Errorf("the whole file holds state %d of %d", at, len(states)-1)
	}
}

// TestJournalFlippedAtEveryByte: damage is named, or looks like the torn end of
// the last commit; no state comes out that never was.
func TestJournalFlippedAtEveryByte(t *testing.T) {
	d := newDir(t)
	states := journal(t, d, nil)
	whole, err := d.ReadFile("j")
	if err != nil {
		t.Fatal(err)
	}
	tally := attacktest.New(t, "the phone's disk, changed at each byte")
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 0x40
		if err := d.WriteFile("j", bad); err != nil {
			t.Fatal(err)
		}
		j, live, err := OpenJournal(d, "j", nil)
		var damaged *DamagedError
		switch {
		case errors.As(err, &damaged):
			if kept, err := os.ReadFile(damaged.Aside); err != nil || !bytes.Equal(kept, bad) {
				t.Fatalf("byte %d: what was there is lost", i)
			}
			tally.Rejected()
			continue
		case err != nil:
			t.Fatalf("byte %d: %v", i, err)
		}
		j.Close()
		if n := len(states); !equal(live, states[n-2]) && !equal(live, states[n-1]) {
			tally.Succeeded("byte %d flipped: %v", i, live)
			continue
		}
		tally.Harmless() // as after a power cut
	}
}

func TestJournalErases(t *testing.T) {
	d := newDir(t)
	j, _, err := OpenJournal(d, "j", func(k string) bool { return strings.HasPrefix(k, "secret/") })
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, op := range []Op{{"secret/a", []byte("c3VwZXItc2VjcmV0")}, {"plain", []byte("1")}, {"secret/a", []byte("b")}, {"secret/a", nil}} {
		if err := j.Commit([]Op{op}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := d.ReadFile("j")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("YzNWd1pYSXRjMlZqY21WMA")) || bytes.Contains(b, []byte("secret/a")) {
		t.Error("a secret that was deleted is still in the file")
	}
}

// TestJournalSurvivesAFailedWrite: when the disk takes nothing, nothing has
// happened, and it goes on when there is room again.
func TestJournalSurvivesAFailedWrite(t *testing.T) {
	d := newDir(t)
	j, _, err := OpenJournal(d, "j", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Commit([]Op{{"a", []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	good := j.f
	if j.f, err = os.Open(d.Path("j")); err != nil { // for reading only: writes fail
		t.Fatal(err)
	}
	if err := j.Commit([]Op{{"a", []byte("2")}}); err == nil {
		t.Fatal("a write that failed is a success")
	}
	j.f.Close()
	j.f = good
	if string(j.live["a"]) != "1" {
		t.Error("a failed commit changed the state")
	}
	if err := j.Commit([]Op{{"b", []byte("3")}}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if _, live, err := OpenJournal(d, "j", nil); err != nil || string(live["a"]) != "1" || string(live["b"]) != "3" {
		t.Errorf("%v, %v", live, err)
	}
}

func TestJournalCompacts(t *testing.T) {
	d := newDir(t)
	j, _, err := OpenJournal(d, "j", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i := range 80 {
		if err := j.Commit([]Op{{"k", bytes.Repeat([]byte{byte(i)}, 32<<10)}}); err != nil {
			t.Fatal(err)
		}
	}
	if j.size > 2*compactFrom {
		t.Errorf("%d bytes for %d that live", j.size, j.held)
	}
}

func BenchmarkCommit(b *testing.B) {
	j, _, err := OpenJournal(newDir(b), "j", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	value := make([]byte, 1024)
	for b.Loop() {
		value[0]++ // a change of nothing is not written
		if err := j.Commit([]Op{{"request/x", value}}); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzVersioned: a file is read whole, and means the same when it is written
// again; one that is not read leaves its value alone.
func FuzzVersioned(f *testing.F) {
	type state struct {
		Name string   `json:"name"`
		Keys [][]byte `json:"keys"`
		At   int64    `json:"at"`
	}
	f.Add([]byte(`{"version":1,"data":{"name":"ana","keys":["AAAA",""],"at":-7}}`))
	f.Add([]byte(`{"version":2,"data":{}}`))
	f.Add([]byte(`{"version":1,"data":null}`))
	f.Add([]byte(`{"version":1,"data":{"name":"x","keys":[1]}}`))
	f.Add([]byte(`{"version":-1,"data":{}}{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		data, err := dataOf(b, "x", 1)
		if err != nil {
			if newer := new(VersionError); errors.As(err, &newer) && newer.Version < 2 {
				t.Errorf("%q is of version %d", b, newer.Version)
			}
			return
		}
		before := state{Name: "before"}
		got := before
		if err := decode(data, &got); err != nil {
			if !reflect.DeepEqual(got, before) {
				t.Errorf("%q: %v, and the value is %+v", b, err, got)
			}
			return
		}
		inner, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		file, err := json.Marshal(versioned{1, inner}) // as WriteJSON, without the disk
		if err != nil {
			t.Fatal(err)
		}
		var again state
		if data, err = dataOf(file, "x", 1); err == nil {
			err = decode(data, &again)
		}
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%q is %+v, and read again %+v, %v", b, got, again, err)
		}
	})
}
