package waitline

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// screen is a terminal that keeps what it shows.
type screen struct {
	name  string
	width int
	dumb  bool

	mu   sync.Mutex
	away bool // not ready
	out  strings.Builder
}

func (s *screen) Name() string { return s.name }
func (s *screen) Width() int   { return s.width }
func (s *screen) Dumb() bool   { return s.dumb }

func (s *screen) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.away
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

// leave puts something else in the foreground, or back.
func (s *screen) leave(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

var text = Text{Wait: "Waiting for Ana's phone to approve root@server", Slow: "the phone has not answered yet", What: "root@server"}

// story is one terminal in virtual time.
type story struct {
	t *testing.T
	*screen
	board Board
}

// in plays a story.
func in(t *testing.T, f func(s *story)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(&story{t: t, screen: &screen{name: "/dev/pts/7", width: 80}})
	})
}

// shows checks what the terminal got since the last time.
func (s *story) shows(when, want string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.out.String(); got != want {
		s.t.Errorf("%s: %q, want %q", when, got, want)
	}
	s.out.Reset()
}

func (s *story) start() *Line { return s.board.Start(s.screen, text, 30*time.Second) }

func TestApprovedSlowly(t *testing.T) {
	in(t, func(s *story) {
		l := s.start()
		s.shows("at once", "")
		time.Sleep(firstAfter)
		s.shows("after 300 ms", "\r\x1b[KWaiting for Ana's phone to approve root@server … 30s")
		l.Acked(60 * time.Second)
		s.shows("in the same second", "")
		time.Sleep(every)
		s.shows("a second later", "\r\x1b[KWaiting for Ana's phone to approve root@server … 59s")
		time.Sleep(1800 * time.Millisecond)
		s.shows("two seconds later", "\r\x1b[KWaiting for Ana's phone to approve root@server … 58s")
		l.Approved()
		s.shows("at the end", "\r\x1b[Kapproved in 3.1s\r\n")
		l.Failed("again")
		l.Slow()
		time.Sleep(time.Hour)
		s.shows("after the end", "")
		if len(s.board.lines) != 0 {
			t.Errorf("the board remembers %v", s.board.lines)
		}
	})
}

func TestApprovedAtOnce(t *testing.T) {
	in(t, func(s *story) {
		l := s.start()
		time.Sleep(firstAfter - 1)
		l.Approved()
		s.shows("approved within 300 ms", "")
		s.start().Failed("the phone refused: the host key is\x1b[2J another\none")
		s.shows("refused at once", "\r\x1b[Kthe phone refused: the host key is\ufffd[2J another one\r\n")
	})
}

func TestPhoneIsSlow(t *testing.T) {
	in(t, func(s *story) {
		l := s.start()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		s.out.Reset()
		l.Slow()
		s.shows("in the same second", "")
		time.Sleep(every)
		s.shows("after 5 s", "\r\x1b[Kthe phone has not answered yet … 25s")
		l.Acked(60 * time.Second)
		time.Sleep(every)
		s.shows("it answers", "\r\x1b[KWaiting for Ana's phone to approve root@server … 60s")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := s.out.String(); !strings.HasSuffix(got, " … 0s") {
			t.Errorf("the countdown ends with %q", got[len(got)-10:])
		}
		s.out.Reset()
		l.Failed("the phone did not answer")
		s.shows("at the end", "\r\x1b[Kthe phone did not answer\r\n")
	})
}

// TestSomethingElseInFront: the terminal belongs to who is in its foreground.
func TestSomethingElseInFront(t *testing.T) {
	in(t, func(s *story) {
		l := s.start()
		time.Sleep(firstAfter)
		synctest.Wait()
		s.out.Reset()
		s.leave(true) // Ctrl-Z
		time.Sleep(10 * time.Second)
		s.shows("in the background", "")
		s.leave(false)
		time.Sleep(every)
		s.shows("back", "\r\x1b[KWaiting for Ana's phone to approve root@server … 19s")
		s.leave(true)
		l.Approved()
		s.shows("ended in the background", "")
	})
	in(t, func(s *story) {
		l := s.start()
		time.Sleep(firstAfter)
		synctest.Wait()
		s.out.Reset()
		l.Drop() // Ctrl-C
		time.Sleep(time.Minute)
		s.shows("ssh has gone", "")
	})
}

// TestSeveralAtOnce: no line that changes, and only what failed, by name.
func TestSeveralAtOnce(t *testing.T) {
	in(t, func(s *story) {
		a := s.start()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s.out.Reset()
		b := s.start()
		s.shows("a second one comes", "\r\x1b[K")
		other := s.board.Start(&screen{name: "/dev/pts/8", width: 80}, text, time.Second)
		c := s.start()
		time.Sleep(time.Minute)
		s.shows("they wait", "")
		a.Approved()
		s.shows("one is approved", "")
		b.Failed("declined on the phone")
		s.shows("one is declined", "\r\x1b[Kroot@server: declined on the phone\r\n")
		time.Sleep(time.Minute)
		s.shows("the last one waits", "")
		c.Approved()
		s.shows("the last one is approved", "")
		other.Drop()
		d := s.start()
		time.Sleep(firstAfter)
		s.shows("the next one", "\r\x1b[KWaiting for Ana's phone to approve root@server … 30s")
		d.Drop()
	})
}

func TestDumbTerminal(t *testing.T) {
	in(t, func(s *story) {
		s.dumb = true
		l := s.start()
		time.Sleep(10 * time.Second)
		s.shows("it waits", "")
		l.Approved()
		s.shows("approved", "approved in 10.0s\r\n")
		s.start().Failed("declined on the phone")
		s.shows("declined", "declined on the phone\r\n")
	})
}

func TestNarrowTerminal(t *testing.T) {
	for width := range 60 {
		in(t, func(s *story) {
			s.width = width
			l := s.start()
			time.Sleep(firstAfter)
			synctest.Wait()
			if n := len([]rune(strings.TrimPrefix(s.out.String(), eraseLine))); n > max(1, width-1) {
				t.Errorf("%d columns in a terminal of %d: %q", n, width, s.out.String())
			}
			l.Drop()
		})
	}
}
