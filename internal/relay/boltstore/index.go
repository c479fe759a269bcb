package boltstore

import (
	"crypto/sha256"
	"slices"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

// index is what the store knows without reading its file: every decision is
// made here at once, and the file follows with the next commit. It holds no
// frame bodies. Its methods need Store.mu.
type index struct {
	boxes map[mailbox.Address]*box
	bytes int64 // of all frames, with relay.FrameOverhead for each

	// Idempotency records live in two generations, each named by its start in
	// unix milliseconds, or by the number after the name before it if the clock was
	// set back: names grow. When the current one is older than the window it
	// becomes the previous one, whose records are dropped all at once: a record
	// lives for one to two windows.
	current, previous generation
}

type box struct {
	read   int64      // unix ms
	frames []frameRef // in the order of seq
	bytes  int64
}

type frameRef struct {
	seq  uint64
	at   int64 // unix ms
	size int
}

type generation struct {
	start   int64 // its name; 0: there is none
	since   int64 // unix ms; its name unless the clock was set back
	records map[recordKey]record
}

type recordKey struct {
	addr mailbox.Address
	id   mailbox.PostID
}

type record struct {
	digest digest
	put    *op // while the frame is not durable yet
}

// digest is half a SHA-256: nobody gains by making two frames of his own equal.
type digest [16]byte

func digestOf(body []byte) digest {
	sum := sha256.Sum256(body)
	return digest(sum[:len(digest{})])
}

func newIndex() index {
	return index{boxes: map[mailbox.Address]*box{}}
}

// Contents says how much a store holds.
type Contents struct {
	Mailboxes, Frames int
	Bytes             int64 // of frames
	Records           int   // idempotency keys that are remembered
}

func (x *index) contents() Contents {
	c := Contents{
		Mailboxes: len(x.boxes),
		Records:   len(x.current.records) + len(x.previous.records),
	}
	for _, b := range x.boxes {
		c.Frames += len(b.frames)
		c.Bytes += b.bytes
	}
	return c
}

func (x *index) lookup(k recordKey) (record, bool) {
	if r, ok := x.current.records[k]; ok {
		return r, true
	}
	r, ok := x.previous.records[k]
	return r, ok
}

// rotate returns the start of a generation that may be dropped from the file,
// or 0.
func (x *index) rotate(now int64) (drop int64) {
	if x.current.start != 0 && now < x.current.since+mailbox.IdempotencyWindow.Milliseconds() {
		return 0
	}
	drop = x.previous.start
	x.previous = x.current
	x.current = generation{start: max(now, x.previous.start+1), since: now, records: map[recordKey]record{}}
	return drop
}

// forget drops the generations that hold only records of frames appended before
// the time in unix ms, which nobody posts again: without posts nothing rotates.
// It returns the start of the last one, which with all before it may be dropped
// from the file, or 0.
func (x *index) forget(before int64) (drop int64) {
	switch {
	case x.current.over(before):
		drop = x.current.start
		x.current, x.previous = generation{}, generation{}
	case x.previous.over(before):
		drop = x.previous.start
		x.previous = generation{}
	}
	return drop
}

func (g *generation) over(before int64) bool {
	return g.start != 0 && g.since+mailbox.IdempotencyWindow.Milliseconds() <= before
}

// noLaterThan makes a time after now, from a clock that was ahead, into now: else
// nothing would end before that time comes.
func (g *generation) noLaterThan(now int64) { g.since = min(g.since, now) }

// noLaterThan does so for a mailbox and its frames, and reports whether the
// mailbox's own time changed. In the file frames keep theirs: after a restart
// they begin anew to age.
func (b *box) noLaterThan(now int64) bool {
	for i := range b.frames {
		b.frames[i].at = min(b.frames[i].at, now)
	}
	ahead := b.read > now
	b.read = min(b.read, now)
	return ahead
}

// room reports why a frame of size does not fit, or nil.
func (x *index) room(b *box, size int, q relay.Quota) error {
	switch {
	case len(b.frames) >= q.MailboxFrames, b.bytes+int64(size) > q.MailboxBytes:
		return relay.ErrMailboxFull
	case x.bytes+cost(size) > q.TotalBytes:
		return relay.ErrStoreFull
	}
	return nil
}

func (x *index) add(b *box, f frameRef) {
	b.frames = append(b.frames, f)
	b.bytes += int64(f.size)
	x.bytes += cost(f.size)
}

// cost is what a frame counts for in the whole store.
func cost(size int) int64 { return int64(size) + relay.FrameOverhead }

// remove reports whether the frame was there.
func (x *index) remove(b *box, seq uint64) bool {
	i, ok := slices.BinarySearchFunc(b.frames, seq, func(f frameRef, seq uint64) int {
		switch {
		case f.seq < seq:
			return -1
		case f.seq > seq:
			return 1
		}
		return 0
	})
	if !ok {
		return false
	}
	size := b.frames[i].size
	b.bytes -= int64(size)
	x.bytes -= cost(size)
	if b.frames = slices.Delete(b.frames, i, i+1); len(b.frames) == 0 {
		b.frames = nil // an idle mailbox costs little
	}
	return true
}

func (x *index) removeBox(addr mailbox.Address) bool {
	b, ok := x.boxes[addr]
	if !ok {
		return false
	}
	x.bytes -= b.bytes + int64(len(b.frames))*relay.FrameOverhead
	delete(x.boxes, addr)
	return true
}

func millis(t time.Time) int64 { return t.UnixMilli() }
