package sshwire

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
)

// Key types. A certificate's type is that of its key and "-cert-v01@openssh.com".
const (
	KeyEd25519 = "ssh-ed25519"         // [RFC 8709] §4
	KeyP256    = "ecdsa-sha2-nistp256" // [RFC 5656] §3.1
	KeyP384    = "ecdsa-sha2-nistp384"
	KeyP521    = "ecdsa-sha2-nistp521"
	KeyRSA     = "ssh-rsa" // [RFC 4253] §6.6
)

const minRSA, maxRSA = 2048, 16384 // bits of a modulus; maxRSA is OpenSSH's

// PublicKey is an SSH public key, or a certificate together with the key
// inside, which does all the verifying. Its zero value verifies nothing.
type PublicKey struct {
	plain string           // type of the key itself
	key   crypto.PublicKey // ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey or *passkey
	cert  *Certificate     // nil for a plain key
}

// ParsePublicKey reads a key blob or a certificate. It returns ErrUnsupported
// for a type it does not know, and ErrMalformed unless blob is exactly what
// Blob writes. The authority's signature in a certificate is not verified:
// see Certificate.VerifyCA.
func ParsePublicKey(blob []byte) (PublicKey, error) {
	if len(blob) > MaxSize {
		return PublicKey{}, malformed("public key", "too long")
	}
	r := NewReader(bytes.Clone(blob))
	typ := string(r.String())
	plain, isCert := strings.CutSuffix(typ, certSuffix)
	k := PublicKey{plain: plain}
	if isCert && plain == KeyPasskey { // a name that no certificate has
		return PublicKey{}, ErrUnsupported
	}
	var nonce []byte
	if isCert {
		nonce = r.String()
	}
	var err error
	if k.key, err = readKey(r, plain); err != nil {
		return PublicKey{}, err
	}
	if isCert {
		if k.cert, err = readCert(r, nonce); err != nil {
			return PublicKey{}, err
		}
		k.cert.signed = bytes.Clone(blob[:len(blob)-4-len(k.cert.Signature)])
	}
	if !r.Done() || !bytes.Equal(k.Blob(), blob) {
		return PublicKey{}, malformed("public key", "not canonical, or more than a key")
	}
	return k, nil
}

// Type is the key's type; of a certificate, the certificate's.
func (k PublicKey) Type() string {
	if k.cert != nil {
		return k.plain + certSuffix
	}
	return k.plain
}

// Blob writes the key or certificate in SSH wire format.
func (k PublicKey) Blob() []byte {
	if k.key == nil {
		return nil
	}
	var w Writer
	w.Text(k.Type())
	if k.cert != nil {
		w.String(k.cert.Nonce)
	}
	writeKey(&w, k.plain, k.key)
	if k.cert != nil {
		k.cert.write(&w)
	}
	return w.Bytes()
}

// Certificate is what the certificate says, or nil for a plain key.
func (k PublicKey) Certificate() *Certificate { return k.cert }

// Inner is the key without its certificate: what known_hosts lines name.
func (k PublicKey) Inner() PublicKey { return PublicKey{plain: k.plain, key: k.key} }

// Fingerprint is that of the key; of a certificate, that of the key inside, so
// that a renewed certificate is the same host. (ssh-keygen -l does the same.)
func (k PublicKey) Fingerprint() string { return Fingerprint(k.Inner().Blob()) }

// Fingerprint is "SHA256:" and the unpadded base64 of the hash of a key blob,
// as ssh-keygen -l prints it for a plain key. It does not parse blob.
func Fingerprint(blob []byte) string {
	sum := sha256.Sum256(blob)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// readKey reads the fields after the type.
func readKey(r *Reader, typ string) (crypto.PublicKey, error) {
	switch typ {
	case KeyEd25519:
		return readEd25519(r)
	case KeyP256, KeyP384, KeyP521:
		return readECDSA(r, typ)
	case KeyRSA:
		return readRSA(r)
	case KeyPasskey:
		return readPasskey(r)
	}
	if !isName(typ) {
		return nil, malformed("public key", "type is not a name")
	}
	return nil, ErrUnsupported
}

// writeKey writes what readKey reads.
func writeKey(w *Writer, typ string, key crypto.PublicKey) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		w.String(key)
	case *ecdsa.PublicKey:
		q, err := key.Bytes()
		if err != nil {
			panic("sshwire: bug: point that was parsed cannot be written")
		}
		w.Text(curveName(typ))
		w.String(q)
	case *rsa.PublicKey:
		w.Mpint(big.NewInt(int64(key.E)))
		w.Mpint(key.N)
	case *passkey:
		key.write(w)
	}
}

func readEd25519(r *Reader) (crypto.PublicKey, error) {
	b := r.String()
	if len(b) != ed25519.PublicKeySize {
		return nil, malformed("public key", "Ed25519 key of another length")
	}
	return ed25519.PublicKey(b), nil
}

func readECDSA(r *Reader, typ string) (crypto.PublicKey, error) {
	name, q := r.String(), r.String()
	if string(name) != curveName(typ) {
		return nil, malformed("public key", "curve does not fit the type")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curveOf(typ), q)
	if err != nil {
		return nil, malformed("public key", "not a point on the curve")
	}
	return key, nil
}

func readRSA(r *Reader) (crypto.PublicKey, error) {
	e, n := r.Mpint(), r.Mpint()
	if e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0 {
		return nil, malformed("public key", "RSA exponent even, or out of bounds")
	}
	if bits := n.BitLen(); bits < minRSA || bits > maxRSA || n.Bit(0) == 0 {
		return nil, malformed("public key", "RSA modulus even, or out of bounds")
	}
	return &rsa.PublicKey{E: int(e.Int64()), N: n}, nil
}

// curveName is the [identifier] in an ECDSA key's type. [RFC 5656] §10.1.
func curveName(typ string) string { return strings.TrimPrefix(typ, "ecdsa-sha2-") }

func curveOf(typ string) elliptic.Curve {
	switch typ {
	case KeyP256:
		return elliptic.P256()
	case KeyP384:
		return elliptic.P384()
	}
	return elliptic.P521()
}

// Ed25519Blob is the SSH blob of an Ed25519 key. [RFC 8709] §4.
func Ed25519Blob(pub ed25519.PublicKey) []byte {
	return PublicKey{plain: KeyEd25519, key: pub}.Blob()
}

// P256Blob is the SSH blob of a P-256 key, given as WebCrypto exports it raw:
// 0x04 ‖ X ‖ Y, 65 bytes. It returns ErrMalformed for anything else.
// [RFC 5656] §3.1.
func P256Blob(point []byte) ([]byte, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, malformed("public key", "not a point on the curve")
	}
	return PublicKey{plain: KeyP256, key: key}.Blob(), nil
}
