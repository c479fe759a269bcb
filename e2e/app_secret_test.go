package e2e

import (
	"bytes"
	"testing"
)

// TestAppKeepsNoKeyInClear: the files of the browser never hold a wrapped key in
// clear: not when it is made, used, open under a rule, or wrapped for a rule
// that works while the app is closed.
func TestAppKeepsNoKeyInClear(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	page, _ := newAppPage(t, h, true)
	offer, err := h.OfferPairing()
	must(t, err)
	p := openApp(t, h, page, offer.Link)
	// The test gets a copy of what the app makes.
	_, err = Eval[any](page, `(() => {
		const make = crypto.subtle.generateKey.bind(crypto.subtle);
		crypto.subtle.generateKey = async (...args) => {
			const pair = await make(...args);
			globalThis.secret = btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey))));
			return pair;
		};
		return null;
	})()`)
	must(t, err)
	p.pair(offer, wrapped...)
	must(t, h.StartSshd())
	text, err := Eval[string](page, "secret")
	must(t, err)
	pkcs8 := unbase64(t, text)
	if !bytes.HasPrefix(pkcs8, pkcs8Header) {
		t.Fatalf("a key begins with %x", pkcs8[:min(len(pkcs8), 16)])
	}
	patterns := append(clearForms(pkcs8[len(pkcs8Header):]), clearForms(pkcs8Header)...)
	holdsNone := func(when string) {
		t.Helper()
		files, err := ScanProfile(page.browser.Profile, patterns...)
		if must(t, err); len(files) > 0 {
			t.Errorf("%s the profile holds the key in clear: %q", when, files)
		}
	}

	holdsNone("after it was made")
	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	holdsNone("after a login")
	p.allowFor(forHost, "1 h", false)
	p.goesOn("under a rule")
	holdsNone("during a rule")
	p.tap("Revoke")
	must(t, p.Await(`!document.body.innerText.includes("Goes on without asking")`))
	p.allowFor(forHost, "1 h", true)
	p.goesOn("under a rule with the opt-in")
	holdsNone("wrapped for a rule")
	must(t, p.Reload())
	p.sees("also while the app is closed")
	p.goesOn("with both halves")
	holdsNone("opened by a rule")
	must(t, page.browser.Stop())
	holdsNone("after the browser has ended")
}

// TestAppSearchFindsPlainKey: the search above finds a key that is kept in clear.
func TestAppSearchFindsPlainKey(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, false, plain...)
	must(t, p.browser.Stop())
	files, err := ScanProfile(p.browser.Profile, pkcs8Header)
	if must(t, err); len(files) == 0 {
		t.Error("the search finds no key in clear where there is one")
	}
}
