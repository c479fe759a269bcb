package term

import (
	"errors"
	"fmt"
	"strings"

	"rsc.io/qr/coding"
)

const quiet = 4 // modules around the code, [ISO/IEC 18004] §5.3.8

// QR is a QR code drawn for a terminal.
type QR struct {
	code *coding.Code
}

// NewQR encodes a pairing link, HEAD#TAIL in QR's alphanumeric capitals, at
// level L in the smallest version: two alphanumeric segments around a '#'.
func NewQR(link string) (*QR, error) {
	head, tail, ok := strings.Cut(link, "#")
	if !ok {
		return nil, errors.New("qr: the link has no '#'")
	}
	segments := []coding.Encoding{coding.Alpha(head), coding.String("#"), coding.Alpha(tail)}
	for v := coding.Version(coding.MinVersion); v <= coding.MaxVersion; v++ {
		bits := 0
		for _, s := range segments {
			if err := s.Check(); err != nil {
				return nil, fmt.Errorf("qr: %w", err)
			}
			bits += s.Bits(v)
		}
		if bits > 8*v.DataBytes(coding.L) {
			continue
		}
		plan, err := coding.NewPlan(v, coding.L, 0)
		if err != nil {
			return nil, fmt.Errorf("qr: %w", err)
		}
		code, err := plan.Encode(segments...)
		if err != nil {
			return nil, fmt.Errorf("qr: %w", err)
		}
		return &QR{code}, nil
	}
	return nil, errors.New("qr: the link is too long")
}

// Size is the drawing's columns and lines.
func (q *QR) Size() (cols, rows int) {
	n := q.code.Size + 2*quiet
	return n, (n + 1) / 2
}

// Lines draws the code with half blocks, black on white whatever the theme.
func (q *QR) Lines() []string {
	n := q.code.Size + 2*quiet
	black := func(x, y int) bool { return q.code.Black(x-quiet, y-quiet) }
	var out []string
	for y := 0; y < n; y += 2 {
		var b strings.Builder
		b.WriteString("\x1b[30;107m")
		for x := range n {
			switch top, bottom := black(x, y), black(x, y+1); {
			case top && bottom:
				b.WriteRune('█')
			case top:
				b.WriteRune('▀')
			case bottom:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m")
		out = append(out, b.String())
	}
	return out
}
