package e2e

import (
	"path"
	"sync"
	"testing"
)

// A test has a place from its first house or browser on: with more of them at once
// the machine is measured. What a person has seconds for has milliseconds there.
// Those with browsers compute while the others wait, so both kinds run beside each
// other; the flag -parallel would give most places to tests that wait for a browser.
var (
	browsing = newPlaces(2)
	housing  = newPlaces(3)
)

// places are what so many tests may have at once.
type places struct {
	mu    sync.Mutex
	moved *sync.Cond
	free  int
	early int             // tests that wait and go first
	taken map[string]bool // by names of tests
}

func newPlaces(n int) *places {
	p := &places{free: n, taken: map[string]bool{}}
	p.moved = sync.NewCond(&p.mu)
	return p
}

// take waits for a place; a test that has begun already goes first, as what it
// has started does not wait for ever.
func (p *places) take(test string, begun bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if begun {
		p.early++
	}
	for p.free == 0 || p.early > 0 && !begun {
		p.moved.Wait()
	}
	if begun {
		p.early--
		p.moved.Broadcast()
	}
	p.free--
	p.taken[test] = true
}

// leave gives back the place that a test may have.
func (p *places) leave(test string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[test] {
		delete(p.taken, test)
		p.free++
		p.moved.Broadcast()
	}
}

// has reports whether a test has a place, or one that it is a part of.
func (p *places) has(test string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; test != "."; test = path.Dir(test) {
		if p.taken[test] {
			return true
		}
	}
	return false
}

// houses waits until a test may have houses, as many as it likes.
func houses(t testing.TB) {
	if browsing.has(t.Name()) || housing.has(t.Name()) {
		return
	}
	housing.take(t.Name(), false)
	t.Cleanup(func() { housing.leave(t.Name()) })
}

// browses waits until a test may have browsers, and houses, as many as it likes. It
// stands before all that a test starts and that has no place.
func browses(t testing.TB) {
	if browsing.has(t.Name()) {
		return
	}
	browsing.take(t.Name(), housing.has(t.Name()))
	housing.leave(t.Name())
	t.Cleanup(func() { browsing.leave(t.Name()) })
}

// TestPlaces: a test has one place for all of its parts, and no other one's.
func TestPlaces(t *testing.T) {
	p := newPlaces(1)
	p.take("TestA", false)
	for test, want := range map[string]bool{"TestA": true, "TestA/b/c": true, "TestAB": false, "TestB/TestA": false} {
		if p.has(test) != want {
			t.Errorf("has(%q) = %t", test, !want)
		}
	}
	p.leave("TestA/b") // it has none of its own
	p.leave("TestC")
	order := make(chan string)
	wait := func(test string, begun bool) {
		p.take(test, begun)
		order <- test
		p.leave(test)
	}
	go wait("TestB", true)
	for early := 0; early == 0; { // it waits
		p.mu.Lock()
		early = p.early
		p.mu.Unlock()
	}
	go wait("TestC", false)
	if p.has("TestB") || p.has("TestC") {
		t.Error("two tests have the one place")
	}
	p.leave("TestA")
	if first, second := <-order, <-order; first != "TestB" || second != "TestC" {
		t.Errorf("%s came before %s, which had begun", first, second)
	}
}
