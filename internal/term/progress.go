package term

import (
	"io"
	"time"
)

// progressEvery is how often the line may change: screen readers follow.
const progressEvery = time.Second

const eraseLine = "\r\x1b[K" // [ECMA-48] §8.3.41, EL

// Progress is one line on Err that is replaced while a person waits. It shows
// itself only on a terminal that can erase a line (not TERM=dumb), and changes
// at most once a second. What IO prints meanwhile goes above it. Its methods
// are safe for concurrent use.
type Progress struct {
	io *IO // io.mu guards what is below
	w  io.Writer

	text  string // wanted
	shown bool
	last  time.Time   // of the last change
	later *time.Timer // will show text; nil when text is shown
	over  bool
}

// Progress starts a line. It ends with Done. One at a time: a new one takes the
// place of one that was not ended.
func (t *IO) Progress() *Progress {
	p := &Progress{io: t, w: t.Err}
	if !t.ErrTTY() || t.env("TERM") == "dumb" {
		p.over = true
		return p
	}
	t.show(p)
	return p
}

// show makes p the line that is shown.
func (t *IO) show(p *Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.progress != nil {
		t.progress.end()
	}
	t.progress = p
}

// Show wants the line to be text, at once or when the second is over.
func (p *Progress) Show(text string) {
	p.io.mu.Lock()
	defer p.io.mu.Unlock()
	if p.over {
		return
	}
	p.text = text
	if p.later != nil {
		return // it will take the newest text
	}
	if wait := progressEvery - time.Since(p.last); wait > 0 && !p.last.IsZero() {
		p.later = time.AfterFunc(wait, p.tick)
		return
	}
	p.draw()
}

func (p *Progress) tick() {
	p.io.mu.Lock()
	defer p.io.mu.Unlock()
	if p.over {
		return
	}
	p.later = nil
	p.draw()
}

// draw shows text on one line, cut to the terminal's width.
func (p *Progress) draw() {
	p.last, p.shown = time.Now(), true
	// A rune may take two columns: cut early rather than wrap.
	io.WriteString(p.w, eraseLine+Cut(Clean(p.text), width(p.w)-1))
}

// erase makes room for other output. The next Show draws again.
func (p *Progress) erase() {
	if p.shown {
		io.WriteString(p.w, eraseLine)
		p.shown = false
	}
}

func (p *Progress) end() {
	p.over = true
	if p.later != nil {
		p.later.Stop()
	}
	p.erase()
}

// Done ends the line and leaves text in its place, or nothing when text is "".
// Where no line is shown, text is not either.
func (p *Progress) Done(text string) {
	p.io.mu.Lock()
	defer p.io.mu.Unlock()
	if p.over {
		return
	}
	p.end()
	if p.io.progress == p {
		p.io.progress = nil
	}
	if text != "" {
		io.WriteString(p.w, Clean(text)+"\n")
	}
}

// Cut shortens s to n columns, counting two for a rune beyond Latin, Greek and
// Cyrillic.
func Cut(s string, n int) string {
	cols := 0
	for i, r := range s {
		w := 1
		if r >= 0x1100 && (r < 0x2000 || r > 0x27ff) {
			w = 2
		}
		if cols += w; cols > n-1 && len(s[i:]) > len(string(r)) || cols > n {
			return s[:i] + "…"
		}
	}
	return s
}
