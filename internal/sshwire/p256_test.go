package sshwire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestSignP256: x/crypto/ssh and we ourselves take the signature, with short
// numbers and with ones whose first bit is set; a key of another curve is
// refused.
func TestSignP256(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ssh.NewPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ParsePublicKey(theirs.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[int]bool{}
	for i := range 500 {
		data := []byte{byte(i), byte(i >> 8)}
		b, err := SignP256(key, data)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := ParseSignature(b)
		if err != nil || sig.Format != KeyP256 || ours.Verify(data, sig) != nil {
			t.Fatalf("%x: %v, %v", b, err, ours.Verify(data, sig))
		}
		if err := theirs.Verify(data, &ssh.Signature{Format: sig.Format, Blob: sig.Blob}); err != nil {
			t.Fatalf("x/crypto/ssh: %v", err)
		}
		lengths[len(sig.Blob)] = true
	}
	if len(lengths) < 3 {
		t.Errorf("all signatures have %v bytes", lengths)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SignP256(other, nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("a key on P-384: %v, want ErrMalformed", err)
	}
}
