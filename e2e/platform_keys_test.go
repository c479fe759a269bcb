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
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

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
		return kr.sign(ring, kr.toSign(%q, "r", %q), kr.live);
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
		return names + " " + ring.list().length + (await kr.ring()).list().length + await kr.outcome(kr.sign(ring, kr.toSign(%[1]q, "r", "x"), kr.live));
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
			await kr.sign(ring, kr.toSign(%[1]q, "r", "x"), kr.live);
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
		work[%[1]q] = kr.sign(ring, kr.toSign(%[2]q, %[1]q, %[3]q), stop[%[1]q].signal);
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
	got := run[string](t, p, fmt.Sprintf(`(ring.allowed({ pairing: "p", request: "r" }), kr.outcome(kr.sign(ring, kr.toSign(%q, "r", "x"), kr.live)))`, k.Fingerprint))
	if !strings.Contains(got, "the passkey is not on this device") {
		t.Errorf("a lost passkey: %q", got)
	}

	// The wrong finger.
	run[any](t, p, fmt.Sprintf(`ring.rename(%q, "lost").then(() => null)`, k.Fingerprint))
	k = makeKey(t, p, "wrapped")
	must(t, a.Verified(false))
	got = run[string](t, p, fmt.Sprintf(`(ring.allowed({ pairing: "p", request: "r" }), kr.outcome(kr.sign(ring, kr.toSign(%q, "r", "x"), kr.live)))`, k.Fingerprint))
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
