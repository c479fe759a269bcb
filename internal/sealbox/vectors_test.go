package sealbox

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/nacl/box"

	"kryptonite/vectors"
)

// read reads a file of vectors.
func read[T any](t testing.TB, name string) []T {
	t.Helper()
	b, err := vectors.FS.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []T }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatalf("no vectors in %s", name)
	}
	return file.Vectors
}

type epochVector struct {
	Name, C, S, ID string
	EC             string `json:"e_c"`
	ES             string `json:"e_s"`
	CPub           string `json:"c_pub"`
	SPub           string `json:"s_pub"`
	ECPub          string `json:"e_c_pub"`
	ESPub          string `json:"e_s_pub"`
	KC2S           string `json:"k_c2s"`
	KS2C           string `json:"k_s2c"`
	Proof          string `json:"e_proof"`
	FrameC2S       string `json:"frame_c2s"`
	FrameS2C       string `json:"frame_s2c"`
}

// pair makes both sides of the epoch of v.
func pair(t testing.TB, v epochVector) (computer, phone Epoch) {
	t.Helper()
	public := func(s string) PublicKey { return PublicKey(unhex(t, s)) }
	computer, err := ComputerEpoch(private(t, v.C), private(t, v.EC), public(v.SPub), public(v.ESPub))
	if err != nil {
		t.Fatal(err)
	}
	phone, err = PhoneEpoch(private(t, v.S), private(t, v.ES), public(v.CPub), public(v.ECPub))
	if err != nil {
		t.Fatal(err)
	}
	return computer, phone
}

// TestEpochsOfLibsodium: the keys, the id, and a frame of each direction.
func TestEpochsOfLibsodium(t *testing.T) {
	for _, v := range read[epochVector](t, "epoch.json") {
		computer, phone := pair(t, v)
		for _, c := range []struct {
			what string
			got  []byte
			want string
		}{
			{"computer's sending key", computer.Send[:], v.KC2S}, {"computer's receiving key", computer.Recv[:], v.KS2C},
			{"phone's sending key", phone.Send[:], v.KS2C}, {"phone's receiving key", phone.Recv[:], v.KC2S},
			{"computer's proof", computer.Proof[:], v.Proof}, {"phone's proof", phone.Proof[:], v.Proof},
			{"computer's id", computer.ID[:], v.ID}, {"phone's id", phone.ID[:], v.ID},
		} {
			if got := hex.EncodeToString(c.got); got != c.want {
				t.Errorf("%s: %s = %s, want %s", v.Name, c.what, got, c.want)
			}
		}
		toPhone, toComputer := unhex(t, v.FrameC2S), unhex(t, v.FrameS2C)
		hostile(t, toPhone, []byte("to the phone"), phone.Open)
		hostile(t, toComputer, []byte("to the krd.."), computer.Open)
		if _, err := computer.Open(toPhone); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: reflected to the computer: %v, want ErrOpen", v.Name, err)
		}
		if _, err := phone.Open(toComputer); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: reflected to the phone: %v, want ErrOpen", v.Name, err)
		}
	}
}

// TestEpochNeedsAllFourKeys: with any one key of another, both sides differ.
func TestEpochNeedsAllFourKeys(t *testing.T) {
	v := read[epochVector](t, "epoch.json")[0]
	c, s, eC, eS := private(t, v.C), private(t, v.S), private(t, v.EC), private(t, v.ES)
	right, _ := pair(t, v)
	body, err := right.Seal([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string][4]PrivateKey{"c": {other, s, eC, eS}, "s": {c, other, eC, eS}, "e_c": {c, s, other, eS}, "e_s": {c, s, eC, other}} {
		e, err := PhoneEpoch(k[1], k[3], k[0].Public(), k[2].Public())
		if err != nil {
			t.Fatal(err)
		}
		if e.Recv == right.Send || e.Send == right.Recv {
			t.Errorf("another %s gives the same key", name)
		}
		e.ID = right.ID
		if _, err := e.Open(body); !errors.Is(err, ErrOpen) {
			t.Errorf("another %s opens a frame: %v", name, err)
		}
	}
	// The long-term keys alone, as a thief of both has them, are not enough.
	for _, z := range []PublicKey{{}, {1}} {
		if _, err := PhoneEpoch(s, eS, c.Public(), z); !errors.Is(err, ErrKey) {
			t.Errorf("e_c %x: %v, want ErrKey", z[:1], err)
		}
		if _, err := ComputerEpoch(c, eC, z, eS.Public()); !errors.Is(err, ErrKey) {
			t.Errorf("s %x: %v, want ErrKey", z[:1], err)
		}
	}
	if _, err := ComputerEpoch(c, eC, s.Public(), PublicKey{}); !errors.Is(err, ErrKey) {
		t.Errorf("e_s of zeros: %v, want ErrKey", err)
	}
}

// TestFrameOfAnotherEpoch is not opened, even under its own key.
func TestFrameOfAnotherEpoch(t *testing.T) {
	vs := read[epochVector](t, "epoch.json")
	c0, p0 := pair(t, vs[0])
	_, p1 := pair(t, vs[1])
	body, err := c0.Seal([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := EpochOf(body); !ok || id != c0.ID {
		t.Errorf("EpochOf = %x, %v, want %x", id, ok, c0.ID)
	}
	if _, err := p1.Open(body); !errors.Is(err, ErrOpen) {
		t.Errorf("another epoch: %v, want ErrOpen", err)
	}
	p0.ID = p1.ID
	if _, err := p0.Open(body); !errors.Is(err, ErrOpen) {
		t.Errorf("the right key under another id: %v, want ErrOpen", err)
	}
	for n := range EpochIDSize + BoxOver {
		if _, ok := EpochOf(body[:n]); ok {
			t.Errorf("EpochOf took %d bytes", n)
		}
	}
}

func TestX25519Vectors(t *testing.T) {
	low := 0
	for _, v := range read[struct{ Name, Expect, SK, PK, Shared string }](t, "x25519.json") {
		k, p := private(t, v.SK), PublicKey(unhex(t, v.PK))
		z, err := k.dh(p)
		_, sharedErr := NewShared(k, p)
		_, sealErr := SealTo(p, []byte("x"))
		if v.Expect == "ok" {
			if err != nil || sharedErr != nil || sealErr != nil || hex.EncodeToString(z) != v.Shared {
				t.Errorf("%s: dh = %x, %v, %v, %v, want %s", v.Name, z, err, sharedErr, sealErr, v.Shared)
			}
			continue
		}
		low++
		for what, err := range map[string]error{"dh": err, "NewShared": sharedErr, "SealTo": sealErr} {
			if !errors.Is(err, ErrKey) {
				t.Errorf("%s: %s = %v, want ErrKey", v.Name, what, err)
			}
		}
		// As the ephemeral key of a sealed box, made rightly: the key of the box
		// is then known to all, and x/crypto would open it.
		pub := k.Public()
		h, err := blake2b.New(NonceSize, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(p[:])
		h.Write(pub[:])
		nonce := [NonceSize]byte(h.Sum(nil))
		eph, secret := [32]byte(p), [32]byte(k.Bytes())
		sealed := box.Seal(p[:], []byte("x"), &nonce, &eph, &secret)
		recipient := [32]byte(pub)
		if _, ok := box.OpenAnonymous(nil, sealed, &recipient, &secret); !ok {
			t.Errorf("%s: this test's sealed box is not one", v.Name)
		}
		if _, err := OpenSealed(k, sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: OpenSealed = %v, want ErrOpen", v.Name, err)
		}
	}
	if low < 14 {
		t.Errorf("only %d points of low order", low)
	}
}

func TestSecretboxVectors(t *testing.T) {
	for _, v := range read[struct{ Name, Key, Plain, Sealed string }](t, "secretbox.json") {
		key := [32]byte(unhex(t, v.Key))
		hostile(t, unhex(t, v.Sealed), unhex(t, v.Plain), func(b []byte) ([]byte, error) { return secretOpen(&key, b) })
		key[0] ^= 1
		if _, err := secretOpen(&key, unhex(t, v.Sealed)); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: another key: %v, want ErrOpen", v.Name, err)
		}
	}
}

func TestPaddingVectors(t *testing.T) {
	for _, v := range read[struct {
		Name, Kind, Expect string
		Length             int
		PaddedLength       int `json:"padded_length"`
	}](t, "padding.json") {
		text := bytes.Repeat([]byte("x"), v.Length)
		if v.Kind == "unpad" {
			if got, ok := Unpad(text); ok {
				t.Errorf("%s: Unpad = %d bytes, want none", v.Name, len(got))
			}
			continue
		}
		p := Pad(text)
		if len(p) != v.PaddedLength || strings.TrimRight(string(p), " ") != string(text) {
			t.Errorf("%s: Pad = %d bytes, want %d", v.Name, len(p), v.PaddedLength)
		}
		if got, ok := Unpad(p); !ok || !bytes.Equal(got, text) {
			t.Errorf("%s: Unpad = %d bytes, %v", v.Name, len(got), ok)
		}
	}
}

// TestBoxesOfTheWrongPeople: only the two parties open a box, and only the
// addressee a sealed one.
func TestBoxesOfTheWrongPeople(t *testing.T) {
	var keys [3]PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = NewKey(); err != nil {
			t.Fatal(err)
		}
	}
	shared := func(own, peer int) *Shared {
		s, err := NewShared(keys[own], keys[peer].Public())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain := []byte("hello")
	body, err := shared(0, 1).Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := shared(1, 0).Open(body); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("the peer: %q, %v", got, err)
	}
	for _, who := range [][2]int{{2, 0}, {2, 1}, {0, 2}, {1, 2}} {
		if _, err := shared(who[0], who[1]).Open(body); !errors.Is(err, ErrOpen) {
			t.Errorf("%v opens it: %v", who, err)
		}
	}
	again, err := shared(0, 1).Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(again[:NonceSize], body[:NonceSize]) {
		t.Error("a nonce was used twice")
	}
	sealed, err := SealTo(keys[0].Public(), plain)
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) != len(plain)+SealedOver {
		t.Errorf("a sealed box of %d bytes, want %d", len(sealed), len(plain)+SealedOver)
	}
	if _, err := OpenSealed(keys[1], sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("another key opens a sealed box: %v", err)
	}
	if _, err := OpenSealed(PrivateKey{}, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("no key opens a sealed box: %v", err)
	}
	keys[0].Erase()
	if !keys[0].IsZero() || keys[0].Bytes() != nil {
		t.Error("an erased key is there")
	}
	if _, err := NewShared(keys[0], keys[1].Public()); !errors.Is(err, ErrKey) {
		t.Errorf("an erased key: %v, want ErrKey", err)
	}
}

// TestKeysInFiles: each secret type is written to JSON and read back, and what
// is not of its size is ErrKey.
func TestKeysInFiles(t *testing.T) {
	computer, _ := pair(t, read[epochVector](t, "epoch.json")[0])
	k := private(t, read[epochVector](t, "epoch.json")[0].C)
	type state struct {
		K     PrivateKey
		Empty PrivateKey
		P     PublicKey
		E     Epoch
	}
	in := state{K: k, P: k.Public(), E: computer}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out state
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.K.Bytes(), k.Bytes()) || !out.Empty.IsZero() || out.P != in.P || out.E != in.E {
		t.Errorf("read back from %s: differs", b)
	}
	for _, text := range []string{"!", "AA==", "AAAA", strings.Repeat("A", 44), strings.Repeat("A", 43), "00", "0011223344556677 "} {
		for _, u := range []interface{ UnmarshalText([]byte) error }{new(PrivateKey), new(PublicKey), new(Key32), new(EpochID)} {
			if err := u.UnmarshalText([]byte(text)); !errors.Is(err, ErrKey) {
				t.Errorf("%T from %q: %v, want ErrKey", u, text, err)
			}
		}
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := KeyFromBytes(make([]byte, n)); !errors.Is(err, ErrKey) {
			t.Errorf("KeyFromBytes of %d: %v, want ErrKey", n, err)
		}
		if _, err := PublicKeyFromBytes(make([]byte, n)); !errors.Is(err, ErrKey) {
			t.Errorf("PublicKeyFromBytes of %d: %v, want ErrKey", n, err)
		}
	}
}
