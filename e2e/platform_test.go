package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/storage"

	"kryptonite/internal/webbuild"
)

// Tests of the browser platform below the web phone, in a page of their own.

var platformFiles = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(bin, "platform") // TestMain removes it
	return dir, errors.Join(webbuild.Build(root, dir), webbuild.Bundle(root, "web/test/page.ts", filepath.Join(dir, "page.mjs")))
})

// servePlatform serves the page and returns its origin, under a name: passkeys
// know no addresses.
func servePlatform(t *testing.T) string {
	t.Helper()
	dir, err := platformFiles()
	must(t, err)
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:*; img-src data:; require-trusted-types-for 'script'")
		switch {
		case strings.HasSuffix(r.URL.Path, ".mjs"):
			w.Header().Set("Content-Type", "text/javascript")
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, `<!doctype html><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>platform</title><script type="module" src="/page.mjs"></script>`)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
}

// newBrowser starts a browser, with flags, that ends with the test.
func newBrowser(t testing.TB, profile string, flags ...string) *Browser {
	t.Helper()
	return newBrowserWith(t, nil, profile, flags...)
}

// newBrowserWith is newBrowser with more environment.
func newBrowserWith(t testing.TB, env []string, profile string, flags ...string) *Browser {
	t.Helper()
	browses(t)
	if _, slow := t.(*testing.B); !slow {
		flags = append(flags, "js-flags=--liftoff-only") // no second compiler for code that runs for seconds
	}
	b, err := StartBrowserWith(env, profile, flags...)
	if errors.Is(err, ErrNoChromium) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { b.Kill() })
	return b
}

// newProfile is a directory that goes away although a dying browser writes to it.
func newProfile(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kr-profile-")
	must(t, err)
	t.Cleanup(func() {
		for range 100 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
		}
		t.Error(err)
	})
	return dir
}

// newPage opens a URL in a tab of its own; the page may not complain.
func newPage(t *testing.T, b *Browser, url string) *Page {
	t.Helper()
	p, err := b.Page()
	must(t, err)
	t.Cleanup(func() {
		for _, c := range p.Complaints() {
			t.Errorf("the page complains: %s", c)
		}
	})
	must(t, p.Open(url))
	must(t, p.Await("globalThis.kr"))
	return p
}

// run returns what JavaScript comes to, as if after a tap.
func run[T any](t *testing.T, p *Page, js string) T {
	t.Helper()
	v, err := Tapped[T](p, js)
	must(t, err)
	return v
}

// TestHarness: the tests of pages would notice what goes wrong in one.
func TestHarness(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newProfile(t))
	p, err := b.Page()
	must(t, err)
	must(t, p.Open(servePlatform(t)))
	must(t, p.Await("globalThis.kr"))
	if c := p.Complaints(); len(c) != 0 {
		t.Fatalf("a good page complains: %q", c)
	}
	run[any](t, p, `console.error("one"); setTimeout(() => { throw new Error("two") }); Promise.reject(new Error("three")); null`)
	run[any](t, p, `fetch("/four").then(() => null)`)
	run[any](t, p, `new Promise(r => setTimeout(r, 10)).then(() => null)`)
	all := strings.Join(p.Complaints(), "\n")
	for _, want := range []string{"one", "two", "three", "/four"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in the complaints:\n%s", want, all)
		}
	}
	p.Expect("one|two|three|/four")
	if c := p.Complaints(); len(c) != 0 {
		t.Errorf("what was expected is a complaint: %q", c)
	}
	if size := run[[]float64](t, p, `[innerWidth, innerHeight, devicePixelRatio, navigator.maxTouchPoints > 0 ? 1 : 0]`); fmt.Sprint(size) != "[390 844 2 1]" {
		t.Errorf("the page is %v", size)
	}
	shot := filepath.Join(t.TempDir(), "shot.png")
	must(t, p.Screenshot(shot))
	if png, err := os.ReadFile(shot); err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("no screenshot: %v", err)
	}

	run[any](t, p, `localStorage.setItem("a", "b"); null`)
	s, err := b.Stranger()
	must(t, err)
	must(t, s.Open(run[string](t, p, "location.href")))
	if got := run[*string](t, s, `localStorage.getItem("a")`); got != nil {
		t.Errorf("a stranger reads %q", *got)
	}
}

// TestStore: what was committed is there after a power cut, all of it or nothing.
func TestStore(t *testing.T) {
	t.Parallel()
	origin, profile := servePlatform(t), newProfile(t)
	b := newBrowser(t, profile)
	p := newPage(t, b, origin)
	run[any](t, p, `(async () => {
		globalThis.db = await kr.Database.open(kr.live);
		globalThis.store = kr.idbStore(db);
		globalThis.commit = (...c) => kr.outcome(store.commit(c.map(([key, value]) => ({ key, value })), kr.live));
		await store.load(kr.live);
		await store.commit([{ key: "gone", value: "AAAA" }, { key: "old", value: "AAAA" }], kr.live);
		return null;
	})()`)
	if got := run[string](t, p, `commit(["old", "BBBB"], ["gone", null], ["new", "CCCC"], ["bad", () => 0])`); !strings.Contains(got, "could not be cloned") {
		t.Errorf("an impossible change ends with %q", got)
	}
	load := `kr.idbStore(db).load(kr.live)`
	if got := run[map[string]string](t, p, load); fmt.Sprint(got) != "map[gone:AAAA old:AAAA]" {
		t.Errorf("half a change was made: %v", got)
	}
	// That load took the store over, as another tab would.
	if got := run[string](t, p, `commit(["old", "late"])`); got != "Taken: another tab is the phone now" {
		t.Errorf("a commit of the tab before: %q", got)
	}
	// The browser dies the moment that the commit is said to be durable.
	for round := range 3 {
		run[any](t, p, `(async () => { store = kr.idbStore(db); await store.load(kr.live); return null })()`)
		value := fmt.Sprintf("AAA%d", round)
		if got := run[string](t, p, `commit(["gone", null], ["new", "`+value+`"], ["big", "A".repeat(400000)])`); got != "ok undefined" {
			t.Fatal(got)
		}
		must(t, b.Kill())
		b = newBrowser(t, profile)
		p = newPage(t, b, origin)
		run[any](t, p, `(async () => {
			globalThis.db = await kr.Database.open(kr.live);
			globalThis.commit = (...c) => kr.outcome(store.commit(c.map(([key, value]) => ({ key, value })), kr.live));
			return null;
		})()`)
		got := run[map[string]string](t, p, load)
		if _, there := got["gone"]; there || len(got) != 3 || got["new"] != value || len(got["big"]) != 400000 {
			t.Errorf("after the power cut: %d records, new is %q", len(got), got["new"])
		}
	}
}

// TestStoreGoes: a store that the browser takes away, fills or upgrades says so.
func TestStoreGoes(t *testing.T) {
	t.Parallel()
	origin := servePlatform(t)
	b := newBrowser(t, newProfile(t))
	p := newPage(t, b, origin)
	open := `(async () => {
		globalThis.db = await kr.Database.open(kr.live);
		globalThis.store = kr.idbStore(db);
		await store.load(kr.live);
		globalThis.end = new Promise((r) => db.closed.addEventListener("abort", () => r(db.closed.reason.message)));
		return null;
	})()`
	commit := `kr.outcome(store.commit([{ key: "a", value: "A".repeat(5000000) }], kr.live))`
	quota := 1000.0
	_, err := Command(p, storage.OverrideQuotaForOrigin, storage.OverrideQuotaForOriginParams{Origin: origin, QuotaSize: &quota})
	must(t, err)
	if got := run[string](t, p, "kr.outcome("+open+")"); !strings.Contains(got, "storage is full: make room") {
		t.Errorf("a full disk: %q", got)
	}
	_, err = Command(p, storage.OverrideQuotaForOrigin, storage.OverrideQuotaForOriginParams{Origin: origin})
	must(t, err)
	run[any](t, p, open)
	if got := run[string](t, p, commit); got != "ok undefined" {
		t.Errorf("with room again: %q", got)
	}

	_, err = Command(p, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: origin, StorageTypes: "indexeddb"})
	must(t, err)
	if got := run[string](t, p, "end"); !strings.Contains(got, "storage away") {
		t.Errorf("deleted site data: %q", got)
	}
	if got := run[string](t, p, commit); !strings.Contains(got, "storage away") {
		t.Errorf("a commit after that: %q", got)
	}

	run[any](t, p, open)
	run[any](t, p, `new Promise((resolve, reject) => {
		const r = indexedDB.open("kryptonite", 2);
		r.onsuccess = () => (r.result.close(), resolve(null));
		r.onerror = reject;
	})`)
	if got := run[string](t, p, "end"); !strings.Contains(got, "newer version") {
		t.Errorf("an upgrade in another tab: %q", got)
	}
	if got := run[string](t, p, `kr.outcome(kr.Database.open(kr.live))`); !strings.Contains(got, "reload the app") {
		t.Errorf("an old version of the app: %q", got)
	}
}
