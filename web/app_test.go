package web_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/webapp"
	"kryptonite/web"
)

// TestServable: whatever this program was built with can be served, and if it is
// the app, the hashes are its.
func TestServable(t *testing.T) {
	files, built := web.App()
	if _, err := webapp.New(files); err != nil {
		t.Fatal(err)
	}
	hashes, err := web.Hashes()
	if err != nil || built != (len(hashes) > 0) || built != (hashes["index.html"] != "") {
		t.Errorf("built %v, %d hashes, %v", built, len(hashes), err)
	}
	t.Logf("with the app: %v", built)
}

// overlay is what the go command takes instead of files: an app that is mark in
// many copies, or none.
func overlay(t *testing.T, built bool, mark string) string {
	t.Helper()
	dir := t.TempDir()
	here, err := filepath.Abs("dist/embed")
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	have, err := filepath.Glob("dist/embed/app/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range have {
		replace[filepath.Join(here, "app", filepath.Base(path))] = "" // is not there
	}
	replace[filepath.Join(here, "hashes.json")] = ""
	if built {
		for name, text := range map[string]string{"app/index.html": strings.Repeat(mark, 1<<16), "hashes.json": `{"index.html": "` + mark + `"}`} {
			path := filepath.Join(dir, filepath.Base(name))
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			replace[filepath.Join(here, name)] = path
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWhoCarriesTheApp: kr-relay has the app, kr its hashes only, krd neither;
// and all of them build where nobody built the app.
func TestWhoCarriesTheApp(t *testing.T) {
	const mark = "kx7q-mark-of-the-app-kx7q"
	for _, built := range []bool{false, true} {
		out := t.TempDir()
		cmd := exec.Command("go", "build", "-overlay", overlay(t, built, mark), "-o", out+"/", "../cmd/kr", "../cmd/kr-relay", "../cmd/krd")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("built %v: %v\n%s", built, err, said)
		}
		for _, row := range []struct {
			program    string
			copies     int // of mark, at least
			most, page int
		}{{"kr-relay", 1 << 16, 1<<16 + 9, 1}, {"kr", 1, 9, 0}, {"krd", 0, 0, 0}} {
			b, err := os.ReadFile(filepath.Join(out, row.program))
			if err != nil {
				t.Fatal(err)
			}
			n := bytes.Count(b, []byte(mark))
			if !built && n > 0 || built && (n < row.copies || n > row.most) {
				t.Errorf("built %v: %s has %d copies, want %d to %d", built, row.program, n, row.copies, row.most)
			}
			if got := bytes.Count(b, []byte("was built without the phone app. Build it")); !built && row.page == 1 && got == 0 {
				t.Errorf("%s has no page for those who did not build the app", row.program)
			}
		}
	}
}
