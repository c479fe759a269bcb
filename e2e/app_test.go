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

// newAppFor is newApp with a house of one's own.
func newAppFor(t *testing.T, h *House, prf bool, makeKey ...string) (*tab, *Authenticator) {
	t.Helper()
	beginLocalhost(t, h)
	page, err := newBrowser(t, newProfile(t)).Page()
	must(t, err)
	a, err := page.Authenticator(prf)
	must(t, err)
	offer, err := h.OfferPairing()
	must(t, err)
	p := openApp(t, h, page, offer.Link)
	p.pair(offer, makeKey...)
	must(t, h.StartSshd())
	return p, a
}

// TestApp: a first key under a passkey, a pairing by link, a login that is
// allowed, one that is rejected, one that ssh gives up.
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
	p.quiet()
}
