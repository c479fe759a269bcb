package sealbox

import (
	"bytes"
	"errors"
	"testing"
)

// opens holds for everything that opens: a plaintext or ErrOpen, never both.
func opens(t *testing.T, plain []byte, err error, over, n int) {
	t.Helper()
	if err != nil && (!errors.Is(err, ErrOpen) || plain != nil) {
		t.Errorf("Open = %x, %v", plain, err)
	}
	if err == nil && len(plain) != n-over {
		t.Errorf("Open of %d bytes = %d bytes", n, len(plain))
	}
}

func FuzzOpenSealed(f *testing.F) {
	vs := sodium(f, "sealed box")
	k := private(f, vs[0].SK)
	for _, v := range vs {
		f.Add(unhex(f, v.Sealed))
	}
	for _, v := range read[struct{ PK string }](f, "x25519.json") {
		f.Add(append(unhex(f, v.PK), make([]byte, 16)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := OpenSealed(k, b)
		opens(t, plain, err, SealedOver, len(b))
	})
}

func FuzzSharedOpen(f *testing.F) {
	vs := sodium(f, "box")
	s, err := NewShared(private(f, vs[0].SK), PublicKey(unhex(f, vs[0].PK)))
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range vs {
		f.Add(unhex(f, v.Sealed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := s.Open(b)
		opens(t, plain, err, BoxOver, len(b))
	})
}

func FuzzEpochOpen(f *testing.F) {
	vs := read[epochVector](f, "epoch.json")
	computer, phone := pair(f, vs[0])
	for _, v := range vs {
		f.Add(unhex(f, v.FrameC2S))
		f.Add(unhex(f, v.FrameS2C))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := phone.Open(b)
		opens(t, plain, err, EpochIDSize+BoxOver, len(b))
		if back, err2 := computer.Open(b); err == nil && err2 == nil {
			t.Errorf("both sides open it: %x, %x", plain, back)
		}
	})
}

func FuzzPad(f *testing.F) {
	f.Add([]byte("{}"))
	f.Add(bytes.Repeat([]byte(" "), 512))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, ok := Unpad(Pad(b))
		if !ok || !bytes.Equal(text, bytes.TrimRight(b, " ")) {
			t.Errorf("Unpad(Pad(%q)) = %q, %v", b, text, ok)
		}
		if text, ok := Unpad(b); ok && !bytes.HasPrefix(b, text) {
			t.Errorf("Unpad(%q) = %q", b, text)
		}
	})
}
