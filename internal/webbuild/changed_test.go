package webbuild_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/appcheck"
)

// TestOneChangedByte: kr check --app notices one other bit in any file of the app,
// at its start, in its middle and at its end, and a byte more or less; and says so
// of no other file.
func TestOneChangedByte(t *testing.T) {
	out := released(t)
	app := plainOf(contents(t, filepath.Join(out, "app")))
	var hashes map[string]string
	must(t, json.Unmarshal([]byte(contents(t, out)["hashes.json"]), &hashes))
	var changed, instead string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "index.html"
		}
		b := app[name]
		if name == changed {
			b = instead
		}
		w.Write([]byte(b))
	}))
	defer srv.Close()
	rt := appcheck.Transport()
	differ := func(hashes map[string]string) (names []string) {
		t.Helper()
		files, err := appcheck.Check(t.Context(), rt, srv.URL, hashes)
		must(t, err)
		if len(files) != len(hashes) {
			t.Fatalf("%d files of %d", len(files), len(hashes))
		}
		for _, f := range files {
			if f.State != appcheck.Same {
				names = append(names, f.Path+" is "+string(f.State))
			}
		}
		return names
	}
	if names := differ(hashes); len(names) > 0 {
		t.Fatalf("unchanged: %q", names)
	}
	if len(hashes) < 10 {
		t.Errorf("the app has %d files only", len(hashes))
	}
	for name, hash := range hashes {
		b := app[name]
		flipped := func(i int) string { return b[:i] + string([]byte{b[i] ^ 1}) + b[i+1:] }
		only := map[string]string{name: hash}
		changed = name
		for _, instead = range []string{flipped(0), flipped(len(b) / 2), flipped(len(b) - 1), b + "\n", b[:len(b)-1]} {
			if names := differ(only); len(names) != 1 || names[0] != name+" is different" {
				t.Errorf("a change of %s: %q", name, names)
			}
		}
	}
	changed, instead = "index.html", app["index.html"]+" "
	if names := differ(hashes); len(names) != 1 || names[0] != "index.html is different" {
		t.Errorf("a change of the page: %q", names)
	}
}
