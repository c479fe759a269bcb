// Package keystore keeps an SSH private key of the phone. A sealed key is a
// JSON object that only a passphrase opens:
//
//	{"kdf":"argon2id","time":3,"memory_kib":65536,"threads":1,
//	 "salt":"…","box":"…","public_key":"ssh-ed25519 AAAA…"}
//
// box is nonce(24) ‖ crypto_secretbox of the 32-byte Ed25519 seed, under the
// key that argon2id makes of passphrase and salt. The package does no I/O.
//
// References: [RFC 9106] argon2id; libsodium, crypto_secretbox.
package keystore

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/nacl/secretbox"

	"kryptonite/internal/sshwire"
)

// Cost of argon2id for new keys: the second recommendation of [RFC 9106] §4,
// with one lane.
const (
	kdfTime   = 3
	kdfMemory = 64 << 10 // KiB
	kdfLanes  = 1

	// What a file may demand: who writes one must not hang who opens it. The
	// work bound is 5 times that of a new key.
	maxMemory = 256 << 10 // KiB
	maxTime   = 64        // rounds
	maxLanes  = 16
	maxWork   = 1 << 20 // KiB filled in all rounds
	maxSalt   = 64      // bytes
)

var (
	// ErrPassphrase is returned by Open for a wrong passphrase or a changed file.
	ErrPassphrase = errors.New("wrong passphrase")
	// ErrFormat is returned for what is no sealed key.
	ErrFormat = errors.New("keystore: not a sealed key")
)

type sealed struct {
	KDF       string `json:"kdf"`
	Time      uint32 `json:"time"`
	Memory    uint32 `json:"memory_kib"`
	Lanes     uint8  `json:"threads"`
	Salt      []byte `json:"salt"`
	Box       []byte `json:"box"`
	PublicKey []byte `json:"public_key"` // SSH wire format, so that it can be listed while sealed
}

// Seal makes a new Ed25519 key and returns it sealed with the passphrase.
func Seal(passphrase []byte) ([]byte, error) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	s := sealed{KDF: "argon2id", Time: kdfTime, Memory: kdfMemory, Lanes: kdfLanes,
		Salt: make([]byte, 16), PublicKey: sshwire.Ed25519Blob(pub)}
	var nonce [24]byte
	if _, err := rand.Read(s.Salt); err != nil {
		return nil, err
	}
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	key := s.key(passphrase)
	s.Box = secretbox.Seal(nonce[:], priv.Seed(), &nonce, key)
	return json.Marshal(s)
}

// Open returns the private key. It returns ErrPassphrase or ErrFormat.
func Open(b, passphrase []byte) (ed25519.PrivateKey, error) {
	s, err := parse(b)
	if err != nil {
		return nil, err
	}
	nonce := [24]byte(s.Box[:24])
	seed, ok := secretbox.Open(nil, s.Box[24:], &nonce, s.key(passphrase))
	if !ok {
		return nil, ErrPassphrase
	}
	priv := ed25519.NewKeyFromSeed(seed)
	if string(sshwire.Ed25519Blob(priv.Public().(ed25519.PublicKey))) != string(s.PublicKey) {
		return nil, ErrFormat
	}
	return priv, nil
}

// PublicKey returns the public key (SSH wire format) without a passphrase. A
// changed file may lie: Open finds out.
func PublicKey(b []byte) ([]byte, error) {
	s, err := parse(b)
	return s.PublicKey, err
}

func parse(b []byte) (sealed, error) {
	var s sealed
	if err := json.Unmarshal(b, &s); err != nil || s.KDF != "argon2id" || len(s.Salt) < 16 || len(s.Salt) > maxSalt ||
		len(s.Box) != 24+secretbox.Overhead+ed25519.SeedSize || !s.affordable() {
		return sealed{}, ErrFormat
	}
	if k, err := sshwire.ParsePublicKey(s.PublicKey); err != nil || k.Type() != sshwire.KeyEd25519 {
		return sealed{}, ErrFormat
	}
	return s, nil
}

// affordable reports whether opening s takes about a second, not minutes.
func (s sealed) affordable() bool {
	least := 8 * uint64(s.Lanes) // KiB that argon2 takes at least
	return s.Time > 0 && s.Time <= maxTime && s.Lanes > 0 && s.Lanes <= maxLanes &&
		s.Memory > 0 && s.Memory <= maxMemory && uint64(s.Time)*max(uint64(s.Memory), least) <= maxWork
}

func (s sealed) key(passphrase []byte) *[32]byte {
	k := [32]byte(argon2.IDKey(passphrase, s.Salt, s.Time, s.Memory, s.Lanes, 32))
	return &k
}
