package term

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// TestQRFitsAndReads draws links of several lengths, reads the drawing as a
// camera does, and finds the link; the usual one fits 80x24.
func TestQRFitsAndReads(t *testing.T) {
	for _, hostLen := range []int{9, 20, 50, 60, 120, 250} {
		link := "HTTPS://" + strings.Repeat("H", hostLen) + "/#" + strings.Repeat("A2", 39) + "Z"
		q, err := NewQR(link)
		if err != nil {
			t.Fatal(err)
		}
		cols, rows := q.Size()
		if len(link) <= 145 && (cols > 45 || rows > 23) {
			t.Errorf("%d characters need %dx%d, want 45x23", len(link), cols, rows)
		}
		lines := q.Lines()
		if len(lines) != rows {
			t.Fatalf("%d lines, Size says %d", len(lines), rows)
		}
		if got := scan(t, lines, cols); got != link {
			t.Errorf("read %q, want %q", got, link)
		}
	}
	for _, bad := range []string{"no fragment", "lower#CASE", "HTTPS://A/#" + strings.Repeat("A", 5000)} {
		if _, err := NewQR(bad); err == nil {
			t.Errorf("%.20q is drawn", bad)
		}
	}
}

// scan paints the half blocks, 4 pixels a module, and reads the picture.
func scan(t *testing.T, lines []string, cols int) string {
	t.Helper()
	const px = 4
	img := image.NewGray(image.Rect(0, 0, cols*px, 2*len(lines)*px))
	for y, l := range lines {
		inner, ok1 := strings.CutPrefix(l, "\x1b[30;107m")
		inner, ok2 := strings.CutSuffix(inner, "\x1b[0m")
		if !ok1 || !ok2 || len([]rune(inner)) != cols {
			t.Fatalf("line %d is not black on white, %d wide", y, cols)
		}
		for x, r := range []rune(inner) {
			for i := range px * 2 * px {
				c := color.Gray{Y: 255}
				top := i/px < px
				if r == '█' || top && r == '▀' || !top && r == '▄' {
					c.Y = 0
				}
				img.SetGray(x*px+i%px, 2*y*px+i/px, c)
			}
		}
	}
	bmp, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	res, err := qrcode.NewQRCodeReader().Decode(bmp, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res.GetText()
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcode 電": "plain ünïcode 電", "esc\x1b[2Jx": "esc\ufffd[2Jx", "c1\u009bx": "c1\ufffdx", "nul\x00": "nul\ufffd",
		"a\nb\tc": "a b c", "bidi\u202ex\u2066y": "bidi\ufffdx\ufffdy", "zero\u200bwidth\ufeff": "zero\ufffdwidth\ufffd",
		"bad\xff": "bad\ufffd", "": "",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := CleanMax(strings.Repeat("x", 100), 5); got != "xxxxx…" {
		t.Errorf("CleanMax = %q", got)
	}
}

func TestFail(t *testing.T) {
	var out bytes.Buffer
	io := &IO{Program: "kr", Err: &out, Out: &out}
	code := io.Fail(&Problem{Err: errors.New("no\x1b phone"), Hints: []string{"run: kr pair"}, Code: 3})
	if want := "kr: error: no\ufffd phone\nkr: hint:  run: kr pair\n"; code != 3 || out.String() != want {
		t.Errorf("exit %d, %q, want 3, %q", code, out.String(), want)
	}
	for err, want := range map[error]int{nil: 0, errors.New("x"): 1, context.Canceled: 130, ErrInterrupted: 130} {
		if got := io.Fail(err); got != want {
			t.Errorf("Fail(%v) = %d, want %d", err, got, want)
		}
	}
}

func TestConfirmAndLines(t *testing.T) {
	var out bytes.Buffer
	io := &IO{In: strings.NewReader("y\nYES \nno\n\nsure\n" + strings.Repeat("x", maxLine+1)), Err: &out}
	for i, want := range []bool{true, true, false, false, false} {
		if got, err := io.Confirm(t.Context(), "sure?"); err != nil || got != want {
			t.Errorf("answer %d: %v, %v, want %v", i, got, err, want)
		}
	}
	if _, err := io.ReadLine(t.Context()); err == nil {
		t.Error("a line without end is read")
	}
	if got, err := io.Confirm(t.Context(), "sure?"); err != nil || got {
		t.Errorf("the end of input: %v, %v, want no", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	blocked := &IO{In: blockedReader{make(chan struct{})}, Err: &out}
	if _, err := blocked.ReadLine(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadLine after the end: %v", err)
	}
	out.Reset()
	if yes, err := blocked.Confirm(ctx, "sure?"); yes || !errors.Is(err, context.Canceled) || out.String() != "sure? [y/N] \n" {
		t.Errorf("a question that is over: %v, %v, %q", yes, err, out.String())
	}
}

type blockedReader struct{ ch chan struct{} }

func (b blockedReader) Read([]byte) (int, error) { <-b.ch; return 0, nil }
