package e2e

import (
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
)

// TestAppDead: a core that does not come says that the phone has stopped, and
// why, and starts again when it can.
func TestAppDead(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	beginLocalhost(t, h)
	page, err := newBrowser(t, newProfile(t)).Page()
	must(t, err)
	_, err = Command(page, network.Enable, network.EnableParams{})
	must(t, err)
	block := func(patterns ...*network.BlockPattern) {
		_, err := Command(page, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: patterns})
		must(t, err)
	}
	block(&network.BlockPattern{URLPattern: "*://*:*/*.wasm", Block: true})
	page.Expect(`ERR_BLOCKED_BY_CLIENT`)
	p := openApp(t, h, page, localhost(h))
	p.sees("The phone has stopped")
	p.sees("Nothing was lost")
	p.sees("a part of the app could not be loaded")
	p.shot("dead")
	block()
	p.tap("Start again")
	p.sees("Your SSH keys, on this phone")
	p.quiet()
}

// shownAt notes when the core can be called, and when the first screen of a phone
// at work is drawn.
const shownAt = `let ready;
Object.defineProperty(globalThis, "krReady", { get: () => ready, set: (f) => (ready = f && ((call) => {
	globalThis.coreAt = performance.now();
	f(call);
})) });
new MutationObserver((_, o) => {
	if (!document.querySelector("main h1") || document.querySelector("main .start, .loading")) return;
	o.disconnect();
	requestAnimationFrame(() => setTimeout(() => globalThis.shownAt = performance.now()));
}).observe(document, { subtree: true, childList: true })`

// BenchmarkAppStart is the time from the navigation to a phone at work, with a
// CPU four times slower: the first time (cold), and with all in the cache (warm).
// The goal is a second.
func BenchmarkAppStart(b *testing.B) {
	h := newHouse(b)
	beginLocalhost(b, h)
	browser := newBrowser(b, newProfile(b))
	var cold, warm, core, bytes []float64
	open := func(p *Page) float64 {
		must(b, p.Open(localhost(h)))
		must(b, p.Await("globalThis.shownAt"))
		ms, err := Eval[float64](p, "globalThis.shownAt")
		must(b, err)
		return ms
	}
	for b.Loop() {
		p, err := browser.Stranger()
		must(b, err)
		_, err = Command(p, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4})
		must(b, err)
		_, err = Command(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: shownAt})
		must(b, err)
		cold = append(cold, open(p))
		at, err := Eval[float64](p, "globalThis.coreAt")
		must(b, err)
		core = append(core, at)
		size, err := Eval[float64](p, `performance.getEntries().reduce((n, e) => n + (e.encodedBodySize ?? 0), 0)`)
		must(b, err)
		bytes = append(bytes, size)
		if len(cold) == 1 {
			marks, err := Eval[[]string](p, `performance.getEntries().map((e) => [e.entryType, e.name.split("/").pop(), Math.round(e.startTime), Math.round(e.responseEnd ?? 0), e.encodedBodySize ?? ""].join(" "))`)
			must(b, err)
			for _, m := range marks {
				b.Log(m)
			}
		}
		open(p) // compiled code is kept from the second time on
		warm = append(warm, open(p))
		p.Close()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(core), "cold-core-ms")
	b.ReportMetric(median(cold), "cold-ms")
	b.ReportMetric(median(warm), "warm-ms")
	b.ReportMetric(median(bytes), "first-bytes")
	b.Logf("cold %.0f, warm %.0f", cold, warm)
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}
