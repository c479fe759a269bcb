package sshwire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/sshwire/passkeytest"
	"kryptonite/vectors"
)

const webauthnFile = "ssh_webauthn.json"

// signedMessage is what the SSHSIG in the vectors is about, in the namespace "file".
const signedMessage = "a file\n"

type webauthnVector struct {
	Name      string           `json:"name"`
	Comment   string           `json:"comment"`
	Key       hexBytes         `json:"key"`
	Data      hexBytes         `json:"data"`                // what was to be signed
	Assertion *assertionFields `json:"assertion,omitempty"` // what the browser gave
	Signature hexBytes         `json:"signature"`           // SSH wire format
	Expect    string           `json:"expect"`
	Browser   string           `json:"of_assertion,omitempty"` // ok: signature is made of assertion; malformed: the phone refuses it
}

type assertionFields struct {
	AuthenticatorData hexBytes `json:"authenticator_data"`
	ClientDataJSON    hexBytes `json:"client_data_json"`
	Signature         hexBytes `json:"signature"`
	Origin            string   `json:"origin"`
}

type webauthnVectors struct {
	Comment string           `json:"comment"`
	Vectors []webauthnVector `json:"vectors"`
}

func loadWebAuthn(t testing.TB) []webauthnVector {
	t.Helper()
	b, err := vectors.FS.ReadFile(webauthnFile)
	if err != nil {
		t.Fatal(err)
	}
	var f webauthnVectors
	if err := json.Unmarshal(b, &f); err != nil || len(f.Vectors) < 30 {
		t.Fatalf("%d vectors, %v", len(f.Vectors), err)
	}
	return f.Vectors
}

// given is what a platform says around the data.
type given = passkeytest.Given

func blobOf(p passkeytest.Passkey) []byte {
	blob, err := PasskeyBlob(p.SPKI(), p.Application)
	if err != nil {
		panic(err)
	}
	return blob
}

// unchecked writes an assertion as an SSH signature, whatever it says.
func unchecked(a passkeytest.Assertion) WebAuthn {
	r, s, ok := parseDER(a.Signature)
	if !ok {
		panic("bug in a test: no DER")
	}
	return WebAuthn{r, s, a.AuthenticatorData[32], binary.BigEndian.Uint32(a.AuthenticatorData[33:]), a.Origin, a.ClientDataJSON, a.AuthenticatorData[37:]}
}

func fileData() []byte {
	digest := sha512.Sum512([]byte(signedMessage))
	return SSHSIG{Namespace: "file", Hash: "sha512", Digest: digest[:]}.Marshal()
}

func webAuthnVectors() webauthnVectors {
	f := webauthnVectors{Comment: "Signatures of passkeys. OpenSSH PROTOCOL.u2f, ssh-ecdsa-sk.c; W3C WebAuthn §5.8.1.1, §6.1. The data of each is an SSHSIG of the file \"a file\\n\" in the namespace \"file\". All bytes are hex; expect (of parsing and verifying signature): ok, signature, malformed or unsupported; of_assertion: ok if signature is what the phone makes of assertion, malformed if it refuses it."}
	phone, data := passkeytest.New(1, "phone.example"), fileData()
	const origin = "https://phone.example"
	add := func(name, expect, browser, comment string, a passkeytest.Assertion, sig []byte) {
		f.Vectors = append(f.Vectors, webauthnVector{name, comment, blobOf(phone), data,
			&assertionFields{a.AuthenticatorData, a.ClientDataJSON, a.Signature, a.Origin}, sig, expect, browser})
	}
	try := func(name, expect string, g given, comment string) {
		if g.Origin == "" {
			g.Origin = origin
		}
		a := phone.Assert(data, g)
		browser := "ok"
		if expect != "ok" {
			browser = "malformed"
		}
		add(name, expect, browser, comment, a, unchecked(a).Marshal())
	}
	ext := []byte("\xa1\x6bhmac-secret\xf5")
	for _, flags := range []byte{0x01, 0x05, 0x09, 0x1d} {
		try("flags "+string("0123456789abcdef"[flags>>4])+string("0123456789abcdef"[flags&15]), "ok", given{Flags: flags}, "sshd 9.2 takes it")
	}
	try("flags 85 with extensions", "ok", given{Flags: 0x85, Extensions: ext}, "sshd 9.2 takes it")
	try("counter", "ok", given{Flags: 0x05, Counter: 0xfedcba98}, "not compared by anybody")
	try("flags 00", "signature", given{Flags: 0x00}, "user presence is required here, as sshd does; ssh-keygen -Y verify does not")
	try("flags 04", "signature", given{Flags: 0x04}, "user presence is required here, as sshd does; ssh-keygen -Y verify does not")
	try("flags 45", "signature", given{Flags: 0x45}, "AT: an attestation is no signature")
	try("flags 85 without extensions", "signature", given{Flags: 0x85}, "ED")
	try("flags 05 with extensions", "signature", given{Flags: 0x05, Extensions: ext}, "ED")
	try("origin of an app", "ok", given{Flags: 0x05, Origin: "android:apk-key-hash:abc"}, "not compared with the application")
	try("origin elsewhere", "ok", given{Flags: 0x05, Origin: "https://evil.example"}, "not compared with the application: the browser does that")
	try("origin with a quote", "signature", given{Flags: 0x05, Origin: `https://phone.example","x":"`}, "would end the string")
	try("origin not that of the client data", "signature", given{Flags: 0x05, ClientData: passkeytest.ClientData(data, "https://other.example", "}")}, "byte for byte")
	try("client data ends after origin", "ok", given{Flags: 0x05, ClientData: passkeytest.ClientData(data, origin, "}")}, "")
	try("client data with more members", "ok", given{Flags: 0x05, ClientData: passkeytest.ClientData(data, origin, `,"crossOrigin":false,"other_keys_can_be_added_here":"x"}`)}, "browsers add members")
	try("client data from a frame", "ok", given{Flags: 0x05, ClientData: passkeytest.ClientData(data, origin, `,"crossOrigin":true,"topOrigin":"https://evil.example"}`)}, "not looked at, as in sshd")
	hashed := sha256.Sum256(data)
	try("challenge is a hash", "signature", given{Flags: 0x05, ClientData: passkeytest.ClientData(hashed[:], origin, "}")}, "the challenge is the whole of the data")
	f.Vectors[len(f.Vectors)-1].Browser = "ok" // the phone does not know here what was to be signed
	try("challenge is cut", "signature", given{Flags: 0x05, ClientData: passkeytest.ClientData(data[:len(data)-1], origin, "}")}, "the whole of the data")
	f.Vectors[len(f.Vectors)-1].Browser = "ok"
	padded := strings.Replace(passkeytest.ClientData(data, origin, "}"), `","origin`, `=","origin`, 1)
	try("challenge is padded", "signature", given{Flags: 0x05, ClientData: padded}, "base64url without padding")
	std := strings.Replace(passkeytest.ClientData(data, origin, "}"), base64.RawURLEncoding.EncodeToString(data), base64.RawStdEncoding.EncodeToString(data), 1)
	if std == passkeytest.ClientData(data, origin, "}") {
		panic("bug in a test: the data shows no difference between the alphabets")
	}
	try("challenge in the other alphabet", "signature", given{Flags: 0x05, ClientData: std}, "base64url")
	try("client data with a space", "signature", given{Flags: 0x05, ClientData: strings.Replace(passkeytest.ClientData(data, origin, "}"), ",", ", ", 1)}, "byte for byte")
	try("client data in another order", "signature", given{Flags: 0x05, ClientData: `{"challenge":"` + base64.RawURLEncoding.EncodeToString(data) + `","origin":"` + origin + `","type":"webauthn.get"}`}, "type, challenge, origin")
	try("client data of a new credential", "signature", given{Flags: 0x05, ClientData: strings.Replace(passkeytest.ClientData(data, origin, "}"), ".get", ".create", 1)}, "byte for byte")
	try("client data empty", "signature", given{Flags: 0x05, ClientData: " "}, "byte for byte")

	good := phone.Assert(data, given{Flags: 0x05, Origin: origin})
	sig := unchecked(good)
	n := elliptic.P256().Params().N
	other := passkeytest.New(1, "other.example").Assert(data, given{Flags: 0x05, Origin: origin})
	change := func(name, expect, comment string, b []byte) {
		f.Vectors = append(f.Vectors, webauthnVector{Name: name, Comment: comment, Key: blobOf(phone), Data: data, Signature: b, Expect: expect})
	}
	of := func(c func(*WebAuthn)) []byte { return with(sig, c).Marshal() }
	change("of another application", "signature", "its hash is signed", unchecked(other).Marshal())
	change("of another key", "signature", "", unchecked(passkeytest.New(2, "phone.example").Assert(data, given{Flags: 0x05, Origin: origin})).Marshal())
	change("another counter", "signature", "it is signed", of(func(s *WebAuthn) { s.Counter++ }))
	change("another flag", "signature", "they are signed", of(func(s *WebAuthn) { s.Flags = 0x01 }))
	change("more client data", "signature", "it is signed", of(func(s *WebAuthn) { s.ClientData = append(bytes.Clone(s.ClientData), ' ') }))
	change("r = 0", "signature", "", of(func(s *WebAuthn) { s.R = new(big.Int) }))
	change("s = 0", "signature", "", of(func(s *WebAuthn) { s.S = new(big.Int) }))
	change("r + n", "signature", "", of(func(s *WebAuthn) { s.R = new(big.Int).Add(s.R, n) }))
	change("n - s, which every ECDSA takes", "ok", "", of(func(s *WebAuthn) { s.S = new(big.Int).Sub(n, s.S) }))
	change("a byte after it", "malformed", "", append(sig.Marshal(), 0))
	change("origin too long", "malformed", "our bound, 1,024 bytes", of(func(s *WebAuthn) { s.Origin = strings.Repeat("x", maxOrigin+1) }))
	change("r padded", "malformed", "[RFC 4251] §5", patched(sig.Marshal(), string(sig.Marshal()[len(packed(SigWebAuthn)):len(packed(SigWebAuthn))+4]), "\x00\x00\x00\xff"))
	change("the format of a security key", "unsupported", "without origin and client data; no browser makes it", patched(sig.Marshal(), packed(SigWebAuthn), packed(KeyPasskey)))
	change("the format of a plain key", "unsupported", "", patched(sig.Marshal(), packed(SigWebAuthn), packed(KeyP256)))
	return f
}

// passkeyVectors are keys of the type, and what is wrong with others.
func passkeyVectors(f *vectorFile) {
	blob := blobOf(passkeytest.New(1, "phone.example"))
	point := string(blob[len(packed(KeyPasskey))+len(packed("nistp256"))+4:][:65])
	key := func(typ, curve, q, application string) []byte {
		return []byte(packed(typ) + packed(curve) + packed(q) + packed(application))
	}
	f.add("passkey", "ok", blob, "OpenSSH PROTOCOL.u2f")
	f.add("passkey of another application", "ok", key(KeyPasskey, "nistp256", point, "ssh:"), "OpenSSH PROTOCOL.u2f")
	f.add("passkey without application", "malformed", key(KeyPasskey, "nistp256", point, ""), "our bound, 1 to 256 bytes")
	f.add("passkey with a long application", "malformed", key(KeyPasskey, "nistp256", point, strings.Repeat("x", 257)), "our bound, 1 to 256 bytes")
	f.add("passkey of another curve", "malformed", key(KeyPasskey, "nistp384", point, "ssh:"), "OpenSSH PROTOCOL.u2f")
	f.add("passkey not on the curve", "malformed", key(KeyPasskey, "nistp256", point[:64]+string([]byte{point[64] ^ 1}), "ssh:"), "OpenSSH PROTOCOL.u2f")
	f.add("passkey that ends after the point", "malformed", []byte(packed(KeyPasskey)+packed("nistp256")+packed(point)), "OpenSSH PROTOCOL.u2f")
	f.add("passkey with a byte after it", "malformed", append(bytes.Clone(blob), 0), "[RFC 4253] §6.6")
	f.add("passkey certificate", "unsupported", []byte(packed("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com")+packed("nonce")), "OpenSSH PROTOCOL.u2f")
	f.add("passkey certificate of a wrong name", "unsupported", []byte(packed(KeyPasskey+certSuffix)+packed("nonce")), "OpenSSH PROTOCOL.u2f")
	f.add("signature format as passkey type", "unsupported", key(SigWebAuthn, "nistp256", point, "ssh:"), "OpenSSH PROTOCOL.u2f")
}

// TestGenerateWebAuthn is TestGenerate for the vectors of signatures.
func TestGenerateWebAuthn(t *testing.T) {
	want, err := json.MarshalIndent(webAuthnVectors(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(filepath.Join("..", "..", "vectors", webauthnFile), want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := vectors.FS.ReadFile(webauthnFile); !*update && !bytes.Equal(got, want) {
		t.Errorf("vectors/%s is not what this test makes: run it with -update and read the difference", webauthnFile)
	}
}

// verdict parses and verifies a signature.
func (v webauthnVector) verdict() (WebAuthn, error) {
	key, err := ParsePublicKey(v.Key)
	if err != nil {
		return WebAuthn{}, err
	}
	sig, err := ParseWebAuthn(v.Signature)
	if err != nil {
		return sig, err
	}
	return sig, key.VerifyWebAuthn(v.Data, sig)
}

// TestWebAuthnVectors: the flag matrix, and all that is taken literally.
func TestWebAuthnVectors(t *testing.T) {
	for _, v := range loadWebAuthn(t) {
		sig, err := v.verdict()
		if word(err) != v.Expect {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Expect)
		}
		if v.Expect == "ok" && !bytes.Equal(sig.Marshal(), v.Signature) {
			t.Errorf("%s: written again: %x", v.Name, sig.Marshal())
		}
		if v.Assertion == nil {
			continue
		}
		a := v.Assertion
		made, err := WebAuthnSignature(Assertion{a.AuthenticatorData, a.ClientDataJSON, a.Signature, a.Origin})
		if word(err) != v.Browser || err == nil && !bytes.Equal(made, v.Signature) {
			t.Errorf("%s: of the assertion: %x, %v, want %s", v.Name, made, err, v.Browser)
		}
	}
}

// TestWebAuthnFlips: no bit of the data or the signature can change, none is
// left out, and none can be added.
func TestWebAuthnFlips(t *testing.T) {
	v := loadWebAuthn(t)[4] // with extensions
	if _, err := v.verdict(); err != nil || v.Name != "flags 85 with extensions" {
		t.Fatal(v.Name, err)
	}
	for _, field := range []hexBytes{v.Signature, v.Data, v.Key} {
		for bit := range 8 * len(field) {
			field[bit/8] ^= 1 << (bit % 8)
			if _, err := v.verdict(); err == nil {
				t.Errorf("holds with bit %d of %x flipped", bit, field)
			}
			field[bit/8] ^= 1 << (bit % 8)
		}
	}
	for n := range v.Signature {
		if _, err := ParseWebAuthn(v.Signature[:n]); err == nil {
			t.Errorf("the first %d of %d bytes parse", n, len(v.Signature))
		}
	}
	if sig, err := ParseWebAuthn(v.Signature); err == nil {
		clear(v.Signature)
		key, _ := ParsePublicKey(v.Key)
		if err := key.VerifyWebAuthn(v.Data, sig); err != nil {
			t.Error("the signature shares memory with its input")
		}
	}
}

// TestWebAuthnIsNoPlainSignature: no signature of one kind counts as one of the
// other, so no plain ECDSA signature can pass for a touch.
func TestWebAuthnIsNoPlainSignature(t *testing.T) {
	phone, data := passkeytest.New(1, "phone.example"), fileData()
	key, err := ParsePublicKey(blobOf(phone))
	if err != nil || key.Type() != KeyPasskey {
		t.Fatal(key.Type(), err)
	}
	b, err := SignP256(phone.Key, data)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ParseSignature(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{KeyP256, KeyPasskey, SigWebAuthn} {
		plain.Format = format
		if err := key.Verify(data, plain); !errors.Is(err, ErrSignature) {
			t.Errorf("a plain signature called %s: %v", format, err)
		}
	}
	point, err := phone.Key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	blob, err := P256Blob(point)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	sig := unchecked(phone.Assert(data, given{Flags: 0x05, Origin: "https://phone.example"}))
	for _, k := range []PublicKey{p256, {}} {
		if err := k.VerifyWebAuthn(data, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("a passkey's signature by %q: %v", k.Type(), err)
		}
	}
	if err := key.VerifyWebAuthn(data, WebAuthn{Flags: 1, ClientData: sig.ClientData, Origin: sig.Origin}); !errors.Is(err, ErrSignature) {
		t.Errorf("a signature without numbers: %v", err)
	}
}

// TestWebAuthnHost: a host that signs its session by WebAuthn proves nothing.
func TestWebAuthnHost(t *testing.T) {
	host, id := passkeytest.New(3, "ssh:"), make([]byte, 32)
	sig := unchecked(host.Assert(id, given{Flags: 0x05, Origin: "https://host.example"}))
	if err := (Bind{HostKey: blobOf(host), SessionID: id, Signature: sig.Marshal()}).Verify(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("Verify = %v, want ErrUnsupported", err)
	}
}

func TestPasskeyBlob(t *testing.T) {
	phone := passkeytest.New(1, "phone.example")
	spki := phone.SPKI()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKIXPublicKey(p384.Public())
	if err != nil {
		t.Fatal(err)
	}
	off := bytes.Clone(spki)
	off[len(off)-1] ^= 1
	for _, c := range []struct {
		name, application, want string
		spki                    []byte
	}{
		{"good", "phone.example", "ok", spki},
		{"long application", strings.Repeat("x", 256), "ok", spki},
		{"no application", "", "malformed", spki},
		{"application too long", strings.Repeat("x", 257), "malformed", spki},
		{"P-384", "phone.example", "unsupported", other},
		{"not on the curve", "phone.example", "malformed", off},
		{"a byte more", "phone.example", "malformed", append(bytes.Clone(spki), 0)},
		{"a byte less", "phone.example", "malformed", spki[:len(spki)-1]},
		{"nothing", "phone.example", "unsupported", nil},
	} {
		blob, err := PasskeyBlob(c.spki, c.application)
		if word(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if key, perr := ParsePublicKey(blob); err == nil && (perr != nil || key.Type() != KeyPasskey || !bytes.Equal(key.Blob(), blob)) {
			t.Errorf("%s: read again: %v", c.name, perr)
		}
	}
}

// TestAssertionDER: only the one DER form of two positive numbers is taken.
func TestAssertionDER(t *testing.T) {
	good := passkeytest.New(1, "phone.example").Assert(fileData(), given{Flags: 0x05, Origin: "https://phone.example"})
	r33, s32 := "\x02\x21\x00\x80"+strings.Repeat("r", 31), "\x02\x20"+strings.Repeat("s", 32)
	for _, c := range []struct{ name, der, want string }{
		{"good", string(good.Signature), "ok"},
		{"33 and 32 bytes", "\x30\x45" + r33 + s32, "ok"},
		{"1 and 1 bytes", "\x30\x06\x02\x01\x01\x02\x01\x7f", "ok"},
		{"padded", "\x30\x07\x02\x02\x00\x01\x02\x01\x7f", "malformed"},
		{"negative", "\x30\x06\x02\x01\x80\x02\x01\x7f", "malformed"},
		{"zero", "\x30\x06\x02\x01\x00\x02\x01\x7f", "malformed"},
		{"33 bytes without a zero", "\x30\x45\x02\x21" + strings.Repeat("r", 33) + s32, "malformed"},
		{"34 bytes", "\x30\x46\x02\x22\x00" + strings.Repeat("\x80", 33) + s32, "malformed"},
		{"empty number", "\x30\x05\x02\x00\x02\x01\x7f", "malformed"},
		{"one number", "\x30\x03\x02\x01\x01", "malformed"},
		{"three numbers", "\x30\x09\x02\x01\x01\x02\x01\x01\x02\x01\x01", "malformed"},
		{"a byte after it", string(good.Signature) + "\x00", "malformed"},
		{"a byte less", string(good.Signature[:len(good.Signature)-1]), "malformed"},
		{"long length", "\x30\x81\x06\x02\x01\x01\x02\x01\x7f", "malformed"},
		{"another tag", "\x31\x06\x02\x01\x01\x02\x01\x7f", "malformed"},
		{"another tag inside", "\x30\x06\x03\x01\x01\x02\x01\x7f", "malformed"},
		{"empty", "", "malformed"},
	} {
		a := good
		a.Signature = []byte(c.der)
		if _, err := WebAuthnSignature(Assertion(a)); word(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	for n := range minAuthData {
		a := good
		a.AuthenticatorData = good.AuthenticatorData[:n]
		if _, err := WebAuthnSignature(Assertion(a)); !errors.Is(err, ErrMalformed) {
			t.Errorf("authenticatorData of %d bytes: %v", n, err)
		}
	}
	a := passkeytest.New(1, "phone.example").Assert(make([]byte, MaxSize), given{Flags: 0x05, Origin: "https://phone.example"})
	if _, err := WebAuthnSignature(Assertion(a)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a signature beyond MaxSize: %v", err)
	}
}
