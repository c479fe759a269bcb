package statedir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func secret(key string) bool { return strings.HasPrefix(key, "secret/") }

// day is what a phone does: appends, an erase, a delete, a compaction.
func day() [][]Op {
	big := bytes.Repeat([]byte("x"), compactFrom/2)
	return [][]Op{
		{{"a", []byte("1")}, {"secret/s", []byte("first")}},
		{{"b", []byte{}}, {"a", []byte("2")}},
		{{"secret/s", []byte("second")}, {"c", []byte("3")}}, // rewrites
		{{"a", nil}, {"d", []byte("4")}},
		{{"big", big}}, {{"big", append(big, 1)}}, {{"big", append(big, 2)}}, {{"big", []byte("small")}},
		{{"e", []byte("5")}}, // rewrites: the file is long and little of it lives
		{{"secret/s", nil}},  // rewrites
		{{"f", []byte("6")}},
	}
}

// model applies ops to a copy of m.
func model(m map[string][]byte, ops []Op) map[string][]byte {
	next := maps.Clone(m)
	for _, op := range ops {
		if next[op.Key] = op.Value; op.Value == nil {
			delete(next, op.Key)
		}
	}
	return next
}

func mustOpen(t testing.TB, d *Dir) (*Journal, map[string][]byte) {
	t.Helper()
	j, live, err := OpenJournal(d, "j", secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, live
}

// TestKilledBeforeEachStep copies the directory before each step that changes
// the disk, as a kill there leaves it. Each copy opens with what was committed,
// or that and the commit under way.
func TestKilledBeforeEachStep(t *testing.T) {
	d := newDir(t)
	j, before := mustOpen(t, d)
	steps := map[string]int{}
	for i, ops := range day() {
		after := model(before, ops)
		d.fault = func(step, _ string) error {
			steps[step]++
			c := &Dir{path: filepath.Join(t.TempDir(), "copy")}
			if err := os.CopyFS(c.path, os.DirFS(d.path)); err != nil {
				t.Fatal(err)
			}
			k, live := mustOpen(t, c)
			if !equal(live, before) && !equal(live, after) {
				t.Errorf("commit %d, killed before %s: a state that never was", i, step)
			}
			if err := k.Commit([]Op{{"next", []byte("x")}}); err != nil {
				t.Errorf("commit %d, killed before %s, then a commit: %v", i, step, err)
			}
			if left, _ := filepath.Glob(c.Path(TempPrefix + "*")); len(left) > 0 {
				t.Errorf("commit %d, killed before %s: %v stays", i, step, left)
			}
			return nil
		}
		if err := j.Commit(ops); err != nil {
			t.Fatal(err)
		}
		d.fault = nil
		before = after
	}
	for _, step := range []string{"write", "datasync", "create", "sync", "rename", "syncdir"} {
		if steps[step] == 0 {
			t.Errorf("no kill before %s was tried", step)
		}
	}
}

// TestEachStepFails: whatever step fails, with and without its undoing failing
// too, Commit says so, nothing has changed, and the next Commit goes well.
func TestEachStepFails(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "disk", Err: syscall.ENOSPC}
	for _, failures := range []int{1, 2} {
		for n := 0; ; n++ {
			d := newDir(t)
			j, state := mustOpen(t, d)
			step, failed := 0, 0
			d.fault = func(string, string) error {
				if step++; step > n && failed < failures {
					failed++
					return full
				}
				return nil
			}
			for i, ops := range day() {
				for {
					err := j.Commit(ops)
					if err == nil {
						state = model(state, ops)
						break
					}
					if !errors.Is(err, syscall.ENOSPC) {
						t.Fatalf("commit %d, step %d fails: %v", i, n, err)
					}
					if !equal(j.copyLive(), state) {
						t.Fatalf("commit %d, step %d fails: the state has changed", i, n)
					}
				}
			}
			j.Close()
			d.fault = nil
			if _, live := mustOpen(t, d); !equal(live, state) {
				t.Fatalf("step %d fails %d times: the disk holds another state", n, failures)
			}
			if step <= n {
				break // the day has fewer steps
			}
		}
	}
}

// TestFailedCommitNeverReturns: what was reported failed is not there after a
// kill either, as long as the disk let us undo it.
func TestFailedCommitNeverReturns(t *testing.T) {
	for _, failing := range []string{"write", "datasync", "create", "sync", "rename"} {
		d := newDir(t)
		j, _ := mustOpen(t, d)
		if err := j.Commit([]Op{{"a", []byte("1")}, {"secret/s", []byte("1")}}); err != nil {
			t.Fatal(err)
		}
		failed := false
		d.fault = func(step, _ string) error {
			if step == failing && !failed {
				failed = true
				return syscall.EIO
			}
			return nil
		}
		ops := []Op{{"a", []byte("2")}}
		if failing != "write" && failing != "datasync" {
			ops = []Op{{"secret/s", []byte("2")}}
		}
		if err := j.Commit(ops); !errors.Is(err, syscall.EIO) {
			t.Fatalf("%s fails: %v", failing, err)
		}
		d.fault = nil // and no Close: the process is killed here
		if _, live := mustOpen(t, d); string(live["a"]) != "1" || string(live["secret/s"]) != "1" {
			t.Errorf("%s failed: %q came back", failing, live)
		}
	}
}

// TestFullDisk uses a real limit: the kernel cuts the write short.
func TestFullDisk(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	ignoreFileSizeSignal(t)
	d := newDir(t)
	j, _ := mustOpen(t, d)
	if err := j.Commit([]Op{{"a", []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	now := old
	now.Cur = uint64(j.size + 20)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Fatal(err)
	}
	short := j.Commit([]Op{{"b", make([]byte, 1000)}})
	rewritten := d.WriteFile("other", make([]byte, 1000))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(short, syscall.EFBIG) || !errors.Is(rewritten, syscall.EFBIG) {
		t.Errorf("beyond the limit: %v, %v, want EFBIG", short, rewritten)
	}
	if names, err := os.ReadDir(d.Path()); err != nil || len(names) != 1 {
		t.Errorf("a failed write leaves %v", names)
	}
	if info, err := os.Stat(d.Path("j")); err != nil || info.Size() != j.size {
		t.Errorf("the journal has %d bytes, want %d", info.Size(), j.size)
	}
	if err := j.Commit([]Op{{"b", []byte("2")}}); err != nil {
		t.Fatal(err)
	}
	if _, live := mustOpen(t, d); string(live["a"]) != "1" || string(live["b"]) != "2" {
		t.Errorf("it holds %q", live)
	}
}

// TestUnwrittenSectors zeroes sectors of the last record, as a power cut does:
// it is dropped. In an earlier record that is damage.
func TestUnwrittenSectors(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	var ends []int
	for i := range 3 {
		if err := j.Commit([]Op{{fmt.Sprint(i), bytes.Repeat([]byte{'v'}, 2000)}}); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(j.size))
	}
	j.Close()
	whole, err := d.ReadFile("j")
	if err != nil {
		t.Fatal(err)
	}
	for rec := 1; rec < 3; rec++ {
		start, end := ends[rec-1], ends[rec]
		for first := start; first < end; first = (first/sectorSize + 1) * sectorSize {
			for last := (first/sectorSize + 1) * sectorSize; last < end+sectorSize; last += sectorSize {
				bad := bytes.Clone(whole)
				clear(bad[first:min(last, end)])
				if err := d.WriteFile("j", bad); err != nil {
					t.Fatal(err)
				}
				k, live, err := OpenJournal(d, "j", nil)
				if rec == 2 {
					if err != nil || len(live) != 2 {
						t.Fatalf("last record without %d to %d: %d values, %v", first, last, len(live), err)
					}
					k.Close()
				} else if damaged := (*DamagedError)(nil); !errors.As(err, &damaged) {
					t.Fatalf("record %d without %d to %d: %v, want *DamagedError", rec, first, last, err)
				}
			}
		}
	}
}

// TestSnapshotIsNeverTorn: what was written before the file had its name cannot
// be the torn end of a commit. A cut there is damage, not an empty journal.
func TestSnapshotIsNeverTorn(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	for _, v := range []string{"first", "second"} { // the second commit rewrites
		if err := j.Commit([]Op{{"secret/s", []byte(v)}, {"a", []byte(v)}}); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	whole, err := d.ReadFile("j")
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		for what, bad := range map[string][]byte{"cut": whole[:i], "flipped": flipped} {
			if err := d.WriteFile("j", bad); err != nil {
				t.Fatal(err)
			}
			var damaged *DamagedError
			if _, _, err := OpenJournal(d, "j", secret); !errors.As(err, &damaged) {
				t.Fatalf("%s at byte %d of %d: %v, want *DamagedError", what, i, len(whole), err)
			}
		}
	}
	// A cut journal is not there any more; what remains is a fresh one.
	if _, live := mustOpen(t, d); len(live) != 0 {
		t.Error("a fresh journal holds", live)
	}
}

// TestRecordOfAnotherFile: a record is valid only in its place in its file.
func TestRecordOfAnotherFile(t *testing.T) {
	var whole [2][]byte
	for i := range whole {
		d := newDir(t)
		j, _ := mustOpen(t, d)
		for _, k := range []string{"a", "b"} {
			if err := j.Commit([]Op{{k, fmt.Append(nil, i)}}); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if whole[i], err = d.ReadFile("j"); err != nil {
			t.Fatal(err)
		}
	}
	size := (len(whole[0]) - headerSize) / 2
	first, second := whole[0][headerSize:headerSize+size], whole[0][headerSize+size:]
	for name, bad := range map[string][]byte{
		"swapped":      slicesOf(whole[0][:headerSize], second, first),
		"repeated":     slicesOf(whole[0][:headerSize], first, first, second),
		"left out":     slicesOf(whole[0][:headerSize], second),
		"another file": slicesOf(whole[0][:headerSize], whole[1][headerSize:]),
	} {
		d := newDir(t)
		if err := d.WriteFile("j", bad); err != nil {
			t.Fatal(err)
		}
		var damaged *DamagedError
		if _, live, err := OpenJournal(d, "j", nil); !errors.As(err, &damaged) {
			t.Errorf("%s: %q, %v, want *DamagedError", name, live, err)
		}
	}
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestJournalOfANewerProgram(t *testing.T) {
	d := newDir(t)
	file := []byte(magicWord + "2\nwhatever comes then")
	if err := d.WriteFile("j", file); err != nil {
		t.Fatal(err)
	}
	var newer *VersionError
	if _, _, err := OpenJournal(d, "j", nil); !errors.As(err, &newer) || newer.Version != 2 {
		t.Errorf("OpenJournal = %v, want *VersionError", err)
	}
	if b, err := d.ReadFile("j"); err != nil || !bytes.Equal(b, file) {
		t.Error("a newer journal was touched")
	}
}

// TestValues: an empty value is a value, the last op of a key counts, the
// caller's slices stay the caller's, a change of nothing writes nothing.
func TestValues(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	v := []byte("mine")
	if err := j.Commit([]Op{{"empty", []byte{}}, {"a", []byte("1")}, {"a", v}, {"b", v}, {"b", nil}}); err != nil {
		t.Fatal(err)
	}
	copy(v, "XXXX")
	size := j.size
	if err := j.Commit([]Op{{"a", []byte("mine")}, {"never", nil}}); err != nil || j.size != size {
		t.Errorf("a change of nothing: %v, %d bytes", err, j.size-size)
	}
	want := map[string][]byte{"empty": {}, "a": []byte("mine")}
	for range 2 {
		k, live := mustOpen(t, d)
		if !equal(live, want) || live["empty"] == nil {
			t.Errorf("it holds %q, want %q", live, want)
		}
		copy(live["a"], "XXXX")
		if !equal(k.copyLive(), want) {
			t.Error("a caller changed the journal's values")
		}
		// once more, from a snapshot
		k.doubtful = true
		if err := k.Commit(nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSecretsLeaveTheFile: never two values of an erased key in the file, not
// even when one commit sets it twice or the first try failed.
func TestSecretsLeaveTheFile(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	fail := 0
	d.fault = func(step, _ string) error {
		if fail--; fail == 0 {
			return syscall.EIO
		}
		return nil
	}
	for i := range 30 {
		value := func(n int) []byte { return fmt.Appendf(nil, "value-%d-%d.", i, n) }
		fail = i % 10
		ops := []Op{{"secret/s", value(0)}, {"plain", value(1)}, {"secret/s", value(2)}}
		err := j.Commit(ops)
		for err != nil {
			fail = 0
			err = j.Commit(ops)
		}
		b, err := d.ReadFile("j")
		if err != nil || bytes.Count(b, []byte("secret/s")) != 1 || !bytes.Contains(b, value(2)) || bytes.Contains(b, value(0)) {
			t.Fatalf("commit %d: %v, the file is %q", i, err, b)
		}
	}
}

func TestConcurrentCommits(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				key := fmt.Sprint(w)
				if w == 0 {
					key = "secret/0"
				}
				if err := j.Commit([]Op{{key, fmt.Append(nil, i)}, {key + "-too", fmt.Append(nil, i)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit([]Op{{"a", nil}}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	_, live := mustOpen(t, d)
	if len(live) != 16 {
		t.Errorf("%d keys, want 16", len(live))
	}
	for k, v := range live {
		if string(v) != "19" {
			t.Errorf("%s is %s, want 19", k, v)
		}
	}
}

func TestJournalHasABound(t *testing.T) {
	j, _ := mustOpen(t, newDir(t))
	j.held = maxLive - 100
	if err := j.Commit([]Op{{"a", make([]byte, 200)}}); err == nil {
		t.Error("a journal without end")
	}
	if err := j.Commit([]Op{{"a", make([]byte, 10)}}); err != nil {
		t.Error("after a refusal:", err)
	}
}

// FuzzRecords: no bytes make the reader panic, and what it calls the valid part
// reads as the same again.
func FuzzRecords(f *testing.F) {
	d := newDir(f)
	journal(f, d, nil)
	whole, err := d.ReadFile("j")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(whole[:headerSize])
	f.Add(appendHeader(nil, 7, int64(headerSize)))
	f.Add(appendRecord(appendHeader(nil, 7, int64(headerSize)), 7, 0, []Op{{"k", []byte("v")}, {"", []byte{}}, {"k", nil}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		fresh := func() *Journal { return &Journal{live: map[string][]byte{}, erase: secret} }
		j := fresh()
		n, err := j.replay(b)
		if err != nil {
			return
		}
		again := fresh()
		if m, err := again.replay(b[:n]); err != nil || m != n || !equal(j.live, again.live) || j.held != again.held {
			t.Errorf("%d valid bytes, read again %d, %v", n, m, err)
		}
		// The reader sees what a writer appends after it.
		longer := appendRecord(bytes.Clone(b[:n]), j.id, 0, []Op{{"new", []byte("x")}})
		if m, err := again.replay(longer); err != nil || m != len(longer) || string(again.live["new"]) != "x" {
			t.Errorf("after one more record: %d of %d bytes, %v", m, len(longer), err)
		}
	})
}

// BenchmarkCommitErase is the slow path: the old value must leave the file.
func BenchmarkCommitErase(b *testing.B) {
	j, _ := mustOpen(b, newDir(b))
	value := make([]byte, 1024)
	for b.Loop() {
		value[0]++
		if err := j.Commit([]Op{{"secret/s", value}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReplay1MiB(b *testing.B) {
	data := appendHeader(nil, 7, int64(headerSize))
	for i := 0; len(data) < 1<<20; i++ {
		data = appendRecord(data, 7, 0, []Op{{fmt.Sprint("request/", i%100), make([]byte, 1024)}})
	}
	for b.Loop() {
		j := &Journal{live: map[string][]byte{}, erase: secret}
		if n, err := j.replay(data); err != nil || n != len(data) {
			b.Fatal(n, err)
		}
	}
}

// failAt makes the named steps fail, each once.
func failAt(d *Dir, steps ...string) {
	d.fault = func(step, _ string) error {
		if len(steps) > 0 && step == steps[0] {
			steps = steps[1:]
			return syscall.EIO
		}
		return nil
	}
}

// TestNothingIsWrittenToALostFile: a rewrite that failed after its rename
// leaves a journal whose open file has no name any more. What an append put
// there would be lost without a word.
func TestNothingIsWrittenToALostFile(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	if err := j.Commit([]Op{{"secret/s", []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	failAt(d, "syncdir")
	if err := j.Commit([]Op{{"secret/s", []byte("2")}}); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := j.Commit([]Op{{"a", []byte("3")}}); err != nil {
		t.Fatal(err)
	}
	if _, live := mustOpen(t, d); !equal(live, map[string][]byte{"secret/s": []byte("1"), "a": []byte("3")}) {
		t.Errorf("the disk holds %q", live)
	}
}

// TestRemainsOfAFailedCommit: a long record that failed halfway, and could not
// be cut off, does not stay behind a short one.
func TestRemainsOfAFailedCommit(t *testing.T) {
	d := newDir(t)
	j, _ := mustOpen(t, d)
	failAt(d, "write", "truncate")
	if err := j.Commit([]Op{{"long", bytes.Repeat([]byte("x"), 5000)}}); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := j.Commit([]Op{{"a", []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	if _, live := mustOpen(t, d); !equal(live, map[string][]byte{"a": []byte("1")}) {
		t.Errorf("the disk holds %q", live)
	}
}
