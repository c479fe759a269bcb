package boltstore

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

// When the disk is full, posts fail and leave no trace; acknowledgements and
// deletions are made up for; afterwards everything works again.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	quota := relay.Quota{MailboxFrames: 1000, MailboxBytes: 1 << 30, TotalBytes: 1 << 30}
	addr, doomed := mailbox.Address{1}, mailbox.Address{2}
	for _, a := range []mailbox.Address{addr, doomed} {
		if _, err := s.Create(t.Context(), a, now, 10); err != nil {
			t.Fatal(err)
		}
	}
	post := func(n byte, id mailbox.PostID) error {
		_, err := s.Append(t.Context(), relay.Post{To: addr, ID: id, Body: bytes.Repeat([]byte{n}, 60_000), At: now, Quota: quota})
		return err
	}
	s.db.MaxSize = 1 << 20
	var stored []byte
	var failedID mailbox.PostID
	for n := byte(0); ; n++ {
		if n == 200 {
			t.Fatal("the disk did not fill")
		}
		id := mailbox.NewPostID()
		if err := post(n, id); err != nil {
			failedID = id
			break
		}
		stored = append(stored, n)
	}
	if _, err := s.Create(t.Context(), mailbox.Address{3}, now, 10); err != nil && len(s.x.boxes) != 2 {
		t.Errorf("a mailbox that was not stored exists")
	}
	seqs, _, err := s.page(addr, 0, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.Ack(addr, seqs[0])
	_ = s.Delete(t.Context(), doomed)

	s.mu.Lock()
	s.db.MaxSize = 0
	s.mu.Unlock()
	if err := post(201, failedID); err != nil { // the failed try did not burn the id
		t.Fatalf("Append after the disk has room again: %v", err)
	}
	want := append(stored[1:], 201)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	frames, err := again.Backlog(t.Context(), addr, 0, 1000, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, f := range frames {
		got = append(got, f.Body[0])
	}
	if !bytes.Equal(got, want) {
		t.Errorf("frames after reopening: %v, want %v", got, want)
	}
	if ok, _ := again.Exists(t.Context(), doomed); ok {
		t.Error("the deleted mailbox is back")
	}
}
