// Package escape finds the characters that no terminal should get from others, and
// writes them so that they can be read:
//
//	"kr\u009b2J"   for   kr, CSI, 2J
//
// In JSON it means the same, and up to U+FFFF in Go's quoted strings, as those of
// log/slog, too. References: [RFC 8259] §7; UAX #44, Default_Ignorable_Code_Point.
package escape

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Unseen reports whether r steers a terminal, or has no picture of its own.
func Unseen(r rune) bool {
	return !unicode.IsPrint(r) || // Cc, Cf (bidi, zero width), Co, Cn, odd spaces
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) // letters and marks without a picture
}

// Text is b with all that is unseen as \uXXXX, but for the ends of lines; what is no
// UTF-8 becomes U+FFFD.
func Text(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, r := range string(b) {
		switch {
		case r == '\n' || !Unseen(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// Writer is w behind Text, for who writes whole characters, as a handler of log/slog,
// which writes a record at once. Names in a log are others' words: slog's TextHandler
// escapes most of what is unseen, and its JSONHandler only what JSON must not hold.
func Writer(w io.Writer) io.Writer { return writer{w} }

type writer struct{ to io.Writer }

func (w writer) Write(b []byte) (int, error) {
	if _, err := w.to.Write(Text(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}
