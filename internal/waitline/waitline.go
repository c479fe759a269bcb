// Package waitline is the line in ssh's terminal while a request waits for the
// phone.
//
//	Waiting for Ana's phone to approve root@server.example … 27s
//	the phone has not answered yet; is it online? (trying: relay) … 22s
//	approved in 3.1s
//
// The first two replace each other; the last one stays. A request that is
// approved within 300 ms shows nothing. The line changes at most once a second,
// so that screen readers can follow. A terminal that cannot erase gets the
// outcome only, and so do requests that wait at once in one terminal: there it
// names the request, and an approval is not told.
//
// Nothing is written after the method that ended a line has returned.
//
// Who has no terminal gets a notification on the desktop instead: see Notes.
package waitline

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/term"
)

const (
	firstAfter = 300 * time.Millisecond // of waiting
	every      = time.Second
	eraseLine  = "\r\x1b[K" // [ECMA-48] §8.3.41, EL
	endLine    = "\r\n"     // the terminal may be raw
)

// Screen is a terminal. A write must not wait.
type Screen interface {
	io.Writer
	Name() string
	Width() int
	Dumb() bool  // it cannot erase a line
	Ready() bool // what asked still lives, in the foreground
}

// Board knows the lines of all terminals. The zero value is empty; it is safe
// for concurrent use.
type Board struct {
	mu    sync.Mutex
	lines map[string][]*Line // by the terminal's name
}

// Text is what a line says. It may come from outside: it is cleaned when it is
// written.
type Text struct {
	Wait string // "Waiting for Ana's phone to approve root@server.example"
	Slow string // instead of Wait, after Slow was called and until Acked
	What string // before the outcome when others wait, too: "root@server.example"
}

// Line is one request. Its methods are safe for concurrent use.
type Line struct {
	board   *Board
	screen  Screen
	text    Text
	started time.Time
	quit    chan struct{} // closed by the end
	done    chan struct{} // closed when draw has returned

	mu      sync.Mutex
	until   time.Time // when krd gives up
	slow    bool
	crowded bool // others wait in this terminal, or did
	shown   bool
	over    bool
	changed chan struct{} // holds one entry when draw should look
}

// Start begins a line that counts down from limit. It ends with
// Approved, Failed or Drop.
func (b *Board) Start(s Screen, text Text, limit time.Duration) *Line {
	now := time.Now()
	l := &Line{board: b, screen: s, text: text, started: now, until: now.Add(limit),
		quit: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}, 1)}
	b.mu.Lock()
	if b.lines == nil {
		b.lines = map[string][]*Line{}
	}
	others := b.lines[s.Name()]
	l.crowded = len(others) > 0
	b.lines[s.Name()] = append(slices.Clip(others), l)
	b.mu.Unlock()
	for _, o := range others {
		o.change(func() { o.crowded = true })
	}
	go l.draw()
	return l
}

func (b *Board) remove(l *Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := l.screen.Name()
	left := slices.DeleteFunc(slices.Clone(b.lines[name]), func(o *Line) bool { return o == l })
	if b.lines[name] = left; len(left) == 0 {
		delete(b.lines, name)
	}
}

// Acked says that the phone has the request, and that krd waits another limit.
func (l *Line) Acked(limit time.Duration) {
	l.change(func() { l.slow, l.until = false, time.Now().Add(limit) })
}

// Slow says that the phone has not acknowledged the request yet.
func (l *Line) Slow() { l.change(func() { l.slow = true }) }

func (l *Line) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// draw shows the line until the end.
func (l *Line) draw() {
	defer close(l.done)
	tick := time.NewTimer(firstAfter)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.show()
			tick.Reset(every)
		case <-l.changed:
			l.makeRoom()
		case <-l.quit:
			return
		}
	}
}

// show writes the line as it is now.
func (l *Line) show() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.crowded || l.screen.Dumb() || !l.screen.Ready() {
		return
	}
	text := l.text.Wait
	if l.slow {
		text = l.text.Slow
	}
	left := max(0, time.Until(l.until).Round(time.Second))
	count := fmt.Sprintf(" … %ds", int(left.Seconds()))
	width := l.screen.Width() - 1
	text = term.Cut(term.Clean(text), max(1, width-len([]rune(count)))) + count
	l.shown = true
	io.WriteString(l.screen, eraseLine+term.Cut(text, width))
}

// makeRoom takes the line away when others wait in this terminal.
func (l *Line) makeRoom() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.crowded && l.shown && l.screen.Ready() {
		io.WriteString(l.screen, eraseLine)
	}
	l.shown = l.shown && !l.crowded
}

// Approved ends the line with how long it took.
func (l *Line) Approved() {
	took := time.Since(l.started)
	quiet := took < firstAfter
	l.end(func() string {
		if quiet || l.crowded {
			return ""
		}
		return fmt.Sprintf("approved in %.1fs", took.Seconds())
	})
}

// Failed ends the line with why there is no signature, in one line.
func (l *Line) Failed(why string) {
	l.end(func() string {
		if l.crowded && l.text.What != "" {
			return l.text.What + ": " + why
		}
		return why
	})
}

// Drop ends the line and writes nothing: what asked has gone, and the terminal
// is somebody else's by now.
func (l *Line) Drop() { l.end(nil) }

// end waits for draw and leaves the outcome in the line's place.
func (l *Line) end(outcome func() string) {
	l.mu.Lock()
	first := !l.over
	l.over = true
	l.mu.Unlock()
	if !first {
		return
	}
	close(l.quit)
	<-l.done
	l.board.remove(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	if outcome == nil || !l.screen.Ready() {
		return
	}
	text := term.Clean(outcome())
	switch {
	case text != "" && l.screen.Dumb():
		text += endLine
	case text != "":
		text = eraseLine + text + endLine
	case l.shown:
		text = eraseLine
	}
	if text != "" {
		io.WriteString(l.screen, text)
	}
}
