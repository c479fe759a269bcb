package webpush

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"kryptonite/internal/wake/webpush/pushtest"
)

func unb64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC8291 is the example of section 5 with the values of appendix A.
func TestRFC8291(t *testing.T) {
	sender, err := ecdh.P256().NewPrivateKey(unb64(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := ecdh.P256().NewPrivateKey(unb64(t, "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"))
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("When I grow up, I want to be a watermelon")
	auth, salt := unb64(t, "BTBZMqHH6r4Tts7J_aSIgg"), unb64(t, "DGv6ra1nlYgDCS1FRnbzlw")
	want := unb64(t, `DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml
		mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT
		pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN`)
	got, err := encryptWith(sender, salt, plain, receiver.PublicKey().Bytes(), auth)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encrypt = %x, %v, want %x", got, err, want)
	}
	if back, err := pushtest.Decrypt(want, receiver, auth); err != nil || !bytes.Equal(back, plain) {
		t.Errorf("the double opens it as %q, %v", back, err)
	}
	for i := range want {
		flipped := bytes.Clone(want)
		flipped[i] ^= 1
		if i >= saltSize && i < saltSize+4 {
			continue // the record size is only a bound
		}
		if _, err := pushtest.Decrypt(flipped, receiver, auth); err == nil {
			t.Errorf("byte %d flipped: it still opens", i)
		}
	}
}

// TestRFC8188 is the example of section 3.1: the same derivation without a
// browser's keys.
func TestRFC8188(t *testing.T) {
	ikm, body := unb64(t, "yqdlZ-tYemfogSmv7Ws5PQ"), unb64(t, "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg")
	salt, sealed := body[:16], body[21:]
	key, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		t.Fatal(err)
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := gcm.Open(nil, nonce, sealed, nil); err != nil || string(plain) != "I am the walrus\x02" {
		t.Errorf("the labels of the derivation open it as %q, %v", plain, err)
	}
}

// TestRFC8292 checks the token of section 2.4 the way the double checks ours.
func TestRFC8292(t *testing.T) {
	const jwt = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0"
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(),
		unb64(t, "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"))
	if err != nil {
		t.Fatal(err)
	}
	sig := unb64(t, "i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA")
	sum := sha256.Sum256([]byte(jwt))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		t.Error("the example's signature does not hold")
	}
	// Ours has the same header, claims and spelling.
	tok, err := newToken(unb64(t, "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "https://push.example.net", "mailto:push@example.com")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tok.sign(unixTime(1453523768))
	if err != nil || !strings.HasPrefix(got, jwt+".") {
		t.Errorf("token %q, %v, want %q and a signature", got, err, jwt)
	}
}
