package session

import (
	"strings"
	"sync"
	"time"
)

const (
	maxSteps   = 128             // of one trace, from which on copies are only counted
	maxProblem = 256             // bytes
	endOfTime  = 253_402_300_800 // the year 10000, which JSON cannot say
)

// Hop is what a request has come through. Their words are stable.
type Hop string

// The hops of a request, in the order in which they come when all goes well.
const (
	HopAsked     Hop = "asked"       // ssh wants a signature
	HopDescribed Hop = "described"   // who asks and for which host is known, or will not be
	HopHello     Hop = "hello"       // there are no keys to seal under: they are agreed first
	HopAgreed    Hop = "agreed"      // there are now
	HopSealed    Hop = "sealed"      // a copy goes out on all channels
	HopTaken     Hop = "taken"       // a channel has it
	HopNotTaken  Hop = "not_taken"   // a channel does not
	HopWaking    Hop = "waking"      // no acknowledgement yet: pushes go out
	HopWoken     Hop = "woken"       // push services have it
	HopNotWoken  Hop = "not_woken"   // or not
	HopAcked     Hop = "acked"       // the phone has it
	HopSlow      Hop = "slow"        // 5 s without an acknowledgement
	HopSkew      Hop = "skew"        // the clocks differ: once more, with the phone's time
	HopAnswered  Hop = "answered"    // the phone has decided
	HopVerified  Hop = "verified"    // its signature holds
	HopWithdrawn Hop = "withdrawing" // nobody waits any more: the phone is told
	HopEnded     Hop = "ended"       // without a signature; the problem says why
	HopHanded    Hop = "handed"      // ssh has the answer
)

// Step is one hop of one request.
type Step struct {
	At      time.Duration // since the trace began
	Hop     Hop
	Via     string    // channel or push services, where it has any
	Phone   time.Time // when the phone said so, by its own clock, in whole seconds; zero: not the phone's word
	Problem string    // text for people
}

// Trace is the way of one request. It has names of channels and services, and
// nothing of what is sealed. A nil Trace takes no notes. Its methods are safe for
// concurrent use; what comes after the end is noted, too.
type Trace struct {
	now   func() time.Time
	began time.Time

	mu      sync.Mutex
	steps   []Step
	dropped int
}

// NewTrace returns a trace that begins now, by that clock.
func NewTrace(now func() time.Time) *Trace { return &Trace{now: now, began: now()} }

// Began is the time of the trace's begin.
func (t *Trace) Began() time.Time { return t.began }

// Steps returns the steps so far, oldest first, and how many more there were than
// are kept.
func (t *Trace) Steps() (steps []Step, dropped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Step{}, t.steps...), t.dropped
}

// Mark notes a hop; err, where it is not nil, is its problem.
func (t *Trace) Mark(hop Hop, via string, err error) {
	s := Step{Hop: hop, Via: via}
	if err != nil {
		s.Problem = err.Error()
	}
	t.add(s)
}

// heard notes what the phone said, and when by its clock.
func (t *Trace) heard(hop Hop, a arrival) {
	s := Step{Hop: hop, Via: a.via}
	if a.resp.Unix > 0 && a.resp.Unix < endOfTime {
		s.Phone = time.Unix(a.resp.Unix, 0)
	}
	t.add(s)
}

func (t *Trace) add(s Step) {
	if t == nil {
		return
	}
	s.Problem = strings.ToValidUTF8(s.Problem[:min(len(s.Problem), maxProblem)], "")
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.steps) >= maxSteps && s.Hop.repeats() {
		t.dropped++
		return
	}
	s.At = max(0, t.now().Sub(t.began)) // a wall clock may be set back
	t.steps = append(t.steps, s)
}

// repeats reports whether a request may come through the hop any number of times.
func (h Hop) repeats() bool {
	switch h {
	case HopHello, HopSealed, HopTaken, HopNotTaken:
		return true
	}
	return false
}
