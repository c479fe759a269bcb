package statedir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// untouched fails when the directory does not hold what it held.
func untouched(t *testing.T, d *Dir, want []byte) {
	t.Helper()
	entries, err := os.ReadDir(d.Path())
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d files are there, %v", len(entries), err)
	}
	if got, err := os.ReadFile(d.Path("j")); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the journal was changed: %v", err)
	}
}

// TestReadJournalOfACutFile: cut anywhere it reads the state before or an
// error, and changes nothing.
func TestReadJournalOfACutFile(t *testing.T) {
	d := newDir(t)
	if _, err := ReadJournal(d, "j"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	j, _ := mustOpen(t, d)
	for _, ops := range [][]Op{{{"a", []byte("1")}}, {{"a", []byte("2")}, {"b", []byte("3")}}} {
		if err := j.Commit(ops); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(d.Path("j"))
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	for n := len(whole); n >= 0; n-- {
		if err := os.WriteFile(d.Path("j"), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		live, err := ReadJournal(d, "j")
		switch {
		case err != nil:
			states["error"]++
		case len(live) == 0:
			states["empty"]++
		default:
			states[string(live["a"])+string(live["b"])]++
		}
		untouched(t, d, whole[:n])
	}
	if len(states) != 4 || states["23"] != 1 || states["1"] == 0 || states["empty"] == 0 || states["error"] != headerSize {
		t.Errorf("states: %v", states)
	}
}

// TestReadJournalOfADamagedFile says so, and leaves it in its place.
func TestReadJournalOfADamagedFile(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	for _, key := range []string{"a", "b"} {
		if err := j.Commit([]Op{{key, []byte("value")}}); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(d.Path("j"))
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(whole)
	bad[headerSize+headSize+2] ^= 1
	newer := bytes.Replace(bytes.Clone(whole), []byte("journal v1"), []byte("journal v2"), 1)
	for name, b := range map[string][]byte{"is damaged": bad, "version 2": newer} {
		if err := os.WriteFile(d.Path("j"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadJournal(d, "j"); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), d.Path("j")) {
			t.Errorf("%s: %v", name, err)
		}
		untouched(t, d, b)
	}
}

// TestReadJournalWhileItIsWritten: each read is a state that was, and no older
// than the one before, also while the file is written anew all the time.
func TestReadJournalWhileItIsWritten(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	ended := make(chan error)
	const commits = 600
	go func() {
		for i := range uint64(commits) {
			n := binary.BigEndian.AppendUint64(nil, i+1)
			ops := []Op{{"a", n}, {"b", n}, {"pad", bytes.Repeat(n, int(i%200))}}
			if i%3 == 0 {
				ops = append(ops, Op{"secret/s", n}) // rewrites
			}
			if err := j.Commit(ops); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	last, reads := uint64(0), 0
	for {
		live, err := ReadJournal(d, "j")
		if err != nil {
			t.Fatal(err)
		}
		if reads++; len(live) > 0 {
			n := binary.BigEndian.Uint64(live["a"])
			if n < last || !bytes.Equal(live["a"], live["b"]) || !bytes.Equal(live["pad"], bytes.Repeat(live["a"], int((n-1)%200))) {
				t.Fatalf("after %d: a state that never was: %x %x", last, live["a"], live["b"])
			}
			last = n
		}
		select {
		case err := <-ended:
			if err != nil || last == 0 {
				t.Fatal(err, last)
			}
			t.Logf("%d reads during %d commits", reads, commits)
			return
		default:
		}
	}
}
