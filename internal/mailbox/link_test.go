package mailbox

import (
	"bytes"
	"strings"
	"testing"

	"kryptonite/internal/wire"
)

// invitation is a link's code, whose hosts a test chooses.
func invitation(app, relay string) wire.Invitation {
	return wire.Invitation{App: app, Relay: relay, CPub: [32]byte{1, 2, 3}, Rendezvous: [16]byte{9}}
}

// FuzzLinkOrigins: a link that was read names origins that a client can be made
// for. One that it cannot would be stored by the phone and fail at each start.
func FuzzLinkOrigins(f *testing.F) {
	for _, host := range []string{"A", "A.EXAMPLE:8443", "127.0.0.1:65535", "-A", "A-", "A..B", ".", "A:0", "A:080", "A:65536", strings.Repeat("A", 64)} {
		f.Add(host, "")
		f.Add("KR.EXAMPLE", host)
	}
	f.Fuzz(func(t *testing.T, app, relay string) {
		link := "HTTPS://" + app + "/#" + invitation("https://a", "https://a").Payload()
		if relay != "" {
			link += "/R:" + relay
		}
		inv, err := wire.ParseLink(link)
		if err != nil {
			return
		}
		for _, o := range []string{inv.App, inv.Relay} {
			if _, err := CanonicalOrigin(o); err != nil {
				t.Errorf("the link %s was read: %v", link, err)
			}
		}
	})
}

// FuzzVerifyRead: of all proofs only the holder's holds, and only to the letter.
func FuzzVerifyRead(f *testing.F) {
	k, err := KeyFromSeed(bytes.Repeat([]byte{5}, SeedSize))
	if err != nil {
		f.Fatal(err)
	}
	const origin = "https://relay.example"
	nonce := bytes.Repeat([]byte{6}, NonceSize)
	sig, err := SignRead(k, origin, nonce)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(k.Public()), origin, nonce, sig)
	f.Add([]byte(k.Public()), origin+"x", nonce, sig)
	f.Add([]byte(k.Public()), origin, nonce[1:], sig)
	f.Add(make([]byte, 32), origin, nonce, make([]byte, 64)) // a point of low order signs much
	f.Fuzz(func(t *testing.T, pub []byte, o string, n, s []byte) {
		right := bytes.Equal(pub, k.Public()) && o == origin && bytes.Equal(n, nonce) && bytes.Equal(s, sig)
		if err := VerifyRead(pub, o, k.Address(), n, s); (err == nil) != right || err != nil && err != ErrProof {
			t.Errorf("VerifyRead(%x, %q, %x, %x) = %v", pub, o, n, s, err)
		}
	})
}
