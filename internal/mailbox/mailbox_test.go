package mailbox

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
)

const testOrigin = "https://relay.example"

func testKey(t testing.TB) Key {
	t.Helper()
	k, err := KeyFromSeed(bytes.Repeat([]byte{7}, SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestReadMessageBytesAreFixed(t *testing.T) {
	got := readMessage(testOrigin, Address{1, 2}, bytes.Repeat([]byte{9}, NonceSize))
	want := "kryptonite relay read v1" + "\x00\x15" + testOrigin + "\x01\x02" + strings.Repeat("\x00", 14) + strings.Repeat("\x09", 32)
	if string(got) != want {
		t.Errorf("readMessage = %q, want %q", got, want)
	}
}

func TestAddressIsHashOfPublicKey(t *testing.T) {
	k := testKey(t)
	a := k.Address()
	if AddressOf(k.Public()) != a {
		t.Error("Address differs from AddressOf(Public)")
	}
	if got, err := ParseAddress(a.String()); err != nil || got != a {
		t.Errorf("ParseAddress(%q) = %v, %v", a.String(), got, err)
	}
	for _, bad := range []string{"", a.String() + "00", strings.ToUpper(a.String()[:31]) + "G", a.String()[:30], strings.Repeat("A", 32), strings.Repeat("é", 16)} {
		if _, err := ParseAddress(bad); err == nil {
			t.Errorf("ParseAddress(%q) succeeded", bad)
		}
	}
}

func TestAddressJSON(t *testing.T) {
	type msg struct {
		A Address `json:"a"`
	}
	a := testKey(t).Address()
	b, err := json.Marshal(msg{a})
	if err != nil {
		t.Fatal(err)
	}
	var got msg
	if err := json.Unmarshal(b, &got); err != nil || got.A != a {
		t.Errorf("round trip of %s = %v, %v", b, got, err)
	}
	for _, bad := range []string{`{"a":""}`, `{"a":"AAAA"}`, `{"a":"` + a.String() + `"}`, `{"a":"AAAAAAAAAAAAAAAAAAAAAB=="}`, `{"a":"AAAAAAAAAAA\nAAAAAAAAAAA=="}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("Unmarshal(%s) succeeded", bad)
		}
	}
}

func TestProof(t *testing.T) {
	k := testKey(t)
	nonce := bytes.Repeat([]byte{3}, NonceSize)
	sig, err := SignRead(k, testOrigin, nonce)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyRead(k.Public(), testOrigin, k.Address(), nonce, sig); err != nil {
		t.Fatal(err)
	}
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[0] ^= 1; return b }
	other, _ := NewKey()
	otherSig, _ := SignRead(other, testOrigin, nonce)
	rows := []struct {
		name       string
		pub        []byte
		origin     string
		addr       Address
		nonce, sig []byte
	}{
		{"other origin", k.Public(), "https://evil.example", k.Address(), nonce, sig},
		{"other nonce", k.Public(), testOrigin, k.Address(), flip(nonce), sig},
		{"short nonce", k.Public(), testOrigin, k.Address(), nonce[1:], sig},
		{"other address", k.Public(), testOrigin, other.Address(), nonce, sig},
		{"other key", other.Public(), testOrigin, k.Address(), nonce, otherSig},
		{"other key, over this address", other.Public(), testOrigin, k.Address(), nonce, ed25519.Sign(other.private, readMessage(testOrigin, k.Address(), nonce))},
		{"flipped signature", k.Public(), testOrigin, k.Address(), nonce, flip(sig)},
		{"short signature", k.Public(), testOrigin, k.Address(), nonce, sig[1:]},
		{"no key", nil, testOrigin, k.Address(), nonce, sig},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if err := VerifyRead(r.pub, r.origin, r.addr, r.nonce, r.sig); err != ErrProof {
				t.Errorf("VerifyRead = %v, want ErrProof", err)
			}
		})
	}
	for i := range sig {
		for bit := range 8 {
			bad := bytes.Clone(sig)
			bad[i] ^= 1 << bit
			if VerifyRead(k.Public(), testOrigin, k.Address(), nonce, bad) == nil {
				t.Fatalf("bit %d of byte %d may be flipped", bit, i)
			}
		}
	}
	if _, err := SignRead(k, "HTTPS://relay.example", nonce); err == nil {
		t.Error("SignRead signed an origin that is not canonical")
	}
	if _, err := SignRead(k, testOrigin, nonce[1:]); err == nil {
		t.Error("SignRead signed a short nonce")
	}
	if _, err := SignRead(Key{}, testOrigin, nonce); err == nil {
		t.Error("SignRead signed with the zero key")
	}
}

func TestKeySeed(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := KeyFromSeed(k.Seed())
	if err != nil || !again.Equal(k) || again.Address() != k.Address() {
		t.Errorf("KeyFromSeed(Seed) is another key (%v)", err)
	}
	if _, err := KeyFromSeed(make([]byte, 31)); err == nil {
		t.Error("a short seed was taken")
	}
	if !(Key{}).IsZero() || k.IsZero() || (Key{}).Seed() != nil {
		t.Error("IsZero or Seed of the zero key is wrong")
	}
}

var originRows = []struct{ in, want string }{
	{"https://relay.example", "https://relay.example"},
	{"HTTPS://Relay.Example:443/", "https://relay.example"},
	{"https://relay.example:8443", "https://relay.example:8443"},
	{"https://relay.example:80", "https://relay.example:80"},
	{"http://localhost:8080", "http://localhost:8080"},
	{"http://LOCALHOST:80", "http://localhost"},
	{"http://127.0.0.1", "http://127.0.0.1"},
	{"http://[::1]:9", "http://[::1]:9"},
	{"https://[2001:DB8::1]", "https://[2001:db8::1]"},
	{"https://10.0.0.1:1", "https://10.0.0.1:1"},
	{"http://relay.example", ""},
	{"http://127.0.0.2", ""},
	{"http://localhost.evil.example", ""},
	{"http://[::2]", ""},
	{"ws://relay.example", ""},
	{"relay.example", ""},
	{"https://", ""},
	{"https:///", ""},
	{"https://a/b", ""},
	{"https://a//", ""},
	{"https://a?b", ""},
	{"https://a#b", ""},
	{"https://u@a", ""},
	{"https://a:", ""},
	{"https://a:0", ""},
	{"https://a:080", ""},
	{"https://a:65536", ""},
	{"https://a:1:2", ""},
	{"https://a b", ""},
	{"https://a.", ""},
	{"https://-a", ""},
	{"https://bücher.example", ""},
	{"https://\u212aelvin.example", ""},
	{"https://[::1", ""},
	{"https://[::1]x", ""},
	{"https://[::1]:", ""},
	{"https://x[::1]", ""},
	{"https://a\\b", ""},
}

func TestCanonicalOrigin(t *testing.T) {
	for _, r := range originRows {
		got, err := CanonicalOrigin(r.in)
		if got != r.want || (err == nil) != (r.want != "") {
			t.Errorf("CanonicalOrigin(%q) = %q, %v, want %q", r.in, got, err, r.want)
		}
	}
}

func FuzzCanonicalOrigin(f *testing.F) {
	for _, r := range originRows {
		f.Add(r.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := CanonicalOrigin(s)
		if err != nil {
			return
		}
		if again, err := CanonicalOrigin(got); err != nil || again != got {
			t.Errorf("CanonicalOrigin(%q) = %q, which becomes %q, %v", s, got, again, err)
		}
	})
}

func FuzzParseControl(f *testing.F) {
	f.Add(Control{Type: TypeChallenge, Nonce: make([]byte, NonceSize)}.Encode())
	f.Add(Control{Type: TypeProof, PublicKey: make([]byte, ed25519.PublicKeySize), Signature: make([]byte, ed25519.SignatureSize)}.Encode())
	f.Add(Control{Type: TypeReady}.Encode())
	f.Add([]byte(`{"type":"ping","more":[1]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseControl(b)
		if err != nil {
			return
		}
		again, err := ParseControl(c.Encode())
		if err != nil || again.Type != c.Type || !bytes.Equal(again.Nonce, c.Nonce) || !bytes.Equal(again.PublicKey, c.PublicKey) || !bytes.Equal(again.Signature, c.Signature) {
			t.Errorf("round trip of %q = %v, %v", b, again, err)
		}
	})
}

func FuzzParseDelivery(f *testing.F) {
	f.Add(EncodeDelivery(1, []byte("frame")))
	f.Add(EncodeDelivery(1<<63, make([]byte, MaxFrame)))
	f.Fuzz(func(t *testing.T, b []byte) {
		seq, frame, err := ParseDelivery(b)
		if err == nil && !bytes.Equal(EncodeDelivery(seq, frame), b) {
			t.Errorf("round trip of %x failed", b)
		}
		if seq, err := ParseAck(b); err == nil && !bytes.Equal(EncodeAck(seq), b) {
			t.Errorf("round trip of ack %x failed", b)
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("00112233445566778899aabbccddeeff")
	f.Add("AAAAAAAAAAAAAAAAAAAAAA==")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAddress(s); err == nil && a.String() != s {
			t.Errorf("ParseAddress(%q).String() = %q", s, a)
		}
		if id, err := ParsePostID(s); err == nil && id.String() != s {
			t.Errorf("ParsePostID(%q).String() = %q", s, id)
		}
		var a Address
		if err := a.UnmarshalText([]byte(s)); err == nil {
			if b, _ := a.MarshalText(); string(b) != s {
				t.Errorf("MarshalText after UnmarshalText(%q) = %q", s, b)
			}
		}
	})
}

func TestDeliveryLimits(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 1: true, MaxFrame: true, MaxFrame + 1: false} {
		if _, _, err := ParseDelivery(EncodeDelivery(5, make([]byte, n))); (err == nil) != ok {
			t.Errorf("ParseDelivery of a %d byte frame: %v", n, err)
		}
	}
	if _, err := ParseAck(make([]byte, 7)); err == nil {
		t.Error("a 7 byte ack was taken")
	}
}

func TestPostIDs(t *testing.T) {
	if one, other := NewPostID(), NewPostID(); one == other {
		t.Error("two post ids are equal")
	}
}
