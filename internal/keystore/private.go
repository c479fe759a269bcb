package keystore

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"

	"kryptonite/internal/sshwire"
)

const rawSize = 32 // bytes of an Ed25519 seed, and of a P-256 scalar

// Private is an SSH private key. It never prints. Go's garbage collector may
// have copied it: nothing erases it before the program ends.
type Private struct {
	ed *ed25519.PrivateKey // one of the two is set
	ec *ecdsa.PrivateKey
}

// Generate makes a key of a type, or returns ErrType.
func Generate(typ string) (Private, error) {
	switch typ {
	case Ed25519:
		_, k, err := ed25519.GenerateKey(nil)
		if err != nil {
			return Private{}, fmt.Errorf("make a key: %w", err)
		}
		return Private{ed: &k}, nil
	case P256:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return Private{}, fmt.Errorf("make a key: %w", err)
		}
		return Private{ec: k}, nil
	}
	return Private{}, ErrType
}

// privateOf is the key of a type that Raw wrote.
func privateOf(typ string, raw []byte) (Private, error) {
	if len(raw) != rawSize {
		return Private{}, ErrFormat
	}
	switch typ {
	case Ed25519:
		k := ed25519.NewKeyFromSeed(raw)
		return Private{ed: &k}, nil
	case P256:
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
		if err != nil {
			return Private{}, ErrFormat
		}
		return Private{ec: k}, nil
	}
	return Private{}, ErrFormat
}

// IsZero reports whether there is no key.
func (k Private) IsZero() bool { return k.ed == nil && k.ec == nil }

// Raw is the secret itself: 32 bytes, the Ed25519 seed or the P-256 scalar.
func (k Private) Raw() []byte {
	if k.ed != nil {
		return k.ed.Seed()
	}
	b, err := k.ec.Bytes()
	if err != nil {
		panic("keystore: bug: a key on P-256 has no bytes")
	}
	return b
}

// PublicKey is the public half in SSH wire format.
func (k Private) PublicKey() []byte {
	if k.ed != nil {
		return sshwire.Ed25519Blob(k.ed.Public().(ed25519.PublicKey))
	}
	point, err := k.ec.PublicKey.Bytes()
	if err != nil {
		panic("keystore: bug: a key on P-256 has no point")
	}
	blob, err := sshwire.P256Blob(point)
	if err != nil {
		panic("keystore: bug: a key's own point is refused")
	}
	return blob
}

// Sign returns a signature over data in SSH wire format.
func (k Private) Sign(data []byte) ([]byte, error) {
	if k.ed != nil {
		return sshwire.SignEd25519(*k.ed, data), nil
	}
	return sshwire.SignP256(k.ec, data)
}

const redacted = "[redacted]"

// Format, String and LogValue keep a private key out of texts and logs.
func (k Private) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
func (k Private) String() string             { return redacted }
func (k Private) LogValue() slog.Value       { return slog.StringValue(redacted) }
