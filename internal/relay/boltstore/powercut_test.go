package boltstore

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

// A power cut, simulated. Writes that were not synced may be on the disk or not,
// in any order, sector by sector. For each commit bbolt 1.5.0 does this (read in
// tx.go and db.go, and seen with strace):
//
//	ftruncate, fsync     only if the file has to grow
//	pwrite ...           the changed pages, none that the last commit refers to
//	fdatasync
//	pwrite               one of the two meta pages, in turn
//	fdatasync
//
// So the file before a commit and the file after it tell all states in between:
// the old file, grown or not, with any part of the changed pages and the old
// meta page; or all changed pages and any part of the new meta page. The test
// runs a store, keeps both files of each commit, makes states at random, and
// opens each. It must hold all that was answered by then, and be exactly what
// the last commit or this one made of it.
//
// That bbolt syncs where it says is not tested here; that it is not told to
// leave it out, is.

var powerCuts = flag.Int("powercuts", 8, "random states per commit in TestPowerCut")

const (
	powerCutRounds = 60
	sector         = 512
)

var pageSize = os.Getpagesize()

// image is a file: its first bytes, and zeros up to its size.
type image struct {
	data []byte
	size int
}

func readImage(path string) (image, error) {
	data, err := os.ReadFile(path)
	size, zeros := len(data), make([]byte, pageSize)
	for len(data) >= pageSize && bytes.Equal(data[len(data)-pageSize:], zeros) {
		data = data[:len(data)-pageSize]
	}
	return image{slices.Clip(data), size}, err
}

func (m image) write(path string) error {
	if err := os.WriteFile(path, m.data, 0o600); err != nil {
		return err
	}
	return os.Truncate(path, int64(m.size))
}

// grown returns a copy of m that is as large as other.
func (m image) grown(other image) image {
	data := make([]byte, max(len(m.data), len(other.data)))
	copy(data, m.data)
	return image{data, max(m.size, other.size)}
}

// cut is one commit, and what had been answered when it was over.
type cut struct {
	before, after image
	promised      promises
}

// promises is what a crash may not take back.
type promises struct {
	frames  map[string]mailbox.Address // by body
	boxes   map[mailbox.Address]bool   // false: deleted
	records map[recordKey]bool
}

// customers use a store and note what it answers.
type customers struct {
	s    *Store
	path string
	rand *rand.Rand

	mu    sync.Mutex
	now   time.Time
	seqs  map[string]uint64 // of frames that were delivered, by body
	p     promises
	posts map[string]relay.Post
	cuts  []cut
	errs  []error
}

func (c *customers) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *customers) note(err error) {
	if err != nil {
		c.locked(func() { c.errs = append(c.errs, err) })
	}
}

// around keeps the file before and after a commit. Whoever could have an answer
// by then has it: Wait returns when all others are waiting.
func (c *customers) around(_ []*op, update func() error) error {
	before, err := readImage(c.path)
	c.note(err)
	synctest.Wait()
	if err := update(); err != nil {
		return err
	}
	after, err := readImage(c.path)
	c.note(err)
	synctest.Wait()
	c.locked(func() {
		p := promises{maps.Clone(c.p.frames), maps.Clone(c.p.boxes), map[recordKey]bool{}}
		for body := range c.p.frames {
			if post := c.posts[body]; c.now.Sub(post.At) < mailbox.IdempotencyWindow {
				p.records[recordKey{post.To, post.ID}] = true
			}
		}
		c.cuts = append(c.cuts, cut{before, after, p})
	})
	return nil
}

func (c *customers) create(addr mailbox.Address) {
	if _, err := c.s.Create(context.Background(), addr, c.now, 1000); err != nil {
		c.note(err)
		return
	}
	c.locked(func() { c.p.boxes[addr] = true })
}

func (c *customers) remove(addr mailbox.Address) {
	c.locked(func() {
		delete(c.p.boxes, addr)
		maps.DeleteFunc(c.p.frames, func(_ string, to mailbox.Address) bool { return to == addr })
	})
	if err := c.s.Delete(context.Background(), addr); err != nil {
		c.note(err)
		return
	}
	c.locked(func() { c.p.boxes[addr] = false })
}

func (c *customers) post(p relay.Post) {
	body := string(p.Body)
	c.locked(func() { c.posts[body] = p })
	if _, err := c.s.Append(context.Background(), p); err != nil {
		c.note(err)
		return
	}
	c.locked(func() { c.p.frames[body] = p.To })
}

func (c *customers) ack(body string) {
	var to mailbox.Address
	var seq uint64
	c.locked(func() {
		delete(c.p.frames, body)
		to, seq = c.posts[body].To, c.seqs[body]
	})
	c.s.Ack(to, seq)
}

func (c *customers) expire() {
	old := c.now.Add(-5 * time.Minute)
	c.locked(func() {
		maps.DeleteFunc(c.p.frames, func(body string, _ mailbox.Address) bool { return c.posts[body].At.Before(old) })
	})
	_, err := c.s.Expire(context.Background(), old, noon.Add(-time.Hour))
	c.note(err)
}

// round does up to twelve things at once and waits for them.
func (c *customers) round(n int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	visitor := mailbox.Address{9, byte(n)}
	if n%4 == 0 {
		c.create(visitor)
	}
	held := slices.Sorted(maps.Keys(c.p.frames))
	c.rand.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	held = held[:max(0, min(len(held), len(held)-20, 6))]
	for i := range 1 + c.rand.IntN(6) {
		to := mailbox.Address{byte(1 + c.rand.IntN(3))}
		if n%4 == 0 && i == 0 {
			to = visitor
		}
		size := []int{40, 200, 1000, 5000, 20_000, 60_000}[c.rand.IntN(6)]
		body := fmt.Appendf(nil, "round %d frame %d ", n, i)
		body = append(body, bytes.Repeat([]byte{byte(n)}, c.rand.IntN(size))...)
		p := relay.Post{To: to, ID: mailbox.NewPostID(), Body: body, At: c.now, Quota: roomy}
		wg.Go(func() { c.post(p) })
	}
	for _, body := range held {
		wg.Go(func() { c.ack(body) })
	}
	switch n % 8 {
	case 3:
		wg.Go(func() { c.remove(mailbox.Address{9, byte(n - 3)}) })
	case 5:
		wg.Go(c.expire)
	case 6:
		wg.Go(func() { c.s.Touch(mailbox.Address{1}, c.now.Add(2*time.Hour)) })
	}
}

// recorded runs a store and returns its commits.
func recorded(t *testing.T, seed uint64) (cuts []cut) {
	path := filepath.Join(t.TempDir(), "relay.db")
	synctest.Test(t, func(t *testing.T) {
		c := &customers{
			path: path, rand: rand.New(rand.NewPCG(seed, 0)), now: noon,
			seqs: map[string]uint64{}, posts: map[string]relay.Post{},
			p: promises{frames: map[string]mailbox.Address{}, boxes: map[mailbox.Address]bool{}},
		}
		c.s = mustOpen(t, path, Options{around: c.around, growBy: 16 << 10})
		if c.s.db.NoSync || c.s.db.NoGrowSync {
			t.Fatal("the store does not sync")
		}
		c.s.Watch(func(_ mailbox.Address, f relay.Frame) { c.locked(func() { c.seqs[string(f.Body)] = f.Seq }) })
		for i := range 3 {
			c.create(mailbox.Address{byte(1 + i)})
		}
		for n := range powerCutRounds {
			c.round(n)
			c.locked(func() { c.now = c.now.Add(time.Duration(c.rand.IntN(60)) * time.Second) })
			if n%3 == 0 {
				time.Sleep(2 * linger) // virtual: acknowledgements are committed by themselves
			}
		}
		mustClose(t, c.s)
		for _, err := range c.errs {
			t.Error(err)
		}
		cuts = c.cuts
	})
	return cuts
}

// changes returns the pages that differ, and which of the first two pages.
func (c *cut) changes() (pages []int, meta int, err error) {
	before := c.before.grown(c.after)
	meta = -1
	for p := 0; p*pageSize < len(c.after.data); p++ {
		at := p * pageSize
		if bytes.Equal(before.data[at:at+pageSize], c.after.data[at:at+pageSize]) {
			continue
		}
		if p > 1 {
			pages = append(pages, p)
			continue
		}
		if meta >= 0 {
			return nil, 0, fmt.Errorf("a commit changed both meta pages")
		}
		meta = p
	}
	if meta < 0 {
		return nil, 0, fmt.Errorf("a commit changed no meta page")
	}
	return pages, meta, nil
}

// state is one file that a power cut may leave.
type state struct {
	name string
	image
	old, new bool // which contents it may have
}

// states returns what a power cut during the commit may leave: always the
// states at the ends of each step, and n random ones.
func (c *cut) states(r *rand.Rand, n int) ([]state, error) {
	pages, meta, err := c.changes()
	if err != nil {
		return nil, err
	}
	grown := c.before.grown(c.after)
	synced := c.after.grown(c.after)
	copy(synced.data[meta*pageSize:(meta+1)*pageSize], grown.data[meta*pageSize:])
	all := []state{
		{"before", c.before, true, false},
		{"grown", grown, true, false},
		{"pages synced", synced, true, false},
		{"after", c.after, false, true},
	}
	for range n {
		switch r.IntN(3) {
		case 0:
			m := grown.grown(c.after)
			written := r.IntN(len(pages) + 1)
			for _, p := range pages[:written] {
				copy(m.data[p*pageSize:], c.after.data[p*pageSize:(p+1)*pageSize])
			}
			all = append(all, state{fmt.Sprintf("the first %d of %d pages", written, len(pages)), m, true, false})
		case 1:
			all = append(all, state{"any sectors", c.torn(grown, pages, r), true, false})
		case 2:
			m := synced.grown(c.after)
			upTo := r.IntN(100) // the meta page's content has 80 bytes; the rest is zeros
			copy(m.data[meta*pageSize:], c.after.data[meta*pageSize:meta*pageSize+upTo])
			all = append(all, state{fmt.Sprintf("%d bytes of meta page %d", upTo, meta), m, true, true})
		}
	}
	return all, nil
}

// torn takes each sector of the changed pages from the old file or the new one,
// or makes it junk.
func (c *cut) torn(old image, pages []int, r *rand.Rand) image {
	m := old.grown(c.after)
	share := []float64{0.05, 0.5, 0.95}[r.IntN(3)]
	for _, p := range pages {
		for at := p * pageSize; at < (p+1)*pageSize; at += sector {
			switch {
			case r.IntN(50) == 0:
				for i := range m.data[at : at+sector] {
					m.data[at+i] = byte(r.Uint32())
				}
			case r.Float64() < share:
				copy(m.data[at:at+sector], c.after.data[at:])
			}
		}
	}
	return m
}

// kept returns an error unless the promises are kept in h.
func (p promises) kept(h holds) error {
	there := map[string]bool{}
	for addr, frames := range h.frames {
		for _, f := range frames {
			there[string(addr[:])+string(f.Body)] = true
		}
	}
	for body, to := range p.frames {
		if !there[string(to[:])+body] {
			return fmt.Errorf("an acknowledged frame is lost: %.20q", body)
		}
	}
	for addr, exists := range p.boxes {
		if _, ok := h.read[addr]; ok != exists {
			return fmt.Errorf("mailbox %x exists: %v, want %v", addr[:], ok, exists)
		}
	}
	for key := range p.records {
		if _, ok := h.records[key]; !ok {
			return fmt.Errorf("the key of an acknowledged frame is forgotten")
		}
	}
	return nil
}

func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	cuts := recorded(t, seed)
	r := rand.New(rand.NewPCG(seed, 1))
	path := filepath.Join(t.TempDir(), "relay.db")
	tried, grew, promised := 0, 0, 0
	for n, c := range cuts {
		if n == 0 { // the buckets are made; before, there is nothing to open
			continue
		}
		if c.after.size > c.before.size {
			grew++
		}
		promised = max(promised, len(c.promised.frames))
		states, err := c.states(r, *powerCuts)
		if err != nil {
			t.Fatal(err)
		}
		old, young := holdsOf(t, c.before, path), holdsOf(t, c.after, path)
		for _, st := range states {
			tried++
			if err := st.survives(t, path, c.promised, old, young); err != nil {
				t.Errorf("seed %d, commit %d of %d, %s: %v", seed, n, len(cuts), st.name, err)
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d states of %d commits, %d of which grew the file; up to %d frames to keep", tried, len(cuts), grew, promised)
	if tried < 1000 || grew < 5 || promised < 20 {
		t.Error("that is too little to show anything")
	}
}

func holdsOf(t *testing.T, m image, path string) holds {
	t.Helper()
	if err := m.write(path); err != nil {
		t.Fatal(err)
	}
	return contentsOfFile(t, path)
}

// survives opens the state, compares what it holds, and goes on with it.
func (st state) survives(t *testing.T, path string, p promises, old, young holds) error {
	if err := st.write(path); err != nil {
		return err
	}
	if _, err := Check(path); err != nil {
		return err
	}
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	h := contentsOf(t, s)
	if err := p.kept(h); err != nil {
		return err
	}
	if !(st.old && reflect.DeepEqual(h, old) || st.new && reflect.DeepEqual(h, young)) {
		return fmt.Errorf("it holds something else: may be old: %v, may be new: %v", st.old, st.new)
	}
	next := relay.Post{To: mailbox.Address{1}, ID: mailbox.NewPostID(), Body: []byte("next"), At: noon.Add(time.Hour), Quota: roomy}
	if _, ok := h.read[next.To]; !ok {
		return s.Close()
	}
	if _, err := s.Append(context.Background(), next); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	_, err = Check(path)
	return err
}
