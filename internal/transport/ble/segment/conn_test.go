package segment

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// epoch is when every test begins.
var epoch = time.Unix(1_800_000_000, 0)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// air is two ends and what is between them, in a time of its own.
type air struct {
	t      *testing.T
	now    time.Time
	ends   [2]*Conn
	mangle func(from int, segments [][]byte) [][]byte // nil: all arrive
	refuse func(to int) bool                          // nil: every frame is kept
	got    [2][][]byte
	events [2][]Event
}

func newAir(t *testing.T, mostA, mostB int) *air {
	a := &air{t: t, now: epoch}
	a.ends[0], a.ends[1] = New(a.now, Start{1, 1}, mostA), New(a.now, Start{2, 2}, mostB)
	return a
}

// settle hands segments over until there are none.
func (a *air) settle() {
	for range 100_000 {
		moved := false
		for from, c := range a.ends {
			var batch [][]byte
			for s := c.Next(a.now); s != nil; s = c.Next(a.now) {
				batch = append(batch, s)
			}
			moved = moved || batch != nil
			if a.mangle != nil {
				batch = a.mangle(from, batch)
			}
			for _, s := range batch {
				a.note(1-from, a.ends[1-from].Receive(a.now, s))
			}
		}
		if !moved {
			return
		}
	}
	a.t.Fatal("the ends do not come to rest")
}

func (a *air) note(end int, events []Event) {
	for _, e := range events {
		if f, ok := e.(Arrived); ok {
			if a.refuse != nil && a.refuse(end) {
				a.ends[end].Refuse(f.ID)
				continue
			}
			a.ends[end].Ack(f.ID)
			a.got[end] = append(a.got[end], f.Frame)
			continue
		}
		a.events[end] = append(a.events[end], e)
	}
}

// run lets time pass: each end does what is due, when it is due.
func (a *air) run(d time.Duration) {
	a.settle()
	for end := a.now.Add(d); ; {
		due := earlier(a.ends[0].Due(), a.ends[1].Due())
		if due.IsZero() || due.After(end) {
			a.now = end
			return
		}
		a.now = due
		for i, c := range a.ends {
			a.note(i, c.Tick(a.now))
		}
		a.settle()
		for _, c := range a.ends {
			if d := c.Due(); !d.IsZero() && !d.After(a.now) {
				a.t.Fatalf("something is due at %v still, at %v", d, a.now)
			}
		}
	}
}

func (a *air) send(end int, frame []byte) {
	a.t.Helper()
	if err := a.ends[end].Send(frame); err != nil {
		a.t.Fatal(err)
	}
}

func (a *air) want(end int, frames ...[]byte) {
	a.t.Helper()
	if len(a.got[end]) != len(frames) {
		a.t.Fatalf("%d frames came, want %d; events %v", len(a.got[end]), len(frames), a.events)
	}
	for i, f := range frames {
		if !bytes.Equal(a.got[end][i], f) {
			a.t.Errorf("frame %d is another one", i)
		}
	}
}

// only wants one event at an end.
func (a *air) only(end int, want Event) {
	a.t.Helper()
	if len(a.events[end]) != 1 || a.events[end][0] != want {
		a.t.Errorf("events %v, want %v", a.events[end], want)
	}
}

// TestEveryMTU: a frame crosses at each MTU that there can be, in segments that fit.
func TestEveryMTU(t *testing.T) {
	for mtu := 23; mtu <= 517; mtu++ {
		a := newAir(t, mtu-3, 497)
		a.mangle = func(from int, batch [][]byte) [][]byte {
			for _, s := range batch {
				if len(s) > min(mtu-3, MaxSegment) && from == 0 {
					t.Fatalf("a segment of %d bytes at an MTU of %d", len(s), mtu)
				}
			}
			return batch
		}
		frame := pattern(1 + mtu*3)
		a.send(0, frame)
		a.settle()
		a.want(1, frame)
		a.only(0, Taken{})
	}
}

func TestLargestFrame(t *testing.T) {
	for _, most := range []int{20, 182, 500} {
		a := newAir(t, most, most)
		a.send(0, pattern(MaxFrame))
		a.send(1, pattern(1))
		a.settle()
		a.want(1, pattern(MaxFrame))
		a.want(0, pattern(1))
	}
}

// TestAnyOrderAndRepeats: each permutation of the segments, with any repeats,
// makes the frame, once.
func TestAnyOrderAndRepeats(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		a := newAir(t, 20+r.IntN(481), 500)
		a.settle() // hellos
		a.mangle = func(_ int, batch [][]byte) [][]byte {
			for range len(batch) {
				batch = append(batch, batch[r.IntN(len(batch))])
			}
			r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
			return batch
		}
		frame := pattern(1 + r.IntN(MaxFrame))
		if round%4 == 0 {
			frame = pattern(1 + r.IntN(100))
		}
		a.send(round%2, frame)
		a.settle()
		a.want(1-round%2, frame)
		a.only(round%2, Taken{})
	}
}

// TestLossDelaysOnly: what is lost comes again, at most once to the caller, and
// nothing counts as taken that did not come.
func TestLossDelaysOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	taken := 0
	for range 200 {
		a := newAir(t, 100, 100)
		a.settle()
		a.mangle = func(_ int, batch [][]byte) [][]byte {
			var out [][]byte
			for _, s := range batch {
				if r.IntN(10) > 0 {
					out = append(out, s)
				}
			}
			return out
		}
		a.send(0, pattern(600))
		a.run(25 * time.Second)
		if len(a.events[0]) != 1 || len(a.got[1]) > 1 {
			t.Fatalf("events %v, %d frames came", a.events[0], len(a.got[1]))
		}
		if a.events[0][0] == (Taken{}) {
			taken++
			a.want(1, pattern(600))
		}
	}
	if taken < 150 {
		t.Errorf("%d of 200 frames were taken", taken)
	}
}

// TestCorruptionIsHarmless: with bits flipped in what goes over the air, a frame
// that comes has the right length, or the sender hears of it; and once the air
// is clean the next frame comes as it was sent.
func TestCorruptionIsHarmless(t *testing.T) {
	r, left := rand.New(rand.NewPCG(5, 6)), 0
	for range 500 {
		a := newAir(t, 20+r.IntN(200), 500)
		a.settle()
		a.mangle = func(_ int, batch [][]byte) [][]byte {
			for i, s := range batch {
				if r.IntN(8) == 0 {
					s = bytes.Clone(s)
					s[r.IntN(min(len(s), 2*dataHeader))] ^= 1 << r.IntN(8)
					batch[i] = s
				}
			}
			return batch
		}
		a.send(0, pattern(700))
		a.run(25 * time.Second)
		a.mangle = nil
		a.settle()
		if a.ends[0].err != nil || a.ends[1].err != nil {
			left++ // an ACK became a BYE: the next connection will do
			continue
		}
		for _, f := range a.got[1] {
			if len(a.events[0]) == 1 && a.events[0][0] == (Taken{}) && len(f) != 700 && len(a.got[1]) == 1 {
				t.Fatalf("a frame of %d bytes came of 700, and counts as taken", len(f))
			}
		}
		a.got[1], a.events[0] = nil, nil
		a.send(0, pattern(900))
		a.run(11 * time.Second)
		if n := len(a.got[1]); n == 0 || !bytes.Equal(a.got[1][n-1], pattern(900)) {
			t.Fatalf("%d frames came in clean air, events %v", n, a.events)
		}
	}
	if left > 100 {
		t.Errorf("%d of 500 connections ended", left)
	}
}

// TestContradictionsAreReset: what cannot be one frame is answered by RESET, and
// the sender begins anew under another id.
func TestContradictionsAreReset(t *testing.T) {
	first := Segment{Kind: Data, ID: 9, Total: 60, Offset: 20, Data: pattern(20)}
	for name, second := range map[string]Segment{
		"another total":     {Kind: Data, ID: 9, Total: 61, Offset: 0, Data: pattern(20)},
		"half before":       {Kind: Data, ID: 9, Total: 60, Offset: 9, Data: pattern(12)},
		"half behind":       {Kind: Data, ID: 9, Total: 60, Offset: 39, Data: pattern(21)},
		"all around":        {Kind: Data, ID: 9, Total: 60, Offset: 0, Data: pattern(60)},
		"other bytes there": {Kind: Data, ID: 9, Total: 60, Offset: 20, Data: pattern(21)[1:]},
	} {
		c := New(epoch, Start{1}, 500)
		greet(c, Start{2})
		c.Receive(epoch, first.Append(nil))
		c.Receive(epoch, second.Append(nil))
		want := Segment{Kind: Reset, ID: 9, Reason: Broken}.Append(nil)
		if got := c.Next(epoch); !bytes.Equal(got, want) {
			t.Errorf("%s: answered by %x, want %x", name, got, want)
		}
		if len(c.in.making) != 0 {
			t.Errorf("%s: it is kept", name)
		}
	}
}

// greet makes c think that the other end is there, and takes c's hellos away.
func greet(c *Conn, peer Start) {
	c.Receive(epoch, Segment{Kind: Hello, Greeting: Greeting{Version, peer, c.start, MaxFrame, MaxSegment}}.Append(nil))
	for c.Next(epoch) != nil {
	}
}

// TestResetBeginsAnew: the same frame under the next id; after Busy not at once.
func TestResetBeginsAnew(t *testing.T) {
	for why, pause := range map[Reason]time.Duration{Broken: 0, Busy: busyPause} {
		c := New(epoch, Start{1}, 500)
		greet(c, Start{2})
		if err := c.Send(pattern(30)); err != nil {
			t.Fatal(err)
		}
		now := epoch
		for try := range maxTries {
			s, err := Parse(c.Next(now))
			if err != nil || s.ID != byte(1+try) || !bytes.Equal(s.Data, pattern(30)) {
				t.Fatalf("try %d: %+v, %v", try, s, err)
			}
			events := c.Receive(now, Segment{Kind: Reset, ID: s.ID, Reason: why}.Append(nil))
			if last := try == maxTries-1; last != (len(events) == 1 && events[0] == Failed{ErrNotTaken}) {
				t.Fatalf("try %d: events %v", try, events)
			}
			if pause > 0 && c.Next(now.Add(pause-1)) != nil {
				t.Error("no pause")
			}
			now = now.Add(pause)
		}
	}
}

// TestHalfAFrameIsNotTaken, whatever the other end says.
func TestHalfAFrameIsNotTaken(t *testing.T) {
	c := New(epoch, Start{1}, 20)
	greet(c, Start{2})
	if err := c.Send(pattern(30)); err != nil {
		t.Fatal(err)
	}
	ack := Segment{Kind: Ack, ID: 1}.Append(nil)
	for part := range 4 {
		events := c.Receive(epoch, ack)
		if whole := part == 3; whole != (len(events) == 1) {
			t.Errorf("after %d of 3 segments: %v", part, events)
		}
		c.Next(epoch)
	}
}

func TestRefusedFrameComesAgain(t *testing.T) {
	a, n := newAir(t, 500, 500), 0
	a.refuse = func(int) bool { n++; return n < maxTries }
	a.send(0, pattern(2000))
	a.run(10 * time.Second)
	a.want(1, pattern(2000))
	a.only(0, Taken{})
}

// TestOtherEndBeginsAnew within one connection, as krd does when it is killed
// and BlueZ stays: what it did not acknowledge is sent to it again.
func TestOtherEndBeginsAnew(t *testing.T) {
	a := newAir(t, 100, 100)
	a.settle()
	a.send(0, pattern(1000))
	for range 5 {
		a.ends[1].Receive(a.now, a.ends[0].Next(a.now))
	}
	a.ends[1] = New(a.now, Start{3}, 100)
	a.settle()
	a.want(1, pattern(1000))
	a.only(0, Taken{})
}

// TestTimes: who says nothing is given up.
func TestTimes(t *testing.T) {
	void := func(int, [][]byte) [][]byte { return nil }
	a := newAir(t, 100, 100)
	a.mangle = void
	a.run(helloAgain*maxHellos - 1)
	if len(a.events[0]) > 0 {
		t.Errorf("events %v", a.events[0])
	}
	a.run(1)
	a.only(0, Ended{ErrNoHello})

	a = newAir(t, 100, 100)
	a.run(10 * time.Minute) // pings keep it
	if len(a.events[0])+len(a.events[1]) > 0 {
		t.Errorf("events %v", a.events)
	}
	a.mangle = void
	a.send(0, pattern(10))
	a.run(ackWait*maxTries - 1)
	if len(a.events[0]) > 0 {
		t.Errorf("events %v", a.events[0])
	}
	a.run(1)
	a.only(0, Failed{ErrNotTaken})
	a.run(silence)
	if n := len(a.events[0]); n != 2 || a.events[0][1] != (Ended{ErrSilent}) || a.ends[0].Next(a.now) != nil {
		t.Errorf("events %v", a.events[0])
	}
}

func TestBye(t *testing.T) {
	a := newAir(t, 100, 100)
	a.settle()
	a.ends[0].Close(Done)
	a.settle()
	a.only(1, Ended{ErrLeft})
	if err := a.ends[1].Send(pattern(1)); !errors.Is(err, ErrLeft) {
		t.Errorf("Send = %v", err)
	}
	if !a.ends[0].Due().IsZero() {
		t.Error("something is due after the end")
	}

	c := New(epoch, Start{1}, 100)
	events := c.Receive(epoch, Segment{Kind: Hello, Greeting: Greeting{0, Start{2}, Start{}, MaxFrame, MaxSegment}}.Append(nil))
	if len(events) != 1 || events[0] != (Ended{ErrVersion}) || !bytes.Equal(c.Next(epoch), []byte{0x17, byte(Foreign)}) {
		t.Errorf("version 0: %v", events)
	}
}

func TestSendRefuses(t *testing.T) {
	c := New(epoch, Start{1}, 100)
	for _, n := range []int{0, MaxFrame + 1} {
		if err := c.Send(make([]byte, n)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("Send of %d bytes = %v", n, err)
		}
	}
	if err := c.Send(pattern(1001)); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(pattern(1)); !errors.Is(err, ErrBusy) {
		t.Errorf("second Send = %v", err)
	}
	small := Segment{Kind: Hello, Greeting: Greeting{Version, Start{2}, c.start, 1000, 20}}.Append(nil)
	if events := c.Receive(epoch, small); len(events) != 1 || events[0] != (Failed{ErrTooLarge}) {
		t.Errorf("too large for the other end: %v", events)
	}
	if err := c.Send(pattern(1001)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Send = %v", err)
	}
}

// TestSmallerMTU in the middle of a frame begins it anew, so that its segments fit.
func TestSmallerMTU(t *testing.T) {
	a := newAir(t, 500, 500)
	a.settle()
	a.send(0, pattern(5000))
	for range 3 {
		a.ends[1].Receive(a.now, a.ends[0].Next(a.now))
	}
	a.ends[0].SetMost(20)
	s := a.ends[0].Next(a.now)
	if len(s) != 20 {
		t.Errorf("a segment of %d bytes", len(s))
	}
	a.ends[1].Receive(a.now, s)
	a.settle()
	a.want(1, pattern(5000))
	a.only(0, Taken{})
}

// TestStrangerFillsNothing: whatever a stranger writes, a Conn holds little.
func TestStrangerFillsNothing(t *testing.T) {
	c := New(epoch, Start{1}, 100)
	greet(c, Start{2})
	for id := range 256 {
		for offset := MaxFrame - minData - 1; offset > 0; offset -= 1000 {
			c.Receive(epoch, Segment{Kind: Data, ID: byte(id), Total: MaxFrame, Offset: offset, Data: pattern(minData)}.Append(nil))
		}
		c.Receive(epoch, Segment{Kind: Data, ID: byte(id), Total: 1, Offset: 0, Data: pattern(1)}.Append(nil))
		c.Receive(epoch, []byte{byte(Ping)})
	}
	held := 0
	for _, a := range c.in.making {
		held += cap(a.buf) + 16*cap(a.have)
	}
	if len(c.in.making) > maxMaking || len(c.in.settled) > maxSettled || len(c.answers) > maxAnswers || held > 2*150<<10 {
		t.Errorf("%d frames in the making, %d bytes, %d settled, %d answers", len(c.in.making), held, len(c.in.settled), len(c.answers))
	}
	c.Tick(epoch.Add(partial))
	if len(c.in.making) > 0 {
		t.Error("half a frame stays for ever")
	}
}
