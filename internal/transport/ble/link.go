// Package ble is a Link over Bluetooth LE, whoever does the radio.
//
// A [Link] is one pairing's; [Link.Serve] drives one connection of it, which is
// a [Port]: two characteristics, one for each direction, that carry segments. A
// computer may have several at once, as anybody near may connect: a frame goes to
// each, and counts as taken when the first has it, as only an answer proves more.
// A frame that nobody has taken waits, as long as its Send does, for the next
// connection.
//
// What comes in is acknowledged once it is in memory here; at most 8 frames of a
// connection wait for Receive, more are refused and come again. The rules of a
// connection are package segment's.
//
// References: [kr-protocol] docs/protocol.md §5.9.
package ble

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
	maxInbox   = 8                // frames of one connection that wait for Receive
	maxQueue   = 16               // frames that wait for one connection, besides those that a Send waits for
	againPause = time.Second      // until a frame that handle refused comes again
	keep       = 60 * time.Second // a frame that handle refuses
	maxForged  = 3                // frames in a row, of one connection, that are not the other side's
)

// Link is one end of one pairing's Bluetooth.
type Link struct {
	receiving chan struct{} // holds one token: one Receive at a time
	changed   chan struct{} // holds one token when inbox has changed

	mu      sync.Mutex
	conns   []*conn
	waiting []*sending    // whose Send has not returned
	holds   int           // of Hold
	turned  chan struct{} // closed and replaced when there is something to say, or no more
	inbox   []received
	status  transport.Status
	active  bool // Receive runs
	meeting bool // for good
}

// sending is a frame of one Send.
type sending struct {
	frame []byte
	taken chan struct{} // holds one token when some connection has it
	state sendState     // guarded by the Link's mu
}

type sendState int

const (
	wanted    sendState = iota
	elsewhere           // another connection has it, perhaps a stranger's
	abandoned           // its Send gave up
)

type received struct {
	from       *conn
	frame      []byte
	at, notYet time.Time
}

// New returns a Link without any connection.
func New() *Link {
	return &Link{receiving: make(chan struct{}, 1), changed: make(chan struct{}, 1), turned: make(chan struct{})}
}

// NewMeeting returns one of a pairing that is yet to be: nothing that comes in shows
// whose it is.
func NewMeeting() *Link {
	l := New()
	l.meeting = true
	return l
}

var _ transport.Link = (*Link)(nil)

// Name returns "bluetooth".
func (l *Link) Name() string { return "bluetooth" }

// Send implements [transport.Link]. It waits until some central or peripheral
// has the whole frame, or ctx ends.
func (l *Link) Send(ctx context.Context, frame []byte) error {
	if len(frame) == 0 || len(frame) > transport.MaxFrame {
		return transport.ErrTooLarge
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s := &sending{frame: bytes.Clone(frame), taken: make(chan struct{}, 1)}
	defer l.Hold()()
	l.mu.Lock()
	l.waiting = append(l.waiting, s)
	for _, c := range l.conns {
		c.enqueue(s)
	}
	l.mu.Unlock()
	select {
	case <-s.taken:
		l.settle(s, elsewhere)
		l.note(nil)
		return nil
	case <-ctx.Done():
		l.settle(s, abandoned)
		return ctx.Err()
	}
}

func (l *Link) settle(s *sending, state sendState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.state = state
	l.waiting = slices.DeleteFunc(l.waiting, func(o *sending) bool { return o == s })
}

// Hold says that connections are wanted until release is called, as they are while a
// Send waits. Who has many pairings shows its radio for those only that have
// something to say.
func (l *Link) Hold() (release func()) {
	l.hold(1)
	return sync.OnceFunc(func() { l.hold(-1) })
}

func (l *Link) hold(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.holds > 0
	l.holds += n
	if l.holds > 0 != before {
		close(l.turned)
		l.turned = make(chan struct{})
	}
}

// Wanted reports whether connections are wanted now. The channel closes when that
// changes.
func (l *Link) Wanted() (yes bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holds > 0, l.turned
}

// Receive implements [transport.Link]. A frame that handle refuses comes again
// every second, for a minute. A second concurrent call waits for the first to end.
func (l *Link) Receive(ctx context.Context, handle func(frame []byte) error) error {
	select {
	case l.receiving <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.receiving }()
	l.setActive(true)
	defer l.setActive(false)
	for ctx.Err() == nil {
		r, wait := l.take(time.Now())
		if r.frame == nil {
			if err := l.await(ctx, wait); err != nil {
				return err
			}
			continue
		}
		err := handle(bytes.Clone(r.frame))
		forged := errors.Is(err, transport.ErrForged)
		l.judge(r.from, forged)
		if forged {
			continue
		}
		if !l.meeting {
			r.from.opened()
		}
		l.note(err)
		if err == nil {
			continue
		}
		if now := time.Now(); now.Sub(r.at) < keep {
			r.notYet = now.Add(againPause)
			l.mu.Lock()
			l.inbox = append(l.inbox, r)
			l.mu.Unlock()
		}
	}
	return ctx.Err()
}

// judge counts what one connection brought that was not the other side's.
func (l *Link) judge(c *conn, forged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.bad++; !forged {
		c.bad = 0
	}
	if c.bad == maxForged {
		signal(c.forged)
	}
}

// take returns the first frame whose time has come, or how long the next one
// has to wait; without one an hour.
func (l *Link) take(now time.Time) (r received, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait = time.Hour
	for i, r := range l.inbox {
		left := r.notYet.Sub(now)
		if left <= 0 {
			l.inbox = slices.Delete(l.inbox, i, i+1)
			return r, 0
		}
		wait = min(wait, left)
	}
	return received{}, wait
}

func (l *Link) await(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// put returns false if there is no room.
func (l *Link) put(from *conn, frame []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, r := range l.inbox {
		if r.from == from {
			n++
		}
	}
	if n >= maxInbox {
		return false
	}
	l.inbox = append(l.inbox, received{from: from, frame: frame, at: time.Now()})
	signal(l.changed)
	return true
}

// Status implements [transport.Link].
func (l *Link) Status() transport.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.Connected = l.active && len(l.conns) > 0
	return s
}

func (l *Link) setActive(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active = yes
}

func (l *Link) note(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.status.LastError = err; err == nil {
		l.status.LastOK = time.Now()
	}
}

// signal puts a token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Note takes why there is no connection now, for Status.
func (l *Link) Note(err error) { l.note(err) }
