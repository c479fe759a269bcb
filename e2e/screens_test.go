package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// buttonAt is the middle of the button that says words.
const buttonAt = `(words) => {
	const b = [...document.querySelectorAll("dialog[open] button, main button")].find((b) => (b.getAttribute("aria-label") ?? b.textContent).trim() === words);
	if (!b) throw new Error("no button says " + words);
	b.scrollIntoView({ block: "nearest" });
	const r = b.getBoundingClientRect();
	return [r.left + r.width / 2, r.top + r.height / 2];
}`

// galleryTap presses the button that says words, with a mouse that is really there.
func galleryTap(t *testing.T, tab context.Context, words string) {
	t.Helper()
	p := galleryEval[[]float64](t, tab, "("+buttonAt+")('"+words+"')")
	if err := chromedp.Do(tab, chromedp.MouseClickXY(p[0], p[1])); err != nil {
		t.Fatal(err)
	}
	galleryEval[bool](t, tab, "new Promise((done) => setTimeout(() => done(true), 50))")
}

// gallerySettle waits until buttons work.
func gallerySettle(t *testing.T, tab context.Context) {
	t.Helper()
	galleryEval[bool](t, tab, "new Promise((done) => setTimeout(() => done(true), 600))")
}

// TestScreens does what people do, and looks at what the app is asked to do.
func TestScreens(t *testing.T) {
	t.Parallel()
	tab, url := startGallery(t)
	setTheme(t, tab, "light")
	setSize(t, tab, 390, 844)
	story := func(name, screen string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			openScreen(t, tab, url, screen)
			f(t)
		})
	}
	want := func(t *testing.T, what string) {
		t.Helper()
		if got := calls(t, tab); got != what {
			t.Errorf("the app was asked for %s, want %s", got, what)
		}
	}
	show := func(t *testing.T, change string) {
		t.Helper()
		galleryEval[bool](t, tab, "gallery.show("+change+"); true")
	}
	truth := func(t *testing.T, js string) {
		t.Helper()
		if !galleryEval[bool](t, tab, js) {
			t.Errorf("not so: %s; the app was asked for %s", js, calls(t, tab))
		}
	}

	story("a tap that was meant for something else decides nothing", "home", func(t *testing.T) {
		gallerySettle(t, tab)
		galleryEval[bool](t, tab, `gallery.show({ cards: [`+someCard+`] }); document.querySelectorAll("dialog .answer button, dialog .choice button").forEach((b) => b.click()); true`)
		want(t, `[]`)
		gallerySettle(t, tab)
		galleryTap(t, tab, "Allow once")
		want(t, `["decide"]`)
	})
	story("another card under the finger decides nothing", "card-several", func(t *testing.T) {
		gallerySettle(t, tab)
		galleryEval[bool](t, tab, `gallery.show({ cards: gallery.view.cards.slice(1) }); document.querySelector("dialog button.primary").click(); true`)
		want(t, `[]`)
	})
	story("a card that comes back into view decides nothing at once", "card-proved", func(t *testing.T) {
		gallerySettle(t, tab)
		galleryEval[bool](t, tab, `window.dispatchEvent(new Event("blur")); window.dispatchEvent(new Event("focus")); document.querySelector("dialog button.primary").click(); true`)
		want(t, `[]`)
	})
	story("Escape, the handle and a tap beside the card decide nothing", "card-proved", func(t *testing.T) {
		gallerySettle(t, tab)
		for range 3 {
			if err := chromedp.Do(tab, chromedp.KeyEvent(kb.Escape)); err != nil {
				t.Fatal(err)
			}
		}
		truth(t, `document.querySelector("dialog") === null && document.querySelector(".waiting") !== null`)
		galleryEval[bool](t, tab, `document.querySelector(".waiting").click(); true`)
		truth(t, `document.querySelector("dialog[open]") !== null`)
		if err := chromedp.Do(tab, chromedp.MouseClickXY(195, 20)); err != nil {
			t.Fatal(err)
		}
		truth(t, `document.querySelector("dialog") === null`)
		want(t, `[]`)
	})
	story("Enter decides nothing: the title has the focus, and it stays inside", "card-proved", func(t *testing.T) {
		gallerySettle(t, tab)
		truth(t, `document.activeElement.id === "card-title"`)
		if err := chromedp.Do(tab, chromedp.KeyEvent(kb.Enter)); err != nil {
			t.Fatal(err)
		}
		want(t, `[]`)
		for range 8 {
			if err := chromedp.Do(tab, chromedp.KeyEvent(kb.Tab)); err != nil {
				t.Fatal(err)
			}
			truth(t, `document.activeElement === document.body || document.activeElement.closest("dialog") !== null`)
		}
	})
	story("requests that are alike are allowed together, once each", "card-alike", func(t *testing.T) {
		gallerySettle(t, tab)
		galleryEval[bool](t, tab, `gallery.show({ cards: [...gallery.view.cards, { ...gallery.view.cards[0], request: "late" }] }); true`)
		galleryTap(t, tab, "Allow all 5")
		truth(t, `gallery.calls.map((c) => c[1].request + c[2] + c[3].scope).join() === "r1true,r2true,r3true,r4true"`) // the late one was not looked at
	})
	story("a lease is what was chosen", "card-rules", func(t *testing.T) {
		gallerySettle(t, tab)
		galleryTap(t, tab, "10 logins")
		truth(t, `JSON.stringify(gallery.calls[0].slice(2)) === '[true,{"scope":"host","count":10,"for":10800000,"closed":false}]'`)
	})
	story("a lease works while the app is closed only if that was ticked", "card-rules", func(t *testing.T) {
		galleryEval[bool](t, tab, `document.querySelector("dialog input").click(); true`)
		gallerySettle(t, tab)
		galleryTap(t, tab, "15 min")
		truth(t, `gallery.calls[0][3].closed === true`)
	})
	story("a lease that may not be cannot be chosen", "card-rules-off", func(t *testing.T) {
		gallerySettle(t, tab)
		galleryEval[bool](t, tab, `document.querySelectorAll("dialog .buttons button").forEach((b) => b.click()); true`)
		want(t, `[]`)
		truth(t, `document.querySelector("dialog").textContent.includes("the host is not proved")`)
	})
	story("a changed key is not trusted by taps alone in one place", "alarm-changed", func(t *testing.T) {
		gallerySettle(t, tab)
		galleryTap(t, tab, "I know why the key changed…")
		gallerySettle(t, tab)
		galleryTap(t, tab, "Trust the new key")
		want(t, `[]`)
		galleryEval[bool](t, tab, `document.querySelector("dialog input").click(); [...document.querySelectorAll("dialog button.danger")].at(-1).click(); true`)
		want(t, `[]`)
		gallerySettle(t, tab)
		galleryTap(t, tab, "Trust the new key")
		want(t, `["trustHost","dismiss"]`)
	})
	story("Escape does not close a changed key", "alarm-changed", func(t *testing.T) {
		gallerySettle(t, tab)
		for range 3 {
			if err := chromedp.Do(tab, chromedp.KeyEvent(kb.Escape)); err != nil {
				t.Fatal(err)
			}
			galleryEval[bool](t, tab, "new Promise((done) => setTimeout(() => done(true), 50))")
		}
		truth(t, `document.querySelector("dialog.alarm[open]") !== null`)
		want(t, `[]`)
	})
	story("what was typed, the focus and the scroll stay when something happens", "settings", func(t *testing.T) {
		galleryEval[bool](t, tab, `document.getElementById("name").focus(); document.getElementById("name").value = ""; true`)
		if err := chromedp.Do(tab, chromedp.KeyEvent("My phone")); err != nil {
			t.Fatal(err)
		}
		galleryEval[bool](t, tab, `scrollTo(0, 200); true`)
		show(t, `{ log: [], computers: [], rules: [], messages: [{ id: 5, grave: false, text: "laptop was unpaired", do: "" }] }`)
		truth(t, `document.activeElement.id === "name" && document.activeElement.value === "My phone" && scrollY === 200`)
	})
	story("the words are confirmed after a moment, not before", "pair-words", func(t *testing.T) {
		show(t, `{ pairing: { ...gallery.view.pairing, id: "other", words: "OTHER WORDS" } }`)
		galleryEval[bool](t, tab, `document.querySelectorAll(".answer button").forEach((b) => b.click()); true`)
		want(t, `[]`)
		gallerySettle(t, tab)
		galleryTap(t, tab, "Pair")
		truth(t, `JSON.stringify(gallery.calls) === '[["confirm",true]]'`)
	})
	story("time runs by itself, and stops", "card-proved", func(t *testing.T) {
		galleryEval[bool](t, tab, `Date.now = () => `+later+`; true`)
		for until := time.Now().Add(10 * time.Second); !galleryEval[bool](t, tab, `document.querySelector("dialog .digits").textContent === "0:12"`); {
			if time.Now().After(until) {
				t.Fatal("the time stands still: ", galleryEval[string](t, tab, `document.querySelector("dialog .digits").textContent`))
			}
		}
	})
	story("an answer is confirmed in a line that goes away", "ended-toasts", func(t *testing.T) {
		truth(t, `document.querySelector(".toasts").textContent.includes("approved in 3.1 s")`)
		for until := time.Now().Add(10 * time.Second); !strings.Contains(calls(t, tab), "dismiss"); {
			if time.Now().After(until) {
				t.Fatal("it stays")
			}
		}
		truth(t, `gallery.calls.length === 1 && gallery.calls[0][1].why === "answered"`) // what was not answered stays
	})
	story("a damaged log is acknowledged, or only put aside", "home-messages", func(t *testing.T) {
		galleryTap(t, tab, "Understood")
		truth(t, `JSON.stringify(gallery.calls.map(([name, m]) => [name, m.id])) === '[["acknowledge",1]]'`)
	})
	story("what fails is said", "empty", func(t *testing.T) {
		galleryEval[bool](t, tab, `gallery.fail("the relay cannot be reached; is this phone online?"); true`)
		galleryTap(t, tab, "Copy")
		truth(t, `document.querySelector("[role=alert]").textContent.includes("The relay cannot be reached")`)
	})
	story("one of many hosts is found", "hosts-many", func(t *testing.T) {
		galleryEval[bool](t, tab, `document.getElementById("filter").focus(); true`)
		if err := chromedp.Do(tab, chromedp.KeyEvent("node-4095")); err != nil {
			t.Fatal(err)
		}
		truth(t, `document.querySelectorAll(".pin").length === 1 && document.activeElement.value === "node-4095"`)
	})
	story("names from right to left move nothing around them", "card-proved", func(t *testing.T) {
		show(t, `{ cards: [{ ...gallery.view.cards[0], user: "\u05d0\u05d1\u05d2", name: "\u05d3\u05d4.example.com" }] }`)
		truth(t, `(() => {
			const [user, at, host] = ["bdi", ".at", ".at ~ bdi"].map((s) => document.querySelector("#card-title " + s).getBoundingClientRect());
			return user.right <= at.left + 1 && (host.left >= at.right - 1 || host.top >= at.bottom - 1);
		})()`)
	})
	story("a request that comes to another is read out", "card-proved", func(t *testing.T) {
		truth(t, `(window.region = document.querySelector("dialog .pager [role=status]")).textContent === ""`)
		show(t, `{ cards: [gallery.view.cards[0], { ...gallery.view.cards[0], request: "r2", user: "ana" }] }`)
		truth(t, `window.region.isConnected && window.region.textContent === "1 of 2"`)
	})
	story("back leads back", "hosts", func(t *testing.T) {
		galleryTap(t, tab, "Back")
		truth(t, `document.querySelector("main h1").textContent === "Settings"`)
	})
}

const (
	someCard = `{ pairing: "p1", request: "r1", computer: "laptop", keyName: "k", user: "root", namespace: "", name: "a.example.com", known: "New", pins: [], knownAs: [], hostName: "a.example.com", called: "",
		host: { proof: "proved", keyType: "ssh-ed25519", fingerprint: "SHA256:x", cert: null, local: true, path: [] },
		reported: { program: "", directory: "", remote: "", branch: "", host: "", port: 0, hostKeyAlias: false }, expires: Date.now() + 40000, noHostRule: "", noComputerRule: "" }`
	later = `gallery.view.cards[0].expires - 12000`
)
