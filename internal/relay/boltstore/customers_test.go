package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
)

const powerCutRounds = 60

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
	_, err := c.s.Expire(context.Background(), c.now, old, noon.Add(-time.Hour))
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
	path := filepath.Join(memoryDir(t), "relay.db")
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
