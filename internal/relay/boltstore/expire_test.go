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
			if _, err := s.Expire(t.Context(), now.Add(-mailbox.Retention), now.Add(-mailbox.UnreadRetention)); err != nil {
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
