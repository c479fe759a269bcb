package e2e

import (
	"strings"
	"testing"
)

// wrapped is how one makes the usual key.
var wrapped = []string{"Make a protected key"}

// newApp is a house with the phone app open in a browser, its key made, paired,
// and a server that knows the key.
func newApp(t *testing.T, prf bool, makeKey ...string) (*tab, *Authenticator) {
	t.Helper()
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

// TestApp: a first key under a passkey, a pairing by link that is told to be in
// use before any login, a login that is allowed, one that is rejected, one that was
// not the person's, and the end of the key.
func TestApp(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, true, wrapped...)
	done := p.login()
	p.sees("root")
	p.sees("Proved.")
	p.tap("Allow once")
	must(t, <-done)
	p.sees("approved in")

	done = p.login()
	p.tap("Reject")
	if err := <-done; err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a rejected login ends with %v", err)
	}
	p.manages()
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
