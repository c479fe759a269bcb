package sshwire

import (
	"testing"

	"kryptonite/vectors/wycheproof"
)

// judged runs what we say of a signature over the vectors of a file.
func judged(t *testing.T, file string, holds func(*testing.T, wycheproof.Test) bool) {
	t.Helper()
	for _, v := range wycheproof.Load(t, file) {
		if v.Result != wycheproof.Valid && v.Result != wycheproof.Invalid {
			t.Fatalf("%s %d is %s, and nobody has decided what we say", file, v.ID, v.Result)
		}
		if got := holds(t, v); got != (v.Result == wycheproof.Valid) {
			t.Errorf("%s %d is %s, but holds: %t", file, v.ID, v.Result, got)
		}
	}
}

// verifies reads key and signature in SSH wire format, as from a computer or a phone.
func verifies(t *testing.T, key, msg, sig []byte) bool {
	t.Helper()
	k, err := ParsePublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSignature(sig)
	return err == nil && k.Verify(msg, s) == nil
}

func TestWycheproofEd25519(t *testing.T) {
	judged(t, wycheproof.Ed25519, func(t *testing.T, v wycheproof.Test) bool {
		return verifies(t, Ed25519Blob([]byte(v.Key)), v.Msg, Ed25519Signature(v.Sig))
	})
}

// TestWycheproofP1363: signatures as WebCrypto makes them.
func TestWycheproofP1363(t *testing.T) {
	judged(t, wycheproof.P256P1363, func(t *testing.T, v wycheproof.Test) bool {
		sig, err := P256Signature(v.Sig)
		return err == nil && verifies(t, p256Blob(t, v.Key), v.Msg, sig)
	})
}

// TestWycheproofDER: signatures as a passkey makes them, in whatever DER, and, where
// they hold, once more as WebCrypto writes them, and with a zero too much, which no
// vector has where it still fits. BER is none.
func TestWycheproofDER(t *testing.T) {
	zeros := 0
	judged(t, wycheproof.P256, func(t *testing.T, v wycheproof.Test) bool {
		r, s, ok := parseDER(v.Sig)
		if !ok {
			return false
		}
		if b := v.Sig; b[4] != 0 { // r needs no zero
			zeros++
			if _, _, ok := parseDER(append([]byte{b[0], b[1] + 1, b[2], b[3] + 1, 0}, b[4:]...)); ok {
				t.Errorf("%d: taken with a zero in front of r", v.ID)
			}
		}
		var w Writer
		w.Mpint(r)
		w.Mpint(s)
		holds := verifies(t, p256Blob(t, v.Key), v.Msg, Signature{KeyP256, w.Bytes()}.Marshal())
		if r.BitLen() > 256 || s.BitLen() > 256 {
			return holds
		}
		raw, err := P256Signature(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
		if err != nil || verifies(t, p256Blob(t, v.Key), v.Msg, raw) != holds {
			t.Errorf("%d: DER holds: %t, and not so as r ‖ s (%v)", v.ID, holds, err)
		}
		return holds
	})
	if zeros < 50 {
		t.Errorf("only %d with a zero too much", zeros)
	}
}

func p256Blob(t *testing.T, point []byte) []byte {
	t.Helper()
	blob, err := P256Blob(point)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}
