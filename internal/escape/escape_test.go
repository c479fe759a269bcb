package escape

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"kryptonite/internal/attacktest"
)

// TestLog: a record is one line, which steers no terminal and hides
// nothing, whatever names are in it; as JSON it says the same.
func TestLog(t *testing.T) {
	tally := attacktest.New(t, "names in logs")
	for _, evil := range []string{attacktest.Evil, "\u3164", "a\u034f\ufe0f", "\u009b2J", "\u202e", "\U000e0041", "\xff\x9b", "\U000f0000"} {
		for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(Writer(b), nil) },
			"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(Writer(b), nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).With("with", evil).WithGroup("g"+evil).Error(evil, "value", evil, evil, 1, "err", errors.New(evil), "any", []string{evil})
			line, ended := strings.CutSuffix(b.String(), "\n")
			if !ended || strings.ContainsFunc(line, Unseen) || !utf8.ValidString(line) {
				tally.Succeeded("%s: %q is logged as %q", name, evil, b.String())
				continue
			}
			tally.Harmless()
			var back struct{ With, Msg string }
			if want := strings.ToValidUTF8(strings.ReplaceAll(evil, "\xff\x9b", "\ufffd\ufffd"), "\ufffd"); name == "json" && (json.Unmarshal(b.Bytes(), &back) != nil || back.With != want || back.Msg != want) {
				t.Errorf("%q is logged as %s", evil, b.String())
			}
		}
	}
}
