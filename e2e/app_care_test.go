package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/storage"
)

// recordHolds: the chain of the phone's log holds, ends as the computer saw it end,
// and is exported so that kr verifies it.
func (p *tab) recordHolds(entries int) {
	p.t.Helper()
	p.tapIn("nav", "Activity")
	p.tap("Verify the chain")
	p.sees(fmt.Sprintf("The chain holds: entries 1 to %d.", entries))
	dir := p.t.TempDir()
	_, err := Command(p.Page, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir})
	must(p.t, err)
	p.tap("Export JSON")
	var exported string // its path
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if all, _ := filepath.Glob(filepath.Join(dir, "kryptonite-log-*.jsonl")); len(all) == 1 {
			if file, err := os.Stat(all[0]); err == nil && file.Size() > 0 {
				exported = all[0]
				break
			}
		}
		if time.Now().After(deadline) {
			p.t.Fatal("nothing was downloaded")
		}
	}
	seen, err := p.h.Kr("log", "verify", "--file", exported)
	must(p.t, err)
	mark := regexp.MustCompile(`(?m)^\d+:[0-9a-f]{16}`).FindString(seen)
	if !strings.Contains(seen, fmt.Sprintf("entries 1 to %d\n", entries)) || !strings.Contains(seen, "yes, that was this log") || !p.shows(mark) {
		p.t.Errorf("kr log verify says of the export:\n%s", seen)
	}
}

// themed waits until the page has a background, with a theme chosen unless it is "".
func (p *tab) themed(theme, background string) {
	p.t.Helper()
	if theme != "" {
		_, err := Eval[any](p.Page, fmt.Sprintf(`{ const s = document.querySelector("#theme"); s.value = %q; s.dispatchEvent(new Event("change")); } null`, theme))
		must(p.t, err)
	}
	if err := p.Await(fmt.Sprintf(`getComputedStyle(document.documentElement).backgroundColor === %q`, background)); err != nil {
		p.t.Errorf("%s: the background is not %s: %v", theme, background, err)
	}
}

// stored is every text in the app's database, with bytes as base64.
const stored = `(async () => {
	const of = (r) => new Promise((yes, no) => { r.onsuccess = () => yes(r.result); r.onerror = () => no(r.error); });
	const db = await of(indexedDB.open("kryptonite"));
	const texts = [];
	const walk = (v) => {
		if (typeof v === "string") texts.push(v);
		else if (v instanceof ArrayBuffer || ArrayBuffer.isView(v)) texts.push(btoa(String.fromCharCode(...new Uint8Array(v.buffer ?? v))));
		else if (typeof v === "object" && v !== null && !(v instanceof CryptoKey)) Object.values(v).forEach(walk);
	};
	for (const r of await of(db.transaction("records").objectStore("records").getAll())) {
		let value = atob(r);
		try { value = JSON.parse(value); } catch {}
		walk(value);
	}
	for (const t of ["keys", "settings"]) walk(await of(db.transaction(t).objectStore(t).getAll()));
	db.close();
	return texts;
})()`

// settingsHold: looks that were chosen stay, and a report holds nothing of what is
// stored.
func (p *tab) settingsHold() {
	p.t.Helper()
	const light, dark = "rgb(243, 245, 243)", "rgb(13, 18, 15)"
	p.tapIn("nav", "Settings")
	p.themed("dark", dark)
	must(p.t, p.Reload())
	p.themed("", dark)
	p.tapIn("nav", "Settings")
	p.themed("light", light)
	p.themed("system", light)
	p.sees("used of")

	p.tap("Show them")
	p.sees("1: relay up") // it was opened a moment ago
	report, err := Eval[string](p.Page, `document.querySelector(".report").innerText`)
	must(p.t, err)
	for _, has := range []string{"storage: ", "keys: 1 wrapped", "log: 2 entries"} {
		if !strings.Contains(report, has) {
			p.t.Errorf("the report does not say %q:\n%s", has, report)
		}
	}
	texts, err := Eval[[]string](p.Page, stored)
	must(p.t, err)
	secrets := 0
	for _, text := range texts {
		if len(text) >= 8 && strings.Contains(report, text) {
			p.t.Errorf("the report says %q:\n%s", text, report)
		}
		if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) >= 16 {
			secrets++
			if how := find([]byte(report), b); how != "" {
				p.t.Errorf("the report holds %x in %s", b, how)
			}
		}
	}
	if secrets < 10 || strings.Contains(report, strings.TrimPrefix(localhost(p.h), "http://")) {
		p.t.Errorf("%d secrets are stored; the report is\n%s", secrets, report)
	}
}

// noRoom makes the browser abort what is written next, as it does without room. A
// quota by the debugger takes hold of small writes only half a minute later.
const noRoom = `{
	const put = IDBObjectStore.prototype.put;
	Object.defineProperty(IDBTransaction.prototype, "error", { get: () => new DOMException("", "QuotaExceededError") });
	IDBObjectStore.prototype.put = function (...of) {
		const tx = this.transaction;
		queueMicrotask(() => { try { tx.abort(); } catch {} });
		return put.apply(this, of);
	};
} null`

// storageFails: a decision that finds no room is not made, and waits for the next
// start; storage that the browser takes away, even in the middle of a question, ends
// the phone, and is not a blank start.
func (p *tab) storageFails() {
	p.t.Helper()
	p.Expect(`storage|favicon`)
	done := p.login()
	p.sees("Allow once")
	_, err := Eval[any](p.Page, noRoom)
	must(p.t, err)
	p.tap("Allow once")
	p.sees("Nothing can be stored")
	p.sees("storage is full: make room")
	select {
	case err := <-done:
		p.t.Errorf("the login ended with %v although its decision was not stored", err)
	default:
	}
	p.tap("Start again")
	p.sees("asks to log in")
	p.tap("Allow once")
	must(p.t, <-done)
	if n := p.phoneLog("Allowed"); n != 2 {
		p.t.Errorf("the phone allowed %d logins, want 2", n)
	}

	// While it asks, all that it keeps is taken away, its files too.
	done = p.login()
	p.sees("Allow once")
	_, err = Command(p.Page, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: localhost(p.h), StorageTypes: "indexeddb,cache_storage"})
	must(p.t, err)
	p.sees("taken this app's storage away")
	select {
	case err := <-done:
		p.t.Errorf("the login ended with %v although nobody answered", err)
	default:
	}
	p.tap("Start again")
	p.sees("The keys that were here are gone.")
	p.shot("lost")
}
