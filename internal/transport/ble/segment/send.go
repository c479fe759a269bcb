package segment

import (
	"bytes"
	"time"
)

// outbound is the sending half of a Conn: one frame at a time.
type outbound struct {
	frame []byte // nil: none
	id    byte   // of the frame, or of the next one
	size  int    // bytes of data in each segment of this id; 0: not begun
	at    int    // of the next segment
	whole bool   // all of it was written under this id
	tries int
	after time.Time // not before this; zero: at once
	until time.Time // for its acknowledgement, once all is written
}

// Send takes a frame to the other end, and keeps a copy until Taken or Failed.
// It waits for the other end's hello.
func (c *Conn) Send(frame []byte) error {
	switch {
	case c.err != nil:
		return c.err
	case c.out.frame != nil:
		return ErrBusy
	case len(frame) == 0 || len(frame) > MaxFrame || c.peerFrame > 0 && len(frame) > c.peerFrame:
		return ErrTooLarge
	}
	c.out.frame, c.out.tries = bytes.Clone(frame), 1
	return nil
}

// next returns the next segment of the frame, of at most size bytes.
func (o *outbound) next(now time.Time, size int) []byte {
	if o.frame == nil || o.at == len(o.frame) || now.Before(o.after) {
		return nil
	}
	if size -= dataHeader; o.size > size {
		o.renew() // segments of another size would contradict those before
	}
	if o.size == 0 {
		o.size = size
	}
	s := Segment{Kind: Data, ID: o.id, Total: len(o.frame), Offset: o.at}
	s.Data = o.frame[o.at:min(o.at+o.size, len(o.frame))]
	if o.at += len(s.Data); o.at == len(o.frame) {
		o.whole, o.until = true, now.Add(ackWait)
	}
	return s.Append(make([]byte, 0, dataHeader+len(s.Data)))
}

// renew begins anew under another id.
func (o *outbound) renew() {
	o.id++
	o.size, o.at, o.whole, o.until = 0, 0, false, time.Time{}
}

func (o *outbound) done() {
	o.renew()
	o.frame, o.after = nil, time.Time{}
}

func (o *outbound) fail(err error) []Event {
	o.done()
	return []Event{Failed{err}}
}

func (o *outbound) acked(id byte) []Event {
	if o.frame == nil || id != o.id || !o.whole {
		return nil
	}
	o.done()
	return []Event{Taken{}}
}

func (o *outbound) reset(now time.Time, id byte, why Reason) []Event {
	if !o.begun() || id != o.id {
		return nil
	}
	o.renew()
	if why == Busy {
		return o.again(now.Add(busyPause))
	}
	return o.again(time.Time{})
}

// begun: some of the frame was written under this id.
func (o *outbound) begun() bool { return o.frame != nil && o.size > 0 }

// again sends the frame once more, not before after, or gives it up. What was
// written under the same id still counts.
func (o *outbound) again(after time.Time) []Event {
	if o.tries == maxTries {
		return o.fail(ErrNotTaken)
	}
	o.tries++
	o.at, o.after, o.until = 0, after, time.Time{}
	return nil
}

func (o *outbound) tick(now time.Time) []Event {
	if !now.Before(o.after) {
		o.after = time.Time{}
	}
	if o.until.IsZero() || now.Before(o.until) {
		return nil
	}
	return o.again(time.Time{})
}

// due is when tick, or next after a pause, has something to do; zero is never.
func (o *outbound) due() time.Time {
	return earlier(o.after, o.until) // at most one is set
}
