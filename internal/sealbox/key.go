package sealbox

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
)

// KeySize is the size of an X25519 key, private or public, in bytes. [RFC 7748] §5.
const KeySize = 32

var (
	// ErrOpen is returned when a frame cannot be opened, whatever the reason.
	ErrOpen = errors.New("sealbox: frame cannot be opened")
	// ErrKey is returned for a key of the wrong size, or one whose shared
	// secret is zero (a low-order point). [RFC 7748] §6.1.
	ErrKey = errors.New("sealbox: key is malformed or of low order")
)

// PublicKey is an X25519 public key. In this protocol c_pub is not for every
// eye, so it prints as [redacted]; use Bytes to put it on the wire.
type PublicKey [KeySize]byte

// PrivateKey is an X25519 private key. It never prints.
type PrivateKey struct {
	key *ecdh.PrivateKey
}

// NewKey makes a key pair from the system's randomness.
func NewKey() (PrivateKey, error) {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("sealbox: make a key pair: %w", err)
	}
	return PrivateKey{k}, nil
}

// KeyFromBytes returns the private key with these 32 bytes, or ErrKey.
func KeyFromBytes(b []byte) (PrivateKey, error) {
	k, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		return PrivateKey{}, ErrKey
	}
	return PrivateKey{k}, nil
}

// Bytes returns the 32 secret bytes, for storage only.
func (k PrivateKey) Bytes() []byte {
	if k.key == nil {
		return nil
	}
	return k.key.Bytes()
}

// IsZero reports whether k holds no key.
func (k PrivateKey) IsZero() bool { return k.key == nil }

// Public returns the public half.
func (k PrivateKey) Public() PublicKey { return PublicKey(k.key.PublicKey().Bytes()) }

// Erase forgets the key. The bytes may live on in memory until the collector
// takes them: Go offers no more.
func (k *PrivateKey) Erase() { k.key = nil }

// dh returns the 32-byte X25519 result, or ErrKey if it is zero.
func (k PrivateKey) dh(p PublicKey) ([]byte, error) {
	if k.key == nil {
		return nil, ErrKey
	}
	pub, err := ecdh.X25519().NewPublicKey(p[:])
	if err != nil {
		return nil, ErrKey
	}
	z, err := k.key.ECDH(pub) // refuses an all-zero result
	if err != nil {
		return nil, ErrKey
	}
	return z, nil
}

// String and GoString keep a private key out of texts; LogValue, elsewhere, out of logs.
func (k PrivateKey) String() string   { return "[redacted]" }
func (k PrivateKey) GoString() string { return "[redacted]" }

// MarshalText writes the secret in base64, for state files only.
func (k PrivateKey) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(k.Bytes())), nil
}

// UnmarshalText reads what MarshalText wrote; an empty text is no key.
func (k *PrivateKey) UnmarshalText(t []byte) error {
	if len(t) == 0 {
		*k = PrivateKey{}
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(string(t))
	if err != nil {
		return ErrKey
	}
	*k, err = KeyFromBytes(b)
	return err
}

// PublicKeyFromBytes returns the public key with these 32 bytes. It does not
// find low-order points: using the key does.
func PublicKeyFromBytes(b []byte) (PublicKey, error) {
	if len(b) != KeySize {
		return PublicKey{}, ErrKey
	}
	return PublicKey(b), nil
}

// String and GoString keep c_pub out of texts; LogValue, elsewhere, out of logs.
func (p PublicKey) String() string   { return "[redacted]" }
func (p PublicKey) GoString() string { return "[redacted]" }

// MarshalText writes the key in base64.
func (p PublicKey) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(p[:])), nil
}

// UnmarshalText reads what MarshalText wrote.
func (p *PublicKey) UnmarshalText(t []byte) error {
	b, err := base64.StdEncoding.DecodeString(string(t))
	if err != nil {
		return ErrKey
	}
	*p, err = PublicKeyFromBytes(b)
	return err
}
