package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/webbuild"
)

// galleryDir is where pictures of the screens go, when it is set.
var galleryDir = os.Getenv("GALLERY")

// The screens must do under a policy that is no weaker than the app's.
const galleryCSP = "default-src 'none'; script-src 'self'; style-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// axePath is where npm puts axe, which looks for faults of accessibility.
const axePath = "../web/node_modules/axe-core/axe.min.js"

//go:embed testdata/gallery.js
var galleryChecks string

// startGallery serves the gallery and opens a tab for it.
func startGallery(t *testing.T) (tab context.Context, url string) {
	t.Helper()
	dir := t.TempDir()
	if err := webbuild.Bundle("..", "web/gallery/main.ts", filepath.Join(dir, "gallery.mjs")); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"../web/gallery/index.html": "index.html", "../web/src/ui/style.css": "style.css"} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := http.FileServer(http.Dir(dir))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", galleryCSP)
		if strings.HasSuffix(r.URL.Path, ".mjs") {
			w.Header().Set("Content-Type", "text/javascript")
		}
		switch r.URL.Path {
		case "/axe.mjs":
			http.ServeFile(w, r, axePath)
			return
		case "/favicon.ico":
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)

	// Screens name the address that the app comes from.
	const host = "phone.example.com"
	page, err := newBrowser(t, newProfile(t), "lang=en-GB", "host-resolver-rules=MAP "+host+" "+srv.Listener.Addr().String(), "use-fake-device-for-media-stream").Page()
	must(t, err)
	t.Cleanup(func() {
		for _, c := range page.Complaints() {
			t.Errorf("the console says %s", c)
		}
	})
	return page.ctx, "http://" + host
}

func openScreen(t *testing.T, tab context.Context, url, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url+"/?screen="+name)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("document.documentElement.dataset.ready !== undefined")); err != nil {
		t.Fatalf("%s does not get ready: %v", name, err)
	}
}

func galleryEval[T any](t *testing.T, tab context.Context, js string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, 60*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.80s: %v", js, err)
	}
	return v
}

func setTheme(t *testing.T, tab context.Context, theme string) {
	t.Helper()
	_, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	if err != nil {
		t.Fatal(err)
	}
}

func setSize(t *testing.T, tab context.Context, width, height int64) {
	t.Helper()
	scale := 1.0 // nobody looks, and fewer pixels take less time
	if galleryDir != "" {
		scale = 2
	}
	if err := chromedp.Do(tab, chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale), chromedp.EmulateMobile)); err != nil {
		t.Fatal(err)
	}
}

// in CSS pixels, and the size of text in percent. Dark and hostile screens are shown at the first two.
var gallerySizes = []struct{ width, height, text int64 }{{390, 844, 100}, {360, 740, 100}, {320, 568, 100}, {390, 844, 200}, {320, 568, 200}, {1280, 800, 100}}

// TestGallery shows every screen in both themes, at the sizes of phones, with
// huge text and with hostile names: nothing leaves the screen, buttons are
// large enough, and axe finds no serious fault. Then each text of its View is an
// attack, by walking the type: none becomes an element or runs. With GALLERY=DIR it takes
// pictures.
func TestGallery(t *testing.T) {
	t.Parallel()
	_, err := os.Stat(axePath)
	axe := err == nil
	if !axe {
		if os.Getenv("CI") != "" {
			t.Fatal("axe is missing (cd web && npm ci): ", err)
		}
		t.Log("not checked: accessibility (cd web && npm ci)")
	}
	const tabs = 2 // no other test computes as long
	for n := range tabs {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			gallery(t, axe, func(screen int) bool { return screen%tabs == n })
		})
	}
}

// gallery shows some of the screens in a tab.
func gallery(t *testing.T, axe bool, some func(screen int) bool) {
	tab, url := startGallery(t)
	openScreen(t, tab, url, "home")
	names := galleryEval[[]string](t, tab, "gallery.names")
	if len(names) < 50 {
		t.Fatalf("only %d screens", len(names))
	}
	only := os.Getenv("GALLERY_ONLY")
	tally := attacktest.New(t, "markup and scripts in each text of each screen")
	for i, name := range names {
		if !some(i) || !slices.ContainsFunc(strings.Split(only, ","), func(part string) bool { return strings.Contains(name, part) }) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			openScreen(t, tab, url, name)
			galleryEval[bool](t, tab, galleryChecks+"; true")
			hostile := strings.HasPrefix(name, "hostile-")
			lookAt(t, tab, name, "light", hostile)
			if axe && !hostile {
				galleryEval[bool](t, tab, "import('./axe.mjs').then(() => true)")
				checkAccess(t, tab)
			}
			if hostile {
				return
			}
			lookAt(t, tab, name, "dark", true)
			if axe {
				checkAccess(t, tab)
			}
			came := galleryEval[poisoned](t, tab, "gallery.poison()")
			for _, fault := range came.Faults {
				tally.Succeeded("evil texts: %s", fault)
			}
			for range came.Shown {
				tally.Harmless()
			}
		})
	}
}

// poisoned is what came of attacks in all texts of a View, and in how many
// drawings one was to be read.
type poisoned struct {
	Faults []string `json:"faults"`
	Shown  int      `json:"shown"`
}

// lookAt looks for faults in the layout of the screen that is open, and leaves
// it at the first size. Few sizes are enough where only colours or names differ.
func lookAt(t *testing.T, tab context.Context, name, theme string, few bool) {
	t.Helper()
	setTheme(t, tab, theme)
	sizes := gallerySizes
	if few {
		sizes = sizes[:2]
	}
	for _, size := range sizes {
		setSize(t, tab, size.width, size.height)
		galleryEval[bool](t, tab, fmt.Sprintf("document.documentElement.style.fontSize = '%d%%'; true", size.text))
		for _, fault := range galleryEval[[]string](t, tab, "faults()") {
			t.Errorf("%s, %dx%d, text of %d %%: %s", theme, size.width, size.height, size.text, fault)
		}
		if galleryDir == "" {
			continue
		}
		png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
		must(t, err)
		file := fmt.Sprintf("%s-%s-%d", name, theme, size.width)
		if size.text != 100 {
			file += "-text"
		}
		must(t, os.WriteFile(filepath.Join(galleryDir, file+".png"), png, 0o644))
	}
	setSize(t, tab, 390, 844)
	galleryEval[bool](t, tab, "document.documentElement.style.fontSize = ''; true")
}

func checkAccess(t *testing.T, tab context.Context) {
	t.Helper()
	for _, fault := range galleryEval[[]string](t, tab, "accessible()") {
		t.Errorf("axe: %s", fault)
	}
}

// calls are the actions that the screens have called.
func calls(t *testing.T, tab context.Context) string {
	t.Helper()
	b, err := json.Marshal(galleryEval[[]string](t, tab, "gallery.calls.map((c) => c[0])"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
