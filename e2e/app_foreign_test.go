package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"kryptonite/internal/attacktest"
)

// foreign is what a page of another origin tries with the app at APP, whose script
// is SCRIPT: null, or the name of what the browser says to it, for each.
const foreign = `(async () => {
  const out = {};
  const tried = async (name, f) => { try { out[name] = await f(); } catch (err) { out[name] = err.name; } };
  const errand = { id: "1", errand: { type: "decide", pairing: "", request: "", allow: true } };
  const messages = ["keep", errand, errand.errand, { hash: "", why: "evil" }, { type: "SKIP_WAITING" }, "<img src=x onerror=pwned=1>"];
  const frame = document.createElement("iframe");
  const loaded = new Promise((done) => (frame.onload = frame.onerror = done));
  frame.src = APP;
  document.body.append(frame);
  await loaded;
  for (const m of messages) frame.contentWindow.postMessage(m, "*");
  await tried("inside of the frame", () => frame.contentWindow.document.title);
  const tab = open(APP, "app");
  for (let i = 0; i < 600 && !tab.closed; i++) {
    for (const m of messages) tab.postMessage(m, "*");
    await new Promise((done) => setTimeout(done, 50));
  }
  out["a handle on the tab"] = tab.closed ? "Cut" : "kept";
  await tried("what the tab shows", () => tab.document.title);
  await tried("the page", async () => (await fetch(APP)).text());
  await tried("the script", async () => Object.keys(await import(SCRIPT)).join());
  await tried("a worker", () => { new Worker(SCRIPT); return "made"; });
  await tried("a service worker", async () => (await navigator.serviceWorker.register(SCRIPT)).scope);
  await tried("the kept files", async () => (await caches.keys()).join() || "Nothing");
  await tried("the database", async () => (await indexedDB.databases()).map((d) => d.name).join() || "Nothing");
  return out;
})()`

// foreignPage opens a page of another origin beside the app, which frames it, opens
// it, sends it messages and asks for what is the app's. It gets nothing, and the
// app notices nothing.
func (p *tab) foreignPage(tally *attacktest.Tally) {
	p.t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><body><link rel=icon href=data:,>")
	}))
	defer srv.Close()
	const state = `[location.href, document.querySelectorAll("dialog").length, document.querySelectorAll("main .row").length, "pwned" in globalThis].join()`
	before, err := Eval[string](p.Page, state)
	must(p.t, err)
	script, err := Eval[string](p.Page, `document.querySelector("script[type=module]").src`)
	must(p.t, err)
	evilPage, err := p.browser.Page()
	must(p.t, err)
	defer evilPage.Close()
	must(p.t, evilPage.Open(srv.URL))
	js := strings.NewReplacer("APP", fmt.Sprintf("%q", localhost(p.h)+"/"), "SCRIPT", fmt.Sprintf("%q", script)).Replace(foreign)
	out, err := Tapped[map[string]string](evilPage, js)
	must(p.t, err)
	for what, want := range map[string]string{
		"inside of the frame": "SecurityError", "a handle on the tab": "Cut", "what the tab shows": "SecurityError", "the page": "TypeError", "the script": "TypeError",
		"a worker": "SecurityError", "a service worker": "SecurityError", "the kept files": "Nothing", "the database": "Nothing",
	} {
		if out[what] != want {
			tally.Succeeded("%s: a page of another origin gets %q, want %s", what, out[what], want)
		} else {
			tally.Rejected()
		}
	}
	if said := strings.Join(evilPage.Complaints(), "\n"); !strings.Contains(said, "frame-ancestors") {
		tally.Succeeded("the app may be framed; the browser says only %q", said)
	} else {
		tally.Rejected()
	}
	if after, err := Eval[string](p.Page, state); err != nil || after != before {
		tally.Succeeded("the app is %q, %v; before it was %q", after, err, before)
	}
}
