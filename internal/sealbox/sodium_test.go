package sealbox

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"kryptonite/vectors"
)

type vector struct {
	Kind, Expect, Comment string
	SK, PK, Plain, Sealed string
	C, S                  string
	EC                    string `json:"e_c"`
	ES                    string `json:"e_s"`
	KC2S                  string `json:"k_c2s"`
	KS2C                  string `json:"k_s2c"`
	ID                    string
}

func sodium(t testing.TB, kind string) []vector {
	t.Helper()
	b, err := vectors.FS.ReadFile("sodium.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	var out []vector
	for _, v := range file.Vectors {
		if v.Kind == kind {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no vectors of kind %q", kind)
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func private(t testing.TB, s string) PrivateKey {
	t.Helper()
	k, err := KeyFromBytes(unhex(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestOpensLibsodiumsBoxes opens what libsodium sealed, and nothing of it once
// a bit is flipped or a byte is missing.
func TestOpensLibsodiumsBoxes(t *testing.T) {
	for _, v := range sodium(t, "box") {
		s, err := NewShared(private(t, v.SK), PublicKey(unhex(t, v.PK)))
		if err != nil {
			t.Fatal(err)
		}
		hostile(t, unhex(t, v.Sealed), unhex(t, v.Plain), s.Open)
	}
	for _, v := range sodium(t, "sealed box") {
		k := private(t, v.SK)
		hostile(t, unhex(t, v.Sealed), unhex(t, v.Plain), func(b []byte) ([]byte, error) { return OpenSealed(k, b) })
	}
}

// hostile opens sealed, and every flip and truncation of its first 128 bytes.
func hostile(t *testing.T, sealed, plain []byte, open func([]byte) ([]byte, error)) {
	t.Helper()
	got, err := open(sealed)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("Open = %d bytes, %v; want %d bytes", len(got), err, len(plain))
	}
	for i := range min(len(sealed), 128) {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if _, err := open(bad); !errors.Is(err, ErrOpen) {
				t.Fatalf("byte %d bit %d flipped: %v, want ErrOpen", i, bit, err)
			}
		}
		if _, err := open(sealed[:i]); !errors.Is(err, ErrOpen) {
			t.Fatalf("cut to %d bytes: %v, want ErrOpen", i, err)
		}
	}
	if _, err := open(append(bytes.Clone(sealed), 0)); !errors.Is(err, ErrOpen) {
		t.Fatalf("a byte appended: %v, want ErrOpen", err)
	}
}

func TestLowOrderPointsAreRefused(t *testing.T) {
	for _, v := range sodium(t, "x25519") {
		k, p := private(t, v.SK), PublicKey(unhex(t, v.PK))
		if _, err := NewShared(k, p); (err != nil) != (v.Expect == "error") {
			t.Errorf("NewShared(%x) = %v, want %s", p[:], err, v.Expect)
		}
		if _, err := SealTo(p, []byte("x")); (err != nil) != (v.Expect == "error") {
			t.Errorf("SealTo(%x) = %v, want %s", p[:], err, v.Expect)
		}
		other, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ComputerEpoch(k, other, other.Public(), p); err == nil {
			t.Errorf("ComputerEpoch with e_s %x: no error", p[:])
		}
		if _, err := PhoneEpoch(k, other, p, other.Public()); err == nil {
			t.Errorf("PhoneEpoch with c %x: no error", p[:])
		}
	}
}

func TestEpochVectors(t *testing.T) {
	for _, v := range sodium(t, "epoch") {
		c, s, eC, eS := private(t, v.C), private(t, v.S), private(t, v.EC), private(t, v.ES)
		computer, err := ComputerEpoch(c, eC, s.Public(), eS.Public())
		if err != nil {
			t.Fatal(err)
		}
		phone, err := PhoneEpoch(s, eS, c.Public(), eC.Public())
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(computer.Send[:]); got != v.KC2S || phone.Recv != computer.Send {
			t.Errorf("k_c2s = %s, want %s", got, v.KC2S)
		}
		if got := hex.EncodeToString(phone.Send[:]); got != v.KS2C || computer.Recv != phone.Send {
			t.Errorf("k_s2c = %s, want %s", got, v.KS2C)
		}
		if got := hex.EncodeToString(computer.ID[:]); got != v.ID || phone.ID != computer.ID {
			t.Errorf("epoch id = %s, want %s", got, v.ID)
		}
		body, err := computer.Seal([]byte("to the phone"))
		if err != nil {
			t.Fatal(err)
		}
		hostile(t, body, []byte("to the phone"), phone.Open)
		if _, err := computer.Open(body); !errors.Is(err, ErrOpen) {
			t.Errorf("a frame reflected to its sender: %v, want ErrOpen", err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	e := Epoch{Send: Key32(k.Bytes()), Recv: Key32(k.Bytes())}
	raw, pub := k.Bytes(), k.Public()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{k, &k, pub, &pub, e, &e, struct{ K PrivateKey }{k}} {
			text := fmt.Sprintf(format, v)
			for _, secret := range [][]byte{raw, pub[:]} {
				if bytes.Contains([]byte(text), []byte(hex.EncodeToString(secret[:8]))) ||
					bytes.Contains([]byte(text), []byte(fmt.Sprint(secret[:8])[1:20])) {
					t.Errorf("%s of %T prints its bytes: %s", format, v, text)
				}
			}
		}
	}
}

// TestNamesOfSecrets: who asks for the text by its method learns as little.
func TestNamesOfSecrets(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []interface {
		String() string
		GoString() string
	}{k, k.Public(), Key32(k.Bytes())} {
		if v.String() != redacted || v.GoString() != redacted {
			t.Errorf("%T is called %q and %q", v, v.String(), v.GoString())
		}
	}
}

// TestWhole: a stored epoch that lost a part is none: anyone has a key of zeros.
func TestWhole(t *testing.T) {
	e := Epoch{EpochID{1}, Key32{2}, Key32{3}, Key32{4}}
	if !e.Whole() {
		t.Error("an epoch with all its parts is not whole")
	}
	for _, part := range []func(*Epoch){
		func(e *Epoch) { e.ID = EpochID{} }, func(e *Epoch) { e.Send = Key32{} },
		func(e *Epoch) { e.Recv = Key32{} }, func(e *Epoch) { e.Proof = Key32{} },
	} {
		lost := e
		part(&lost)
		if lost.Whole() {
			t.Errorf("whole though a part is missing: id %x", lost.ID)
		}
	}
}

func TestPadding(t *testing.T) {
	for _, n := range []int{0, 1, 511, 512, 513, 767, 768, 769, 65280} {
		p := Pad(bytes.Repeat([]byte{'x'}, n))
		if len(p) < PadMin || len(p)%PadBlock != 0 || len(p) >= max(n+PadBlock, PadMin+1) {
			t.Errorf("Pad(%d bytes) = %d bytes", n, len(p))
		}
		if text, ok := Unpad(p); !ok || len(text) != n {
			t.Errorf("Unpad(Pad(%d bytes)) = %d bytes, %v", n, len(text), ok)
		}
		if _, ok := Unpad(p[1:]); ok {
			t.Errorf("Unpad took %d bytes", len(p)-1)
		}
	}
}
