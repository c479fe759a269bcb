package sshwire

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"
)

// Key types and signature formats. [RFC 4253] §6.6, [RFC 5656], [RFC 8332], [RFC 8709].
const (
	KeyEd25519 = "ssh-ed25519"
	KeyP256    = "ecdsa-sha2-nistp256"
	KeyP384    = "ecdsa-sha2-nistp384"
	KeyP521    = "ecdsa-sha2-nistp521"
	KeyRSA     = "ssh-rsa"
	SigRSA256  = "rsa-sha2-256"
	SigRSA512  = "rsa-sha2-512"

	certSuffix = "-cert-v01@openssh.com" // [PROTOCOL.certkeys]
)

const minRSA, maxRSA = 2048, 16384 // bits of a modulus

var (
	// ErrKey is returned for a key that cannot be read or is of no known type.
	ErrKey = errors.New("sshwire: unknown or malformed public key")
	// ErrSignature is returned for a signature that does not hold.
	ErrSignature = errors.New("sshwire: signature does not hold")
	// ErrSHA1 is returned for a signature over SHA-1, which proves nothing.
	ErrSHA1 = errors.New("sshwire: signature over SHA-1")
)

// PublicKey is an SSH public key, or the key inside a certificate.
type PublicKey struct {
	typ   string // with the suffix of a certificate
	inner []byte // blob of the plain key
	key   crypto.PublicKey
	cert  *Certificate
}

// Certificate is what an OpenSSH certificate says. [PROTOCOL.certkeys].
type Certificate struct {
	Serial      uint64
	Type        uint32 // 1 user, 2 host
	KeyID       string
	Principals  []string
	ValidAfter  uint64 // Unix seconds
	ValidBefore uint64
	CA          PublicKey

	signed    []byte // what the CA signed
	signature []byte
}

// VerifyCA checks the CA's signature over the certificate.
func (c *Certificate) VerifyCA() error {
	sig, err := ParseSignature(c.signature)
	if err != nil {
		return err
	}
	return c.CA.Verify(c.signed, sig)
}

// Type is the key's type; of a certificate, the certificate's.
func (k PublicKey) Type() string { return k.typ }

// Certificate is what the certificate says, or nil for a plain key.
func (k PublicKey) Certificate() *Certificate { return k.cert }

// Fingerprint is "SHA256:" and unpadded base64, as ssh-keygen -l prints it; of
// a certificate, that of the key inside.
func (k PublicKey) Fingerprint() string {
	sum := sha256.Sum256(k.inner)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// ParsePublicKey reads a key blob or a certificate.
func ParsePublicKey(blob []byte) (PublicKey, error) {
	r := newReader(blob)
	typ := string(r.string())
	plain, isCert := strings.CutSuffix(typ, certSuffix)
	var nonce []byte
	if isCert {
		nonce = r.string()
	}
	k := PublicKey{typ: typ, inner: putString(nil, []byte(plain))}
	k.key, k.inner = readKey(r, plain, k.inner)
	if k.key == nil {
		return PublicKey{}, ErrKey
	}
	if isCert {
		if k.cert = readCert(r, blob); k.cert == nil || len(nonce) == 0 {
			return PublicKey{}, ErrKey
		}
	} else if !bytes.Equal(k.inner, blob) {
		return PublicKey{}, ErrKey
	}
	if !r.done() {
		return PublicKey{}, ErrKey
	}
	return k, nil
}

// readKey reads the fields of a key of this type; blob grows by them.
func readKey(r *reader, typ string, blob []byte) (crypto.PublicKey, []byte) {
	switch typ {
	case KeyEd25519:
		b := r.string()
		if len(b) != ed25519.PublicKeySize {
			return nil, blob
		}
		return ed25519.PublicKey(b), putString(blob, b)
	case KeyP256, KeyP384, KeyP521:
		name, q := r.string(), r.string()
		curve := map[string]elliptic.Curve{KeyP256: elliptic.P256(), KeyP384: elliptic.P384(), KeyP521: elliptic.P521()}[typ]
		if string(name) != strings.TrimPrefix(typ, "ecdsa-sha2-") {
			return nil, blob
		}
		key, err := ecdsa.ParseUncompressedPublicKey(curve, q)
		if err != nil {
			return nil, blob
		}
		return key, putString(putString(blob, name), q)
	case KeyRSA:
		e, n := r.mpint(), r.mpint()
		if !r.ok || e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0 || n.BitLen() < minRSA || n.BitLen() > maxRSA {
			return nil, blob
		}
		return &rsa.PublicKey{E: int(e.Int64()), N: n}, putMpint(putMpint(blob, e), n)
	}
	return nil, blob
}

// readCert reads what follows the key in a certificate; nil on any fault.
func readCert(r *reader, blob []byte) *Certificate {
	c := &Certificate{Serial: r.uint64(), Type: r.uint32(), KeyID: string(r.string())}
	names := newReader(r.string())
	for names.ok && len(names.b) > 0 {
		c.Principals = append(c.Principals, string(names.string()))
	}
	c.ValidAfter, c.ValidBefore = r.uint64(), r.uint64()
	r.string() // critical options
	r.string() // extensions
	r.string() // reserved
	ca := r.string()
	c.signed = blob[:len(blob)-len(r.b)]
	c.signature = r.string()
	if !r.done() || !names.ok || strings.HasSuffix(typeOf(ca), certSuffix) {
		return nil
	}
	key, err := ParsePublicKey(ca)
	if err != nil {
		return nil
	}
	c.CA = key
	return c
}

func typeOf(blob []byte) string { return string(newReader(blob).string()) }

// Signature is a signature in SSH wire format: string format ‖ string blob.
type Signature struct {
	Format string
	Blob   []byte
}

// ParseSignature reads b, with nothing after it.
func ParseSignature(b []byte) (Signature, error) {
	r := newReader(b)
	s := Signature{string(r.string()), r.string()}
	if !r.done() || s.Format == "" {
		return Signature{}, ErrMalformed
	}
	return s, nil
}

// Marshal writes s.
func (s Signature) Marshal() []byte { return putString(putString(nil, []byte(s.Format)), s.Blob) }

// Verify checks that sig is k's signature over data. It returns ErrSignature,
// or ErrSHA1.
func (k PublicKey) Verify(data []byte, sig Signature) error {
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		if sig.Format == KeyEd25519 && ed25519.Verify(key, data, sig.Blob) {
			return nil
		}
	case *ecdsa.PublicKey:
		if sig.Format == strings.TrimSuffix(k.typ, certSuffix) && verifyECDSA(key, data, sig.Blob) {
			return nil
		}
	case *rsa.PublicKey:
		return verifyRSA(key, data, sig)
	}
	return ErrSignature
}

func verifyECDSA(key *ecdsa.PublicKey, data, blob []byte) bool {
	r := newReader(blob)
	a, b := r.mpint(), r.mpint()
	return r.done() && ecdsa.Verify(key, hashFor(key, data), a, b)
}

// hashFor is the hash of the curve's size. [RFC 5656] §6.2.1.
func hashFor(key *ecdsa.PublicKey, data []byte) []byte {
	switch bits := key.Curve.Params().BitSize; {
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

func verifyRSA(key *rsa.PublicKey, data []byte, sig Signature) error {
	var err error
	switch sig.Format {
	case SigRSA256:
		h := sha256.Sum256(data)
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, h[:], sig.Blob)
	case SigRSA512:
		h := sha512.Sum512(data)
		err = rsa.VerifyPKCS1v15(key, crypto.SHA512, h[:], sig.Blob)
	case KeyRSA:
		return ErrSHA1
	default:
		return ErrSignature
	}
	if err != nil {
		return ErrSignature
	}
	return nil
}

// Ed25519Blob is the SSH blob of an Ed25519 key. [RFC 8709] §4.
func Ed25519Blob(pub ed25519.PublicKey) []byte {
	return putString(putString(nil, []byte(KeyEd25519)), pub)
}

// SignEd25519 signs data and returns the signature in SSH wire format. [RFC 8709] §6.
func SignEd25519(key ed25519.PrivateKey, data []byte) []byte {
	return Signature{KeyEd25519, ed25519.Sign(key, data)}.Marshal()
}

// AuthorizedKey is the line for authorized_keys. Of comment only printable
// ASCII stays.
func AuthorizedKey(blob []byte, comment string) string {
	comment = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, comment)
	return strings.TrimSpace(typeOf(blob) + " " + base64.StdEncoding.EncodeToString(blob) + " " + comment)
}
