package daemon

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// TestNotes: of a directory's files, those that make sense are taken, and one of a
// newer krd, a damaged or a misplaced one keeps krd from nothing.
func TestNotes(t *testing.T) {
	d := newDaemon(t)
	var log bytes.Buffer
	d.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	type note struct{ ID string }
	for name, version := range map[string]int{"a": 1, "b": 1, "newer": recordVersion + 1} {
		if err := d.cfg.Dir.WriteJSON("notes/"+name+".json", version, note{name}); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"damaged.json": "{", "other.txt": "x", "stray.json": `{"version":1,"data":{"ID":"a"}}`} {
		if err := d.cfg.Dir.WriteFile("notes/"+name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := eachNote(d, "notes", "what was lost", func(n note) string { return "notes/" + n.ID + ".json" },
		func(n note) error { got = append(got, n.ID); return nil })
	if err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, want := range []string{"what was lost", "damaged.json.damaged-", "newer.json is of version", "file=notes/stray.json"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log has not once %q:\n%s", want, log.String())
		}
	}
}
