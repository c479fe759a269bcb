package boltstore

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

// inFile counts the entries of the file's buckets, generations of records first.
func inFile(t *testing.T, path string) (counts [4]int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		records := tx.Bucket(bucketRecords)
		counts[2] = tx.Bucket(bucketFrames).Stats().KeyN
		counts[3] = tx.Bucket(bucketMailboxes).Stats().KeyN
		return records.ForEachBucket(func(k []byte) error {
			counts[0]++
			counts[1] += records.Bucket(k).Stats().KeyN
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// What is too old goes, from memory and from the file, also what a store that
// was closed meanwhile finds in its file; what is not too old stays.
func TestExpiryIsInTheFile(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "relay.db")
		s := mustOpen(t, path, Options{})
		at := func(now time.Time) {
			t.Helper()
			if reopened {
				mustClose(t, s)
				s = mustOpen(t, path, Options{})
			}
			if _, err := s.Expire(t.Context(), now, now.Add(-mailbox.Retention), now.Add(-mailbox.UnreadRetention)); err != nil {
				t.Fatal(err)
			}
		}
		holds := func(when string, generations, records, frames, boxes int) {
			t.Helper()
			mustClose(t, s)
			want := [4]int{generations, records, frames, boxes}
			if got := inFile(t, path); got != want {
				t.Errorf("%s, reopened %v: generations, records, frames, mailboxes are %v, want %v", when, reopened, got, want)
			}
			s = mustOpen(t, path, Options{})
			if c := s.x.contents(); c.Records != records || c.Frames != frames || c.Mailboxes != boxes {
				t.Errorf("%s, reopened %v: the index holds %+v, want %v", when, reopened, c, want)
			}
		}
		read, unread := mailbox.Address{1}, mailbox.Address{2}
		for _, a := range []mailbox.Address{read, unread} {
			if _, err := s.Create(t.Context(), a, noon, 10); err != nil {
				t.Fatal(err)
			}
		}
		var seqs []uint64
		s.Watch(func(_ mailbox.Address, f relay.Frame) { seqs = append(seqs, f.Seq) })
		for i, to := range []mailbox.Address{read, unread, read} {
			p := relay.Post{To: to, ID: mailbox.NewPostID(), Body: []byte{1}, At: noon.Add(time.Duration(i) * time.Hour), Quota: roomy}
			if _, err := s.Append(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		holds("at first", 2, 2, 3, 2) // each hour is a generation; the third dropped the first
		at(noon.Add(mailbox.Retention))
		holds("after 48 hours", 2, 2, 3, 2)
		at(noon.Add(mailbox.Retention + 2*time.Hour))
		holds("two hours later", 1, 1, 1, 2)
		if f, err := s.Backlog(t.Context(), read, 0, 10, 1000); err != nil || len(f) != 1 || f[0].Seq != slices.Max(seqs) {
			t.Errorf("%v, %v is left, want frame %d", f, err, slices.Max(seqs))
		}
		at(noon.Add(mailbox.Retention + 3*time.Hour))
		holds("one more", 0, 0, 0, 2)
		s.Touch(read, noon.Add(24*time.Hour))
		at(noon.Add(mailbox.UnreadRetention))
		holds("after 90 days", 0, 0, 0, 2)
		at(noon.Add(mailbox.UnreadRetention + time.Second))
		holds("a second later", 0, 0, 0, 1)
		at(noon.Add(mailbox.UnreadRetention + 25*time.Hour))
		holds("a day later", 0, 0, 0, 0)
		mustClose(t, s)
	}
}

// After a clock that was ahead, generations of records go on in the file, also
// over restarts: the newest is the last one, and old ones go.
func TestRecordsAfterAClockAhead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s := mustOpen(t, path, Options{})
	to := mailbox.Address{1}
	if _, err := s.Create(t.Context(), to, noon.Add(365*24*time.Hour), 10); err != nil {
		t.Fatal(err)
	}
	post := func(now time.Time) relay.Post {
		t.Helper()
		p := relay.Post{To: to, ID: mailbox.NewPostID(), Body: []byte{1}, At: now, Quota: roomy}
		if repeated, err := s.Append(t.Context(), p); err != nil || repeated {
			t.Fatalf("Append = %v, %v", repeated, err)
		}
		return p
	}
	const window = mailbox.IdempotencyWindow
	post(noon.Add(365 * 24 * time.Hour))
	for i := range 4 {
		now := noon.Add(time.Duration(i) * 3 * window)
		if _, err := s.Expire(t.Context(), now, now.Add(-mailbox.Retention), now.Add(-mailbox.UnreadRetention)); err != nil {
			t.Fatal(err)
		}
		post(now.Add(window)) // begins a generation
		young := post(now.Add(2*window - time.Second))
		young.At = now.Add(2*window + time.Second)
		post(young.At) // begins the next
		mustClose(t, s)
		s = mustOpen(t, path, Options{})
		if repeated, err := s.Append(t.Context(), young); err != nil || !repeated {
			t.Errorf("round %d: a post of 2 s ago = %v, %v, want a repeat", i, repeated, err)
		}
	}
	mustClose(t, s)
	if got := inFile(t, path); got[0] > 2 || got[1] > 5 {
		t.Errorf("%d generations with %d records of 13 are left", got[0], got[1])
	}
	s = mustOpen(t, path, Options{})
	now := noon.Add(mailbox.UnreadRetention + 24*time.Hour)
	if n, err := s.Expire(t.Context(), now, now.Add(-mailbox.Retention), now.Add(-mailbox.UnreadRetention)); err != nil || n.Mailboxes != 1 {
		t.Errorf("a mailbox that was read in the future: %+v, %v", n, err)
	}
	mustClose(t, s)
}
