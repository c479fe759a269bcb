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
	free  chan struct{}
	mu    sync.Mutex
	taken map[string]bool // by names of tests
}

func newPlaces(n int) *places {
	return &places{free: make(chan struct{}, n), taken: map[string]bool{}}
}

// take waits for a place.
func (p *places) take(test string) {
	p.free <- struct{}{}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken[test] = true
}

// leave gives back the place that a test may have.
func (p *places) leave(test string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[test] {
		delete(p.taken, test)
		<-p.free
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
	housing.take(t.Name())
	t.Cleanup(func() { housing.leave(t.Name()) })
}

// browses waits until a test may have browsers, and houses, as many as it likes.
func browses(t testing.TB) {
	if browsing.has(t.Name()) {
		return
	}
	housing.leave(t.Name()) // its houses stand idle until then
	browsing.take(t.Name())
	t.Cleanup(func() { browsing.leave(t.Name()) })
}

// TestPlaces: a test has one place for all of its parts, and no other one's.
func TestPlaces(t *testing.T) {
	p := newPlaces(1)
	p.take("TestA")
	for test, want := range map[string]bool{"TestA": true, "TestA/b/c": true, "TestAB": false, "TestB/TestA": false} {
		if p.has(test) != want {
			t.Errorf("has(%q) = %t", test, !want)
		}
	}
	p.leave("TestA/b") // it has none of its own
	p.leave("TestB")
	next := make(chan struct{})
	go func() {
		p.take("TestB")
		close(next)
	}()
	if p.has("TestB") {
		t.Error("two tests have the one place")
	}
	p.leave("TestA")
	<-next
	if p.leave("TestA"); p.has("TestA") || !p.has("TestB") {
		t.Error("the place did not go on to the next test")
	}
}
