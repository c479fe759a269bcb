package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

var (
	noon  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	roomy = relay.Quota{MailboxFrames: 1 << 30, MailboxBytes: 1 << 40, TotalBytes: 1 << 40}
)

func mustOpen(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// appendMany appends n frames, 64 at a time.
func appendMany(t testing.TB, s *Store, addr mailbox.Address, n, size int) {
	t.Helper()
	errs := make(chan error, 64)
	for w := range 64 {
		go func() {
			for i := w; i < n; i += 64 {
				body := bytes.Repeat([]byte{byte(i)}, size)
				copy(body, fmt.Sprintf("%d ", i))
				p := relay.Post{To: addr, ID: mailbox.NewPostID(), Body: body, At: noon, Quota: roomy}
				if _, err := s.Append(context.Background(), p); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 64 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// mostlyFreeFile is a store of 2,000 frames, 1,900 of them acknowledged.
func mostlyFreeFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay.db")
	s := mustOpen(t, path, Options{})
	addr := mailbox.Address{1}
	for _, a := range []mailbox.Address{addr, {2}} {
		if _, err := s.Create(t.Context(), a, noon, 10); err != nil {
			t.Fatal(err)
		}
	}
	appendMany(t, s, addr, 2000, 1024)
	seqs, _, err := s.page(addr, 0, 1900, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range seqs {
		s.Ack(addr, seq)
	}
	mustClose(t, s)
	return path
}

// holds is all that a store keeps, frames with their bodies.
type holds struct {
	seq     uint64
	read    map[mailbox.Address]int64
	frames  map[mailbox.Address][]relay.Frame
	records map[recordKey]digest
}

func contentsOf(t testing.TB, s *Store) holds {
	t.Helper()
	h := holds{s.seq, map[mailbox.Address]int64{}, map[mailbox.Address][]relay.Frame{}, map[recordKey]digest{}}
	for addr, b := range s.x.boxes {
		h.read[addr] = b.read
		f, err := s.Backlog(context.Background(), addr, 0, 1<<30, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		h.frames[addr] = f
	}
	for _, g := range []generation{s.x.previous, s.x.current} {
		for k, r := range g.records {
			h.records[k] = r.digest
		}
	}
	return h
}

func contentsOfFile(t testing.TB, path string) holds {
	t.Helper()
	s := mustOpen(t, path, Options{CompactOver: -1})
	defer mustClose(t, s)
	return contentsOf(t, s)
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func names(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCompacts(t *testing.T) {
	path := mostlyFreeFile(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	want, before := contentsOfFile(t, path), fileSize(t, path)
	s := mustOpen(t, link, Options{CompactOver: 1 << 20})
	if got := contentsOf(t, s); !reflect.DeepEqual(got, want) {
		t.Error("the compacted store holds something else")
	}
	if after := fileSize(t, path); after > before/2 {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("the directory holds %q", got)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
	if s.db.NoSync || s.db.NoGrowSync || s.db.MaxSize != 0 {
		t.Error("the compacted file is not synced at each commit")
	}
	if _, err := Open(path, Options{LockWait: time.Millisecond}); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open = %v, want %v", err, ErrInUse)
	}
	appendMany(t, s, mailbox.Address{2}, 100, 30_000)
	want = contentsOf(t, s)
	want.seq = s.reserve
	mustClose(t, s)
	if got := contentsOfFile(t, link); !reflect.DeepEqual(got, want) {
		t.Error("frames after the compaction were not kept")
	}
}

func TestCompactsOnlyWhatIsWorthIt(t *testing.T) {
	free := mostlyFreeFile(t)
	full := filepath.Join(t.TempDir(), "relay.db")
	s := mustOpen(t, full, Options{})
	if _, err := s.Create(t.Context(), mailbox.Address{1}, noon, 10); err != nil {
		t.Fatal(err)
	}
	appendMany(t, s, mailbox.Address{1}, 2000, 1024)
	mustClose(t, s)
	rows := []struct {
		path string
		over int64
		want bool
	}{
		{free, 0, false},
		{free, -1, false},
		{free, 1 << 30, false},
		{full, 1 << 20, false},
		{free, 1 << 20, true},
		{free, 1 << 16, false}, // it was compacted by the row before
	}
	for _, r := range rows {
		compacted := false
		s := mustOpen(t, r.path, Options{CompactOver: r.over, step: func(string) error { compacted = true; return nil }})
		mustClose(t, s)
		if compacted != r.want {
			t.Errorf("%s with CompactOver %d: compacted = %v", r.path, r.over, compacted)
		}
	}
}

// A crash before any step, and inside the copying, leaves the old file or the
// new one under the name; what else it leaves goes at the next start.
func TestCompactionKilledBeforeEachStep(t *testing.T) {
	path := mostlyFreeFile(t)
	want := contentsOfFile(t, path)
	var steps []string
	var left []string // directories as a crash would leave them
	s := mustOpen(t, path, Options{CompactOver: 1 << 20, step: func(name string) error {
		steps = append(steps, name)
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Dir(path))); err != nil {
			return err
		}
		left = append(left, dir)
		return nil
	}})
	mustClose(t, s)
	if got := strings.Join(steps, ", "); got != "copy, sync, rename, sync directory" {
		t.Fatalf("steps: %s", got)
	}
	for n := range 5 { // the copy is not synced: any part of it may be there
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(left[1])); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(dir, "relay.db"+unfinished), int64(n)*10_000); err != nil {
			t.Fatal(err)
		}
		left = append(left, dir)
	}
	for i, dir := range left {
		if got := contentsOfFile(t, filepath.Join(dir, "relay.db")); !reflect.DeepEqual(got, want) {
			t.Errorf("%d: the file holds something else", i)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("%d: left behind: %q", i, got)
		}
	}
}

func TestCompactionOnAFullDisk(t *testing.T) {
	full := func(at string) func(string) error {
		return func(name string) error {
			if name == at {
				return syscall.ENOSPC
			}
			return nil
		}
	}
	rows := map[string]Options{
		"no room":     {copyMax: 100_000},
		"at the copy": {step: full("copy")},
		"at the sync": {step: full("sync")},
		"at the name": {step: full("rename")},
	}
	for name, o := range rows {
		t.Run(name, func(t *testing.T) {
			path := mostlyFreeFile(t)
			want := contentsOfFile(t, path)
			old, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			o.CompactOver, o.Logger = 1<<20, slog.New(slog.NewTextHandler(&log, nil))
			s := mustOpen(t, path, o)
			if got := contentsOf(t, s); !reflect.DeepEqual(got, want) {
				t.Error("the store holds something else")
			}
			if now, err := os.Stat(path); err != nil || !os.SameFile(old, now) {
				t.Errorf("the file was replaced (%v)", err)
			}
			if got := names(t, filepath.Dir(path)); len(got) != 1 {
				t.Errorf("left behind: %q", got)
			}
			if !strings.Contains(log.String(), "not compacted") || !strings.Contains(log.String(), path) {
				t.Errorf("log: %s", &log)
			}
			appendMany(t, s, mailbox.Address{2}, 10, 1000)
		})
	}
}

// Nothing is served from a file whose name may not be durable.
func TestCompactionWithoutADurableName(t *testing.T) {
	path := mostlyFreeFile(t)
	want := contentsOfFile(t, path)
	_, err := Open(path, Options{CompactOver: 1 << 20, step: func(name string) error {
		if name == "sync directory" {
			return &fs.PathError{Op: "sync", Path: path, Err: syscall.EIO}
		}
		return nil
	}})
	if !errors.Is(err, syscall.EIO) {
		t.Fatalf("Open = %v", err)
	}
	if got := contentsOfFile(t, path); !reflect.DeepEqual(got, want) {
		t.Error("the file holds something else")
	}
}

// Who waits for the lock while the file is compacted would have the old file,
// which no name leads to any more: all that it kept would be lost.
func TestWaitingForACompactedFile(t *testing.T) {
	path, other := mostlyFreeFile(t), mostlyFreeFile(t)
	want := contentsOfFile(t, other)
	synctest.Test(t, func(t *testing.T) {
		holder, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		opened := make(chan *Store)
		go func() {
			s, err := Open(path, Options{LockWait: time.Minute})
			if err != nil {
				t.Error(err)
			}
			opened <- s
		}()
		synctest.Wait() // it waits for the lock
		if err := os.Rename(other, path); err != nil {
			t.Fatal(err)
		}
		if err := holder.Close(); err != nil {
			t.Fatal(err)
		}
		s := <-opened
		if s == nil {
			return
		}
		if got := contentsOf(t, s); !reflect.DeepEqual(got, want) {
			t.Error("the store has the old file")
		}
		mustClose(t, s)
	})
}

func BenchmarkCompaction(b *testing.B) {
	path := filepath.Join(b.TempDir(), "relay.db")
	s := mustOpen(b, path, Options{})
	addr := mailbox.Address{1}
	if _, err := s.Create(b.Context(), addr, noon, 10); err != nil {
		b.Fatal(err)
	}
	appendMany(b, s, addr, 200_000, 1024)
	seqs, _, err := s.page(addr, 0, 1<<30, 1<<40)
	if err != nil {
		b.Fatal(err)
	}
	for _, seq := range seqs {
		s.Ack(addr, seq)
	}
	mustClose(b, s)
	for b.Loop() {
		b.StopTimer()
		again := filepath.Join(b.TempDir(), "relay.db")
		if err := os.CopyFS(filepath.Dir(again), os.DirFS(filepath.Dir(path))); err != nil {
			b.Fatal(err)
		}
		before := fileSize(b, again)
		b.StartTimer()
		s := mustOpen(b, again, Options{})
		b.StopTimer()
		mustClose(b, s)
		b.ReportMetric(float64(before)/(1<<20), "MiB-before")
		b.ReportMetric(float64(fileSize(b, again))/(1<<20), "MiB-after")
		b.StartTimer()
	}
}
