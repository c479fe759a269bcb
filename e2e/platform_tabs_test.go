package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	chromepage "github.com/chromedp/cdproto/page"

	"kryptonite/internal/mailbox"
	server "kryptonite/internal/relay"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport/relay"
)

// TestTurns: of several tabs one is the phone, and there is always one.
func TestTurns(t *testing.T) {
	t.Parallel()
	origin := servePlatform(t)
	b := newBrowser(t, newProfile(t))
	tab := func(stubborn bool) *Page {
		t.Helper()
		p := newPage(t, b, origin)
		run[any](t, p, fmt.Sprintf(`globalThis.turn = kr.beThePhone(%t); null`, stubborn))
		return p
	}
	is := func(p *Page, state string) {
		t.Helper()
		must(t, p.Await(fmt.Sprintf("globalThis.state === %q", state)))
	}
	take := func(p *Page) { t.Helper(); run[any](t, p, "turn.take(); null") }

	first := tab(false)
	is(first, "phone")
	second, third := tab(false), tab(false)
	is(second, "busy")
	is(third, "busy")

	// "Use here" passes by who waits longer.
	take(third)
	is(third, "phone")
	if got := run[string](t, third, `loaded["last words"]`); got != "AAAA" {
		t.Errorf("what the first tab committed before it let go: %q", got)
	}
	is(first, "busy")
	is(second, "busy")
	take(second)
	is(second, "phone")
	is(third, "busy")

	// A tab that is closed, or dies, makes room for one that waits.
	take(first)
	is(first, "phone")
	second.Close()
	first.Expect(".*")
	go Command(first, chromepage.Crash, cdp.Empty{}) // no answer comes
	is(third, "phone")

	// A page that is put aside lets go, and lines up when it comes back.
	fourth := tab(false)
	is(fourth, "busy")
	run[any](t, third, `dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })); null`)
	is(fourth, "phone")
	run[any](t, third, `dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })); null`)
	is(third, "busy")
	_, err := Command(fourth, chromepage.SetWebLifecycleState, chromepage.SetWebLifecycleStateParams{State: chromepage.SetWebLifecycleStateStateFrozen})
	must(t, err)
	is(third, "phone")
	_, err = Command(fourth, chromepage.SetWebLifecycleState, chromepage.SetWebLifecycleStateParams{State: chromepage.SetWebLifecycleStateStateActive})
	must(t, err)
	is(fourth, "busy")

	// Work that ends badly ends the tab's part, and only that.
	run[any](t, third, "die(); null")
	is(third, "failed: dead")
	is(fourth, "phone")

	// A tab that does not let go loses the phone all the same, and its store.
	run[any](t, fourth, "finish(); null")
	is(fourth, "done")
	stubborn, last := tab(true), tab(false)
	is(stubborn, "phone")
	is(last, "busy")
	take(last)
	is(last, "phone")
	if got := run[string](t, stubborn, "late()"); got != "Taken: another tab is the phone now" {
		t.Errorf("a commit of a tab that did not let go: %q", got)
	}
	run[any](t, stubborn, "finish(); null")
	is(stubborn, "busy")
}

// TestMail: a page receives from a real relay, whatever happens to either, and
// says what it took only once it has.
func TestMail(t *testing.T) {
	t.Parallel()
	origin := servePlatform(t)
	b := newBrowser(t, newProfile(t))
	p := newPage(t, b, origin)
	p.Expect("WebSocket connection to|Failed to load resource.*/v1/")
	var store server.Store
	r := relaytest.New(t, func(c *server.Config) { store = c.Store })
	seed := bytes.Repeat([]byte{7}, 32)
	key, err := mailbox.KeyFromSeed(seed)
	must(t, err)
	address := key.Address()
	client, err := relay.NewClient(r.Origin(), relay.Options{})
	must(t, err)
	t.Cleanup(client.Close)
	post := func(text string) {
		t.Helper()
		must(t, client.Post(t.Context(), key.Address(), []byte(text)))
	}
	start := fmt.Sprintf(`kr.mail(%q, %q).then((m) => { globalThis.m = m; return null })`, r.Origin(), base64.StdEncoding.EncodeToString(seed))
	run[any](t, p, start)
	took := func(want string) {
		t.Helper()
		if err := p.Await(fmt.Sprintf("m.taken.join() === %q", want)); err != nil {
			t.Fatal(err, run[[]string](t, p, "m.taken"), run[[]string](t, p, "m.notes"))
		}
		run[any](t, p, "m.taken.length = 0; null")
	}
	// told waits until the relay knows what was taken: what it does not know
	// when it ends, it rightly sends again.
	told := func() {
		t.Helper()
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			frames, err := store.Backlog(t.Context(), address, 0, 1, 1)
			must(t, err)
			if len(frames) == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the relay was never told that %q was taken", frames[0].Body)
			}
		}
	}
	// Sockets by which the page may read are counted, and blocked when the test wants it.
	run[any](t, p, `(() => {
		const Real = WebSocket;
		globalThis.sockets = 0;
		globalThis.blocked = false;
		globalThis.WebSocket = class extends Real {
			constructor(url) {
				super(blocked ? url.replace("/live", "/blocked") : url);
				this.addEventListener("message", ({ data }) => { if (typeof data === "string" && data.includes('"ready"')) sockets++ });
			}
		};
		return null;
	})()`)

	post("one")
	took("one")
	run[any](t, p, `m.reject = "bad"; null`)
	post("bad")
	post("good")
	took("good")
	run[any](t, p, `m.reject = ""; null`)
	took("bad")

	// The relay restarts: frames that were taken do not come again.
	told()
	r.Stop()
	r.Start()
	post("two")
	took("two")

	// Behind a proxy that knows no WebSockets polls do, until the page comes
	// back to a network that does.
	run[any](t, p, "blocked = true; null")
	told()
	r.Stop()
	r.Start()
	post("three")
	took("three")
	told()
	run[any](t, p, "blocked = false; globalThis.before = sockets; null")
	must(t, p.Await(`dispatchEvent(new Event("online")) && sockets > before`))
	post("four")
	took("four")

	// What was taken last is acknowledged when the page ends.
	post("five")
	took("five")
	run[any](t, p, `m.end.abort(); m.done.then(() => null)`)
	told()
	run[any](t, p, start)
	post("six")
	took("six")

	// Posting, as the phone does.
	run[any](t, p, fmt.Sprintf(`kr.postFrame(%q, %q, btoa("seven"), kr.live).then(() => null)`, r.Origin(), base64.StdEncoding.EncodeToString(address[:])))
	took("seven")
	run[any](t, p, `m.box.remove(kr.live).then(() => null)`)
	run[any](t, p, `m.done.then(() => null)`)
}
