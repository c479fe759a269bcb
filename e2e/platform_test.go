package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	chromepage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"golang.org/x/crypto/ssh"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport/relay"
	"kryptonite/internal/webbuild"
)

// Tests of the browser platform below the web phone, in a page of their own.

var platformFiles = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(bin, "platform") // TestMain removes it
	return dir, errors.Join(webbuild.Build(root, dir), webbuild.Bundle(root, "web/test/page.ts", filepath.Join(dir, "page.mjs")))
})

// servePlatform serves the page and returns its origin, under a name: passkeys
// know no addresses.
func servePlatform(t *testing.T) string {
	t.Helper()
	dir, err := platformFiles()
	must(t, err)
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:*; img-src data:; require-trusted-types-for 'script'")
		switch {
		case strings.HasSuffix(r.URL.Path, ".mjs"):
			w.Header().Set("Content-Type", "text/javascript")
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, `<!doctype html><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>platform</title><script type="module" src="/page.mjs"></script>`)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
}

// newBrowser starts a browser that ends with the test.
func newBrowser(t *testing.T, profile string) *Browser {
	t.Helper()
	b, err := StartBrowser(profile)
	if errors.Is(err, ErrNoChromium) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { b.Kill() })
	return b
}

// newProfile is a directory that goes away although a dying browser writes to it.
func newProfile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kr-profile-")
	must(t, err)
	t.Cleanup(func() {
		for range 100 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
		}
		t.Error(err)
	})
	return dir
}

// newPage opens a URL in a tab of its own; the page may not complain.
func newPage(t *testing.T, b *Browser, url string) *Page {
	t.Helper()
	p, err := b.Page()
	must(t, err)
	t.Cleanup(func() {
		for _, c := range p.Complaints() {
			t.Errorf("the page complains: %s", c)
		}
	})
	must(t, p.Open(url))
	must(t, p.Await("globalThis.kr"))
	return p
}

// run returns what JavaScript comes to, as if after a tap.
func run[T any](t *testing.T, p *Page, js string) T {
	t.Helper()
	v, err := Tapped[T](p, js)
	must(t, err)
	return v
}

// TestHarness: the tests of pages would notice what goes wrong in one.
func TestHarness(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newProfile(t))
	p, err := b.Page()
	must(t, err)
	must(t, p.Open(servePlatform(t)))
	must(t, p.Await("globalThis.kr"))
	if c := p.Complaints(); len(c) != 0 {
		t.Fatalf("a good page complains: %q", c)
	}
	run[any](t, p, `console.error("one"); setTimeout(() => { throw new Error("two") }); Promise.reject(new Error("three")); null`)
	run[any](t, p, `fetch("/four").then(() => null)`)
	run[any](t, p, `new Promise(r => setTimeout(r, 10)).then(() => null)`)
	all := strings.Join(p.Complaints(), "\n")
	for _, want := range []string{"one", "two", "three", "/four"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in the complaints:\n%s", want, all)
		}
	}
	p.Expect("one|two|three|/four")
	if c := p.Complaints(); len(c) != 0 {
		t.Errorf("what was expected is a complaint: %q", c)
	}
	if size := run[[]float64](t, p, `[innerWidth, innerHeight, devicePixelRatio, navigator.maxTouchPoints > 0 ? 1 : 0]`); fmt.Sprint(size) != "[390 844 2 1]" {
		t.Errorf("the page is %v", size)
	}
	shot := filepath.Join(t.TempDir(), "shot.png")
	must(t, p.Screenshot(shot))
	if png, err := os.ReadFile(shot); err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("no screenshot: %v", err)
	}

	run[any](t, p, `localStorage.setItem("a", "b"); null`)
	s, err := b.Stranger()
	must(t, err)
	must(t, s.Open(run[string](t, p, "location.href")))
	if got := run[*string](t, s, `localStorage.getItem("a")`); got != nil {
		t.Errorf("a stranger reads %q", *got)
	}
}

// TestStore: what was committed is there after a power cut, all of it or nothing.
func TestStore(t *testing.T) {
	t.Parallel()
	origin, profile := servePlatform(t), newProfile(t)
	b := newBrowser(t, profile)
	p := newPage(t, b, origin)
	run[any](t, p, `(async () => {
		globalThis.db = await kr.Database.open(kr.live);
		globalThis.store = kr.idbStore(db);
		globalThis.commit = (...c) => kr.outcome(store.commit(c.map(([key, value]) => ({ key, value })), kr.live));
		await store.load(kr.live);
		await store.commit([{ key: "gone", value: "AAAA" }, { key: "old", value: "AAAA" }], kr.live);
		return null;
	})()`)
	if got := run[string](t, p, `commit(["old", "BBBB"], ["gone", null], ["new", "CCCC"], ["bad", () => 0])`); !strings.Contains(got, "could not be cloned") {
		t.Errorf("an impossible change ends with %q", got)
	}
	load := `kr.idbStore(db).load(kr.live)`
	if got := run[map[string]string](t, p, load); fmt.Sprint(got) != "map[gone:AAAA old:AAAA]" {
		t.Errorf("half a change was made: %v", got)
	}
	// That load took the store over, as another tab would.
	if got := run[string](t, p, `commit(["old", "late"])`); got != "Taken: another tab is the phone now" {
		t.Errorf("a commit of the tab before: %q", got)
	}
	// The browser dies the moment that the commit is said to be durable.
	for round := range 3 {
		run[any](t, p, `(async () => { store = kr.idbStore(db); await store.load(kr.live); return null })()`)
		value := fmt.Sprintf("AAA%d", round)
		if got := run[string](t, p, `commit(["gone", null], ["new", "`+value+`"], ["big", "A".repeat(400000)])`); got != "ok undefined" {
			t.Fatal(got)
		}
		must(t, b.Kill())
		b = newBrowser(t, profile)
		p = newPage(t, b, origin)
		run[any](t, p, `(async () => {
			globalThis.db = await kr.Database.open(kr.live);
			globalThis.commit = (...c) => kr.outcome(store.commit(c.map(([key, value]) => ({ key, value })), kr.live));
			return null;
		})()`)
		got := run[map[string]string](t, p, load)
		if _, there := got["gone"]; there || len(got) != 3 || got["new"] != value || len(got["big"]) != 400000 {
			t.Errorf("after the power cut: %d records, new is %q", len(got), got["new"])
		}
	}
}

// TestStoreGoes: a store that the browser takes away, fills or upgrades says so.
func TestStoreGoes(t *testing.T) {
	t.Parallel()
	origin := servePlatform(t)
	b := newBrowser(t, newProfile(t))
	p := newPage(t, b, origin)
	open := `(async () => {
		globalThis.db = await kr.Database.open(kr.live);
		globalThis.store = kr.idbStore(db);
		await store.load(kr.live);
		globalThis.end = new Promise((r) => db.closed.addEventListener("abort", () => r(db.closed.reason.message)));
		return null;
	})()`
	commit := `kr.outcome(store.commit([{ key: "a", value: "A".repeat(5000000) }], kr.live))`
	quota := 1000.0
	_, err := Command(p, storage.OverrideQuotaForOrigin, storage.OverrideQuotaForOriginParams{Origin: origin, QuotaSize: &quota})
	must(t, err)
	if got := run[string](t, p, "kr.outcome("+open+")"); !strings.Contains(got, "storage is full: make room") {
		t.Errorf("a full disk: %q", got)
	}
	_, err = Command(p, storage.OverrideQuotaForOrigin, storage.OverrideQuotaForOriginParams{Origin: origin})
	must(t, err)
	run[any](t, p, open)
	if got := run[string](t, p, commit); got != "ok undefined" {
		t.Errorf("with room again: %q", got)
	}

	_, err = Command(p, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: origin, StorageTypes: "indexeddb"})
	must(t, err)
	if got := run[string](t, p, "end"); !strings.Contains(got, "storage away") {
		t.Errorf("deleted site data: %q", got)
	}
	if got := run[string](t, p, commit); !strings.Contains(got, "storage away") {
		t.Errorf("a commit after that: %q", got)
	}

	run[any](t, p, open)
	run[any](t, p, `new Promise((resolve, reject) => {
		const r = indexedDB.open("kryptonite", 2);
		r.onsuccess = () => (r.result.close(), resolve(null));
		r.onerror = reject;
	})`)
	if got := run[string](t, p, "end"); !strings.Contains(got, "newer version") {
		t.Errorf("an upgrade in another tab: %q", got)
	}
	if got := run[string](t, p, `kr.outcome(kr.Database.open(kr.live))`); !strings.Contains(got, "reload the app") {
		t.Errorf("an old version of the app: %q", got)
	}
}

// sshKey is a key of the page's keyring.
type sshKey struct{ Kind, Name, PublicKey, Fingerprint, Line string }

// makeKey makes a key in the page's keyring, which it opens.
func makeKey(t *testing.T, p *Page, kind string) sshKey {
	t.Helper()
	return run[sshKey](t, p, `(async () => {
		globalThis.ring ??= await kr.ring();
		return ring.make("`+kind+`", "my\n \u202ephone", kr.live);
	})()`)
}

// signed has the page sign text for a request that was just tapped.
func signed(t *testing.T, p *Page, k sshKey, text string) string {
	t.Helper()
	return run[string](t, p, fmt.Sprintf(`(async () => {
		globalThis.ring ??= await kr.ring();
		ring.allowed({ pairing: "p", request: "r" });
		return ring.sign(kr.toSign(%q, "r", %q), kr.live);
	})()`, k.Fingerprint, text))
}

// checkSSH verifies a signature as a server does.
func checkSSH(t *testing.T, k sshKey, text, signature string) {
	t.Helper()
	pub, err := ssh.ParsePublicKey(unbase64(t, k.PublicKey))
	must(t, err)
	var sig ssh.Signature
	must(t, ssh.Unmarshal(unbase64(t, signature), &sig))
	must(t, pub.Verify([]byte(text), &sig))
	if ssh.FingerprintSHA256(pub) != k.Fingerprint {
		t.Errorf("the fingerprint of %s is not %s", k.Line, k.Fingerprint)
	}
	if want := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub))) + " my phone"; k.Line != want {
		t.Errorf("the line is %q, want %q", k.Line, want)
	}
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	must(t, err)
	return b
}

// pkcs8Header precedes the 32 bytes of an Ed25519 seed, [RFC 8410] §7.
var pkcs8Header = []byte{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20}

// TestPlainKey: a plain key signs, also in the next run of the browser, and the
// profile holds it in clear: who searches as below would find a wrapped one.
func TestPlainKey(t *testing.T) {
	t.Parallel()
	origin, profile := servePlatform(t), newProfile(t)
	b := newBrowser(t, profile)
	p := newPage(t, b, origin)
	k := makeKey(t, p, "plain")
	checkSSH(t, k, "one", signed(t, p, k, "one"))
	must(t, b.Stop())
	b = newBrowser(t, profile)
	p = newPage(t, b, origin)
	checkSSH(t, k, "two", signed(t, p, k, "two"))
	if got := run[string](t, p, `ring.keys()[0].name + ring.locked(ring.list()[0].fingerprint)`); got != "my phonefalse" {
		t.Error(got)
	}

	files, err := ScanProfile(profile, pkcs8Header)
	must(t, err)
	if len(files) == 0 {
		t.Fatal("the scan finds no key in clear where there is one")
	}
	pub, err := ssh.ParsePublicKey(unbase64(t, k.PublicKey))
	must(t, err)
	want := pub.(ssh.CryptoPublicKey).CryptoPublicKey().(ed25519.PublicKey)
	found := false
	for _, f := range files {
		data, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		must(t, err)
		for _, rest := range bytes.Split(data, pkcs8Header)[1:] {
			if len(rest) >= ed25519.SeedSize {
				found = found || bytes.Equal(ed25519.NewKeyFromSeed(rest[:ed25519.SeedSize]).Public().(ed25519.PublicKey), want)
			}
		}
	}
	if !found {
		t.Error("what the scan finds is another key")
	}

	if got := run[string](t, p, fmt.Sprintf(`(async () => {
		await ring.rename(%q, "other");
		const names = [ring.list()[0].name, (await kr.ring()).list()[0].name];
		await ring.remove(%[1]q);
		return names + " " + ring.list().length + (await kr.ring()).list().length + await kr.outcome(ring.sign(kr.toSign(%[1]q, "r", "x"), kr.live));
	})()`, k.Fingerprint)); got != "other,other 00Error: this phone has no such key" {
		t.Errorf("renamed and removed: %q", got)
	}
}

// clearForms are the forms in which a secret may lie on a disk.
func clearForms(secret []byte) [][]byte {
	text := base64.StdEncoding.EncodeToString(secret)
	return [][]byte{secret, []byte(hex.EncodeToString(secret)), []byte(text), []byte(strings.TrimRight(text, "="))}
}

// TestWrappedKey: a wrapped key signs after one look at the person, stays open
// for a rule only, and is nowhere in the profile.
func TestWrappedKey(t *testing.T) {
	t.Parallel()
	origin, profile := servePlatform(t), newProfile(t)
	b := newBrowser(t, profile)
	p := newPage(t, b, origin)
	a, err := p.Authenticator(true)
	must(t, err)
	k := makeKey(t, p, "wrapped")
	checkSSH(t, k, "one", signed(t, p, k, "one"))
	must(t, p.Reload())
	must(t, p.Await("globalThis.kr"))
	checkSSH(t, k, "two", signed(t, p, k, "two"))
	if !run[bool](t, p, `ring.locked(ring.list()[0].fingerprint)`) {
		t.Error("the key is open after its signature")
	}

	// A rule: one prompt, then none until it ends.
	must(t, p.sign(k, "a", "three"))
	must(t, p.Await(`kr.asked.has("a")`))
	must(t, p.sign(k, "b", "four"))
	must(t, p.Await(`kr.asked.has("b")`))
	run[any](t, p, fmt.Sprintf(`ring.keep(%q, Date.now() + 3600e3); kr.asked.get("b").yes(); null`, k.Fingerprint))
	checkSSH(t, k, "three", run[string](t, p, "work.a"))
	checkSSH(t, k, "four", run[string](t, p, "work.b"))
	if n := run[int](t, p, "kr.asked.size"); n != 0 {
		t.Errorf("%d questions are left open", n)
	}
	must(t, a.Present(false)) // whoever prompts now waits for ever
	for range 3 {
		must(t, p.sign(k, "c", "five"))
		checkSSH(t, k, "five", run[string](t, p, "work.c"))
	}

	secret := func() []byte {
		must(t, a.Present(true))
		pair := run[[]string](t, p, `(async () => {
			const k = await ring.make("wrapped", "second", kr.live);
			return [kr.wrapped[0], k.fingerprint];
		})()`)
		pkcs8 := unbase64(t, pair[0])
		if !bytes.HasPrefix(pkcs8, pkcs8Header) {
			t.Fatalf("a key begins with %x", pkcs8[:16])
		}
		run[any](t, p, fmt.Sprintf(`(async () => {
			ring.keep(%q, Date.now() + 3600e3);
			ring.allowed({ pairing: "p", request: "r" });
			await ring.sign(kr.toSign(%[1]q, "r", "x"), kr.live);
			return null;
		})()`, pair[1]))
		return pkcs8[len(pkcs8Header):]
	}()
	for _, when := range []string{"during a lease", "after the browser has ended"} {
		files, err := ScanProfile(profile, append(clearForms(secret), pkcs8Header)...)
		if must(t, err); len(files) > 0 {
			t.Errorf("%s the profile holds a wrapped key in clear: %q", when, files)
		}
		if when == "during a lease" {
			if got := run[string](t, p, fmt.Sprintf(`(() => { ring.keep(%q, Date.now() - 1); return String(ring.locked(%[1]q)) })()`, k.Fingerprint)); got != "true" {
				t.Error("the key stays open when its rule has ended")
			}
			run[any](t, p, "ring.lock(); null")
			if run[bool](t, p, `ring.list().some((k) => !ring.locked(k.fingerprint))`) {
				t.Error("a key stays open when all are locked")
			}
			must(t, b.Stop())
		}
	}
}

// sign has the page sign without a tap; work keeps the outcome by request, and
// stop ends it.
func (p *Page) sign(k sshKey, request, text string) error {
	_, err := Eval[any](p, fmt.Sprintf(`(async () => {
		globalThis.ring ??= await kr.ring();
		globalThis.work ??= {};
		globalThis.stop ??= {};
		stop[%q] = new AbortController();
		work[%[1]q] = ring.sign(kr.toSign(%[2]q, %[1]q, %[3]q), stop[%[1]q].signal);
		work[%[1]q].catch(() => undefined);
		return null;
	})()`, request, k.Fingerprint, text))
	return err
}

// TestPrompts: prompts that are refused, cancelled or withdrawn, and passkeys
// that are lost, are said to people; nobody is prompted out of the blue.
func TestPrompts(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newProfile(t))
	p := newPage(t, b, servePlatform(t))
	a, err := p.Authenticator(true)
	must(t, err)
	k := makeKey(t, p, "wrapped")
	want := func(request, text string) {
		t.Helper()
		if got := run[string](t, p, `kr.outcome(work["`+request+`"])`); !strings.Contains(got, text) {
			t.Errorf("%s: %q, want %q", request, got, text)
		}
	}

	must(t, p.sign(k, "refused", "x"))
	must(t, p.Await(`kr.asked.has("refused")`))
	run[any](t, p, `kr.asked.get("refused").no(); null`)
	want("refused", "Error: not continued")

	must(t, p.sign(k, "early", "x"))
	must(t, p.Await(`kr.asked.has("early")`))
	run[any](t, p, `stop.early.abort(new Error("withdrawn")); null`)
	want("early", "Error: withdrawn")
	if n := run[int](t, p, "kr.asked.size"); n != 0 {
		t.Errorf("%d questions are left open", n)
	}

	// Withdrawn while the prompt is open: it goes away, and the next one comes.
	must(t, a.Present(false))
	for _, request := range []string{"first", "second"} {
		must(t, p.sign(k, request, "x"))
		must(t, p.Await(`kr.asked.has("`+request+`")`))
		run[any](t, p, `kr.asked.get("`+request+`").yes(); null`)
	}
	run[any](t, p, `stop.first.abort(new Error("withdrawn")); null`)
	want("first", "Error: withdrawn")
	must(t, a.Present(true)) // counts for later prompts: the second waits for its own
	run[any](t, p, `stop.second.abort(new Error("withdrawn, too")); null`)
	want("second", "Error: withdrawn, too")
	checkSSH(t, k, "three", signed(t, p, k, "three"))

	// The passkey is gone.
	must(t, a.Clear())
	got := run[string](t, p, fmt.Sprintf(`(ring.allowed({ pairing: "p", request: "r" }), kr.outcome(ring.sign(kr.toSign(%q, "r", "x"), kr.live)))`, k.Fingerprint))
	if !strings.Contains(got, "the passkey is not on this device") {
		t.Errorf("a lost passkey: %q", got)
	}

	// The wrong finger.
	k = makeKey(t, p, "wrapped")
	must(t, a.Verified(false))
	got = run[string](t, p, fmt.Sprintf(`(ring.allowed({ pairing: "p", request: "r" }), kr.outcome(ring.sign(kr.toSign(%q, "r", "x"), kr.live)))`, k.Fingerprint))
	if !strings.Contains(got, "you did not confirm") {
		t.Errorf("the wrong finger: %q", got)
	}
}

// TestNoPRF: where passkeys derive no secrets, no key is made, the useless
// passkey goes, and a plain key can be had.
func TestNoPRF(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newProfile(t))
	p := newPage(t, b, servePlatform(t))
	a, err := p.Authenticator(false)
	must(t, err)
	if !run[bool](t, p, "kr.passkey.canMake()") {
		t.Error("no passkeys are offered although there is an authenticator")
	}
	if got := run[string](t, p, `(async () => {
		globalThis.ring = await kr.ring();
		return await ring.make("wrapped", "x", kr.live).then(String, (err) => String(err instanceof kr.passkey.NoSecret)) + ring.list().length;
	})()`); got != "true0" {
		t.Errorf("a wrapped key without PRF: %q", got)
	}
	left, err := a.Credentials()
	if must(t, err); len(left) != 0 {
		t.Errorf("%d useless passkeys are left", len(left))
	}
	k := makeKey(t, p, "plain")
	checkSSH(t, k, "x", signed(t, p, k, "x"))
}

// TestPasskey: a passkey signs exactly the payload, each time after a touch.
func TestPasskeyInBrowser(t *testing.T) {
	t.Parallel()
	origin := servePlatform(t)
	b := newBrowser(t, newProfile(t))
	p := newPage(t, b, origin)
	_, err := p.Authenticator(false)
	must(t, err)
	k := makeKey(t, p, "passkey")
	check := func(text, signature string) {
		t.Helper()
		var a struct{ AuthenticatorData, ClientDataJSON, Signature, Origin string }
		must(t, json.Unmarshal(unbase64(t, signature), &a))
		spki, err := x509.ParsePKIXPublicKey(unbase64(t, k.PublicKey)) // the page gives it as it is
		must(t, err)
		client, auth := unbase64(t, a.ClientDataJSON), unbase64(t, a.AuthenticatorData)
		hash := sha256.Sum256(client)
		hash = sha256.Sum256(append(bytes.Clone(auth), hash[:]...))
		if !ecdsa.VerifyASN1(spki.(*ecdsa.PublicKey), hash[:], unbase64(t, a.Signature)) {
			t.Error("the signature is wrong")
		}
		var said struct{ Challenge, Origin string }
		must(t, json.Unmarshal(client, &said))
		if challenge, err := base64.RawURLEncoding.DecodeString(said.Challenge); err != nil || string(challenge) != text {
			t.Errorf("signed is %q, want %q", challenge, text)
		}
		if app := sha256.Sum256([]byte("localhost")); said.Origin != origin || a.Origin != origin || !bytes.HasPrefix(auth, app[:]) || auth[32]&5 != 5 {
			t.Errorf("origin %q, %q, authenticator data %x", said.Origin, a.Origin, auth)
		}
	}
	check("one", signed(t, p, k, "one"))
	must(t, p.Reload())
	must(t, p.Await("globalThis.kr"))
	for _, request := range []string{"a", "b"} { // no tap: a question each
		must(t, p.sign(k, request, request))
		must(t, p.Await(`kr.asked.has("`+request+`")`))
	}
	run[any](t, p, `[...kr.asked.values()].forEach((q) => q.yes()); null`)
	for _, request := range []string{"a", "b"} {
		check(request, run[string](t, p, "work."+request))
	}
}

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
	r := relaytest.New(t)
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
	// Sockets that the page makes are counted, and blocked when the test wants it.
	run[any](t, p, `(() => {
		const Real = WebSocket;
		globalThis.sockets = 0;
		globalThis.blocked = false;
		globalThis.WebSocket = class extends Real {
			constructor(url) { super(blocked ? url.replace("/live", "/blocked") : url); sockets++ }
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
	r.Stop()
	r.Start()
	post("two")
	took("two")

	// Behind a proxy that knows no WebSockets polls do, until the page comes
	// back to a network that does.
	run[any](t, p, "blocked = true; null")
	r.Stop()
	r.Start()
	post("three")
	took("three")
	run[any](t, p, "blocked = false; globalThis.before = sockets; null")
	must(t, p.Await(`dispatchEvent(new Event("online")) && sockets > before`))
	post("four")
	took("four")

	// What was taken last is acknowledged when the page ends.
	post("five")
	took("five")
	run[any](t, p, `m.end.abort(); m.done.then(() => null)`)
	run[any](t, p, start)
	post("six")
	took("six")

	// Posting, as the phone does.
	run[any](t, p, fmt.Sprintf(`kr.postFrame(%q, %q, btoa("seven"), kr.live).then(() => null)`, r.Origin(), base64.StdEncoding.EncodeToString(address[:])))
	took("seven")
	run[any](t, p, `m.box.remove(kr.live).then(() => null)`)
	run[any](t, p, `m.done.then(() => null)`)
}
