package sealbox

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/crypto/nacl/box"
	"golang.org/x/crypto/nacl/secretbox"
)

// Sizes in bytes. [crypto_box].
const (
	NonceSize  = 24
	BoxOver    = NonceSize + box.Overhead // what Shared.Seal adds
	SealedOver = box.AnonymousOverhead    // what SealTo adds
)

// Shared seals and opens boxes between two parties who hold each other's
// public key. Its methods are safe for concurrent use.
type Shared struct {
	key [32]byte
}

// NewShared computes the shared key of own and peer once, for many boxes. It
// returns ErrKey when the X25519 result is zero, which box.Precompute accepts.
func NewShared(own PrivateKey, peer PublicKey) (*Shared, error) {
	if _, err := own.dh(peer); err != nil {
		return nil, err
	}
	s := new(Shared)
	p, k := [32]byte(peer), [32]byte(own.Bytes())
	box.Precompute(&s.key, &p, &k)
	return s, nil
}

// Seal returns nonce(24) ‖ crypto_box_easy(plain) under a random nonce.
func (s *Shared) Seal(plain []byte) ([]byte, error) {
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	return box.SealAfterPrecomputation(nonce[:], plain, nonce, &s.key), nil
}

// Open returns the plaintext of what Seal made, or ErrOpen.
func (s *Shared) Open(b []byte) ([]byte, error) {
	if len(b) < BoxOver {
		return nil, ErrOpen
	}
	nonce := [NonceSize]byte(b[:NonceSize])
	plain, ok := box.OpenAfterPrecomputation(nil, b[NonceSize:], &nonce, &s.key)
	if !ok {
		return nil, ErrOpen
	}
	return plain, nil
}

// SealTo encrypts plain so that only the holder of peer's private key opens
// it; it says nothing about who sealed it. [sealed box].
func SealTo(peer PublicKey, plain []byte) ([]byte, error) {
	probe, err := NewKey()
	if err != nil {
		return nil, err
	}
	if _, err := probe.dh(peer); err != nil {
		return nil, err
	}
	p := [32]byte(peer)
	out, err := box.SealAnonymous(nil, plain, &p, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("sealbox: seal: %w", err)
	}
	return out, nil
}

// OpenSealed opens what SealTo made for own, or returns ErrOpen.
func OpenSealed(own PrivateKey, b []byte) ([]byte, error) {
	if len(b) < SealedOver || own.IsZero() {
		return nil, ErrOpen
	}
	if _, err := own.dh(PublicKey(b[:KeySize])); err != nil {
		return nil, ErrOpen
	}
	pub, key := [32]byte(own.Public()), [32]byte(own.Bytes())
	plain, ok := box.OpenAnonymous(nil, b, &pub, &key)
	if !ok {
		return nil, ErrOpen
	}
	return plain, nil
}

func newNonce() (*[NonceSize]byte, error) {
	var n [NonceSize]byte
	if _, err := rand.Read(n[:]); err != nil {
		return nil, fmt.Errorf("sealbox: draw a nonce: %w", err)
	}
	return &n, nil
}

// secretSeal returns nonce(24) ‖ crypto_secretbox(plain).
func secretSeal(key *[32]byte, plain []byte) ([]byte, error) {
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	return secretbox.Seal(nonce[:], plain, nonce, key), nil
}

// secretOpen opens what secretSeal made, or returns ErrOpen.
func secretOpen(key *[32]byte, b []byte) ([]byte, error) {
	if len(b) < BoxOver {
		return nil, ErrOpen
	}
	nonce := [NonceSize]byte(b[:NonceSize])
	plain, ok := secretbox.Open(nil, b[NonceSize:], &nonce, key)
	if !ok {
		return nil, ErrOpen
	}
	return plain, nil
}
