//go:build !js

package sshwire

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"testing"

	"golang.org/x/crypto/ssh"
)

// signers are new keys of every type.
func signers(t testing.TB) []ssh.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := []any{ed}
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var out []ssh.Signer
	for _, k := range append(keys, k) {
		s, err := ssh.NewSignerFromKey(k)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func randomBytes(rng *mrand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestOracleKeys: same keys, same fingerprints, same verdicts as x/crypto/ssh,
// over every format of every key.
func TestOracleKeys(t *testing.T) {
	formats := 0
	for _, s := range signers(t) {
		blob := s.PublicKey().Marshal()
		key, err := ParsePublicKey(blob)
		if err != nil {
			t.Fatalf("%s: %v", s.PublicKey().Type(), err)
		}
		if key.Type() != s.PublicKey().Type() || key.Fingerprint() != ssh.FingerprintSHA256(s.PublicKey()) || !bytes.Equal(key.Blob(), blob) {
			t.Errorf("parsed as %s %s", key.Type(), key.Fingerprint())
		}
		if want := string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(s.PublicKey()))); AuthorizedKey(blob, "") != want {
			t.Errorf("AuthorizedKey = %s, want %s", AuthorizedKey(blob, ""), want)
		}
		for _, format := range []string{KeyEd25519, KeyP256, KeyP384, KeyP521, SigRSA256, SigRSA512} {
			sig, err := s.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, blob, format)
			if err != nil {
				continue // not a format of this key
			}
			formats++
			got, err := ParseSignature(ssh.Marshal(sig))
			if err != nil || key.Verify(blob, got) != nil {
				t.Errorf("%s: %v, Verify = %v", format, err, key.Verify(blob, got))
			}
			flipAll(t, key, blob, got)
		}
	}
	if formats != 6 {
		t.Errorf("%d formats tried, want 6", formats)
	}
}

// flipStep is how many bits lie between those that tests flip: 1, or 31 with
// signatures longer than Ed25519's, which take long to verify.
func flipStep(signature []byte) int {
	if len(signature) > 90 {
		return 31
	}
	return 1
}

// flipAll flips bits of the signature, as many as there is time for, and
// one in each byte of the data.
func flipAll(t *testing.T, key PublicKey, data []byte, sig Signature) {
	t.Helper()
	raw := sig.Marshal()
	for bit := 0; bit < 8*len(raw); bit += flipStep(raw) {
		b := bytes.Clone(raw)
		b[bit/8] ^= 1 << (bit % 8)
		if s, err := ParseSignature(b); err == nil && key.Verify(data, s) == nil {
			t.Errorf("%s: holds with bit %d of the signature flipped", sig.Format, bit)
		}
	}
	for i := range data {
		b := bytes.Clone(data)
		b[i] ^= 1 << (i % 8)
		if key.Verify(b, sig) == nil {
			t.Errorf("%s: holds with byte %d of the data changed", sig.Format, i)
		}
	}
}

// TestOracleCertificates: certificates of every key type by every authority.
func TestOracleCertificates(t *testing.T) {
	all := signers(t)
	rng := mrand.New(mrand.NewPCG(1, 2))
	for i, s := range all {
		for j, ca := range all {
			c := &ssh.Certificate{Key: s.PublicKey(), Serial: rng.Uint64(), CertType: uint32(1 + (i+j)%2), KeyId: fmt.Sprintf("id %d %d", i, j),
				ValidAfter: rng.Uint64(), ValidBefore: ssh.CertTimeInfinity, Reserved: randomBytes(rng, j)}
			for n := range j {
				c.ValidPrincipals = append(c.ValidPrincipals, fmt.Sprintf("host-%d.example", n))
			}
			c.CriticalOptions = map[string]string{"force-command": "true", "a": "", "source-address": "::1/128"}
			c.Extensions = map[string]string{"permit-pty": "", "permit-X11-forwarding": "", "z@example.com": "1"}
			if err := c.SignCert(rand.Reader, ca); err != nil {
				t.Fatal(err)
			}
			checkCertificate(t, c)
		}
	}
}

func checkCertificate(t *testing.T, want *ssh.Certificate) {
	t.Helper()
	k, err := ParsePublicKey(want.Marshal())
	if err != nil {
		t.Fatalf("%s: %v", want.Type(), err)
	}
	got := k.Certificate()
	if k.Type() != want.Type() || k.Fingerprint() != ssh.FingerprintSHA256(want.Key) || !bytes.Equal(k.Inner().Blob(), want.Key.Marshal()) {
		t.Errorf("parsed as %s %s", k.Type(), k.Fingerprint())
	}
	if !bytes.Equal(got.Nonce, want.Nonce) || got.Serial != want.Serial || uint32(got.Kind) != want.CertType || got.KeyID != want.KeyId ||
		fmt.Sprint(got.Principals) != fmt.Sprint(want.ValidPrincipals) || got.ValidAfter != want.ValidAfter || got.ValidBefore != want.ValidBefore ||
		!bytes.Equal(got.Reserved, want.Reserved) || !bytes.Equal(got.SignatureKey, want.SignatureKey.Marshal()) || !bytes.Equal(got.Signature, ssh.Marshal(want.Signature)) {
		t.Errorf("parsed as %+v, want %+v", got, want)
	}
	checkOptions(t, got.CriticalOptions, want.CriticalOptions)
	checkOptions(t, got.Extensions, want.Extensions)
	if err := got.VerifyCA(); err != nil {
		t.Errorf("%s by %s: %v", want.Type(), want.SignatureKey.Type(), err)
	}
	if ca, err := got.CA(); err != nil || ca.Fingerprint() != ssh.FingerprintSHA256(want.SignatureKey) {
		t.Errorf("CA = %s, %v", ca.Fingerprint(), err)
	}
}

func checkOptions(t *testing.T, got []CertOption, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("options %v, want %v", got, want)
	}
	for _, o := range got {
		v, ok := want[o.Name]
		if !ok || v != string(NewReader(o.Data).String()) {
			t.Errorf("option %s = %q, want %q", o.Name, o.Data, v)
		}
	}
}

// TestOracleVectors: x/crypto/ssh reads the good key vectors as we do, and
// takes and refuses the same signatures, but for SHA-1 and padded numbers.
func TestOracleVectors(t *testing.T) {
	for _, v := range load(t, keysFile) {
		if v.Expect != "ok" {
			continue
		}
		k, err := ssh.ParsePublicKey(v.Input)
		if err != nil {
			t.Logf("%s: only we take it: %v", v.Name, err)
			continue
		}
		if c, ok := k.(*ssh.Certificate); ok {
			k = c.Key
		}
		if ssh.FingerprintSHA256(k) != v.Key.Fingerprint || !bytes.Equal(k.Marshal(), v.Key.Inner) {
			t.Errorf("%s: oracle says %s", v.Name, ssh.FingerprintSHA256(k))
		}
		for _, c := range v.Checks {
			var sig ssh.Signature
			err := ssh.Unmarshal(c.Signature, &sig)
			if err == nil && len(sig.Rest) == 0 {
				err = k.Verify(c.Data, &sig)
			}
			if c.Expect == "ok" && err != nil {
				t.Errorf("%s: %s: oracle refuses: %v", v.Name, c.Name, err)
			}
			if c.Expect == "signature" && err == nil && c.Name != "r padded" { // we are stricter: [RFC 4251] §5
				t.Errorf("%s: %s: oracle takes it", v.Name, c.Name)
			}
		}
	}
}

// TestOracleStructures: random values, written by ssh.Marshal and by us.
func TestOracleStructures(t *testing.T) {
	rng := mrand.New(mrand.NewPCG(3, 4))
	for range 2000 {
		session, user, key, host := randomBytes(rng, 16+rng.IntN(49)), string(randomBytes(rng, rng.IntN(40))), randomBytes(rng, 1+rng.IntN(300)), randomBytes(rng, 1+rng.IntN(300))
		u := Userauth{session, user, ServiceConnection, MethodHostbound, KeyEd25519, key, host}
		want := ssh.Marshal(struct {
			Session               []byte
			Message               byte
			User, Service, Method string
			Signed                bool
			Algorithm             string
			Key, Host             []byte
		}{session, 50, user, ServiceConnection, MethodHostbound, true, KeyEd25519, key, host})
		if _, err := ParseUserauth(want); err != nil || !bytes.Equal(u.Marshal(), want) {
			t.Fatalf("Userauth %v: %x, want %x", err, u.Marshal(), want)
		}
		b := Bind{host, session, key, rng.IntN(2) == 1}
		want = ssh.Marshal(struct {
			Host, Session, Signature []byte
			Forwarding               bool
		}{host, session, key, b.Forwarding})
		if _, err := ParseBind(want); err != nil || !bytes.Equal(b.Marshal(), want) {
			t.Fatalf("Bind %v: %x, want %x", err, b.Marshal(), want)
		}
		n := new(big.Int).SetBytes(randomBytes(rng, rng.IntN(80)))
		var w Writer
		w.Mpint(n)
		if want := ssh.Marshal(struct{ N *big.Int }{n}); !bytes.Equal(w.Bytes(), want) {
			t.Fatalf("Mpint(%v) = %x, want %x", n, w.Bytes(), want)
		}
		if r := NewReader(w.Bytes()); r.Mpint().Cmp(n) != 0 || !r.Done() {
			t.Fatalf("Mpint of %x is not %v", w.Bytes(), n)
		}
	}
}

// TestOracleP256: what WebCrypto would hand over becomes what x/crypto takes.
func TestOracleP256(t *testing.T) {
	for range 300 { // some r or s are shorter than 32 bytes
		checkP256(t)
	}
	for _, n := range []int{0, 63, 65, 96} {
		if _, err := P256Signature(make([]byte, n)); err == nil {
			t.Errorf("P256Signature of %d bytes: no error", n)
		}
	}
	if _, err := P256Blob(make([]byte, 65)); err == nil {
		t.Error("P256Blob of zeros: no error")
	}
}

func checkP256(t *testing.T) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	blob, err := P256Blob(point)
	if err != nil {
		t.Fatal(err)
	}
	digest := crypto.SHA256.New()
	digest.Write([]byte("message"))
	der, err := ecdsa.SignASN1(rand.Reader, private, digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		t.Fatal(err)
	}
	raw, err := P256Signature(append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...))
	if err != nil {
		t.Fatal(err)
	}
	oracle, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	var sig ssh.Signature
	if err := ssh.Unmarshal(raw, &sig); err != nil || oracle.Verify([]byte("message"), &sig) != nil {
		t.Fatalf("oracle: %v, %v", err, oracle.Verify([]byte("message"), &sig))
	}
	ours, err := ParseSignature(raw)
	key, err2 := ParsePublicKey(blob)
	if err != nil || err2 != nil || key.Verify([]byte("message"), ours) != nil {
		t.Fatalf("%v, %v, %v", err, err2, key.Verify([]byte("message"), ours))
	}
}
