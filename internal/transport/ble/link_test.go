package ble

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble/segment"
	"kryptonite/internal/transport/transporttest"
)

// gatt is one side of two characteristics in memory: what is written to the one
// is read from the other by the other side.
type gatt struct {
	out chan<- []byte
	in  <-chan []byte
	mtu int
	cut chan struct{} // closed when the connection breaks
	air func(segment []byte) [][]byte
}

// newGATT returns both sides of a connection. air says what arrives of a
// segment; nil is all of it.
func newGATT(mtu int, air func([]byte) [][]byte) (a, b *gatt) {
	ab, ba, cut := make(chan []byte, 8), make(chan []byte, 8), make(chan struct{})
	return &gatt{ab, ba, mtu, cut, air}, &gatt{ba, ab, mtu, cut, air}
}

func (g *gatt) Most() int { return g.mtu - 3 }

func (g *gatt) Write(ctx context.Context, b []byte) error {
	if len(b) > g.Most() {
		return errors.New("longer than the MTU")
	}
	all := [][]byte{b}
	if g.air != nil {
		all = g.air(b)
	}
	for _, b := range all {
		select {
		case g.out <- b:
		case <-g.cut:
			return io.ErrClosedPipe
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (g *gatt) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-g.in:
		return b, nil
	case <-g.cut:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve drives ports until the test ends.
func serve(t *testing.T, links []*Link, ports ...*gatt) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, len(ports))
	for i, p := range ports {
		go func() { ended <- links[i].Serve(ctx, p) }()
	}
	t.Cleanup(func() {
		stop()
		for range ports {
			if err := <-ended; err == nil {
				t.Error("Serve ended without a word")
			}
		}
	})
}

// TestConformance at the smallest MTU, an ordinary one, and one whose segments
// come late and twice.
func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		mtu  int
		bent bool
	}{"MTU 23": {23, false}, "MTU 517": {517, false}, "reordered and repeated": {185, true}} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) (transport.Link, transport.Link) {
				a, b := newGATT(c.mtu, nil)
				if c.bent {
					a.air, b.air = bend(1), bend(2)
				}
				la, lb := New(), New()
				serve(t, []*Link{la, lb}, a, b)
				return la, lb
			}, transporttest.Bubble())
		})
	}
}

// bend swaps neighbours, and repeats one in three.
func bend(seed uint64) func([]byte) [][]byte {
	r := rand.New(rand.NewPCG(seed, seed))
	var held []byte
	return func(b []byte) [][]byte {
		if len(b) < 100 || held != nil { // nothing may follow a short one
			out := [][]byte{b}
			if held != nil {
				out = append(out, held)
			}
			held = nil
			return out
		}
		if r.IntN(3) == 0 {
			return [][]byte{b, b}
		}
		held = b
		return nil
	}
}

// TestForgery: who brings three frames in a row that are not the phone's is cut
// off; with another one in between, not.
func TestForgery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		la, lb := New(), New()
		a, b := newGATT(100, nil)
		ended := make(chan error, 2)
		go func() { ended <- la.Serve(t.Context(), a) }()
		go func() { ended <- lb.Serve(t.Context(), b) }()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go la.Receive(ctx, func(f []byte) error {
			if f[0] == 'x' {
				return transport.ErrForged
			}
			return nil
		})
		for _, f := range []string{"x", "x", "mine", "x", "x"} {
			if err := lb.Send(t.Context(), []byte(f)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatal("cut off too early")
		}
		if err := lb.Send(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, transport.ErrForged) {
			t.Errorf("Serve = %v", err)
		}
		close(a.cut)
		<-ended
	})
}

// TestFarewell: when one end's time is over, it says so.
func TestFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		la, lb := New(), New()
		a, b := newGATT(100, nil)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- la.Serve(ctx, a) }()
		other := make(chan error, 1)
		go func() { other <- lb.Serve(t.Context(), b) }()
		synctest.Wait()
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve = %v", err)
		}
		if err := <-other; !errors.Is(err, segment.ErrLeft) {
			t.Errorf("the other Serve = %v", err)
		}
	})
}

// TestAnswer: an end that answers says hello to the one that has said so, and
// never before.
func TestAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		a, b := newGATT(100, nil)
		hello := segment.New(time.Now(), segment.Start{1}, 97).Next(time.Now())
		go l.Answer(t.Context(), a, hello, func() {})
		got, err := b.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s, err := segment.Parse(got); err != nil || s.Kind != segment.Hello || s.Greeting.Seen != (segment.Start{1}) {
			t.Errorf("%+v, %v", s, err)
		}
		close(a.cut)
	})
}

// TestOpened: a frame shows whose its connection is, unless it was not the other
// side's, or the two are yet to meet.
func TestOpened(t *testing.T) {
	for name, c := range map[string]struct {
		make func() *Link
		want int
	}{"a pairing": {New, 2}, "a meeting": {NewMeeting, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, phone, opened := c.make(), New(), 0
				a, b := newGATT(100, nil)
				defer close(a.cut)
				go l.Answer(t.Context(), a, <-hellos(t, phone, b), func() { opened++ })
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				go l.Receive(ctx, func(f []byte) error {
					switch f[0] {
					case 'x':
						return transport.ErrForged
					case 'l':
						return errors.New("the disk is full")
					}
					return nil
				})
				for _, f := range []string{"x", "mine", "later"} {
					if err := phone.Send(t.Context(), []byte(f)); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if opened != c.want {
					t.Errorf("%d frames opened, want %d", opened, c.want)
				}
			})
		})
	}
}

// hellos serves phone by p. What p says first comes by the channel.
func hellos(t *testing.T, phone *Link, p *gatt) <-chan []byte {
	first, rest := make(chan []byte, 1), p.out
	through := make(chan []byte)
	p.out = through
	go func() {
		first <- <-through
		for {
			select {
			case b := <-through:
				select {
				case rest <- b:
				case <-p.cut:
					return
				}
			case <-p.cut:
				return
			}
		}
	}()
	go phone.Serve(t.Context(), p)
	return first
}

// TestWanted: as long as somebody holds it, or a Send waits.
func TestWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		yes, changed := l.Wanted()
		if yes {
			t.Error("wanted by nobody")
		}
		release := l.Hold()
		<-changed
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Send(ctx, []byte("frame")) }()
		synctest.Wait()
		release()
		release() // does nothing more
		yes, changed = l.Wanted()
		if !yes {
			t.Error("not wanted, while a Send waits")
		}
		stop()
		<-ended
		<-changed
		if yes, _ := l.Wanted(); yes {
			t.Error("wanted by nobody any more")
		}
	})
}

// TestReconnect: a frame whose connection broke in the middle goes over the
// next one, once.
func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		la, lb := New(), New()
		frame := bytes.Repeat([]byte("frame"), 2000)
		n := 0
		a, b := newGATT(100, nil)
		a.air = func(s []byte) [][]byte {
			if n++; n == 20 {
				close(a.cut)
			}
			return [][]byte{s}
		}
		ended := make(chan error, 2)
		go func() { ended <- la.Serve(t.Context(), a) }()
		go func() { ended <- lb.Serve(t.Context(), b) }()
		sent := make(chan error, 1)
		go func() { sent <- la.Send(t.Context(), frame) }()
		for range 2 {
			if err := <-ended; !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("Serve = %v", err)
			}
		}
		if s := la.Status(); s.LastError == nil || s.Connected {
			t.Errorf("%+v", s)
		}
		a, b = newGATT(100, nil)
		serve(t, []*Link{la, lb}, a, b)
		if err := <-sent; err != nil {
			t.Errorf("Send = %v", err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var got [][]byte
		if err := lb.Receive(ctx, func(f []byte) error { got = append(got, f); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Receive = %v", err)
		}
		if len(got) != 1 || !bytes.Equal(got[0], frame) {
			t.Errorf("%d frames came", len(got))
		}
	})
}

// TestStrangerTakesNothingAway: a central that floods, and acknowledges first,
// does not keep frames from the phone, nor the phone's from the computer.
func TestStrangerTakesNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		computer, phone, stranger := New(), New(), New()
		a, b := newGATT(100, nil)
		a.air = func(b []byte) [][]byte { time.Sleep(10 * time.Millisecond); return [][]byte{b} } // slower than the stranger
		c, d := newGATT(517, nil)
		serve(t, []*Link{computer, phone, computer, stranger}, a, b, c, d)
		synctest.Wait() // all have met
		for range 3 * maxInbox {
			go stranger.Send(t.Context(), []byte("garbage"))
		}
		const frames = maxInbox // nobody receives yet
		for i := range frames {
			ctx, over := context.WithTimeout(t.Context(), time.Minute)
			if err := computer.Send(ctx, bytes.Repeat([]byte{byte(i)}, 5000)); err != nil {
				t.Fatal(err)
			}
			over() // as callers do: the phone may not have it yet
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		seen := map[byte]bool{}
		phone.Receive(ctx, func(f []byte) error {
			if seen[f[0]] = true; len(seen) == frames {
				stop()
			}
			return nil
		})
		if len(seen) != frames {
			t.Errorf("%d of %d frames came to the phone", len(seen), frames)
		}

		sent := make(chan error, 1)
		go func() { sent <- phone.Send(t.Context(), []byte("answer")) }()
		ctx, stop = context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		came := false
		computer.Receive(ctx, func(f []byte) error {
			if string(f) == "answer" {
				came = true
				stop()
			}
			return nil
		})
		if err := <-sent; err != nil || !came {
			t.Errorf("the answer came: %t, Send = %v", came, err)
		}
	})
}
