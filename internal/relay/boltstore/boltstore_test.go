package boltstore_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/boltstore"
	"kryptonite/internal/relay/storetest"
)

var quota = relay.Quota{MailboxFrames: 1 << 20, MailboxBytes: 1 << 40, TotalBytes: 1 << 40}

func open(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, boltstore.Options{LockWait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	var path string
	storetest.Run(t, storetest.Maker{
		New: func(t *testing.T) relay.Store {
			path = filepath.Join(t.TempDir(), "relay.db")
			return open(t, path)
		},
		Reopen: func(t *testing.T, s relay.Store, crash bool) relay.Store {
			if crash { // what is in the file now, without a Close
				path = copyOf(t, path)
			} else if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, path)
		},
	})
}

func copyOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(again, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return again
}

func filled(t *testing.T, frames int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay.db")
	s := open(t, path)
	addr := mailbox.Address{1}
	if _, err := s.Create(t.Context(), addr, time.Now(), 10); err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		p := relay.Post{To: addr, ID: mailbox.NewPostID(), Body: bytes.Repeat([]byte{byte(i + 1)}, 3000), At: time.Now(), Quota: quota}
		if _, err := s.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileIsPrivate(t *testing.T) {
	info, err := os.Stat(filled(t, 1))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
}

func TestSecondProcessIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	open(t, path)
	_, err := boltstore.Open(path, boltstore.Options{LockWait: 20 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "in use by another process") || !strings.Contains(err.Error(), path) {
		t.Errorf("second Open = %v", err)
	}
}

func TestDamagedFileIsNamedAndLeftAlone(t *testing.T) {
	good, err := os.ReadFile(filled(t, 30))
	if err != nil {
		t.Fatal(err)
	}
	good = good[:min(len(good), 512<<10)] // bbolt grows its file by 16 MiB at a time: the rest is zeros
	used := len(bytes.TrimRight(good, "\x00"))
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	db, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err })
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	other, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	scribble := func(from int) []byte {
		b := bytes.Clone(good)
		copy(b[from:], bytes.Repeat([]byte{0xff}, 64))
		return b
	}
	rows := map[string][]byte{
		"text":            []byte("this is not a database\n"),
		"long text":       bytes.Repeat([]byte("this is not a database\n"), 4096),
		"zeros":           make([]byte, len(good)),
		"half":            good[:used/2],
		"one page":        good[:page],
		"three pages":     good[:3*page],
		"no meta pages":   append(make([]byte, 2*page), good[2*page:]...),
		"another's pages": other,
	}
	for name, content := range rows {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "relay.db")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := boltstore.Open(path, boltstore.Options{LockWait: 20 * time.Millisecond})
			if err == nil {
				s.Close()
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("Open = %v, want an error that names the file", err)
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
	// Any page may be damaged; wherever it is, no panic comes out.
	for p := 0; p < len(good)/page && p < 64; p++ {
		path := filepath.Join(t.TempDir(), "relay.db")
		if err := os.WriteFile(path, scribble(p*page), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := boltstore.Open(path, boltstore.Options{LockWait: 20 * time.Millisecond})
		if err != nil {
			continue
		}
		s.Backlog(t.Context(), mailbox.Address{1}, 0, 100, 1<<20)
		s.Append(t.Context(), relay.Post{To: mailbox.Address{1}, ID: mailbox.NewPostID(), Body: []byte("x"), At: time.Now(), Quota: quota})
		s.Close()
	}
}

func TestMissingDirectoryIsAPlainError(t *testing.T) {
	_, err := boltstore.Open(filepath.Join(t.TempDir(), "none", "relay.db"), boltstore.Options{})
	if err == nil || strings.Contains(err.Error(), "damaged") {
		t.Errorf("Open = %v", err)
	}
}

// A crash after Append returned loses nothing, whatever else is under way.
func TestCrashLosesNothingAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s := open(t, path)
	addr := mailbox.Address{1}
	if _, err := s.Create(t.Context(), addr, time.Now(), 10); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var answered atomic.Int64
	done := make(chan struct{})
	for w := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := 0; ctx.Err() == nil; i++ {
				p := relay.Post{To: addr, ID: mailbox.NewPostID(), Body: fmt.Appendf(nil, "%d %d", w, i), At: time.Now(), Quota: quota}
				if _, err := s.Append(context.Background(), p); err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				if answered.Add(1) == 200 {
					cancel()
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
	cancel()
	want := answered.Load()
	again := open(t, copyOf(t, path))
	got, err := again.Backlog(t.Context(), addr, 0, 1<<20, 1<<30)
	if err != nil || int64(len(got)) < want {
		t.Errorf("%d frames survived, %v, want %d", len(got), err, want)
	}
}

func BenchmarkAppend(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "relay.db"))
	addr := mailbox.Address{1}
	s.Watch(func(a mailbox.Address, f relay.Frame) {})
	if _, err := s.Create(b.Context(), addr, time.Now(), 10); err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 1024)
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p := relay.Post{To: addr, ID: mailbox.NewPostID(), Body: body, At: time.Now(), Quota: quota}
			if _, err := s.Append(b.Context(), p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
