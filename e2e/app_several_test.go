package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestAppInTwoTabs: two tabs are one phone. The one that people chose has the
// card, and its answer is the only one.
func TestAppInTwoTabs(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, false, plain...)
	done := p.login()
	p.sees("Allow once")
	page, err := p.browser.Page()
	must(t, err)
	q := openApp(t, p.h, page, localhost(p.h))
	q.sees("Open somewhere else")
	q.tap("Use here")
	q.sees("asks to log in")
	p.sees("Open somewhere else")
	if p.shows("Allow once") {
		t.Error("the tab that let go still shows the card")
	}
	q.tap("Allow once")
	must(t, <-done)

	done = p.login()
	q.sees("asks to log in")
	p.tap("Use here")
	q.sees("Open somewhere else")
	p.tap("Allow once")
	must(t, <-done)
	if n := p.phoneLog("Allowed"); n != 2 {
		t.Errorf("two logins, and the phone allowed %d", n)
	}
	p.quiet()
	q.quiet()
}

// TestTwoAppsOneComputer: two browsers are two phones, each with a key of its
// own. A login asks the first; what it rejects the second is not asked.
func TestTwoAppsOneComputer(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, false, plain...)
	first, err := p.h.Kr("me")
	must(t, err)
	page, err := p.browser.Stranger()
	must(t, err)
	offer, err := p.h.OfferPairing()
	must(t, err)
	q := openApp(t, p.h, page, offer.Link)
	q.pair(offer, "Make a weaker key") // there are no passkeys at all here
	both, err := p.h.Kr("me")
	must(t, err)
	keys := strings.SplitAfter(both, "\n")
	if len(keys) != 3 || keys[0] == keys[1] || keys[0] != first {
		t.Fatalf("two phones have the keys %q, the first had %q", keys, first)
	}
	must(t, os.WriteFile(p.h.Path("authorized_keys"), []byte(both), 0o600))

	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.rejects()
	if n := q.phoneLog("Rejected") + q.phoneLog("Allowed"); n != 0 || q.shows("asks to log in") {
		t.Errorf("the second phone was asked %d times", n)
	}

	// Where only the second key is known, the second phone is asked.
	must(t, os.WriteFile(p.h.Path("authorized_keys"), []byte(keys[1]), 0o600))
	done = p.login()
	q.tap("Allow once")
	must(t, <-done)
	if n := p.phoneLog("Allowed"); n != 1 {
		t.Errorf("the first phone allowed %d logins, want 1", n)
	}
	p.quiet()
	q.quiet()
}

// TestAppRelayRestart: the relay dies while a card is open, and comes back: the
// answer gets through, whether it is given before or after.
func TestAppRelayRestart(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, false, plain...)
	p.Expect(`(?i)failed|ERR_|WebSocket`)
	for _, before := range []bool{false, true} {
		done := p.login()
		p.sees("Allow once")
		_, err := p.h.Relay.Stop(syscall.SIGKILL)
		must(t, err)
		if before {
			p.tap("Allow once")
			p.sees("approved in")
		}
		must(t, p.h.StartRelay())
		if !before {
			p.tap("Allow once")
		}
		if err := <-done; err != nil {
			t.Errorf("answered before the relay was back: %t; %v", before, err)
		}
	}
	if n := p.phoneLog("Allowed"); n != 2 {
		t.Errorf("two logins, and the phone allowed %d", n)
	}
	p.quiet()
}
