package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

// save copies the store while it is in use.
func save(t testing.TB, s *Store, path string) Contents {
	t.Helper()
	p, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := Save(t.Context(), path, func(w io.Writer) error {
		n, err := p.WriteTo(w)
		if err == nil && n != p.Size() {
			err = fmt.Errorf("%d bytes written, Size is %d", n, p.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Whatever goes on in the store, a copy holds all frames that were answered
// before it and nothing that is half there.
func TestHotCopies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s := mustOpen(t, path, Options{})
	addr := mailbox.Address{1}
	if _, err := s.Create(t.Context(), addr, noon, 10); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	answered := map[string]bool{}
	var posters sync.WaitGroup
	for w := range 8 {
		posters.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				body := fmt.Sprintf("%d %d %s", w, i, strings.Repeat("x", i%5000))
				if _, err := s.Append(context.Background(), relay.Post{To: addr, ID: mailbox.NewPostID(), Body: []byte(body), At: noon, Quota: roomy}); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				answered[body] = true
				mu.Unlock()
			}
		})
	}
	for i := range 20 {
		mu.Lock()
		var want []string
		for b := range answered {
			want = append(want, b)
		}
		mu.Unlock()
		again := filepath.Join(t.TempDir(), fmt.Sprint(i))
		save(t, s, again)
		got := map[string]bool{}
		for _, f := range contentsOfFile(t, again).frames[addr] {
			got[string(f.Body)] = true
		}
		for _, b := range want {
			if !got[b] {
				t.Fatalf("copy %d misses a frame that was answered before it: %.20s…", i, b)
			}
		}
	}
	cancel()
	posters.Wait()
}

// An older file put back: its numbers go on above all that it holds, and above
// all that the relay may have handed out soon after the copy. Numbers far above
// may come again; each counts on one connection only, and those are gone.
func TestRestoredStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s := mustOpen(t, path, Options{})
	addr, gone, late := mailbox.Address{1}, mailbox.Address{2}, mailbox.Address{3}
	for _, a := range []mailbox.Address{addr, gone} {
		if _, err := s.Create(t.Context(), a, noon, 10); err != nil {
			t.Fatal(err)
		}
	}
	appendMany(t, s, addr, 100, 100)
	old := filepath.Join(t.TempDir(), "old.db")
	if c := save(t, s, old); c.Mailboxes != 2 || c.Frames != 100 || c.Records != 100 {
		t.Errorf("the copy holds %+v", c)
	}
	// The relay goes on: all is fetched, more comes, mailboxes come and go.
	before, err := s.Backlog(t.Context(), addr, 0, 1000, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range before {
		s.Ack(addr, f.Seq)
	}
	if err := s.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), late, noon, 10); err != nil {
		t.Fatal(err)
	}
	appendMany(t, s, addr, 100, 100)
	last := s.seq
	mustClose(t, s)

	r := mustOpen(t, old, Options{})
	if again, err := r.Backlog(t.Context(), addr, 0, 1000, 1<<30); err != nil || !equalFrames(again, before) {
		t.Errorf("after the restore %d frames, %v, want the %d of the backup", len(again), err, len(before))
	}
	if ok, _ := r.Exists(t.Context(), gone); !ok {
		t.Error("the mailbox that was deleted after the backup is not there")
	}
	if created, err := r.Create(t.Context(), late, noon, 10); !created || err != nil {
		t.Errorf("Create of the mailbox that came after the backup = %v, %v", created, err)
	}
	appendMany(t, r, addr, 10, 100)
	all, err := r.Backlog(t.Context(), addr, 0, 1000, 1<<30)
	if err != nil || len(all) != 110 || all[100].Seq <= last {
		t.Fatalf("%d frames, %v; the first new one has number %d, the last before the restore was %d", len(all), err, all[100].Seq, last)
	}
	for _, f := range all {
		r.Ack(addr, f.Seq)
	}
	mustClose(t, r)
	if got := contentsOfFile(t, old).frames[addr]; len(got) != 0 {
		t.Errorf("%d frames are back after they were acknowledged", len(got))
	}
}

func equalFrames(a, b []relay.Frame) bool {
	for i := range a {
		if i >= len(b) || a[i].Seq != b[i].Seq || !bytes.Equal(a[i].Body, b[i].Body) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestSnapshotOfAFile(t *testing.T) {
	path := mostlyFreeFile(t)
	want := contentsOfFile(t, path)
	p, err := OpenSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{LockWait: 1}); !errors.Is(err, ErrInUse) {
		t.Errorf("Open during a copy = %v, want %v", err, ErrInUse)
	}
	again := filepath.Join(t.TempDir(), "copy.db")
	if _, err := Save(t.Context(), again, func(w io.Writer) error { _, err := p.WriteTo(w); return err }); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got := contentsOfFile(t, again); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("the copy holds something else")
	}
	s := mustOpen(t, path, Options{})
	if _, err := OpenSnapshot(path); !errors.Is(err, ErrInUse) {
		t.Errorf("OpenSnapshot of a store in use = %v, want %v", err, ErrInUse)
	}
	p, err = s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	<-s.done // the store is being closed, and waits for the snapshot
	if _, err := p.WriteTo(io.Discard); !errors.Is(err, relay.ErrClosed) {
		t.Errorf("WriteTo of a closed store = %v", err)
	}
	if err := errors.Join(p.Close(), <-closed); err != nil {
		t.Error(err)
	}
	if _, err := s.Snapshot(); !errors.Is(err, relay.ErrClosed) {
		t.Errorf("Snapshot of a closed store = %v", err)
	}
}

func TestSaveLeavesNothingBehind(t *testing.T) {
	good, err := os.ReadFile(mostlyFreeFile(t))
	if err != nil {
		t.Fatal(err)
	}
	var interrupt func()
	rows := map[string]struct {
		fill func(io.Writer) error
		want error
	}{
		"no room":     {func(w io.Writer) error { _, _ = w.Write(good[:1000]); return syscall.ENOSPC }, syscall.ENOSPC},
		"cut short":   {func(w io.Writer) error { _, err := w.Write(good[:1<<20]); return err }, nil},
		"nothing":     {func(w io.Writer) error { return nil }, nil},
		"interrupted": {func(w io.Writer) error { interrupt(); _, err := w.Write(good); return err }, context.Canceled},
	}
	for name, r := range rows {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		interrupt = cancel
		_, err := Save(ctx, filepath.Join(dir, "copy.db"), r.fill)
		cancel()
		if err == nil || r.want != nil && !errors.Is(err, r.want) {
			t.Errorf("%s: Save = %v, want %v", name, err, r.want)
		}
		if got := names(t, dir); len(got) != 0 {
			t.Errorf("%s: left behind: %q", name, got)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "copy.db")
	appears := func(w io.Writer) error { // another backup to the same name is faster
		_, err := w.Write(good)
		return errors.Join(err, os.WriteFile(path, []byte("theirs"), 0o600))
	}
	if _, err := Save(t.Context(), path, appears); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Save over a file = %v, want %v", err, fs.ErrExist)
	}
	if b, err := os.ReadFile(path); string(b) != "theirs" || len(names(t, dir)) != 1 {
		t.Errorf("the other file is %q, %v; the directory holds %q", b, err, names(t, dir))
	}
}
