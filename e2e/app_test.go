package e2e

import (
	"slices"
	"strings"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// wrapped is how one makes the usual key.
var wrapped = []string{"Make a protected key"}

// newApp is a house with the phone app open in a browser, its key made, paired,
// and a server that knows the key.
func newApp(t *testing.T, prf bool, makeKey ...string) (*tab, *Authenticator) {
	t.Helper()
	browses(t)
	return newAppFor(t, newHouse(t), prf, makeKey...)
}

// newAppPage starts relay and krd of a house, and a browser with an empty page, whose
// passkeys hold secrets if prf.
func newAppPage(t *testing.T, h *House, prf bool) (*Page, *Authenticator) {
	t.Helper()
	beginLocalhost(t, h)
	page, err := newBrowser(t, newProfile(t)).Page()
	must(t, err)
	a, err := page.Authenticator(prf)
	must(t, err)
	return page, a
}

// newAppFor is newApp with a house of one's own.
func newAppFor(t *testing.T, h *House, prf bool, makeKey ...string) (*tab, *Authenticator) {
	t.Helper()
	page, a := newAppPage(t, h, prf)
	offer, err := h.OfferPairing()
	must(t, err)
	p := openApp(t, h, page, offer.Link)
	p.pair(offer, makeKey...)
	must(t, h.StartSshd())
	return p, a
}

// counted notes the numbers that the app's icon gets.
const counted = `globalThis.counts = [];
navigator.setAppBadge = async (n) => void counts.push(n);
navigator.clearAppBadge = async () => void counts.push(0)`

// TestApp: a first key under a passkey, a pairing by a link that is typed, and
// told to be in use before any login, a login that is allowed, one that is put
// aside and then rejected. All by the keyboard: its focus is seen, goes to each
// new screen and card, and back. Then one that was not the person's, and the end of
// the key.
func TestApp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	page, _ := newAppPage(t, h, true)
	_, err := Command(page, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: counted})
	must(t, err)
	p := openApp(t, h, page, localhost(h))
	p.keyboard = true
	p.reads("Your SSH keys, on this phone")
	p.tap("Make a protected key")
	p.reads("Kryptonite")
	p.sees("Next: pair a computer")
	p.tap("I have a link")
	p.reads("Pair a computer")
	offer, err := h.OfferPairing()
	must(t, err)
	p.reach("the field", startsWith("Or paste the link"))
	must(t, p.Do(chromedp.KeyEvent(offer.Link)))
	p.tap("Open the link")
	p.reads("Pair with this computer?")
	p.press("Pair", " ")
	p.agrees(offer)
	p.reads("Kryptonite")
	must(t, h.StartSshd())

	p.tap("Not now") // to notifications
	p.reads("Kryptonite")
	p.sees("Next: log in")
	done := p.login()
	p.reads("root@")
	p.sees("Proved.")
	p.tap("Allow once")
	must(t, <-done)
	p.sees("approved in")
	p.reads("Kryptonite")
	if p.shows("Next: log in") {
		t.Error("after a login it is still to be done")
	}

	done = p.login()
	p.reads("root@")
	must(t, p.Await(`document.title === "(1) Kryptonite"`))
	must(t, p.Do(chromedp.KeyEvent(kb.Escape)))
	p.reads("Kryptonite")
	p.reach("what waits", startsWith("root@"))
	must(t, p.Do(chromedp.KeyEvent(kb.Enter)))
	p.reads("root@")
	p.press("Reject", " ")
	if err := <-done; err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a rejected login ends with %v", err)
	}
	must(t, p.Await(`document.title === "Kryptonite"`))
	if counts, err := Eval[[]int](page, "counts"); err != nil || !slices.Equal(counts, []int{0, 1, 0, 1, 0}) {
		t.Errorf("the icon had the numbers %d, %v", counts, err)
	}
	must(t, p.Reload())
	p.sees("Recent activity")
	if p.shows("otifications") {
		t.Error("what was put off comes again")
	}
	p.keyboard = false
	p.manages()
	p.quiet()
}

// TestAppKeeps: what the app makes of a login that is allowed and one that is
// rejected: its record, a report; and storage that fails.
func TestAppKeeps(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, true, wrapped...)
	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.sees("approved in")
	done = p.login()
	p.tap("Reject")
	if err := <-done; err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a rejected login ends with %v", err)
	}
	p.recordHolds(2)
	p.settingsHold()
	p.storageFails()
	p.quiet()
}

// TestContinueIsWithdrawn: a rule allows a login whose key is locked; when ssh is
// ended with Ctrl-C before the person went on, the phone stops asking. The next
// login is asked about, and goes through.
func TestContinueIsWithdrawn(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, true, wrapped...)
	p.allowFor(forHost, "1 h", false)
	must(t, p.Reload()) // the page forgets the open key

	given := make(chan error, 1)
	go func() {
		_, err := p.h.run("timeout", "-s", "INT", "4", "ssh", "-F", p.h.Path("ssh_config"), "root@server", "true")
		given <- err
	}()
	p.sees("Continue?")
	if err := <-given; err == nil {
		t.Error("ssh got in although nobody went on")
	}
	must(t, p.Await(`!document.body.innerText.includes("Continue?")`))

	done := p.login()
	p.sees("Continue?")
	p.tap("Continue")
	must(t, <-done)
	p.quiet()
}
