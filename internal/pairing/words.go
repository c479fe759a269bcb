package pairing

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"

	"kryptonite/internal/sealbox"
)

// Labels. [kr-protocol] §3.
const (
	commitLabel = "kryptonite pair commit v1"
	wordsLabel  = "kryptonite pair words v1"
	idLabel     = "kryptonite pairing id v1"
)

var (
	// ErrDrop is returned for a frame that changes nothing: a stranger's, a
	// repeat, one out of turn. Count it and go on.
	ErrDrop = errors.New("pairing: frame dropped")
	// ErrCommit is returned when the phone's nonce does not fit its earlier
	// commitment: someone is in between. The QR code must be burned.
	ErrCommit = errors.New("pairing: the phone's commitment does not hold; someone may be in between")
	// ErrUnpaired is returned when the other side ended the pairing.
	ErrUnpaired = errors.New("pairing: the other side ended the pairing")
)

//go:embed words.txt
var wordFile string

// wordList is the list of BIP-39 (2,048 English words, told apart by their
// first four letters).
var wordList = strings.Fields(wordFile)

// ID names a pairing in files and logs: hex of the first 8 bytes of a hash of
// both public keys. It gives nothing away.
func ID(c, s sealbox.PublicKey) string {
	h := sha256.New()
	h.Write([]byte(idLabel))
	h.Write(c[:])
	h.Write(s[:])
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func commitment(c, s sealbox.PublicKey, nS []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(commitLabel))
	h.Write(c[:])
	h.Write(s[:])
	h.Write(nS)
	return [32]byte(h.Sum(nil))
}

// words returns the two words: the first 22 bits of the hash over everything
// that both sides have seen, 11 bits a word.
func words(payload [32]byte, c sealbox.PublicKey, step2, nC, nS []byte) string {
	h := sha256.New()
	h.Write([]byte(wordsLabel))
	h.Write(payload[:])
	h.Write(c[:])
	h.Write(step2)
	h.Write(nC)
	h.Write(nS)
	bits := binary.BigEndian.Uint32(h.Sum(nil))
	return strings.ToUpper(wordList[bits>>21] + " " + wordList[bits>>10&0x7ff])
}

// SameWords reports whether a person's text holds the same two words, in any
// case and spacing.
func SameWords(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}
