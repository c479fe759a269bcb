package e2e

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focus is what has the keyboard's focus.
type focus struct {
	Says  string
	Can   bool   // something can be done with it
	Fault string // why people do not see that, or should not be there
}

const focused = `(() => {
  const el = document.activeElement;
  const can = el.matches("button, a, input, textarea, [tabindex='0']");
  const says = (el.getAttribute("aria-label") ?? el.labels?.[0]?.innerText ?? el.innerText).trim();
  const fault = () => {
    const [style, r] = [getComputedStyle(el), el.getBoundingClientRect()];
    const dialog = document.querySelector("dialog[open]");
    if (dialog && !dialog.contains(el)) return "is behind a dialog";
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return "is not marked";
    const top = document.elementFromPoint(r.x + r.width / 2, r.y + Math.min(r.height, 44) / 2);
    if (!el.contains(top)) return "is covered by " + top?.outerHTML.slice(0, 80);
    return "";
  };
  return { Says: can ? says : el.tagName + " " + says.slice(0, 80), Can: can, Fault: can ? fault() : "" };
})()`

// reach goes on by the Tab key until what has the focus is wanted.
func (p *tab) reach(what string, wanted func(says string) bool) {
	p.t.Helper()
	var passed []string
	for range 60 {
		must(p.t, p.Do(chromedp.KeyEvent(kb.Tab)))
		at, err := Eval[focus](p.Page, focused)
		must(p.t, err)
		if at.Fault != "" {
			p.t.Errorf("%q has the focus and %s", at.Says, at.Fault)
		}
		if at.Can && wanted(at.Says) {
			return
		}
		passed = append(passed, at.Says)
	}
	p.t.Fatalf("the Tab key does not lead to %s, but by %q", what, passed)
}

// press presses a key at the button that says text, reached by the keyboard, as soon as it can be.
func (p *tab) press(text, key string) {
	p.t.Helper()
	if err := p.Await(fmt.Sprintf(button, text, "body")); err != nil {
		p.t.Fatalf("there is no button %q: %v", text, err)
	}
	p.reach(text, func(says string) bool { return says == text })
	must(p.t, p.Do(chromedp.KeyEvent(key)))
}

// reads waits until the title of what is shown has the focus, which is what a screen reader reads out.
func (p *tab) reads(title string) {
	p.t.Helper()
	if err := p.Await(fmt.Sprintf(`document.activeElement.matches("h1") && document.activeElement.innerText.replace(/\s+/g, " ").includes(%q)`, title)); err != nil {
		at, _ := Eval[focus](p.Page, focused)
		p.t.Fatalf("the title %q does not get the focus, but %q", title, at.Says)
	}
}

// startsWith is for rows, which say more than their title.
func startsWith(prefix string) func(says string) bool {
	return func(says string) bool { return strings.HasPrefix(says, prefix) }
}
