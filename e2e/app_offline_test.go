package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"

	"kryptonite/internal/webapp"
	"kryptonite/internal/webbuild"
)

// appBuild is another build of the app than the one that the programs carry: its
// title tells it. The core is the same.
func appBuild(t *testing.T, title string) (app http.Handler, hash string) {
	t.Helper()
	root, out := t.TempDir(), t.TempDir()
	for _, dir := range []string{"web/src", "web/sw"} {
		must(t, os.CopyFS(filepath.Join(root, dir), os.DirFS("../"+dir)))
	}
	platform, err := platformFiles()
	must(t, err)
	for _, name := range []string{"phone.wasm", "qr.wasm"} {
		must(t, os.Symlink(filepath.Join(platform, name), filepath.Join(out, name)))
	}
	words := filepath.Join(root, "web/src/text/en.ts")
	b := string(read(t, words))
	changed := strings.Replace(b, `app: "Kryptonite"`, fmt.Sprintf("app: %q", title), 1)
	if changed == b {
		t.Fatal("the app has no title to change")
	}
	must(t, os.WriteFile(words, []byte(changed), 0o644))
	must(t, webbuild.App(root, out))
	dir := filepath.Join(out, "app")
	app, err = webapp.New(os.DirFS(dir))
	must(t, err)
	var named struct{ Worker string }
	must(t, json.Unmarshal(read(t, filepath.Join(dir, "build.json")), &named))
	return app, strings.TrimSuffix(strings.TrimPrefix(named.Worker, "/sw-"), ".js")
}

// TestAppWithoutItsServer: the app is kept on the phone. It starts and allows a
// login when its server is gone; when that has another build, or half of one,
// nothing changes before the person says so, and then it does, at once.
func TestAppWithoutItsServer(t *testing.T) {
	t.Parallel()
	first, one := appBuild(t, "Build one")
	second, two := appBuild(t, "Build two")
	var serves atomic.Pointer[http.Handler]
	var ran atomic.Bool // a file of the second build was asked for
	gone := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	half := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/app-") && strings.HasSuffix(r.URL.Path, ".js") {
			webapp.Fail(w, http.StatusNotFound, "not yet")
			return
		}
		second.ServeHTTP(w, r)
	}))
	serves.Store(&first)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, two) {
			ran.Store(true)
		}
		(*serves.Load()).ServeHTTP(w, r)
	}))
	defer srv.Close()
	origin := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)

	h := newHouse(t)
	page, _ := newAppPage(t, h, false)
	_, err := h.Kr("config", "set", "app", origin)
	must(t, err)
	offer, err := h.OfferPairing()
	must(t, err)
	p := openApp(t, h, page, offer.Link)
	p.pair(offer, plain...)
	must(t, h.StartSshd())
	p.Expect(`(?i)ERR_|status of 404|failed`) // its server is gone
	kept := func() {
		t.Helper()
		p.tapIn("nav", "Settings")
		p.sees("starts")
		p.tapIn("nav", "Home")
	}
	kept()

	serves.Store(&gone)
	must(t, p.Reload())
	p.sees("Build one")
	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.tapIn("nav", "Settings")
	p.sees(one)

	// A new build changes nothing, not in its service worker either.
	serves.Store(&second)
	for range 2 {
		must(t, p.Reload())
		p.sees("Build one")
		p.sees("A new version is there.")
		p.sees(two)
	}
	p.shot("update")
	// Nor when the browser looks whether the worker of the old one has changed: it is not there any more.
	_, err = Command(p.Page, network.ClearBrowserCache, cdp.Empty{})
	must(t, err)
	failed, err := Eval[string](p.Page, `navigator.serviceWorker.getRegistration().then((r) => r.update()).then(() => "", String)`)
	must(t, err)
	if failed == "" {
		t.Error("the server still has the old worker")
	}
	must(t, p.Reload())
	p.sees("Build one")
	if ran.Load() {
		t.Error("the new version ran before the person wanted it")
	}

	// One that does not come whole leaves the old one.
	serves.Store(&half)
	p.tap("Update")
	p.sees("This version stays")
	serves.Store(&gone)
	must(t, p.Reload())
	p.sees("Build one")

	serves.Store(&second)
	must(t, p.Reload())
	p.tap("Update")
	p.sees("Build two")
	kept()
	if p.shows("A new version is there.") {
		t.Error("the version that runs is offered")
	}
	names, err := Eval[[]string](p.Page, `caches.keys()`)
	must(t, err)
	if len(names) != 1 || names[0] != "build "+two {
		t.Errorf("the phone keeps %q", names)
	}
	serves.Store(&gone)
	must(t, p.Reload())
	p.sees("Build two")
	done = p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.quiet()
}
