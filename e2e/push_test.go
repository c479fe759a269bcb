package e2e

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"kryptonite/internal/wake/webpush"
	"kryptonite/internal/wire"
)

// smallWorker shows each push, and reports clicks on what it shows.
const smallWorker = `
let pushes = 0; // since it was started
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("push", (e) => pushes++);
self.addEventListener("push", (e) => e.waitUntil(self.registration.showNotification("push", {
	body: e.data ? e.data.text() : "nothing", tag: e.data ? "full" : "bare", requireInteraction: !!e.data, silent: !e.data,
	actions: e.data ? [{ action: "no", title: "Reject" }, { action: "yes", title: "Allow" }] : [],
})));
self.addEventListener("message", (e) => e.waitUntil((async () => {
	const manager = self.registration.pushManager;
	const old = await manager.getSubscription();
	await old.unsubscribe();
	const s = await manager.subscribe({ userVisibleOnly: true, applicationServerKey: e.data });
	e.source.postMessage({ old: old.endpoint, endpoint: s.endpoint });
})()));
self.addEventListener("notificationclick", (e) => e.waitUntil((async () => {
	e.notification.close();
	const opened = e.action ? "no" : (await clients.openWindow("/opened").then((c) => c ? "yes" : "unseen", (e) => e.name));
	await fetch("/clicked?action=" + e.action + "&opened=" + opened + "&trusted=" + e.isTrusted + "&nth=" + pushes);
})()));
`

// smallSite serves the worker.
func smallSite(t *testing.T, v *Vendor) (site string, clicks <-chan string) {
	t.Helper()
	clicked := make(chan string, 9)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sw.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, smallWorker)
			return
		case "/clicked":
			clicked <- r.URL.RawQuery
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,"><title>small</title>`)
	}))
	t.Cleanup(s.Close)
	host := PublicHosts[1]
	v.Serve(t, host, s.URL)
	return "https://" + host, clicked
}

// subscribed is what a page's real subscribe() comes to, with a new VAPID key.
func subscribed(t *testing.T, p *Page) wire.Push {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	type subscription struct {
		Endpoint string
		Keys     struct{ P256dh, Auth string }
	}
	s := run[subscription](t, p, fmt.Sprintf(`(async () => {
		await navigator.serviceWorker.register("/sw.js");
		const r = await navigator.serviceWorker.ready;
		await (await r.pushManager.getSubscription())?.unsubscribe();
		return (await r.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: %q })).toJSON();
	})()`, base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())))
	out := wire.Push{Endpoint: s.Endpoint, VAPID: key.Bytes()}
	out.P256dh, err = base64.RawURLEncoding.DecodeString(s.Keys.P256dh)
	must(t, err)
	out.Auth, err = base64.RawURLEncoding.DecodeString(s.Keys.Auth)
	must(t, err)
	must(t, out.Check())
	return out
}

// computer pushes to a subscription as krd does.
func computer(t *testing.T, v *Vendor, to wire.Push) *webpush.Waker {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(v.cert.Leaf)
	proxy, err := url.Parse(v.proxy.URL)
	must(t, err)
	c := webpush.NewClient(webpush.Options{Proxy: http.ProxyURL(proxy), TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	t.Cleanup(c.Close)
	w, err := c.Waker(to, "https://"+PublicHosts[0])
	must(t, err)
	return w
}

// sees waits until the person sees that many notifications.
func (d *Desk) sees(t testing.TB, n int) []Notification {
	t.Helper()
	all, err := d.Await(func(all []Notification) bool { return len(all) == n })
	must(t, err)
	return all
}

// heard waits for what comes.
func heard[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// TestPush: Chromium's own subscription, our encryption, Chromium's decryption.
// Any bytes arrive in base64, also at a worker that was stopped and without any
// page, and clicks on what it shows are a person's.
func TestPush(t *testing.T) {
	t.Parallel()
	v, desk := NewVendor(t), NewDesk(t)
	site, clicks := smallSite(t, v)
	b := newBrowserWith(t, []string{desk.Env()}, newProfile(t), v.Flags()...)
	must(t, b.Permit(site, "notifications", true))
	p, err := b.Page()
	must(t, err)
	must(t, p.Open(site))
	w := computer(t, v, subscribed(t, p))

	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	must(t, w.Wake(t.Context(), wire.ID{1}, all, time.Minute))
	got := v.Next(t)
	if got.Wrong != "" || len(got.Sealed) < len(all) {
		t.Fatalf("the push service says %q of %d bytes", got.Wrong, len(got.Sealed))
	}
	n := desk.sees(t, 1)[0]
	t.Logf("from the push at its service to the notification: %s", n.At.Sub(got.At))
	if text := base64.StdEncoding.EncodeToString(all); !strings.Contains(n.Body, text) || n.Title != "push" || fmt.Sprint(n.Actions) != "[Reject Allow]" {
		t.Errorf("the person sees %+v, want %s", n, text)
	}
	must(t, desk.Click(n, "Reject"))
	if got := heard(t, clicks); got != "action=no&opened=no&trusted=true&nth=1" {
		t.Errorf("a click on a button: %s", got)
	}
	desk.sees(t, 0)

	must(t, p.Open("about:blank"))
	must(t, b.StopWorkers())
	must(t, w.Wake(t.Context(), wire.ID{2}, nil, time.Minute))
	n = desk.sees(t, 1)[0]
	t.Logf("the same with a stopped worker: %s", n.At.Sub(v.Next(t).At))
	if !strings.Contains(n.Body, "nothing") || len(n.Actions) != 0 {
		t.Errorf("after a push without a body the person sees %+v", n)
	}
	must(t, desk.Click(n, ""))
	if got := heard(t, clicks); got != "action=&opened=yes&trusted=true&nth=1" {
		t.Errorf("a click on a notification: %s", got)
	}
	desk.sees(t, 0)

	v.Hold(true) // late, and then twice
	before := desk.Count()
	must(t, w.Wake(t.Context(), wire.ID{3}, []byte("late"), time.Minute))
	late := v.Next(t)
	if n := desk.Count(); n != before {
		t.Errorf("%d notifications for a push that the vendor holds", n-before)
	}
	for range 2 {
		v.Deliver(late)
		must(t, desk.Dismiss(desk.sees(t, 1)[0]))
	}
	if n := desk.Count() - before; n != 2 {
		t.Errorf("%d notifications for a push that came twice", n)
	}
}

// TestPushSubscription: it outlives the browser, which then gets what was pushed
// meanwhile; a worker can end it and make another.
func TestPushSubscription(t *testing.T) {
	t.Parallel()
	v, desk := NewVendor(t), NewDesk(t)
	site, _ := smallSite(t, v)
	profile := newProfile(t)
	start := func() (*Browser, *Page) {
		b := newBrowserWith(t, []string{desk.Env()}, profile, v.Flags()...)
		must(t, b.Permit(site, "notifications", true))
		p, err := b.Page()
		must(t, err)
		must(t, p.Open(site))
		return b, p
	}
	b, p := start()
	to := subscribed(t, p)
	w := computer(t, v, to)
	must(t, b.Stop())
	must(t, w.Wake(t.Context(), wire.ID{1}, []byte("while it was off"), time.Minute))
	_, p = start()
	n := desk.sees(t, 1)[0]
	if text := base64.StdEncoding.EncodeToString([]byte("while it was off")); !strings.Contains(n.Body, text) {
		t.Errorf("after its start the browser shows %+v", n)
	}
	must(t, desk.Dismiss(n))

	key, err := ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	made := run[struct{ Old, Endpoint string }](t, p, fmt.Sprintf(`new Promise(async (r) => {
		navigator.serviceWorker.onmessage = (e) => r(e.data);
		(await navigator.serviceWorker.ready).active.postMessage(%q);
	})`, base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())))
	if made.Old != to.Endpoint || made.Endpoint == to.Endpoint {
		t.Errorf("the worker had another subscription than the page, or has no other now")
	}
	if err := w.Wake(t.Context(), wire.ID{2}, nil, time.Minute); !errors.Is(err, webpush.ErrGone) {
		t.Errorf("a push to a subscription that was ended: %v", err)
	}
	if all := v.Endpoints(); len(all) != 1 || !strings.HasSuffix(made.Endpoint, all[0]) {
		t.Errorf("the vendor has %d subscriptions", len(all))
	}
}

// beginPublic is begin at https://kr.test, with a browser vendor.
func beginPublic(t testing.TB, h *House) *Vendor {
	t.Helper()
	v := NewVendor(t)
	startPublic(t, h, v)
	must(t, h.StartKrd())
	return v
}

// startPublic starts the relay, or the app alone, as https://kr.test.
func startPublic(t testing.TB, h *House, v *Vendor) {
	t.Helper()
	v.Lead(h)
	must(t, h.StartRelay())
	v.Serve(t, PublicHosts[0], h.Origin)
	is := "relay"
	if h.AppOnly {
		is = "app"
	}
	_, err := h.Kr("config", "set", is, h.Public)
	must(t, err)
}

// TestPublicApp: the app by https at a name: a key, a pairing and a login.
func TestPublicApp(t *testing.T) {
	t.Parallel()
	p := newUnasked(t, true, wrapped...)
	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.quiet()
}

// TestPushFromKrd: what real krd pushes for a real ssh, while the phone does not
// listen, is taken by the strict service at the name of Google's; the login
// goes through once the phone is there.
func TestPushFromKrd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := beginPublic(t, h)
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	_, err := h.Krd.Stop(syscall.SIGTERM)
	must(t, err)
	vapid, err := ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	must(t, h.TellPush(v.Subscribe(vapid)))
	must(t, h.StartKrd())

	done := make(chan error, 1)
	go func() { done <- h.Login() }()
	bare := v.Next(t) // krd has no epoch after its start, and the phone is away
	if bare.Wrong != "" || bare.Body != nil || bare.TTL < 25 || bare.TTL > 30 {
		t.Errorf("the first push: %q, %d bytes, TTL %d", bare.Wrong, len(bare.Body), bare.TTL)
	}
	if again := v.Next(t); again.Wrong != "" || again.Topic != bare.Topic {
		t.Errorf("the second push: %q, about the same request: %t", again.Wrong, again.Topic == bare.Topic)
	}
	must(t, h.RunPhone("ana", "always"))
	must(t, <-done)
	if said := h.Krd.Output(); !strings.Contains(said, "push sent") || strings.Contains(said, bare.Path) {
		t.Error("krd's log does not say that it pushed, or says where")
	}
}
