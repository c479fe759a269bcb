package segment

import (
	"bytes"
	"testing"
	"time"
)

// FuzzParse: what Parse reads, Append writes again.
func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f, "parse") {
		f.Add(unhex(f, v.Segment))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		again := s.Append(nil)
		if s.Kind == Hello {
			b = b[:helloSize]
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}

// FuzzConn lets a stranger write anything, at any time: each step of script is
// a length, a pause of so many quarters of a second, and a segment. The Conn
// stays small and does not spin, and in the end a new life of the other end is
// understood as if nothing had been.
func FuzzConn(f *testing.F) {
	for _, v := range readVectors(f, "talk") {
		var script []byte
		for _, s := range v.Steps {
			if b := unhex(f, s.Bytes); s.Do == "receive" {
				script = append(append(script, byte(len(b)), 1), b...)
			}
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		now := epoch
		c := New(now, Start{0x41, 1, 2, 3}, 100)
		if err := c.Send(pattern(300)); err != nil {
			t.Fatal(err)
		}
		drain := func() {
			for range 100 {
				if c.Next(now) == nil {
					return
				}
			}
			t.Fatal("Next does not end")
		}
		for len(script) >= 2 && c.err == nil {
			n := min(int(script[0]), len(script)-2)
			now = now.Add(time.Duration(script[1]) * time.Second / 4)
			c.Tick(now)
			drain()
			for _, e := range c.Receive(now, script[2:2+n]) {
				if a, ok := e.(Arrived); ok {
					if len(a.Frame) == 0 || len(a.Frame) > MaxFrame {
						t.Fatalf("a frame of %d bytes", len(a.Frame))
					}
					c.Ack(a.ID)
				}
			}
			drain()
			c.Tick(now)
			if due := c.Due(); c.err == nil && !due.After(now) {
				t.Fatalf("due at %v, now is %v", due, now)
			}
			for _, a := range c.in.making {
				if len(a.buf) > a.total || a.whole() {
					t.Fatalf("%d of %d bytes, %v", len(a.buf), a.total, a.have)
				}
				for i, s := range a.have {
					if s.from >= s.to || i > 0 && s.from <= a.have[i-1].to {
						t.Fatalf("spans %v", a.have)
					}
				}
			}
			if len(c.in.making) > maxMaking || len(c.in.settled) > maxSettled || len(c.answers) > maxAnswers {
				t.Fatal("it holds too much")
			}
			script = script[2+n:]
		}
		if c.err != nil {
			return
		}
		start := Start{0xff, 0xfe, 0xfd, c.peer[3] + 1}
		c.Receive(now, Segment{Kind: Hello, Greeting: Greeting{Version, start, c.start, MaxFrame, MaxSegment}}.Append(nil))
		events := c.Receive(now, Segment{Kind: Data, ID: 5, Total: 3, Data: []byte("new")}.Append(nil))
		if len(events) != 1 || string(events[0].(Arrived).Frame) != "new" {
			t.Errorf("a new life's frame: %v", events)
		}
	})
}
