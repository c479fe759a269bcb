// Package hostile puts channels into the hands of an adversary, for tests.
//
// An [Adversary] owns every channel that it was given, as who runs a relay, a queue
// or a radio does: it sees all frames, keeps them for ever, and does with each what
// it likes ([Act]). [Adversary.Channel] wraps both ends of any Link, so that what
// arrives by the adversary's doing has gone over the real one. The adversary
// knows which frames it has changed or brought to the wrong reader; a reader that
// does not say transport.ErrForged of one has been taken in, and the test fails.
//
// What it does depends on its seed, the direction and the number of the frame, and
// on nothing else. A test that fails prints the seed.
//
// References: [kr-protocol] docs/protocol.md §1: what channels may do.
package hostile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/transport"
)

// Act is what the adversary does with a frame on its way.
type Act int

// The acts. After one from Flip on the frame itself mostly comes, too.
const (
	Pass    Act = iota
	Drop        // it never arrives
	Repeat      // it arrives two to four times
	Delay       // it arrives after up to eight later ones
	Replay      // up to four older ones of this direction come with it
	Flip        // some of its bits are others
	Cut         // its end is missing
	Grow        // it has bytes more, at either end
	Splice      // it ends as an older one does
	Reflect     // its sender gets it, too
	Swap        // another reader gets it, of any channel, in either direction; or an older one
	Forge       // bytes that nobody sealed arrive with it, under a header of the protocol
	acts
)

var actNames = [acts]string{"frames passed", "frames dropped", "frames repeated", "frames delayed and reordered", "frames replayed, across restarts",
	"frames with flipped bits", "frames cut", "frames with bytes more", "frames joined from two", "frames sent back", "frames to another's mailbox, across pairings", "frames made up"}

// Odds are the weights of the acts.
type Odds [acts]int

// Wild is an adversary that does all it can.
var Wild = Odds{Pass: 30, Drop: 8, Repeat: 8, Delay: 8, Replay: 8, Flip: 8, Cut: 6, Grow: 4, Splice: 6, Reflect: 6, Swap: 8, Forge: 8}

// Lossy is a channel that loses every fifth frame, and repeats and reorders others.
var Lossy = Odds{Pass: 60, Drop: 20, Repeat: 10, Delay: 10}

// Score counts what the acts come to, one row an act, over any number of adversaries.
type Score struct {
	t       testing.TB
	against string

	mu      sync.Mutex
	tallies [acts]*attacktest.Tally // nil until there was a try
}

// NewScore returns a Score that is logged when t is over. Rows are named by what it is
// against.
func NewScore(t testing.TB, against string) *Score { return &Score{t: t, against: against} }

// of needs mu.
func (s *Score) of(a Act) *attacktest.Tally {
	if s.tallies[a] == nil {
		s.tallies[a] = attacktest.New(s.t, s.against+": "+actNames[a])
	}
	return s.tallies[a]
}

func (s *Score) count(a Act, rejected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rejected {
		s.of(a).Rejected()
	} else {
		s.of(a).Harmless()
	}
}

func (s *Score) succeeded(a Act, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(a).Succeeded(format, args...)
}

// maxKept is how many frames of a direction the adversary remembers.
const maxKept = 4096

// Adversary owns channels. Its methods are safe for concurrent use.
type Adversary struct {
	score *Score
	seed  uint64

	mu    sync.Mutex
	odds  Odds
	every bool
	lanes []*lane
	sent  int
	lost  int
}

// New returns an adversary that does by odds what seed says.
func New(t testing.TB, score *Score, seed uint64, odds Odds) *Adversary {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the adversary's seed was %d", seed)
		}
	})
	return &Adversary{score: score, seed: seed, odds: odds}
}

// Turn changes what the adversary does from now on. The zero Odds let all pass.
func (a *Adversary) Turn(odds Odds) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.odds = odds
}

// EveryBit has each frame follow all that it becomes with one bit flipped, with its
// end missing, or with a byte more.
func (a *Adversary) EveryBit(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.every = on
}

// Frames is how many frames were sent, and how many of them never arrived.
func (a *Adversary) Frames() (sent, lost int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent, a.lost
}

// Channel takes the two ends of a Link, and returns them as its users see them.
func (a *Adversary) Channel(x, y transport.Link) (transport.Link, transport.Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	xy, yx := a.lane(x), a.lane(y)
	xy.back, yx.back = yx, xy
	return &end{Link: x, out: xy, in: yx}, &end{Link: y, out: yx, in: xy}
}

// lane needs mu.
func (a *Adversary) lane(from transport.Link) *lane {
	l := &lane{a: a, from: from, rnd: rand.New(rand.NewPCG(a.seed, uint64(len(a.lanes)))), bad: map[sum]Act{}, again: map[sum]Act{}, came: map[sum]bool{}} // #nosec G404 -- luck that can be had again
	a.lanes = append(a.lanes, l)
	return l
}

// end is one end of a channel, as its user sees it.
type end struct {
	transport.Link
	out, in *lane
}

func (e *end) Send(ctx context.Context, frame []byte) error { return e.out.send(ctx, frame) }

func (e *end) Receive(ctx context.Context, handle func([]byte) error) error {
	return e.Link.Receive(ctx, func(frame []byte) error {
		was := sha256.Sum256(frame)
		err := handle(frame)
		e.in.judge(was, err)
		return err
	})
}

type sum [sha256.Size]byte

// lane is one direction of a channel. The adversary's mu guards it.
type lane struct {
	a     *Adversary
	from  transport.Link // the end that sends into it
	back  *lane
	rnd   *rand.Rand
	kept  [][]byte
	held  []held
	bad   map[sum]Act  // brought here, and made here by nobody
	again map[sum]Act  // the sender's own, but late or once more
	came  map[sum]bool // arrived before
}

type held struct {
	frame []byte
	after int // frames of this lane
}

// delivery is a frame that the adversary hands over.
type delivery struct {
	to    *lane
	frame []byte
}

// send is Send of the end that sends into l.
func (l *lane) send(ctx context.Context, frame []byte) error {
	if len(frame) == 0 || len(frame) > transport.MaxFrame {
		return transport.ErrTooLarge
	}
	before, own, after := l.plan(bytes.Clone(frame))
	for _, d := range before {
		_ = d.to.from.Send(ctx, d.frame) // nobody waits for it
	}
	var err error
	for range own {
		err = l.from.Send(ctx, frame)
	}
	for _, d := range after {
		_ = d.to.from.Send(ctx, d.frame)
	}
	return err
}

// judge takes what a reader said of a frame.
func (l *lane) judge(frame sum, err error) {
	forged := errors.Is(err, transport.ErrForged)
	if err != nil && !forged {
		return // it comes again
	}
	l.a.mu.Lock()
	bad, isBad := l.bad[frame]
	again, isAgain := l.again[frame]
	first := !l.came[frame]
	l.came[frame] = true
	l.a.mu.Unlock()
	switch {
	case isBad && forged:
		l.a.score.count(bad, true)
	case isBad:
		l.a.score.succeeded(bad, "%s: one was taken for its sender's own (seed %d)", actNames[bad], l.a.seed)
	case isAgain && (!first || again == Delay):
		l.a.score.count(again, forged)
	}
}
