package term

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzJSON: what is printed for programs can be shown to people, too, and says the
// same.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"plain", "Zürich 東京", "\x1b[2J\a", "\u009b31m\x7f", "\u202e\u2066\u200f", "a\u3164\ufe0f\U000e0041", "\u2028\xff\ufffd", "\U000f0000\U0001f511"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, indent := range []string{"", "  "} {
			b, err := JSON(map[string]any{"a": s, s: 1}, indent)
			if err != nil {
				t.Fatal(err)
			}
			if shown := strings.ReplaceAll(string(b), "\n", ""); CleanMax(shown, len(shown)) != shown || !utf8.Valid(b) {
				t.Errorf("JSON(%q) shows %q", s, b)
			}
			var back map[string]any
			if err := json.Unmarshal(b, &back); err != nil || s != "a" && back["a"] != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
				t.Errorf("JSON(%q) = %s, %v", s, b, err)
			}
		}
	})
}
