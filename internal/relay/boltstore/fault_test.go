package boltstore

import (
	"bytes"
	"context"
	"errors"
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

// TestFailedCreate: while the commit of a new mailbox fails, it is deleted and made
// again; the second one, and what was posted to it, stay.
func TestFailedCreate(t *testing.T) {
	committing, failure := make(chan struct{}), make(chan error)
	first := true // the writer's
	s, err := Open(filepath.Join(t.TempDir(), "relay.db"), Options{around: func(batch []*op, update func() error) error {
		if len(batch) == 0 || !first { // Open makes the file without a batch
			return update()
		}
		first = false
		close(committing)
		return <-failure
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	addr, now, created := mailbox.Address{1}, time.Now(), make(chan error, 1)
	go func() {
		_, err := s.Create(context.Background(), addr, now, 10)
		created <- err
	}()
	<-committing
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // they are queued, and nobody waits
	post := relay.Post{To: addr, ID: mailbox.NewPostID(), Body: []byte("x"), At: now, Quota: relay.Quota{MailboxFrames: 9, MailboxBytes: 9, TotalBytes: 9 + relay.FrameOverhead}}
	deleted := s.Delete(ctx, addr)
	again, made := s.Create(ctx, addr, now, 10)
	_, posted := s.Append(ctx, post)
	for _, err := range []error{deleted, made, posted} {
		if !errors.Is(err, context.Canceled) || !again {
			t.Errorf("queued: %v, made again %t", err, again)
		}
	}
	failure <- errors.New("the disk is full")
	if err := <-created; err == nil {
		t.Error("what failed is said to be made")
	}
	if got, err := s.Backlog(t.Context(), addr, 0, 9, 9); err != nil || len(got) != 1 {
		t.Errorf("%d frames, %v, want the one that was posted", len(got), err)
	}
	if n := s.x.bytes; n != 1+relay.FrameOverhead {
		t.Errorf("%d bytes are counted", n)
	}
}
