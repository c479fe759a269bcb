package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is the phone app in a browser, with real kr-relay, krd, ssh and sshd
// around it.
type tab struct {
	*Page
	t        testing.TB
	h        *House
	keyboard bool // nothing is tapped: the Tab key leads there, and Enter presses
}

// openApp opens the relay's app in a page.
func openApp(t testing.TB, h *House, p *Page, link string) *tab {
	t.Helper()
	p.Expect(`status of 401`) // the first poll asks for a nonce
	must(t, p.Open(link))
	t.Cleanup(func() {
		if t.Failed() {
			shown, err := Eval[string](p, "document.visibilityState + `\n` + document.body.innerText")
			t.Logf("the page shows at the end (%v) %s\n%s", err, shown, strings.Join(p.Complaints(), "\n"))
		}
	})
	return &tab{Page: p, t: t, h: h}
}

// sees waits until the screen shows a text.
func (p *tab) sees(text string) {
	p.t.Helper()
	if err := p.Await(fmt.Sprintf("document.body.innerText.includes(%q)", text)); err != nil {
		shown, _ := Eval[string](p.Page, "document.body.innerText")
		p.t.Fatalf("the screen does not show %q (%v), but:\n%s\n%s", text, err, shown, strings.Join(p.Complaints(), "\n"))
	}
}

// shows reports whether the screen shows a text now.
func (p *tab) shows(text string) bool {
	p.t.Helper()
	yes, err := Eval[bool](p.Page, fmt.Sprintf("document.body.innerText.includes(%q)", text))
	must(p.t, err)
	return yes
}

// button finds the one that says text and can be tapped; what is below a dialog
// cannot.
const button = `(() => {
  const says = (b) => (b.getAttribute("aria-label") ?? b.innerText).trim();
  const all = [...document.querySelectorAll(%[2]q + " :is(button, [role=button], a, summary, input[type=checkbox])")].filter((b) => says(b) === %[1]q || (b.labels?.[0]?.innerText ?? "").trim() === %[1]q);
  for (const b of all) {
    if (b.disabled || b.getAttribute("aria-disabled") === "true" || b.closest(".arming")) continue;
    b.since ??= performance.now(); // it rises, but not in a tab behind another, which has no frames
    if (performance.now() < b.since + 1000 && document.getAnimations().some((a) => a.playState === "running" && a.effect.target.contains(b))) continue;
    b.scrollIntoView({ block: "center", behavior: "instant" });
    const r = b.getBoundingClientRect();
    const [x, y] = [r.x + r.width / 2, r.y + r.height / 2];
    const top = document.elementFromPoint(x, y);
    if (top && (b === top || b.contains(top) || top.contains(b))) return [x, y];
  }
  return null;
})()`

// tap taps the button that says text, as soon as it can be.
func (p *tab) tap(text string) {
	p.t.Helper()
	if p.keyboard {
		p.press(text, kb.Enter)
		return
	}
	p.tapIn("body", text)
}

// tapIn is tap for the button in a part of the page, by its selector.
func (p *tab) tapIn(part, text string) {
	p.t.Helper()
	js := fmt.Sprintf(button, text, part)
	if err := p.Await(js); err != nil {
		shown, _ := Eval[string](p.Page, "document.body.innerText")
		p.t.Fatalf("there is no button %q to tap on:\n%s\n%s", text, shown, strings.Join(p.Complaints(), "\n"))
	}
	at, err := Eval[[]float64](p.Page, js)
	must(p.t, err)
	if len(at) != 2 {
		p.t.Fatalf("the button %q went away", text)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
		_, err := chromedp.Call(ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: at[0], Y: at[1], Button: input.MouseButtonLeft, ClickCount: 1})
		must(p.t, err)
	}
}

// types replaces what a field holds, as the keyboard does.
func (p *tab) types(field, text string) {
	p.t.Helper()
	_, err := Tapped[any](p.Page, fmt.Sprintf(`{ const f = document.querySelector(%q); f.focus(); f.select(); } null`, field))
	must(p.t, err)
	_, err = Command(p.Page, input.InsertText, input.InsertTextParams{Text: text})
	must(p.t, err)
}

// pair opens the link of kr pair, makes a key by the button that says so if it is
// the first time, and pairs.
func (p *tab) pair(offer *Pairing, makeKey ...string) {
	p.t.Helper()
	for _, b := range makeKey {
		p.tap(b)
	}
	p.sees("Pair with this computer?")
	p.tap("Pair")
	p.agrees(offer)
}

// agrees compares the words, and says yes on both sides.
func (p *tab) agrees(offer *Pairing) {
	p.t.Helper()
	words, err := offer.Kr.Await(`(?m)^words: ([A-Z]+ [A-Z]+)$`)
	must(p.t, err)
	p.sees("Does the computer show the same words?")
	shown, err := Eval[string](p.Page, `document.querySelector(".words").innerText.trim().replace(/\s+/g, " ")`)
	must(p.t, err)
	if shown != words {
		p.t.Fatalf("kr shows %q, the phone %q", words, shown)
	}
	p.tap("Pair")
	must(p.t, offer.Kr.Type(shown))
	p.sees("uses this phone now") // before any login, for some seconds
	if code, err := offer.Kr.Wait(); code != 0 || err != nil {
		p.t.Fatalf("kr pair: exit %d, %v\n%s", code, err, offer.Kr.Output())
	}
}

// login logs in in the background.
func (p *tab) login() <-chan error {
	done := make(chan error, 1)
	go func() { done <- p.h.Login() }()
	return done
}

// quiet fails the test if the page has complained.
func (p *tab) quiet() {
	p.t.Helper()
	for _, c := range p.Complaints() {
		p.t.Errorf("the page complains: %s", c)
	}
}

// localhost is the relay's origin by a name: passkeys know no addresses.
func localhost(h *House) string { return strings.Replace(h.Origin, "127.0.0.1", "localhost", 1) }

// beginLocalhost is begin, with the relay by its name.
func beginLocalhost(t testing.TB, h *House) {
	t.Helper()
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", localhost(h))
	must(t, err)
	must(t, h.StartKrd())
}
