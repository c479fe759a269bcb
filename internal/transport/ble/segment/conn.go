package segment

import (
	"errors"
	"slices"
	"time"
)

// What a Conn waits for, and how often it tries. [kr-protocol] §5.9.
const (
	helloAgain = 2 * time.Second
	maxHellos  = 6
	ackWait    = 5 * time.Second // after a frame's last segment
	busyPause  = time.Second
	maxTries   = 3                // of one frame
	quiet      = 30 * time.Second // without a segment, until a ping
	silence    = 45 * time.Second // without a segment, until the end
	maxAnswers = 16               // that wait to be written
)

// Errors of a frame that was not taken, and of a connection that is over.
var (
	ErrBusy     = errors.New("segment: another frame is on its way")
	ErrTooLarge = errors.New("segment: frame is empty, or larger than the other end takes")
	ErrNotTaken = errors.New("segment: the other end did not take the frame")
	ErrNoHello  = errors.New("segment: the other end does not say hello")
	ErrSilent   = errors.New("segment: the other end is silent")
	ErrLeft     = errors.New("segment: the other end has left")
	ErrVersion  = errors.New("segment: no version in common")
	ErrClosed   = errors.New("segment: closed")
)

// Event is what came of a segment or of time: Arrived, Taken, Failed or Ended.
type Event interface{ event() }

// Arrived is a frame from the other end. The caller owns it, and says what
// becomes of it by [Conn.Ack] or [Conn.Refuse].
type Arrived struct {
	ID    byte
	Frame []byte
}

// Taken says that the other end acknowledged the frame of Send.
type Taken struct{}

// Failed says that the frame of Send is given up.
type Failed struct{ Err error }

// Ended says that the connection is of no more use: write what Next has left,
// and disconnect.
type Ended struct{ Err error }

func (Arrived) event() {}
func (Taken) event()   {}
func (Failed) event()  {}
func (Ended) event()   {}

// Conn is one end of one connection, from the subscription to its end. It is
// not safe for concurrent use.
type Conn struct {
	start, peer Start // peer: zeros before its first hello
	most        int   // bytes, the longest segment that this end can write
	peerFrame   int   // bytes that the other end takes
	peerSegment int
	open        bool // the other end has seen our start: frames may go

	in  inbound
	out outbound

	hellos   int
	helloAt  time.Time // until open
	helloDue bool
	pingDue  bool
	pongDue  bool
	answers  []settled
	bye      Reason // to be written, or 0
	heard    time.Time
	pinged   bool // since heard
	err      error
}

// New returns the end of a connection that begins now. start is random, and
// another one for each connection; most is how many bytes one write or
// notification can have, the MTU less 3.
func New(now time.Time, start Start, most int) *Conn {
	c := &Conn{start: start, heard: now, helloAt: now, out: outbound{id: start[0]}}
	c.SetMost(most)
	c.Tick(now)
	return c
}

// SetMost says that the MTU has changed.
func (c *Conn) SetMost(most int) { c.most = min(max(most, MinSegment), MaxSegment) }

// Receive takes a write or notification of the other end. What is no segment,
// or not in its place, does nothing. b belongs to the caller.
func (c *Conn) Receive(now time.Time, b []byte) []Event {
	s, err := Parse(b)
	if err != nil || c.err != nil {
		return nil
	}
	c.heard, c.pinged = now, false
	switch {
	case s.Kind == Hello:
		return c.greeted(now, s.Greeting)
	case s.Kind == Bye:
		return c.end(ErrLeft)
	case c.peer == Start{}: // all else comes after a hello
	case s.Kind == Data:
		frame, answer := c.in.take(now, s)
		c.answer(answer)
		if frame != nil {
			return []Event{Arrived{s.ID, frame}}
		}
	case s.Kind == Ack:
		return c.out.acked(s.ID)
	case s.Kind == Reset:
		return c.out.reset(now, s.ID, s.Reason)
	case s.Kind == Ping:
		c.pongDue = true
	}
	return nil
}

// greeted: another start is another life of the other end, which knows nothing
// of what was before.
func (c *Conn) greeted(now time.Time, g Greeting) []Event {
	if g.Seen != (Start{}) && g.Seen != c.start {
		return nil // notifications reach all centrals: this one is for another
	}
	if g.Version < Version {
		c.bye = Foreign
		return c.end(ErrVersion)
	}
	var events []Event
	if c.peer != g.Start {
		if c.peer != (Start{}) {
			c.in, c.answers = inbound{}, nil
			if c.out.begun() {
				events = c.out.again(time.Time{})
			}
		}
		c.peer, c.open, c.helloDue = g.Start, false, true
		c.hellos, c.helloAt = 0, now.Add(helloAgain)
	}
	c.peerFrame, c.peerSegment = g.MaxFrame, g.MaxSegment
	if len(c.out.frame) > c.peerFrame {
		events = c.out.fail(ErrTooLarge)
	}
	if g.Seen == c.start {
		c.open = true
	} else {
		c.helloDue = true
	}
	return events
}

// Ack says that the frame of an Arrived is kept.
func (c *Conn) Ack(id byte) { c.decide(settled{id: id, answer: Ack}) }

// Refuse says that there is no room for the frame of an Arrived: the other end
// sends it again after a second.
func (c *Conn) Refuse(id byte) { c.decide(settled{id, Reset, Busy}) }

func (c *Conn) decide(d settled) {
	if c.in.decide(d) {
		c.answer(d)
	}
}

func (c *Conn) answer(d settled) {
	if d.answer != 0 && len(c.answers) < maxAnswers && !slices.Contains(c.answers, d) {
		c.answers = append(c.answers, d)
	}
}

// Close says farewell. The caller writes what Next has left, and disconnects.
func (c *Conn) Close(why Reason) {
	if c.err == nil {
		c.bye = why
		c.end(ErrClosed)
	}
}

func (c *Conn) end(err error) []Event {
	c.err = err
	c.helloDue, c.pingDue, c.pongDue, c.in, c.answers = false, false, false, inbound{}, nil
	return []Event{Ended{err}}
}

// Next returns the next segment to write, or nil if there is none now. Control
// goes before data.
func (c *Conn) Next(now time.Time) []byte {
	switch {
	case c.helloDue:
		c.helloDue = false
		return Segment{Kind: Hello, Greeting: Greeting{Version, c.start, c.peer, MaxFrame, MaxSegment}}.Append(nil)
	case c.bye != 0:
		s := Segment{Kind: Bye, Reason: c.bye}
		c.bye = 0
		return s.Append(nil)
	case len(c.answers) > 0:
		d := c.answers[0]
		c.answers = c.answers[1:]
		return Segment{Kind: d.answer, ID: d.id, Reason: d.reason}.Append(nil)
	case c.pongDue:
		c.pongDue = false
		return Segment{Kind: Pong}.Append(nil)
	case c.pingDue:
		c.pingDue = false
		return Segment{Kind: Ping}.Append(nil)
	case c.open && c.err == nil:
		return c.out.next(now, min(c.most, c.peerSegment))
	}
	return nil
}

// Tick does what is due at now.
func (c *Conn) Tick(now time.Time) []Event {
	if c.err != nil {
		return nil
	}
	if now.Sub(c.heard) >= silence {
		return c.end(ErrSilent)
	}
	if now.Sub(c.heard) >= quiet && !c.pinged {
		c.pingDue, c.pinged = true, true
	}
	if !c.open && !now.Before(c.helloAt) {
		if c.hellos == maxHellos {
			return c.end(ErrNoHello)
		}
		c.hellos++
		c.helloDue, c.helloAt = true, now.Add(helloAgain)
	}
	c.in.expire(now)
	return c.out.tick(now)
}

// Due is when Tick, and then Next, have something to do, if no segment comes
// before; zero after the end.
func (c *Conn) Due() time.Time {
	if c.err != nil {
		return time.Time{}
	}
	due := c.heard.Add(quiet)
	if c.pinged {
		due = c.heard.Add(silence)
	}
	if !c.open {
		due = earlier(due, c.helloAt)
	}
	return earlier(earlier(due, c.in.due()), c.out.due())
}

// earlier takes zero for never.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
