package e2e

import (
	"os"
	"strings"
	"testing"

	"kryptonite/internal/sshwire"
)

// TestAppWeakerKey: a passkey without PRF cannot lock a key; a weaker one is
// offered, is said to be weaker, and logs in.
func TestAppWeakerKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	page, a := newAppPage(t, h, false)
	p := openApp(t, h, page, localhost(h))
	p.tap("Make a protected key")
	p.sees("The passkey of this phone cannot lock keys (it has no PRF).")
	p.shot("no-prf")
	offer, err := h.OfferPairing()
	must(t, err)
	p.tap("Make a weaker key")
	p.sees("Weaker: kept by the browser, not locked")
	must(t, p.Open(offer.Link))
	p.pair(offer)
	p.sees("Weaker: kept by the browser, not locked")
	p.shot("home-weaker")
	if left, err := a.Credentials(); err != nil || len(left) > 1 {
		t.Errorf("%d passkeys are left, %v", len(left), err)
	}
	must(t, a.Present(false)) // nobody is asked for a weaker key
	must(t, h.StartSshd())
	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.quiet()
}

// TestAppPasskey: a passkey as SSH key logs in to sshd by a client that passes
// its signature on; Debian's ssh does not, and is not offered it.
func TestAppPasskey(t *testing.T) {
	t.Parallel()
	p, a := newApp(t, true, "Other kinds of key", "Use a passkey as SSH key")
	h := p.h
	p.sees("Passkey as SSH key")
	me, err := h.Kr("me")
	must(t, err)
	line, _, _ := strings.Cut(me, "\n")
	if !strings.HasPrefix(line, sshwire.KeyPasskey+" ") {
		t.Fatalf("kr me says %q", me)
	}
	must(t, os.WriteFile(h.Path("authorized_keys"), []byte("verify-required "+line+"\n"), 0o600))
	login := func() <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := passkeyClient(h)
			done <- err
		}()
		return done
	}
	done := login()
	p.sees("root")
	p.shot("card-unknown")
	p.tap("Allow once")
	must(t, <-done)
	p.sees("approved in")

	// The finger is not the right one: the card says that nothing was signed.
	must(t, a.Verified(false))
	done = login()
	p.tap("Allow once")
	if err := <-done; err == nil {
		t.Error("a passkey whose person was not verified logged in")
	}
	p.sees("Not signed")
	p.shot("not-signed")

	if err := h.Login(); err == nil || !strings.Contains(err.Error(), "Permission denied (publickey)") {
		t.Errorf("Debian's ssh ends with %v", err)
	}
	if _, err := h.Krd.Await(`passkeys are not offered to this client`); err != nil {
		t.Error(err)
	}
	p.quiet()
}
