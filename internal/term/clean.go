package term

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"kryptonite/internal/escape"
)

const maxShown = 512 // runes that Clean lets through

// Clean makes text from outside fit to be shown: no control characters and
// with that no escape sequences, no invisible or direction-changing ones, no
// invalid UTF-8, and not without end.
func Clean(s string) string { return CleanMax(s, maxShown) }

// CleanMax is Clean with a limit in runes; what is longer ends in "…".
func CleanMax(s string, limit int) string {
	var b strings.Builder
	n := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == '\n' || r == '\t':
			r = ' '
		case escape.Unseen(r):
			r = utf8.RuneError
		}
		if n == limit {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// printable is text of several lines as it may be printed.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && escape.Unseen(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// Text is Out for text that others put together, such as a table or a log: what
// steers a terminal or hides becomes U+FFFD, and lines and tabs stay.
func (t *IO) Text() io.Writer { return &text{io: t} }

type text struct {
	io   *IO
	held []byte // the beginning of a character
}

func (w *text) Write(b []byte) (int, error) {
	all := append(w.held, b...)
	end := len(all)
	for i := end - 1; i >= max(0, end-utf8.UTFMax); i-- {
		if utf8.RuneStart(all[i]) {
			if !utf8.FullRune(all[i:]) {
				end = i
			}
			break
		}
	}
	w.held = bytes.Clone(all[end:])
	if _, err := io.WriteString(w.io.Out, printable(string(all[:end]))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Draw writes lines to Out as they are: pictures of ours, with their colours.
func (t *IO) Draw(lines []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.progress != nil {
		t.progress.erase()
	}
	io.WriteString(t.Out, strings.Join(lines, "\n")+"\n")
}

// JSON is v for programs, indented by indent, or on one line if that is "". What
// no terminal should get is escaped, and means the same. [RFC 8259] §7.
func JSON(v any, indent string) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil && indent != "" {
		var out bytes.Buffer
		err = json.Indent(&out, b, "", indent)
		b = out.Bytes()
	}
	if err != nil {
		return nil, err
	}
	return escape.Text(b), nil
}
