package e2e

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/wake/webpush"
	"kryptonite/internal/wire"
)

// smallWorker shows each push, and reports clicks on what it shows.
const smallWorker = `
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("push", (e) => e.waitUntil(self.registration.showNotification("push", {
	body: e.data ? e.data.text() : "nothing", tag: e.data ? "full" : "bare", requireInteraction: !!e.data, silent: !e.data,
	actions: e.data ? [{ action: "no", title: "Reject" }, { action: "yes", title: "Allow" }] : [],
})));
self.addEventListener("notificationclick", (e) => e.waitUntil((async () => {
	e.notification.close();
	const opened = e.action ? "no" : (await clients.openWindow("/opened").then((c) => c ? "yes" : "unseen", (e) => e.name));
	await fetch("/clicked?action=" + e.action + "&opened=" + opened + "&trusted=" + e.isTrusted);
})()));
`

// smallSite serves the worker under https://PublicHost.
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
	v.Serve(t, s.URL)
	return "https://" + PublicHost, clicked
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
	w, err := c.Waker(to, "https://"+PublicHost)
	must(t, err)
	return w
}

// sees waits until the person sees that many notifications.
func (d *Desk) sees(t *testing.T, n int) []Notification {
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
	if got := v.Next(t); got.Wrong != "" || len(got.Sealed) < len(all) {
		t.Fatalf("the push service says %q of %d bytes", got.Wrong, len(got.Sealed))
	}
	n := desk.sees(t, 1)[0]
	if text := base64.StdEncoding.EncodeToString(all); !strings.Contains(n.Body, text) || n.Title != "push" || fmt.Sprint(n.Actions) != "[Reject Allow]" {
		t.Errorf("the person sees %+v, want %s", n, text)
	}
	must(t, desk.Click(n, "Reject"))
	if got := heard(t, clicks); got != "action=no&opened=no&trusted=true" {
		t.Errorf("a click on a button: %s", got)
	}
	desk.sees(t, 0)

	must(t, p.Open("about:blank"))
	must(t, b.StopWorkers())
	must(t, w.Wake(t.Context(), wire.ID{2}, nil, time.Minute))
	n = desk.sees(t, 1)[0]
	if !strings.Contains(n.Body, "nothing") || len(n.Actions) != 0 {
		t.Errorf("after a push without a body the person sees %+v", n)
	}
	must(t, desk.Click(n, ""))
	if got := heard(t, clicks); got != "action=&opened=yes&trusted=true" {
		t.Errorf("a click on a notification: %s", got)
	}
	desk.sees(t, 0)
}
