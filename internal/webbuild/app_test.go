package webbuild_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"kryptonite/internal/appcheck"
	"kryptonite/internal/webapp"
	"kryptonite/internal/webbuild"
)

// maxFirst is what a phone downloads before it is ready: page, script, styles
// and core, in bytes by brotli.
const maxFirst = 1_300_000

var first = regexp.MustCompile(`^(index\.html|app-[0-9a-f]{16}\.(js|css)|phone-[0-9a-f]{16}\.wasm)$`)

// contents reads all files below dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		out[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// copyTree copies what a build reads to another place.
func copyTree(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{"cmd/phone-wasm", "cmd/qr-wasm", "internal", "vectors", "web/src", "web/sw", "web/node"} {
		if err := os.CopyFS(filepath.Join(root, dir), os.DirFS("../../"+dir)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile("../../" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(root, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// release makes a release of these sources in shared, over what older ones left.
var (
	shared  string
	release = sync.OnceValue(func() error {
		old := map[string]string{"app/phone-old.wasm.br": "", "embed/app/old.js": "", "embed/placeholder/index.html": "x"}
		// Compress looks what is in them, so those of the last build only save time.
		br, err := filepath.Glob("../../web/dist/app/*.br")
		if err != nil {
			return err
		}
		gz, err := filepath.Glob("../../web/dist/app/*.gz")
		if err != nil {
			return err
		}
		for _, path := range append(br, gz...) {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			old["app/"+filepath.Base(path)] = string(b)
		}
		for name, b := range old {
			path := filepath.Join(shared, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(b), 0o644)); err != nil {
				return err
			}
		}
		return webbuild.Release("../..", shared)
	})
)

func TestMain(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "kr-release-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(shared)
	os.Exit(code)
}

// released is where the one release of these tests is.
func released(t *testing.T) string {
	t.Helper()
	must(t, release())
	return shared
}

// TestBuild: the app builds with Go alone, and is what the hashes say.
func TestBuild(t *testing.T) {
	out := released(t)
	app := plainOf(contents(t, filepath.Join(out, "app")))
	if _, ok := contents(t, filepath.Join(out, "app"))["phone-old.wasm.br"]; ok {
		t.Error("what an older build left is still there")
	}
	var hashes map[string]string
	must(t, json.Unmarshal([]byte(contents(t, out)["hashes.json"]), &hashes))
	if a, h := slices.Sorted(maps.Keys(app)), slices.Sorted(maps.Keys(hashes)); !slices.Equal(a, h) {
		t.Errorf("the app has %q, hashes.json %q", a, h)
	}
	hashed := regexp.MustCompile(`-([0-9a-f]{16})\.[a-z]+$`)
	for name, b := range app {
		sum := sha256.Sum256([]byte(b))
		if hashes[name] != hex.EncodeToString(sum[:]) {
			t.Errorf("hashes.json is wrong for %s", name)
		}
		if len(b) > appcheck.MaxFile {
			t.Errorf("%s has %d bytes: too many for kr check", name, len(b))
		}
		if m := hashed.FindStringSubmatch(name); m != nil && !strings.HasPrefix(hashes[name], m[1]) {
			t.Errorf("%s has the SHA-256 %s", name, hashes[name])
		}
	}

	// What a page names is there: a page that starts has all it needs.
	for page, least := range map[string]int{"index.html": 4, "manifest.webmanifest": 4, "build.json": 1} {
		names := regexp.MustCompile(`"/([^"]+\.[a-z]+)"`).FindAllStringSubmatch(app[page], -1)
		if len(names) < least {
			t.Errorf("%s names %q", page, names)
		}
		for _, m := range names {
			if _, ok := app[m[1]]; !ok {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
	script := app[only(t, app, `^app-.*\.js$`)]
	for _, name := range []string{"phone", "qr"} {
		if wasm := only(t, app, "^"+name+`-.*\.wasm$`); !strings.Contains(script, `"/`+wasm+`"`) {
			t.Errorf("the script does not know %s", wasm)
		}
	}
	// What is not needed at once is no part of the first download.
	if part := only(t, app, `^bluetooth-.*\.js$`); !strings.Contains(script, `import("/`+part+`")`) {
		t.Errorf("the script does not know %s", part)
	}
	worker := app[only(t, app, `^sw-.*\.js$`)]
	if wasm := only(t, app, `^phone-.*\.wasm$`); !strings.Contains(worker, `"/`+wasm+`"`) {
		t.Errorf("the service worker does not know %s", wasm)
	}
	// The worker's hash says all others.
	for name, b := range app {
		sum := sha256.Sum256([]byte(b))
		entry := fmt.Sprintf("%q:%q", "/"+strings.TrimPrefix(name, "index.html"), base64.StdEncoding.EncodeToString(sum[:]))
		if other := name == "build.json" || strings.HasPrefix(name, "sw-"); strings.Contains(worker, entry) == other {
			t.Errorf("whether the service worker has %s is not %t", entry, !other)
		}
	}
	for name, js := range map[string]string{"script": script, "service worker": worker} {
		if !strings.Contains(js, "importObject") {
			t.Errorf("the %s does not bring wasm_exec.js", name)
		}
	}
	// Under the policy an inline script or style would silently not run.
	if inline := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script(?:[^>]*)>[^<]`).FindString(app["index.html"]); inline != "" {
		t.Errorf("index.html has %q in it", inline)
	}
	for name, size := range map[string]int{"icon-192": 192, "icon-512": 512, "maskable-512": 512, "apple-180": 180} {
		cfg, err := png.DecodeConfig(strings.NewReader(app[only(t, app, "^"+name+`-.*\.png$`)]))
		if err != nil || cfg.Width != size || cfg.Height != size {
			t.Errorf("%s: %d x %d, %v", name, cfg.Width, cfg.Height, err)
		}
	}
	if _, err := webapp.New(os.DirFS(filepath.Join(out, "app"))); err != nil {
		t.Error("it cannot be served:", err)
	}
}

func only(t *testing.T, files map[string]string, pattern string) string {
	t.Helper()
	re, found := regexp.MustCompile(pattern), ""
	for name := range files {
		if re.MatchString(name) {
			if found != "" {
				t.Fatalf("%s and %s match %s", found, name, pattern)
			}
			found = name
		}
	}
	if found == "" {
		t.Fatalf("nothing matches %s", pattern)
	}
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReproducible: sources at another place give the same app.
func TestReproducible(t *testing.T) {
	there := t.TempDir()
	must(t, webbuild.Build(copyTree(t), there))
	a, b := plainOf(contents(t, released(t))), contents(t, there)
	for name := range a {
		if strings.HasPrefix(name, "embed/") {
			delete(a, name)
		}
	}
	for _, files := range []map[string]string{a, b} {
		delete(files, "node/phone.mjs") // its comments name places
	}
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s differs", name)
		}
	}
	if len(a) != len(b) || len(a) < 11 {
		t.Errorf("%d and %d files", len(a), len(b))
	}
}

// plainOf leaves out what is compressed.
func plainOf(files map[string]string) map[string]string {
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz") })
	return files
}

// TestRelease: what is compressed holds the app, is small enough to download,
// and is what gets embedded.
func TestRelease(t *testing.T) {
	out := released(t)
	app := filepath.Join(out, "app")
	files := contents(t, app)
	total := 0
	for name := range files {
		if first.MatchString(name) {
			n := len(files[name+".br"])
			if n == 0 || n >= len(files[name+".gz"]) || len(files[name+".gz"]) >= len(files[name]) {
				t.Errorf("%s: %d bytes, %d by gzip, %d by brotli", name, len(files[name]), len(files[name+".gz"]), n)
			}
			t.Logf("%s: %d bytes, %d by brotli", name, len(files[name]), n)
			total += n
		}
	}
	t.Logf("first download: %d bytes", total)
	if total > maxFirst {
		t.Errorf("the first download has %d bytes by brotli, at most %d are allowed", total, maxFirst)
	}

	packed := contents(t, filepath.Join(out, "embed"))
	core := only(t, files, `^phone-.*\.wasm$`)
	for _, name := range []string{"app/" + core, "app/old.js"} {
		if _, ok := packed[name]; ok {
			t.Errorf("%s is embedded", name)
		}
	}
	if packed["placeholder/index.html"] != "x" || packed["hashes.json"] != contents(t, out)["hashes.json"] || packed["app/"+core+".br"] != files[core+".br"] {
		t.Error("what is embedded is not the app")
	}
	if _, err := webapp.New(os.DirFS(filepath.Join(out, "embed", "app"))); err != nil {
		t.Error("what is embedded cannot be served:", err)
	}
}

// TestCompressLooksInside: a file that claims to be another, compressed, is not
// believed.
func TestCompressLooksInside(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)) }
	write("a.js", strings.Repeat("old ", 100))
	write("b.png", "\x01\x7f\x03")
	must(t, webbuild.Compress(dir))
	old := contents(t, dir)
	if len(old) != 4 {
		t.Errorf("files %q", slices.Collect(maps.Keys(old)))
	}
	write("a.js", strings.Repeat("new ", 100))
	write("b.png.gz", "x")
	must(t, webbuild.Compress(dir))
	now := contents(t, dir)
	if now["a.js.br"] == old["a.js.br"] || now["a.js.gz"] == old["a.js.gz"] || len(now) != 4 {
		t.Errorf("what was compressed of the old file stays: %d files", len(now))
	}
}
