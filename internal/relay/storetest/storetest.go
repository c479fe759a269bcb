// Package storetest holds the suite that every relay.Store must pass.
//
// References: the contract is [kryptonite/internal/relay.Store].
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

// Maker makes stores for the suite.
type Maker struct {
	// New returns an empty store; the suite closes it.
	New func(t *testing.T) relay.Store
	// Reopen closes the store and opens it again, or opens what a crash at this
	// moment would have left behind. Nil for stores that keep nothing.
	Reopen func(t *testing.T, s relay.Store, crash bool) relay.Store
}

var (
	ctx   = context.Background()
	start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	roomy = relay.Quota{MailboxFrames: 1000, MailboxBytes: 1 << 20, TotalBytes: 1 << 22}
	anna  = mailbox.Address{0xa}
	bert  = mailbox.Address{0xb}
)

// Run runs the suite.
func Run(t *testing.T, m Maker) {
	tests := []struct {
		name string
		run  func(*testing.T, *house)
	}{
		{"PostsNeedAMailbox", postsNeedMailbox},
		{"BacklogIsInOrderAndPaged", backlogPaged},
		{"MailboxesAreApart", apart},
		{"WatchSeesEachFrameOnceInOrder", watch},
		{"AckRemoves", ackRemoves},
		{"AckFromWithinDelivery", ackOvertakes},
		{"SameKeySameBodyIsStoredOnce", repeats},
		{"SameKeyOtherBodyConflicts", conflicts},
		{"KeysAreForgotten", keysForgotten},
		{"Quotas", quotas},
		{"TooManyMailboxes", tooMany},
		{"DeleteRemovesAll", deletes},
		{"ExpiresFrames", expiresFrames},
		{"ExpiresMailboxes", expiresMailboxes},
		{"TimesOfAClockThatWasAhead", ahead},
		{"Concurrent", concurrent},
		{"ClosedStoreSaysSo", closed},
		{"Reopen", reopen},
		{"ReopenAfterCrash", reopenAfterCrash},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &house{t: t, m: m, s: m.New(t)}
			defer func() {
				if err := h.s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			test.run(t, h)
		})
	}
}

type house struct {
	t *testing.T
	m Maker
	s relay.Store
}

func (h *house) create(addrs ...mailbox.Address) {
	h.t.Helper()
	for _, a := range addrs {
		if created, err := h.s.Create(ctx, a, start, 100); err != nil || !created {
			h.t.Fatalf("Create = %v, %v", created, err)
		}
	}
}

func post(to mailbox.Address, body string) relay.Post {
	return relay.Post{To: to, ID: mailbox.NewPostID(), Body: []byte(body), At: start, Quota: roomy}
}

func (h *house) append(p relay.Post) {
	h.t.Helper()
	if repeated, err := h.s.Append(ctx, p); err != nil || repeated {
		h.t.Fatalf("Append(%q) = %v, %v", p.Body, repeated, err)
	}
}

func (h *house) backlog(a mailbox.Address) []relay.Frame {
	h.t.Helper()
	got, err := h.s.Backlog(ctx, a, 0, 10_000, 1<<30)
	if err != nil {
		h.t.Fatalf("Backlog: %v", err)
	}
	return got
}

func (h *house) wantBacklog(a mailbox.Address, want ...string) {
	h.t.Helper()
	if got := bodies(h.backlog(a)); !slices.Equal(got, want) {
		h.t.Errorf("Backlog = %q, want %q", got, want)
	}
}

func bodies(frames []relay.Frame) (s []string) {
	for _, f := range frames {
		s = append(s, string(f.Body))
	}
	return s
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func postsNeedMailbox(t *testing.T, h *house) {
	_, err := h.s.Append(ctx, post(anna, "x"))
	wantErr(t, "Append", err, relay.ErrNoMailbox)
	_, err = h.s.Backlog(ctx, anna, 0, 1, 1)
	wantErr(t, "Backlog", err, relay.ErrNoMailbox)
	if ok, err := h.s.Exists(ctx, anna); ok || err != nil {
		t.Errorf("Exists = %v, %v", ok, err)
	}
	h.create(anna)
	if ok, err := h.s.Exists(ctx, anna); !ok || err != nil {
		t.Errorf("Exists = %v, %v", ok, err)
	}
	if created, err := h.s.Create(ctx, anna, start, 100); created || err != nil {
		t.Errorf("second Create = %v, %v", created, err)
	}
	h.append(post(anna, "x"))
	h.wantBacklog(anna, "x")
}

func backlogPaged(t *testing.T, h *house) {
	h.create(anna)
	for i := range 10 {
		h.append(post(anna, fmt.Sprintf("frame %d", i)))
	}
	var after uint64
	var got []string
	for {
		page, err := h.s.Backlog(ctx, anna, after, 3, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		if len(page) > 3 {
			t.Fatalf("a page of %d frames", len(page))
		}
		for _, f := range page {
			if f.Seq <= after {
				t.Errorf("sequence %d after %d", f.Seq, after)
			}
			after = f.Seq
		}
		got = append(got, bodies(page)...)
	}
	if len(got) != 10 || !slices.IsSorted(got) {
		t.Errorf("pages hold %q", got)
	}
	for limit, want := range map[int]int{1: 1, 7: 1, 14: 2, 20: 2, 1000: 10} {
		if page, err := h.s.Backlog(ctx, anna, 0, 100, limit); err != nil || len(page) != want {
			t.Errorf("Backlog of %d bytes has %d frames, %v, want %d", limit, len(page), err, want)
		}
	}
}

func apart(t *testing.T, h *house) {
	h.create(anna, bert)
	h.append(post(anna, "a1"))
	p := post(bert, "b1")
	h.append(p)
	p.To, p.Body = anna, []byte("same key, other mailbox")
	h.append(p)
	h.wantBacklog(anna, "a1", "same key, other mailbox")
	h.wantBacklog(bert, "b1")
	h.s.Ack(bert, h.backlog(anna)[0].Seq) // another mailbox's number
	h.wantBacklog(anna, "a1", "same key, other mailbox")
}

func watch(t *testing.T, h *house) {
	var got []relay.Frame
	h.s.Watch(func(a mailbox.Address, f relay.Frame) {
		if a == anna {
			got = append(got, f)
		}
	})
	h.create(anna)
	p := post(anna, "one")
	h.append(p)
	if _, err := h.s.Append(ctx, p); err != nil {
		t.Fatal(err)
	}
	h.append(post(anna, "two"))
	if !slices.Equal(bodies(got), []string{"one", "two"}) || got[0].Seq >= got[1].Seq {
		t.Errorf("watched %v", got)
	}
	if b := h.backlog(anna); b[0].Seq != got[0].Seq || b[1].Seq != got[1].Seq {
		t.Errorf("sequence numbers of the backlog differ: %v, watched %v", b, got)
	}
}

func ackRemoves(t *testing.T, h *house) {
	h.create(anna)
	for _, b := range []string{"one", "two", "three"} {
		h.append(post(anna, b))
	}
	h.s.Ack(anna, h.backlog(anna)[1].Seq)
	h.wantBacklog(anna, "one", "three")
	h.s.Ack(anna, 1<<60)
	h.s.Ack(bert, 1)
	h.wantBacklog(anna, "one", "three")
}

// ackOvertakes acknowledges each frame as soon as it is delivered, which may be
// before it is durable.
func ackOvertakes(t *testing.T, h *house) {
	seqs := make(chan uint64, 100)
	h.s.Watch(func(_ mailbox.Address, f relay.Frame) { seqs <- f.Seq })
	h.create(anna)
	var acks sync.WaitGroup
	acks.Go(func() {
		for seq := range seqs {
			h.s.Ack(anna, seq)
		}
	})
	p := post(anna, "first")
	h.append(p)
	for i := range 20 {
		h.append(post(anna, fmt.Sprint(i)))
	}
	close(seqs)
	acks.Wait()
	h.wantBacklog(anna)
	if repeated, err := h.s.Append(ctx, p); !repeated || err != nil {
		t.Errorf("repeat of an acknowledged frame = %v, %v; want it remembered", repeated, err)
	}
	h.wantBacklog(anna)
}

func repeats(t *testing.T, h *house) {
	h.create(anna)
	p := post(anna, "once")
	h.append(p)
	for range 3 {
		if repeated, err := h.s.Append(ctx, p); !repeated || err != nil {
			t.Errorf("repeat = %v, %v", repeated, err)
		}
	}
	h.wantBacklog(anna, "once")
	// Both at once: one is stored, the other is the repeat.
	q := post(anna, "twice at once")
	var n sync.WaitGroup
	results := make(chan bool, 8)
	for range 8 {
		n.Go(func() {
			repeated, err := h.s.Append(ctx, q)
			if err != nil {
				t.Errorf("Append: %v", err)
			}
			results <- repeated
		})
	}
	n.Wait()
	close(results)
	first := 0
	for repeated := range results {
		if !repeated {
			first++
		}
	}
	if first != 1 {
		t.Errorf("%d of 8 equal posts were the first", first)
	}
	h.wantBacklog(anna, "once", "twice at once")
}

func conflicts(t *testing.T, h *house) {
	h.create(anna)
	p := post(anna, "body")
	h.append(p)
	p.Body = []byte("another body")
	_, err := h.s.Append(ctx, p)
	wantErr(t, "Append", err, relay.ErrConflict)
	h.wantBacklog(anna, "body")
}

func keysForgotten(t *testing.T, h *house) {
	h.create(anna)
	p := post(anna, "body")
	h.append(p)
	p.At = start.Add(mailbox.IdempotencyWindow - time.Second)
	if repeated, err := h.s.Append(ctx, p); !repeated || err != nil {
		t.Errorf("repeat within the window = %v, %v", repeated, err)
	}
	// Time passes, others post, the key is forgotten (in at most two windows).
	for i := range 3 {
		q := post(anna, "other")
		q.At = start.Add(time.Duration(i+1) * (mailbox.IdempotencyWindow + time.Second))
		h.append(q)
	}
	p.At = start.Add(4 * (mailbox.IdempotencyWindow + time.Second))
	p.Body = []byte("body 2")
	h.append(p)
}

func quotas(t *testing.T, h *house) {
	h.create(anna, bert)
	with := func(to mailbox.Address, n int, q relay.Quota) error {
		p := post(to, string(make([]byte, n)))
		p.Quota = q
		_, err := h.s.Append(ctx, p)
		return err
	}
	q := relay.Quota{MailboxFrames: 2, MailboxBytes: 1000, TotalBytes: 10_000}
	wantErr(t, "first", with(anna, 10, q), nil)
	wantErr(t, "second", with(anna, 10, q), nil)
	wantErr(t, "third", with(anna, 10, q), relay.ErrMailboxFull)
	wantErr(t, "in another mailbox", with(bert, 10, q), nil)
	wantErr(t, "1000 bytes", with(bert, 991, q), relay.ErrMailboxFull)
	wantErr(t, "990 bytes", with(bert, 990, q), nil)
	h.s.Ack(anna, h.backlog(anna)[0].Seq)
	wantErr(t, "after an ack", with(anna, 10, q), nil)
	// Two frames in each mailbox, of 20 and 1000 bytes; and one more.
	q.TotalBytes, q.MailboxFrames, q.MailboxBytes = 1021+5*relay.FrameOverhead, 100, 10_000
	wantErr(t, "over the total", with(anna, 2, q), relay.ErrStoreFull)
	wantErr(t, "up to the total", with(anna, 1, q), nil)
	wantErr(t, "Delete", h.s.Delete(ctx, bert), nil)
	wantErr(t, "after a delete", with(anna, 1000, q), nil)
}

func tooMany(t *testing.T, h *house) {
	h.create(anna)
	_, err := h.s.Create(ctx, bert, start, 1)
	wantErr(t, "Create", err, relay.ErrTooManyMailboxes)
	if _, err := h.s.Create(ctx, anna, start, 1); err != nil {
		t.Errorf("Create of one that exists = %v", err)
	}
	if ok, _ := h.s.Exists(ctx, bert); ok {
		t.Error("the refused mailbox exists")
	}
}

func deletes(t *testing.T, h *house) {
	h.create(anna, bert)
	h.append(post(anna, "gone"))
	h.append(post(bert, "stays"))
	wantErr(t, "Delete", h.s.Delete(ctx, anna), nil)
	wantErr(t, "second Delete", h.s.Delete(ctx, anna), nil)
	_, err := h.s.Append(ctx, post(anna, "x"))
	wantErr(t, "Append", err, relay.ErrNoMailbox)
	h.s.Touch(anna, start)
	h.wantBacklog(bert, "stays")
	h.create(anna)
	h.wantBacklog(anna)
}

func expiresFrames(t *testing.T, h *house) {
	h.create(anna)
	for i := range 4 {
		p := post(anna, fmt.Sprint(i))
		p.At = start.Add(time.Duration(i) * time.Hour)
		h.append(p)
	}
	n, err := h.s.Expire(ctx, start.Add(4*time.Hour), start.Add(2*time.Hour), start.Add(-time.Hour))
	if err != nil || n != (relay.Expired{Frames: 2}) {
		t.Errorf("Expire = %+v, %v", n, err)
	}
	h.wantBacklog(anna, "2", "3")
}

func expiresMailboxes(t *testing.T, h *house) {
	h.create(anna, bert)
	h.append(post(anna, "x"))
	h.s.Touch(bert, start.Add(48*time.Hour))
	n, err := h.s.Expire(ctx, start.Add(48*time.Hour), start.Add(-time.Hour), start.Add(24*time.Hour))
	if err != nil || n != (relay.Expired{Frames: 1, Mailboxes: 1}) {
		t.Errorf("Expire = %+v, %v", n, err)
	}
	if ok, _ := h.s.Exists(ctx, anna); ok {
		t.Error("the unread mailbox exists")
	}
	if ok, _ := h.s.Exists(ctx, bert); !ok {
		t.Error("the read mailbox is gone")
	}
}

// ahead: what a clock a year ahead has left behind ends as if it came now.
func ahead(t *testing.T, h *house) {
	year := start.Add(365 * 24 * time.Hour)
	if _, err := h.s.Create(ctx, anna, year, 100); err != nil {
		t.Fatal(err)
	}
	p := post(anna, "early")
	p.At = year
	h.append(p)
	expire := func(after time.Duration, want relay.Expired) {
		t.Helper()
		now := start.Add(after)
		n, err := h.s.Expire(ctx, now, now.Add(-48*time.Hour), now.Add(-90*24*time.Hour))
		if err != nil || n != want {
			t.Errorf("Expire after %v = %+v, %v, want %+v", after, n, err, want)
		}
	}
	expire(0, relay.Expired{}) // the clock is right again
	p.At = start
	if repeated, err := h.s.Append(ctx, p); err != nil || !repeated {
		t.Errorf("repeat with the right clock = %v, %v", repeated, err)
	}
	for i := range 3 { // time passes, others post
		q := post(anna, "other")
		q.At = start.Add(time.Duration(i+1) * (mailbox.IdempotencyWindow + time.Second))
		h.append(q)
	}
	p.At, p.Body = start.Add(4*(mailbox.IdempotencyWindow+time.Second)), []byte("later")
	h.append(p) // its key is forgotten
	h.wantBacklog(anna, "early", "other", "other", "other", "later")
	expire(48*time.Hour+time.Second, relay.Expired{Frames: 1})
	h.wantBacklog(anna, "other", "other", "other", "later")
	expire(49*time.Hour, relay.Expired{Frames: 4})
	expire(91*24*time.Hour, relay.Expired{Mailboxes: 1})
}

func concurrent(t *testing.T, h *house) {
	const mailboxes, each = 8, 30
	var wg sync.WaitGroup
	for i := range mailboxes {
		addr := mailbox.Address{byte(i + 1)}
		h.create(addr)
		wg.Go(func() {
			for n := range each {
				if _, err := h.s.Append(ctx, post(addr, fmt.Sprintf("%02d", n))); err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				if n%3 == 0 {
					got, err := h.s.Backlog(ctx, addr, 0, 1, 1)
					if err != nil || len(got) != 1 {
						t.Errorf("Backlog = %v, %v", got, err)
						return
					}
					h.s.Ack(addr, got[0].Seq)
				}
			}
		})
	}
	wg.Wait()
	for i := range mailboxes {
		got := bodies(h.backlog(mailbox.Address{byte(i + 1)}))
		if len(got) != each-each/3 || !slices.IsSorted(got) {
			t.Errorf("mailbox %d holds %q", i, got)
		}
	}
}

func closed(t *testing.T, h *house) {
	h.create(anna)
	wantErr(t, "Close", h.s.Close(), nil)
	_, err := h.s.Append(ctx, post(anna, "x"))
	wantErr(t, "Append", err, relay.ErrClosed)
	_, err = h.s.Backlog(ctx, anna, 0, 1, 1)
	wantErr(t, "Backlog", err, relay.ErrClosed)
	_, err = h.s.Create(ctx, bert, start, 10)
	wantErr(t, "Create", err, relay.ErrClosed)
	_, err = h.s.Exists(ctx, anna)
	wantErr(t, "Exists", err, relay.ErrClosed)
	wantErr(t, "Delete", h.s.Delete(ctx, anna), relay.ErrClosed)
	_, err = h.s.Expire(ctx, start, start, start)
	wantErr(t, "Expire", err, relay.ErrClosed)
	h.s.Ack(anna, 1)
	h.s.Touch(anna, start)
	wantErr(t, "second Close", h.s.Close(), nil)
}

func reopen(t *testing.T, h *house)           { reopenEither(t, h, false) }
func reopenAfterCrash(t *testing.T, h *house) { reopenEither(t, h, true) }

func reopenEither(t *testing.T, h *house, crash bool) {
	if h.m.Reopen == nil {
		t.Skip("this store keeps nothing")
	}
	h.create(anna, bert)
	p := post(anna, "one")
	h.append(p)
	h.append(post(anna, "two"))
	h.s.Ack(anna, h.backlog(anna)[1].Seq)
	wantErr(t, "Delete", h.s.Delete(ctx, bert), nil) // durable, and with it the ack before it
	last := h.backlog(anna)[0].Seq

	h.s = h.m.Reopen(t, h.s, crash)
	h.wantBacklog(anna, "one")
	if ok, _ := h.s.Exists(ctx, bert); ok {
		t.Error("a deleted mailbox is back")
	}
	if repeated, err := h.s.Append(ctx, p); !repeated || err != nil {
		t.Errorf("repeat after reopening = %v, %v", repeated, err)
	}
	p.Body = []byte("another")
	_, err := h.s.Append(ctx, p)
	wantErr(t, "Append", err, relay.ErrConflict)
	h.append(post(anna, "three"))
	if got := h.backlog(anna); len(got) != 2 || got[1].Seq <= last {
		t.Errorf("sequence numbers after reopening: %v, the last before was %d", got, last)
	}
}
