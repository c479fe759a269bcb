package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

var (
	appKills = flag.Int("appkills", 10, "how often the browser is killed, at pairings and at logins together")
	appSeed  = flag.Uint64("appseed", 5, "where these kills take their luck from")
)

// plain is how one makes a key where there are no passkeys that wrap any.
var plain = []string{"Make a protected key", "Make a weaker key"}

// thumb taps for a person who says yes to everything, as soon as it can be. The
// page does it itself, as it may die any moment.
func (p *tab) thumb(on ...string) error {
	names, err := json.Marshal(on)
	if err != nil {
		return err
	}
	_, err = Eval[any](p.Page, fmt.Sprintf(`(() => {
		setInterval(() => {
			for (const b of document.querySelectorAll("button")) {
				if (%s.includes(b.innerText.trim()) && !b.closest(".arming") && b.getAttribute("aria-disabled") !== "true") return b.click();
			}
		}, 20);
		return null;
	})()`, names))
	return err
}

// again starts a browser with the profile of one that was killed, and the app.
func (p *tab) again(t testing.TB, profile, link string) *tab {
	t.Helper()
	page, err := newBrowser(t, profile).Page()
	must(t, err)
	return openApp(t, p.h, page, link)
}

// phoneLog counts the entries of the phone's log, as Activity shows them.
func (p *tab) phoneLog(decision string) int {
	p.t.Helper()
	p.tapIn("nav", "Activity")
	p.sees("Activity")
	n, err := Eval[int](p.Page, fmt.Sprintf(`[...document.querySelectorAll("main .sub strong")].filter((s) => s.innerText === %q).length`, decision))
	must(p.t, err)
	p.tapIn("nav", "Home")
	return n
}

// killed is what a kill of the browser left: a tab of the next browser, and
// whether the login that was under way, or came next, succeeded.
type killed struct {
	*tab
	in bool
}

// killsOfAHouse: a relay grants one sender 120 mailboxes an hour (docs/protocol.md
// 5.2), of which a pairing takes up to four, and one anew as many; and Activity shows 100 entries at once.
const killsOfAHouse = 12

// appKillStory kills the browser n times, in one house after the other. With its
// profile it goes on: the keys are there, logins work, and the phone has allowed each
// once.
func appKillStory(t *testing.T, n int, luck uint64, kill func(p *tab, profile string, wait time.Duration) killed) {
	t.Helper()
	t.Logf("again with: -appseed %d", *appSeed)
	random := rand.New(rand.NewPCG(*appSeed, luck))
	for ; n > 0; n -= killsOfAHouse {
		t.Run(fmt.Sprint(n, " to go"), func(t *testing.T) {
			p, _ := newApp(t, false, plain...)
			profile := p.browser.Profile
			me, err := p.h.Kr("me")
			must(t, err)
			good := 0
			for range min(n, killsOfAHouse) {
				wait := time.Duration(random.IntN(1200)) * time.Millisecond
				left := kill(p, profile, wait)
				p = left.tab
				if left.in {
					good++
				}
				if now, err := p.h.Kr("me"); err != nil || now != me {
					t.Fatalf("killed after %s: kr me was %q and is %q, %v", wait, me, now, err)
				}
			}
			if n := p.phoneLog("Allowed"); n != good {
				t.Errorf("%d logins went through, and the phone allowed %d", good, n)
			}
		})
	}
}

// TestAppKilledAtLogin: the browser dies at any moment of a login, which goes on
// when the app is opened again.
func TestAppKilledAtLogin(t *testing.T) {
	t.Parallel()
	appKillStory(t, *appKills-*appKills*3/10, 1, func(p *tab, profile string, wait time.Duration) killed {
		done := p.login()
		must(p.t, p.thumb("Allow once"))
		time.Sleep(wait) // the moment is the point
		must(p.t, p.browser.Kill())
		p = p.again(p.t, profile, localhost(p.h))
		must(p.t, p.thumb("Allow once"))
		err := <-done
		if err != nil {
			p.t.Errorf("killed after %s: %v", wait, err)
		}
		return killed{p, err == nil}
	})
}

// TestAppKilledAtPairing: the browser dies at any moment of a pairing, which
// goes on when the app is opened again, or is begun anew.
func TestAppKilledAtPairing(t *testing.T) {
	t.Parallel()
	appKillStory(t, *appKills*3/10, 2, func(p *tab, profile string, wait time.Duration) killed {
		p = p.killedPairing(profile, wait)
		must(p.t, p.thumb("Allow once"))
		err := p.h.Login()
		if err != nil {
			p.t.Errorf("killed after %s, the next login: %v\n%s", wait, err, p.h.Krd.Output())
		}
		return killed{p, err == nil}
	})
}

// killedPairing unpairs the computer, and pairs it again while the browser dies.
func (p *tab) killedPairing(profile string, wait time.Duration) *tab {
	p.t.Helper()
	for _, id := range p.h.paired(p.t) {
		_, err := p.h.Kr("unpair", id, "--yes")
		must(p.t, err)
	}
	offer, err := p.h.OfferPairing()
	must(p.t, err)
	must(p.t, p.Open(offer.Link))
	must(p.t, p.Await("document.querySelector('h1')"))
	must(p.t, p.thumb("Pair"))
	time.Sleep(wait)
	must(p.t, p.browser.Kill())
	p = p.again(p.t, profile, localhost(p.h))
	must(p.t, p.thumb("Pair", "Go to Home"))
	// The computer's owner sees the words, or gives up.
	if words, err := offer.Kr.AwaitFor(2*time.Second, `(?m)^words: ([A-Z]+ [A-Z]+)$`); err == nil {
		must(p.t, offer.Kr.Type(words))
		if code, err := offer.Kr.Wait(); code == 0 && err == nil {
			return p
		}
	}
	p.t.Logf("killed after %s, it has to be paired anew", wait)
	_, err = offer.Kr.Stop(syscall.SIGINT)
	must(p.t, err)
	if offer, err = p.h.OfferPairing(); err != nil {
		p.t.Fatal(err)
	}
	must(p.t, p.Open("about:blank"))
	must(p.t, p.Open(offer.Link))
	p.pair(offer)
	return p
}

// TestAppPairedAnew: a pairing stopped at its words while the page was away; the link
// of the next one, which opens the app, is not lost to them.
func TestAppPairedAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	page, _ := newAppPage(t, h, false)
	offer, err := h.OfferPairing()
	must(t, err)
	p := openApp(t, h, page, offer.Link)
	for _, b := range append(plain, "Pair") {
		p.tap(b)
	}
	p.sees("Does the computer show the same words?")
	must(t, p.Open("about:blank"))
	must(t, p.Open(offer.Link)) // the same code once more
	p.tap("Pair")
	p.sees("Does the computer show the same words?")
	must(t, p.Open("about:blank"))
	_, err = offer.Kr.Stop(syscall.SIGINT)
	must(t, err)
	offer, err = h.OfferPairing()
	must(t, err)
	must(t, p.Open(offer.Link))
	p.pair(offer)
}
