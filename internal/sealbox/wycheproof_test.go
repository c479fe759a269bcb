package sealbox

import (
	"bytes"
	"errors"
	"testing"

	"kryptonite/vectors/wycheproof"
)

// TestWycheproof: each exchange comes to what RFC 7748 says, or to ErrKey. Of what
// a library may refuse we refuse the result zero, which points of low order give,
// and take points on the twist and the other spellings of a coordinate (section 5):
// what is made of the result has the keys' bytes in it.
func TestWycheproof(t *testing.T) {
	zero := make([]byte, KeySize)
	refused := 0
	for _, v := range wycheproof.Load(t, wycheproof.X25519) {
		private, err := KeyFromBytes(v.Private)
		if err != nil {
			t.Fatalf("%d: %v", v.ID, err)
		}
		public, err := PublicKeyFromBytes(v.Public)
		if err != nil {
			t.Fatalf("%d: %v", v.ID, err)
		}
		got, err := private.dh(public)
		if bytes.Equal(v.Shared, zero) {
			if refused++; !errors.Is(err, ErrKey) || got != nil || v.Result != wycheproof.Acceptable {
				t.Errorf("%d: of low order, %s: %x, %v", v.ID, v.Result, got, err)
			}
			if _, err := NewShared(private, public); !errors.Is(err, ErrKey) {
				t.Errorf("%d: a box with a point of low order: %v", v.ID, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, v.Shared) {
			t.Errorf("%d: %x, %v; want %x", v.ID, got, err, v.Shared)
		}
	}
	if refused < 30 {
		t.Errorf("only %d of low order", refused)
	}
}
