// Package mailbox says what a mailbox at a relay is, for both ends.
//
// A mailbox is named by an [Address]: the first half of the SHA-256 of an
// Ed25519 public key, the mailbox key. Who knows the address may post; only
// the holder of the [Key] reads, by signing a challenge ([SignRead]). A
// mailbox exists from its holder's first signed read.
//
// The relay speaks HTTP. One frame is posted with
//
//	POST /v1/mailboxes/{32 hex}/frames
//	Idempotency-Key: {32 hex, random, the same for all tries of one frame}
//
// and read on a WebSocket at /v1/mailboxes/{32 hex}/live:
//
//	relay   text    {"type":"challenge","nonce":"<32 bytes, base64>"}
//	holder  text    {"type":"proof","public_key":"<32>","signature":"<64>"}
//	relay   text    {"type":"ready"}
//	relay   binary  sequence number (8 bytes, big-endian) ‖ frame
//	holder  binary  sequence number (8 bytes): acknowledged, the relay deletes
//	holder  text    {"type":"ping"}      relay  text  {"type":"pong"}
//
// Where WebSockets are blocked it is read by long polls, a [Poll] and a
// [PollReply] each. The same request opens a mailbox and deletes it.
//
//	POST /v1/mailboxes/{32 hex}/poll
//	{"public_key":"…","nonce":"…","signature":"…","ack":["<8 bytes>"],"wait_seconds":25}
//
//	200  {"nonce":"<for the next poll>","frames":[{"seq":"<8 bytes>","frame":"…"}]}
//	401  {"error":"…","nonce":"<32 bytes, base64>"}: prove it with this one
//
// A sequence number is eight opaque bytes to the holder. "ping" is for
// browsers, which can neither send nor see the WebSocket's own pings.
//
// This package does no I/O and reads no clock; it also runs in the phone's
// WebAssembly. References: [kr-protocol] docs/protocol.md §5; [RFC 8032].
package mailbox

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Sizes in bytes.
const (
	AddressSize = 16 // an Address
	SeedSize    = 32 // the seed of a Key, [RFC 8032] §5.1.5
	NonceSize   = 32 // the relay's challenge
	PostIDSize  = 16 // an Idempotency-Key
)

// ErrProof is returned for every proof that does not hold; it never says why.
var ErrProof = errors.New("mailbox: proof does not hold")

// Address names a mailbox and is the right to post there: the first 16 bytes
// of SHA-256(Ed25519 public key). In URLs it is hex ([Address.String]), in JSON
// base64. Logs show only [Address.LogName].
type Address [AddressSize]byte

// AddressOf returns the address of the mailbox that pub's holder reads.
func AddressOf(pub ed25519.PublicKey) Address {
	sum := sha256.Sum256(pub)
	return Address(sum[:AddressSize])
}

// ParseAddress reads exactly 32 lower-case hex characters.
func ParseAddress(s string) (Address, error) {
	var a Address
	if err := parseHex(a[:], s); err != nil {
		return Address{}, fmt.Errorf("mailbox: address %w", err)
	}
	return a, nil
}

// String returns the address as 32 lower-case hex characters, as in URLs.
// It is the right to post: do not log it.
func (a Address) String() string { return hex.EncodeToString(a[:]) }

// IsZero reports whether a is the zero address, which names no mailbox.
func (a Address) IsZero() bool { return a == Address{} }

// LogName returns six hex characters of the SHA-256 of the address: enough to
// follow one mailbox through a log, too little to post to it.
func (a Address) LogName() string {
	sum := sha256.Sum256(a[:])
	return hex.EncodeToString(sum[:3])
}

// MarshalText returns standard base64 with padding (24 characters).
func (a Address) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, a[:]), nil
}

// UnmarshalText reads what MarshalText wrote, and nothing else.
func (a *Address) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != AddressSize || len(text) != base64.StdEncoding.EncodedLen(AddressSize) {
		return errors.New("mailbox: address is not the base64 of 16 bytes")
	}
	*a = Address(b)
	return nil
}

// Key is a mailbox key: who has it reads the mailbox. It prints redacted.
// The zero Key is not usable; use [NewKey] or [KeyFromSeed].
type Key struct {
	private ed25519.PrivateKey
}

// NewKey makes a random key.
func NewKey() (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("mailbox: make key: %w", err)
	}
	return Key{private}, nil
}

// KeyFromSeed returns the key whose seed, 32 bytes, is given.
func KeyFromSeed(seed []byte) (Key, error) {
	if len(seed) != SeedSize {
		return Key{}, fmt.Errorf("mailbox: seed has %d bytes, want %d", len(seed), SeedSize)
	}
	return Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// IsZero reports whether k is the zero Key.
func (k Key) IsZero() bool { return k.private == nil }

// Seed returns the secret to keep, 32 bytes; nil for the zero Key.
func (k Key) Seed() []byte {
	if k.private == nil {
		return nil
	}
	return k.private.Seed()
}

// Public returns the Ed25519 public key; nil for the zero Key.
func (k Key) Public() ed25519.PublicKey {
	if k.private == nil {
		return nil
	}
	return k.private.Public().(ed25519.PublicKey)
}

// Address returns the address of the mailbox that k reads.
func (k Key) Address() Address { return AddressOf(k.Public()) }

// String, GoString and LogValue keep the secret out of texts and logs.
func (k Key) String() string   { return "[redacted]" }
func (k Key) GoString() string { return "[redacted]" }

// Equal reports, in constant time, whether both are the same key.
func (k Key) Equal(other Key) bool {
	return subtle.ConstantTimeCompare(k.private, other.private) == 1
}

// readLabel starts every signed challenge. [kr-protocol] §5.
const readLabel = "kryptonite relay read v1"

// readMessage returns the bytes that the holder signs: the label (24 bytes) ‖
// length of the origin (2 bytes, big-endian) ‖ origin (ASCII, as
// [CanonicalOrigin] returns it) ‖ address (16) ‖ nonce (32).
func readMessage(origin string, addr Address, nonce []byte) []byte {
	m := make([]byte, 0, len(readLabel)+2+len(origin)+AddressSize+len(nonce))
	m = append(m, readLabel...)
	m = binary.BigEndian.AppendUint16(m, uint16(len(origin)))
	m = append(m, origin...)
	m = append(m, addr[:]...)
	return append(m, nonce...)
}

// SignRead proves to the relay at origin that key's holder wants to read now.
// origin must be canonical and nonce the relay's 32 bytes. The signed origin is
// the one the holder dialled, so one relay cannot use the proof at another.
func SignRead(key Key, origin string, nonce []byte) ([]byte, error) {
	if key.private == nil {
		return nil, errors.New("mailbox: sign read: no key")
	}
	if len(nonce) != NonceSize {
		return nil, fmt.Errorf("mailbox: sign read: nonce has %d bytes, want %d", len(nonce), NonceSize)
	}
	if c, err := CanonicalOrigin(origin); err != nil {
		return nil, err
	} else if c != origin {
		return nil, fmt.Errorf("mailbox: sign read: origin %q is not canonical, want %q", origin, c)
	}
	return ed25519.Sign(key.private, readMessage(origin, key.Address(), nonce)), nil
}

// VerifyRead checks a proof against the verifier's own origin and nonce. It
// returns ErrProof if pub does not belong to addr or the signature is another's.
func VerifyRead(pub []byte, origin string, addr Address, nonce, sig []byte) error {
	if len(pub) != ed25519.PublicKeySize || len(sig) != ed25519.SignatureSize || len(nonce) != NonceSize ||
		len(origin) > maxOrigin || AddressOf(pub) != addr ||
		!ed25519.Verify(pub, readMessage(origin, addr, nonce), sig) {
		return ErrProof
	}
	return nil
}

// PostID is the Idempotency-Key of one frame: 16 random bytes, drawn by the
// sender once per frame and repeated in each try.
type PostID [PostIDSize]byte

// NewPostID draws one.
func NewPostID() PostID {
	var id PostID
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}

// ParsePostID reads exactly 32 lower-case hex characters.
func ParsePostID(s string) (PostID, error) {
	var id PostID
	if err := parseHex(id[:], s); err != nil {
		return PostID{}, fmt.Errorf("mailbox: idempotency key %w", err)
	}
	return id, nil
}

// String returns the header's value, 32 lower-case hex characters.
func (id PostID) String() string { return hex.EncodeToString(id[:]) }

func parseHex(dst []byte, s string) error {
	if len(s) == 2*len(dst) {
		if _, err := hex.Decode(dst, []byte(s)); err == nil && bytes.Equal([]byte(hex.EncodeToString(dst)), []byte(s)) {
			return nil
		}
	}
	return fmt.Errorf("is not %d lower-case hex characters", 2*len(dst))
}
