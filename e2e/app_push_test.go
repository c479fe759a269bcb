package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"

	"kryptonite/internal/control"
	"kryptonite/internal/peer"
)

// ringer is the phone app at https://kr.test, in a browser that rings, and the
// desk where it shows its notifications.
type ringer struct {
	*tab
	a    *Authenticator
	v    *Vendor
	desk *Desk
}

// newRinger pairs an app that may show notifications, and waits until krd can push to it.
func newRinger(t testing.TB, prf bool, makeKey ...string) *ringer {
	t.Helper()
	r := newUnasked(t, prf, makeKey...)
	r.rings(t)
	return r
}

// rings lets the app show notifications, and waits until krd can push to it.
func (r *ringer) rings(t testing.TB) {
	t.Helper()
	r.permit(t, true)
	r.open(t)
	r.until(t, control.PushYes)
}

// newUnasked is newRinger without the permission.
func newUnasked(t testing.TB, prf bool, makeKey ...string) *ringer {
	t.Helper()
	browses(t)
	h := newHouse(t)
	return newUnaskedFor(t, h, beginPublic(t, h), prf, makeKey...)
}

// newUnaskedFor is newUnasked with a house of one's own, at https://kr.test.
func newUnaskedFor(t testing.TB, h *House, v *Vendor, prf bool, makeKey ...string) *ringer {
	t.Helper()
	r := &ringer{v: v, desk: NewDesk(t)}
	page, err := newBrowserWith(t, []string{r.desk.Env()}, newProfile(t), r.v.Flags()...).Page()
	must(t, err)
	r.a, err = page.Authenticator(prf)
	must(t, err)
	offer, err := h.OfferPairing()
	must(t, err)
	r.tab = openApp(t, h, page, offer.Link)
	r.pair(offer, makeKey...)
	must(t, h.StartSshd())
	return r
}

// permit answers whether there may be notifications.
func (r *ringer) permit(t testing.TB, yes bool) {
	t.Helper()
	must(t, r.browser.Permit(r.h.Public, "notifications", yes))
}

// push is how krd can wake the one phone.
func (h *House) push(t testing.TB) control.Push {
	t.Helper()
	st, err := control.NewClient(h.Path("kr", control.Socket), peer.SameUser).Status(t.Context())
	must(t, err)
	if len(st.Phones) != 1 {
		t.Fatalf("%d phones", len(st.Phones))
	}
	return st.Phones[0].Push
}

// until waits until krd's way to wake the phone is in a state.
func (r *ringer) until(t testing.TB, state control.PushState) {
	t.Helper()
	for end := time.Now().Add(patience); r.h.push(t).State != state; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("krd's way to push is %+v, want %s", r.h.push(t), state)
		}
	}
}

// pocket closes the app and stops its worker.
func (r *ringer) pocket(t testing.TB) {
	t.Helper()
	must(t, r.Open("about:blank"))
	must(t, r.browser.StopWorkers())
}

// open opens the app again.
func (r *ringer) open(t testing.TB) {
	t.Helper()
	must(t, r.Open(r.h.Public))
}

// plainText is what a notification says, without the marks around what comes from outside.
func plainText(s string) string {
	return strings.NewReplacer("\u2068", "", "\u2069", "").Replace(s)
}

// turnOn turns on a switch in Settings.
func (r *ringer) turnOn(t testing.TB, text string) {
	t.Helper()
	r.tapIn("nav", "Settings")
	r.sees(text)
	which := fmt.Sprintf(`[...document.querySelectorAll("[role=switch]")].find((b) => b.innerText.startsWith(%q))`, text)
	_, err := Tapped[any](r.Page, which+".click(), null")
	must(t, err)
	must(t, r.Await(which+`?.getAttribute("aria-checked") === "true"`))
	r.tapIn("nav", "Home")
}

// asks waits for one notification that asks to log in as root.
func (r *ringer) asks(t testing.TB) Notification {
	t.Helper()
	want := fmt.Sprintf("root @ [127.0.0.1]:%d", r.h.Port)
	all, err := r.desk.Await(func(all []Notification) bool { return len(all) == 1 && plainText(all[0].Title) == want })
	must(t, err)
	return all[0]
}

// hears waits for a notification that came since then. It stays: Chromium says that the
// site was updated if there is none when the worker has done with a push, a moment
// after it was shown.
func (r *ringer) hears(t testing.TB, title string, since time.Time) Notification {
	t.Helper()
	var heard Notification
	_, err := r.desk.Await(func(all []Notification) bool {
		i := slices.IndexFunc(all, func(n Notification) bool { return plainText(n.Title) == title && n.At.After(since) })
		if i >= 0 {
			heard = all[i]
		}
		return i >= 0
	})
	must(t, err)
	return heard
}

// ended waits for the quiet notification that says how a request ended: browsers
// want to see one at the end of each push.
func (r *ringer) ended(t testing.TB, how string) {
	t.Helper()
	want := fmt.Sprintf("%s: root @ [127.0.0.1]:%d", how, r.h.Port)
	all, err := r.desk.Await(func(all []Notification) bool { return len(all) == 1 && plainText(all[0].Title) == want })
	must(t, err)
	if !all[0].Silent || len(all[0].Actions) > 0 {
		t.Errorf("the person sees %+v", all[0])
	}
}

// ssh starts a login that can be ended.
func (r *ringer) ssh(t testing.TB) *Proc {
	t.Helper()
	ssh, err := Start(r.h.Env, "ssh", "-F", r.h.Path("ssh_config"), "root@server", "echo", "in")
	must(t, err)
	return ssh
}

// first logs in once by the page, which pins the host.
func (r *ringer) first(t testing.TB) {
	t.Helper()
	done := r.login()
	r.tap("Allow once")
	must(t, <-done)
}

// drain forgets the pushes that came.
func (v *Vendor) drain() {
	for len(v.Service.Got()) > 0 {
		<-v.Service.Got()
	}
}

// TestAppRings: with the app closed and its worker stopped a push names user and
// host; reject, and a tap on the notification, do what they say. By its push the
// request comes as a whole: no mailbox is read before the person sees it.
func TestAppRings(t *testing.T) {
	t.Parallel()
	r := newRinger(t, true, wrapped...)
	r.first(t)
	r.pocket(t)

	done := r.login()
	n := r.asks(t)
	if body := plainText(n.Body); !strings.Contains(body, "laptop asks · Proved") || !strings.Contains(body, "ssh") || !n.Urgent || n.Silent || !slices.Equal(n.Actions, []string{"Reject"}) {
		t.Errorf("the person sees %+v", n)
	}
	must(t, r.desk.Click(n, "Reject"))
	refused(t, "rejected from the lock screen", <-done)
	r.ended(t, "Rejected")

	// The first push is lost, the next one rings.
	must(t, r.browser.StopWorkers())
	r.v.drain()
	r.v.Hold(true)
	done = r.login()
	lost := r.v.Next(t)
	r.v.Hold(false)
	r.asks(t)
	r.open(t)
	r.sees("asks to log in")
	r.desk.sees(t, 0) // the card is on the screen
	r.tap("Allow once")
	must(t, <-done)
	r.desk.sees(t, 0)

	// What was lost comes late, and again.
	r.pocket(t)
	r.v.Deliver(lost)
	r.v.Deliver(lost)
	if n := r.desk.sees(t, 1)[0]; plainText(n.Title) != "A computer asked" || !n.Silent {
		t.Errorf("for a late push the person sees %+v", n)
	}
	r.open(t)
	r.tapIn("nav", "Activity")
	r.sees("Rejected")
	r.quiet()
}

// TestAppRingsOnce: of several requests of a computer there is one notification,
// which goes with the last of them.
func TestAppRingsOnce(t *testing.T) {
	t.Parallel()
	r := newRinger(t, true, wrapped...)
	r.first(t)
	r.pocket(t)
	all := []*Proc{r.ssh(t)}
	r.asks(t)
	all = append(all, r.ssh(t), r.ssh(t))
	n, err := r.desk.Await(func(all []Notification) bool { return len(all) == 1 && strings.HasPrefix(all[0].Title, "3 ") })
	must(t, err)
	if plainText(n[0].Title) != "3 requests from laptop" || len(n[0].Actions) != 0 {
		t.Errorf("the person sees %+v", n)
	}
	for _, ssh := range all {
		_, err := ssh.Stop(syscall.SIGINT)
		must(t, err)
	}
	r.ended(t, "Ended there")
	r.open(t)
	r.desk.sees(t, 0)
	r.sees("Recent activity")
	r.quiet()
}

// TestAppAllowsFromLockScreen: who wants it allows by the notification, without
// any page, where the host is known and the key needs no unlocking.
func TestAppAllowsFromLockScreen(t *testing.T) {
	t.Parallel()
	r := newRinger(t, false, plain...)
	r.turnOn(t, "Allow from the lock screen")
	r.pocket(t)

	done := r.login()
	if n := r.asks(t); !slices.Equal(n.Actions, []string{"Reject"}) || !strings.Contains(plainText(n.Body), "never seen") {
		t.Errorf("at a host that is not known the person sees %+v", n)
	}
	r.open(t)
	r.tap("Allow once")
	must(t, <-done)

	r.pocket(t)
	done = r.login()
	n := r.asks(t)
	time.Sleep(time.Until(n.At.Add(1100 * time.Millisecond))) // no person is faster
	must(t, r.desk.Click(n, "Allow once"))
	must(t, <-done)
	r.ended(t, "Allowed")

	// A tap in the moment that it appears was meant for what was there before: it
	// only opens the app.
	done = r.login()
	must(t, r.desk.Click(r.asks(t), "Allow once"))
	r.desk.sees(t, 0)
	r.open(t)
	must(t, r.Await(`/Use here|asks to log in/.test(document.body.innerText)`)) // the app that was opened may be the phone
	if r.shows("Use here") {
		r.tap("Use here")
	}
	r.tap("Reject")
	refused(t, "a tap on Allow that came too early", <-done)
	r.quiet()
}

// TestAppLeaseByWorker: a rule that works while the app is closed is followed by
// a worker that was stopped, without any page; who wants it is told, quietly.
func TestAppLeaseByWorker(t *testing.T) {
	t.Parallel()
	r := newRinger(t, true, wrapped...)
	r.turnOn(t, "Say what rules allowed")
	r.allowFor(forHost, "1 h", true)
	must(t, r.a.Present(false))
	for range 2 {
		r.pocket(t)
		since := time.Now()
		r.goesOn("by the worker")
		if n := r.hears(t, fmt.Sprintf("root @ [127.0.0.1]:%d", r.h.Port), since); !n.Silent || !strings.Contains(plainText(n.Body), "Allowed by a rule, for laptop") {
			t.Errorf("the person sees %+v", n)
		}
	}

	// Without its half the key waits for the person.
	_, err := r.h.Krd.Stop(syscall.SIGTERM)
	must(t, err)
	must(t, r.h.StartKrd())
	since := time.Now()
	done := r.login()
	r.hears(t, "laptop waits for the key", since)
	must(t, r.a.Present(true))
	r.open(t)
	r.tap("Continue")
	must(t, <-done)
	r.quiet()
}

// TestAppTurnsNotificationsOn: by a tap; and krd hears of it, also when they are
// turned off again in the browser.
func TestAppTurnsNotificationsOn(t *testing.T) {
	t.Parallel()
	r := newUnasked(t, true, wrapped...)
	r.sees("Next: turn on notifications")
	if got := r.h.push(t).State; got != control.PushNone {
		t.Errorf("before that krd's way to push is %q", got)
	}
	r.permit(t, true) // what the person answers the browser
	r.tap("Turn on notifications")
	r.until(t, control.PushYes)
	must(t, r.Await(`!document.body.innerText.includes("Next: turn on notifications")`))

	r.permit(t, false)
	must(t, r.Reload())
	r.sees("Notifications are not allowed.")
	r.until(t, control.PushNone)
	r.permit(t, true)
	r.tapIn("nav", "Settings")
	r.tap("Try again")
	r.sees("Requests reach you also while this app is closed.")
	r.until(t, control.PushYes)
	r.quiet()
}

// TestAppRenewsWhileKrdIsOff: a subscription that the browser has lost is made
// anew at the next start, and krd hears of it once it is back.
func TestAppRenewsWhileKrdIsOff(t *testing.T) {
	t.Parallel()
	r := newRinger(t, true, wrapped...)
	r.first(t)
	old := r.v.Endpoints()
	_, err := r.h.Krd.Stop(syscall.SIGTERM)
	must(t, err)
	run[any](t, r.Page, `navigator.serviceWorker.ready.then(async (r) => (await (await r.pushManager.getSubscription()).unsubscribe(), null))`)
	must(t, r.Reload())
	for end := time.Now().Add(patience); len(r.v.Endpoints()) != 1 || slices.Equal(r.v.Endpoints(), old); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the browser has %d subscriptions", len(r.v.Endpoints()))
		}
	}
	// The vendor knows it before the page does, which then tells krd's mailbox.
	must(t, r.Await(`performance.getEntriesByType("resource").some((e) => e.name.endsWith("/frames") && e.responseStatus === 202)`))
	r.pocket(t)
	must(t, r.h.StartKrd())
	_, err = r.h.Krd.Await(`the phone told its keys.*push=true`)
	must(t, err)
	done := r.login()
	must(t, r.desk.Click(r.asks(t), "Reject"))
	refused(t, "by the new subscription", <-done)
}

// TestAppRingsForWhatIsLarge: a request that fits into no push rings all the
// same: the worker finds it in the mailbox.
func TestAppRingsForWhatIsLarge(t *testing.T) {
	t.Parallel()
	r := newRinger(t, true, wrapped...)
	r.first(t)
	must(t, r.h.AddServer(&Server{Name: "large", KeyType: "rsa", Cert: true}))
	r.pocket(t)
	r.v.drain()
	done := make(chan error, 1)
	go func() {
		_, err := r.h.login("large")
		done <- err
	}()
	if p := r.v.Next(t); p.Wrong != "" || p.Sealed != nil {
		t.Errorf("the push has %d bytes (%s), want none", len(p.Sealed), p.Wrong)
	}
	all, err := r.desk.Await(func(all []Notification) bool {
		return len(all) == 1 && strings.HasPrefix(plainText(all[0].Title), "root @ [127.0.0.1]:")
	})
	must(t, err)
	must(t, r.desk.Click(all[0], "Reject"))
	refused(t, "what fits into no push", <-done)
}

// TestAppRingsBehind: an app that is open, but not seen, shows notifications
// itself, and does what they are answered.
func TestAppRingsBehind(t *testing.T) {
	t.Parallel()
	r := newRinger(t, true, wrapped...)
	r.first(t)
	r.window(t, browser.WindowStateMinimized)
	must(t, r.Await(`document.visibilityState === "hidden"`))
	done := r.login()
	must(t, r.desk.Click(r.asks(t), "Reject"))
	refused(t, "by the page", <-done)
	r.desk.sees(t, 0)
	r.window(t, browser.WindowStateNormal)
	r.sees("Rejected")
	r.quiet()
}

// window changes the window that the page is in.
func (r *ringer) window(t testing.TB, state browser.WindowState) {
	t.Helper()
	w, err := Command(r.Page, browser.GetWindowForTarget, browser.GetWindowForTargetParams{})
	must(t, err)
	_, err = Command(r.Page, browser.SetWindowBounds, browser.SetWindowBoundsParams{WindowID: w.WindowID, Bounds: &browser.Bounds{WindowState: state}})
	must(t, err)
}
