package boltstore

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
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

var powerCuts = flag.Int("powercuts", 8, "random states per commit in TestPowerCut, at least")

const sector = 512 // bytes that a disk writes whole or not at all

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

func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	cuts := recorded(t, seed)
	r := rand.New(rand.NewPCG(seed, 1))
	path := filepath.Join(memoryDir(t), "relay.db")
	tried, grew, promised := 0, 0, 0
	for n, c := range cuts {
		if n == 0 { // the buckets are made; before, there is nothing to open
			continue
		}
		if c.after.size > c.before.size {
			grew++
		}
		promised = max(promised, len(c.promised.frames))
		states, err := c.states(r, max(*powerCuts, 1+1000/len(cuts)))
		if err != nil {
			t.Fatal(err)
		}
		old, young := holdsOf(t, c.before, path), holdsOf(t, c.after, path)
		for _, st := range states {
			tried++
			if err := st.survives(t, path, c.promised, old, young, tried%4 == 0); err != nil {
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

// memoryDir is a directory in memory where there is one: what the machine under
// the test syncs, and how long it takes, does not matter here.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "kr-powercut-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func holdsOf(t *testing.T, m image, path string) holds {
	t.Helper()
	if err := m.write(path); err != nil {
		t.Fatal(err)
	}
	return contentsOfFile(t, path)
}

// survives opens the state, compares what it holds, and may go on with it.
func (st state) survives(t *testing.T, path string, p promises, old, young holds, goOn bool) error {
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
	if _, ok := h.read[next.To]; !ok || !goOn {
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
