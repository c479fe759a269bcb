package sshwire

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"strings"
)

// Signature formats of RSA keys. Those of all other keys are named like the
// key; "ssh-rsa" is SHA-1 and refused. [RFC 8332] §3.
const (
	SigRSA256 = "rsa-sha2-256"
	SigRSA512 = "rsa-sha2-512"
)

// Signature is a signature in SSH wire format: string format ‖ string blob.
type Signature struct {
	Format string
	Blob   []byte
}

// ParseSignature reads b, with nothing after it. It returns ErrMalformed
// unless b is exactly what Marshal writes, and ErrUnsupported for the formats
// of hardware keys, which have more fields; ParseWebAuthn reads one of them.
func ParseSignature(b []byte) (Signature, error) {
	if len(b) > MaxSize {
		return Signature{}, malformed("signature", "too long")
	}
	r := NewReader(bytes.Clone(b))
	s := Signature{Format: string(r.String()), Blob: r.String()}
	if strings.HasPrefix(s.Format, "sk-") || strings.HasPrefix(s.Format, "webauthn-sk-") {
		return Signature{}, ErrUnsupported
	}
	if !r.Done() || !isName(s.Format) || !bytes.Equal(s.Marshal(), b) {
		return Signature{}, malformed("signature", "not its layout")
	}
	return s, nil
}

// Marshal writes s.
func (s Signature) Marshal() []byte {
	var w Writer
	w.Text(s.Format)
	w.String(s.Blob)
	return w.Bytes()
}

// Verify checks that sig is k's signature over data. It returns ErrSHA1 for
// the format "ssh-rsa" of an RSA key, and ErrSignature for everything else
// that does not hold, a format that does not fit the key included. A passkey's
// are for VerifyWebAuthn.
func (k PublicKey) Verify(data []byte, sig Signature) error {
	ok := false
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		ok = sig.Format == k.plain && ed25519.Verify(key, data, sig.Blob)
	case *ecdsa.PublicKey:
		ok = sig.Format == k.plain && verifyECDSA(key, data, sig.Blob)
	case *rsa.PublicKey:
		if sig.Format == KeyRSA {
			return ErrSHA1
		}
		ok = verifyRSA(key, data, sig)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// verifyECDSA reads mpint r ‖ mpint s. [RFC 5656] §3.1.2.
func verifyECDSA(key *ecdsa.PublicKey, data, blob []byte) bool {
	rd := NewReader(blob)
	r, s := rd.Mpint(), rd.Mpint()
	if !rd.Done() || !inRange(r, s, key.Curve) {
		return false
	}
	return ecdsa.Verify(key, hashFor(key.Curve, data), r, s)
}

// hashFor hashes data as the size of the curve demands. [RFC 5656] §6.2.1.
func hashFor(curve elliptic.Curve, data []byte) []byte {
	switch bits := curve.Params().BitSize; {
	case bits <= 256:
		h := sha256.Sum256(data)
		return h[:]
	case bits <= 384:
		h := sha512.Sum384(data)
		return h[:]
	default:
		h := sha512.Sum512(data)
		return h[:]
	}
}

// verifyRSA checks RSASSA-PKCS1-v1_5; the blob is as long as the modulus.
// [RFC 8332] §3.
func verifyRSA(key *rsa.PublicKey, data []byte, sig Signature) bool {
	switch sig.Format {
	case SigRSA256:
		h := sha256.Sum256(data)
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, h[:], sig.Blob) == nil
	case SigRSA512:
		h := sha512.Sum512(data)
		return rsa.VerifyPKCS1v15(key, crypto.SHA512, h[:], sig.Blob) == nil
	}
	return false
}

// SignEd25519 signs data and returns the signature in SSH wire format.
func SignEd25519(key ed25519.PrivateKey, data []byte) []byte {
	return Ed25519Signature(ed25519.Sign(key, data))
}

// SignP256 signs data and returns the signature in SSH wire format. It draws
// randomness: two signatures of one key over the same data differ. The key
// must be on P-256. [RFC 5656] §3.1.2.
func SignP256(key *ecdsa.PrivateKey, data []byte) ([]byte, error) {
	if key.Curve != elliptic.P256() {
		return nil, malformed("private key", "not on P-256")
	}
	r, s, err := ecdsa.Sign(rand.Reader, key, hashFor(key.Curve, data))
	if err != nil {
		return nil, err
	}
	var w Writer
	w.Mpint(r)
	w.Mpint(s)
	return Signature{KeyP256, w.Bytes()}.Marshal(), nil
}

// Ed25519Signature is a raw signature of 64 bytes, such as WebCrypto makes, in
// SSH wire format. It checks nothing. [RFC 8709] §6.
func Ed25519Signature(raw []byte) []byte { return Signature{KeyEd25519, raw}.Marshal() }

// P256Signature is a raw signature r ‖ s of 64 bytes (IEEE P1363), such as
// WebCrypto makes, in SSH wire format. It returns ErrMalformed for another
// length and checks nothing else. [RFC 5656] §3.1.2.
func P256Signature(raw []byte) ([]byte, error) {
	if len(raw) != 64 {
		return nil, malformed("signature", "r and s are not 64 bytes")
	}
	var w Writer
	w.Mpint(new(big.Int).SetBytes(raw[:32]))
	w.Mpint(new(big.Int).SetBytes(raw[32:]))
	return Signature{KeyP256, w.Bytes()}.Marshal(), nil
}
