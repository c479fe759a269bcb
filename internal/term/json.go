package term

import (
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns v as JSON whose every character can be shown: encoding/json leaves
// DEL, C1 controls (an 8-bit CSI among them), and what is invisible or changes the
// direction as they are; here they are escapes (\u009b), which mean the same to who
// reads JSON. Objects are indented by indent, "" for one line.
func JSON(v any, indent string) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", indent)
	if indent == "" {
		b, err = json.Marshal(v)
	}
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r != '\n' && unseen(r) {
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		} else {
			out = append(out, b[:size]...)
		}
		b = b[size:]
	}
	return out, nil
}

// unseen reports whether r has no picture of its own on a screen.
func unseen(r rune) bool {
	return !unicode.IsPrint(r) || // Cc, Cf (bidi, zero width), Co, Cn, odd spaces
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) // letters and marks without a picture
}
