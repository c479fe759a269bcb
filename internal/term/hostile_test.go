package term

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestCleanTable(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":              {"root@example.com", "root@example.com"},
		"other scripts":      {"Zürich 東京 שלום", "Zürich 東京 שלום"},
		"escape sequence":    {"a\x1b[31mb", "a\ufffd[31mb"},
		"title sequence":     {"\x1b]0;owned\a", "\ufffd]0;owned\ufffd"},
		"C1 CSI":             {"a\u009b31mb", "a\ufffd31mb"},
		"raw C1 byte":        {"a\x9b31mb", "a\ufffd31mb"},
		"line breaks, tabs":  {"a\nb\tc", "a b c"},
		"carriage return":    {"good\rbad", "good\ufffdbad"},
		"backspace, delete":  {"a\bb\x7f", "a\ufffdb\ufffd"},
		"nul":                {"a\x00b", "a\ufffdb"},
		"bidi override":      {"a\u202eb\u2066c\u200f", "a\ufffdb\ufffdc\ufffd"},
		"zero width":         {"a\u200bb\u200dc\ufeff", "a\ufffdb\ufffdc\ufffd"},
		"soft hyphen":        {"a\u00adb", "a\ufffdb"},
		"line separators":    {"a\u2028b\u2029c", "a\ufffdb\ufffdc"},
		"odd spaces":         {"a\u00a0b\u3000c", "a\ufffdb\ufffdc"},
		"invisible letters":  {"a\u3164b\u115fc\uffa0", "a\ufffdb\ufffdc\ufffd"},
		"grapheme joiner":    {"a\u034fb", "a\ufffdb"},
		"variation selector": {"a\ufe00b\U000e0100", "a\ufffdb\ufffd"},
		"tags":               {"a\U000e0041b", "a\ufffdb"},
		"private use":        {"a\ue000b", "a\ufffdb"},
		"invalid UTF-8":      {"a\xff\xc3(b", "a\ufffd\ufffd(b"},
		"cut rune":           {"a\xe2\x82", "a\ufffd\ufffd"},
		"empty":              {"", ""},
		"as long as allowed": {strings.Repeat("é", maxShown), strings.Repeat("é", maxShown)},
		"longer":             {strings.Repeat("é", maxShown+1), strings.Repeat("é", maxShown) + "…"},
	} {
		if got := Clean(c.in); got != c.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", name, c.in, got, c.want)
		}
	}
	for _, c := range []struct {
		limit    int
		in, want string
	}{{0, "", ""}, {0, "a", "…"}, {3, "abc", "abc"}, {3, "abcd", "abc…"}, {1, "\x1b\x1b", "\ufffd…"}} {
		if got := CleanMax(c.in, c.limit); got != c.want {
			t.Errorf("CleanMax(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

// FuzzCleanMax: what comes out can be shown, whatever came in, and cleaning twice
// changes nothing more.
func FuzzCleanMax(f *testing.F) {
	for _, s := range []string{"a", "\x1b[0m", "\u202e", "\xff", "a\u3164\ufe0f", "a\x1b]0;title\x07b\u009b\u2066\r\n", strings.Repeat("x", 600)} {
		f.Add(s, 16)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit &= 1023
		out := CleanMax(s, limit)
		if !utf8.ValidString(out) || utf8.RuneCountInString(out) > limit+1 {
			t.Errorf("CleanMax(%q, %d) = %q", s, limit, out)
		}
		for _, r := range out {
			if !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
				t.Errorf("CleanMax(%q, %d) shows %U", s, limit, r)
			}
		}
		if again := CleanMax(out, limit+1); again != out {
			t.Errorf("CleanMax twice: %q, then %q", out, again)
		}
	})
}

// TestQRSizes pins how large the codes are: a usual link fits 80x24.
func TestQRSizes(t *testing.T) {
	for n, size := range map[int][2]int{95: {41, 21}, 127: {45, 23}, 148: {45, 23}, 152: {49, 25}, 250: {57, 29}} {
		q, err := NewQR(link(n))
		if err != nil {
			t.Fatal(err)
		}
		if cols, rows := q.Size(); cols != size[0] || rows != size[1] {
			t.Errorf("%d characters are %d x %d, want %d x %d", n, cols, rows, size[0], size[1])
		}
	}
	for name, l := range map[string]string{"nothing": "", "two #": "HTTPS://A/#B#C", "small letters after #": "HTTPS://A/#abc"} {
		if _, err := NewQR(l); err == nil {
			t.Errorf("%s: a code was made", name)
		}
	}
}

// link is a pairing link of n characters.
func link(n int) string {
	payload := strings.Repeat("A2B3C4D5E6F7", 7)[:79]
	host := strings.Repeat("PHONE-APP.EXAMPLE.", 20)
	return "HTTPS://" + host[:n-len("HTTPS:///#")-len(payload)] + "/#" + payload
}

func BenchmarkQR(b *testing.B) {
	l := link(127)
	for b.Loop() {
		q, err := NewQR(l)
		if err != nil {
			b.Fatal(err)
		}
		q.Lines()
	}
}

// newIO is a terminal that is none: in is typed, the buffers are written.
func newIO(in io.Reader) (t *IO, out, errs *bytes.Buffer) {
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	return &IO{Program: "kr", In: in, Out: out, Err: errs}, out, errs
}

func TestFailSaysWhatToDo(t *testing.T) {
	problem := &Problem{Err: errors.New("no phone is paired"), Hints: []string{"pair one: kr pair", "see: kr help"}, Code: 3}
	for name, c := range map[string]struct {
		err  error
		code int
		want string
	}{
		"success":            {nil, 0, ""},
		"reader left":        {fmt.Errorf("write: %w", syscall.EPIPE), 0, ""},
		"plain":              {errors.New("it broke"), 1, "kr: error: it broke\n"},
		"escape in an error": {errors.New("it \x1b[2Jbroke\nkr: hint: do evil"), 1, "kr: error: it \ufffd[2Jbroke kr: hint: do evil\n"},
		"interrupted":        {fmt.Errorf("pair: %w", ErrInterrupted), 130, "kr: interrupted\n"},
		"context":            {fmt.Errorf("pair: %w", context.Canceled), 130, "kr: interrupted\n"},
		"hints and code":     {problem, 3, "kr: error: no phone is paired\nkr: hint:  pair one: kr pair\nkr: hint:  see: kr help\n"},
		"wrapped":            {fmt.Errorf("list: %w", problem), 3, "kr: error: list: no phone is paired\nkr: hint:  pair one: kr pair\nkr: hint:  see: kr help\n"},
		"problem, no code":   {&Problem{Err: errors.New("x")}, 1, "kr: error: x\n"},
	} {
		io, out, errs := newIO(strings.NewReader(""))
		if code := io.Fail(c.err); code != c.code || errs.String() != c.want || out.Len() != 0 {
			t.Errorf("%s: Fail = %d, %q, want %d, %q", name, code, errs, c.code, c.want)
		}
	}
}

func TestNothingHereIsATerminal(t *testing.T) {
	io, out, errs := newIO(strings.NewReader(""))
	if _, _, ok := io.Size(); ok || io.InTTY() || io.OutTTY() || io.ErrTTY() {
		t.Error("a buffer is taken for a terminal")
	}
	io.Printf("%d", 1)
	io.Sayf("%d", 2)
	if out.String() != "1" || errs.String() != "2" {
		t.Errorf("Out = %q, Err = %q", out, errs)
	}
}

func TestReadLine(t *testing.T) {
	full := strings.Repeat("x", maxLine-1)
	for name, c := range map[string]struct {
		in   string
		want []string // then io.EOF, or an error when bad
		bad  bool
	}{
		"lines":              {"one\ntwo\n", []string{"one", "two"}, false},
		"no line end":        {"one\ntwo", []string{"one", "two"}, false},
		"windows":            {"one\r\n\r\n", []string{"one", ""}, false},
		"nothing":            {"", nil, false},
		"a long line":        {full + "\n", []string{full}, false},
		"a line too long":    {"one\n" + full + "xx\ntwo\n", []string{"one"}, true},
		"a line without end": {strings.Repeat("y", 1<<20), nil, true},
	} {
		io_, _, _ := newIO(strings.NewReader(c.in))
		for _, want := range c.want {
			if got, err := io_.ReadLine(t.Context()); got != want || err != nil {
				t.Errorf("%s: ReadLine = %.20q, %v, want %.20q", name, got, err, want)
			}
		}
		got, err := io_.ReadLine(t.Context())
		if got != "" || err == nil || errors.Is(err, io.EOF) == c.bad {
			t.Errorf("%s: at the end: %.20q, %v", name, got, err)
		}
		if _, err := io_.ReadLine(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the end: %v, want io.EOF", name, err)
		}
	}
}

// TestReadLineWaitsNoLongerThanItsContext: the line that comes too late is for
// the next question.
func TestReadLineWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, typed := io.Pipe()
		io_, _, _ := newIO(in)
		why := errors.New("the pairing is over")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
		defer cancel()
		if _, err := io_.Confirm(ctx, "Same?"); !errors.Is(err, why) {
			t.Errorf("Confirm = %v, want the context's cause", err)
		}
		go func() { typed.Write([]byte("late\n")); typed.Close() }()
		if got, err := io_.ReadLine(t.Context()); got != "late" || err != nil {
			t.Errorf("ReadLine = %q, %v, want the late line", got, err)
		}
		if _, err := io_.ReadLine(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("ReadLine = %v, want io.EOF", err)
		}
	})
}

func TestOnlyYesIsYes(t *testing.T) {
	for in, want := range map[string]bool{
		"y\n": true, "Y\n": true, "yes\n": true, " YES \n": true, "y": true,
		"": false, "\n": false, "n\n": false, "no\n": false, "yep\n": false, "y y\n": false, "\x1by\n": false,
	} {
		io, out, errs := newIO(strings.NewReader(in))
		if got, err := io.Confirm(t.Context(), "Does your phone show that?"); got != want || err != nil {
			t.Errorf("Confirm after %q = %v, %v, want %v", in, got, err, want)
		}
		if !strings.HasPrefix(errs.String(), "Does your phone show that? [y/N] ") || out.Len() != 0 {
			t.Errorf("it asked %q on Err and %q on Out", errs, out)
		}
	}
	io, _, _ := newIO(strings.NewReader(strings.Repeat("y", 5000)))
	if got, err := io.Confirm(t.Context(), "?"); got || err == nil {
		t.Errorf("an endless answer: %v, %v", got, err)
	}
}
