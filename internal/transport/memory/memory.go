// Package memory is a pair of Links inside one process, for tests.
//
// [New] returns two ends; what one sends, the other receives. Frames wait while
// the receiver is away. A test may drop, repeat or delay single frames with a
// [Fate] function; delaying one frame more than the next reorders them. Only
// channels, mutexes and package time are used, and no goroutine is started, so
// a pair works inside a testing/synctest bubble.
//
// References: the contract is [kryptonite/internal/transport.Link].
package memory

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/transport"
)

const (
	maxWaiting = 1024                  // frames that wait in one direction before Send blocks
	retryAfter = 10 * time.Millisecond // until a frame that handle refused comes again
)

// ErrDown is returned by Send while the link is switched off, see [Link.SetDown].
var ErrDown = errors.New("memory: link is down")

// Fate is what happens to one frame.
type Fate struct {
	Copies int           // how often it arrives; 0 drops it
	Delay  time.Duration // how late it arrives
}

// Deliver is the fate of a frame on a healthy link.
var Deliver = Fate{Copies: 1}

// Options are the faults of a pair; the zero value has none.
type Options struct {
	// AToB and BToA choose the fate of the n-th frame (from 0) in their
	// direction; nil delivers all. They must not keep or change the frame.
	AToB, BToA func(n int, frame []byte) Fate
}

// New returns the two ends of a link.
func New(o Options) (a, b *Link) {
	ab, ba := newPipe(o.AToB), newPipe(o.BToA)
	return newLink(ab, ba), newLink(ba, ab)
}

// Link is one end.
type Link struct {
	out, in   *pipe
	receiving chan struct{} // holds one token: one Receive at a time

	health transport.Health

	mu   sync.Mutex
	down bool
}

func newLink(out, in *pipe) *Link {
	return &Link{out: out, in: in, receiving: make(chan struct{}, 1)}
}

var _ transport.Link = (*Link)(nil)

// Name returns "memory".
func (l *Link) Name() string { return "memory" }

// SetDown makes Send fail with ErrDown, or work again. Frames already sent
// still arrive.
func (l *Link) SetDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// Send implements [transport.Link]. It blocks while 1,024 frames wait.
func (l *Link) Send(ctx context.Context, frame []byte) error {
	if len(frame) == 0 || len(frame) > transport.MaxFrame {
		return transport.ErrTooLarge
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	if down {
		l.health.Note(time.Now(), ErrDown)
		return ErrDown
	}
	start := time.Now()
	err := l.out.put(ctx, bytes.Clone(frame))
	if err == nil {
		l.health.Sent(start, time.Now(), nil)
	}
	return err
}

// Receive implements [transport.Link]. A second concurrent call waits for the
// first to end. A frame that handle refused comes again 10 ms later.
func (l *Link) Receive(ctx context.Context, handle func(frame []byte) error) error {
	select {
	case l.receiving <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.receiving }()
	l.health.Connected(time.Now(), "")
	defer l.health.Disconnected()
	for {
		f, err := l.in.take(ctx)
		if err != nil {
			return err
		}
		if err := handle(bytes.Clone(f)); err != nil && !errors.Is(err, transport.ErrForged) {
			l.health.Note(time.Now(), err)
			l.in.giveBack(f)
			continue
		}
		l.health.Note(time.Now(), nil)
	}
}

// Status implements [transport.Link].
func (l *Link) Status() transport.Status { return l.health.Status() }

// pipe is one direction.
type pipe struct {
	fate func(n int, frame []byte) Fate

	mu      sync.Mutex
	n       int
	waiting []item        // in the order of their times
	changed chan struct{} // closed and replaced whenever waiting changes
}

type item struct {
	at    time.Time
	frame []byte
}

func newPipe(fate func(int, []byte) Fate) *pipe {
	return &pipe{fate: fate, changed: make(chan struct{})}
}

func (p *pipe) put(ctx context.Context, frame []byte) error {
	p.mu.Lock()
	for len(p.waiting) >= maxWaiting {
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	fate := Deliver
	if p.fate != nil {
		fate = p.fate(p.n, frame)
	}
	p.n++
	for range fate.Copies {
		p.insert(item{time.Now().Add(fate.Delay), frame})
	}
	return nil
}

// insert needs mu.
func (p *pipe) insert(it item) {
	i := len(p.waiting)
	for i > 0 && p.waiting[i-1].at.After(it.at) {
		i--
	}
	p.waiting = slices.Insert(p.waiting, i, it)
	p.wake()
}

// wake needs mu.
func (p *pipe) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) giveBack(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.insert(item{time.Now().Add(retryAfter), frame})
}

// take returns the first frame whose time has come.
func (p *pipe) take(ctx context.Context) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.mu.Lock()
		changed, wait := p.changed, time.Duration(-1)
		if len(p.waiting) > 0 {
			if wait = time.Until(p.waiting[0].at); wait <= 0 {
				f := p.waiting[0].frame
				p.waiting = slices.Delete(p.waiting, 0, 1)
				p.wake()
				p.mu.Unlock()
				return f, nil
			}
		}
		p.mu.Unlock()

		var due <-chan time.Time
		if wait >= 0 {
			due = time.After(wait)
		}
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
