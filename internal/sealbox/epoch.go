package sealbox

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// Labels of the epoch construction. [kr-protocol] §2.4.
const (
	epochSalt = "kryptonite epoch v1"
	epochIDV1 = "kryptonite epoch id v1"
)

// EpochIDSize is the size of an epoch id in bytes.
const EpochIDSize = 8

// EpochID names an epoch on the wire: the first 8 bytes of
// SHA-256("kryptonite epoch id v1" ‖ e_c ‖ e_s).
type EpochID [EpochIDSize]byte

// Key32 is a secret symmetric key that never prints.
type Key32 [32]byte

// String and GoString keep the key out of texts; LogValue, elsewhere, out of logs.
func (k Key32) String() string   { return "[redacted]" }
func (k Key32) GoString() string { return "[redacted]" }

// MarshalText writes the secret in base64, for state files and sealed messages only.
func (k Key32) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(k[:])), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *Key32) UnmarshalText(t []byte) error {
	b, err := base64.StdEncoding.DecodeString(string(t))
	if err != nil || len(b) != len(k) {
		return ErrKey
	}
	*k = Key32(b)
	return nil
}

// Epoch holds the two keys of one epoch, one for each direction, so that a
// frame cannot be reflected to its sender, and Proof: who sends that has them, too.
type Epoch struct {
	ID    EpochID `json:"id"`
	Send  Key32   `json:"send"`
	Recv  Key32   `json:"recv"`
	Proof Key32   `json:"proof"`
}

// ComputerEpoch derives the epoch on the computer's side: c and eC are its own
// static and ephemeral keys, s and eS the phone's. It returns ErrKey when any
// of the four X25519 results is zero.
func ComputerEpoch(c, eC PrivateKey, s, eS PublicKey) (Epoch, error) {
	c2s, s2c, proof, err := derive([4]func() ([]byte, error){
		func() ([]byte, error) { return eC.dh(eS) },
		func() ([]byte, error) { return eC.dh(s) },
		func() ([]byte, error) { return c.dh(eS) },
		func() ([]byte, error) { return c.dh(s) },
	}, c.Public(), s, eC.Public(), eS)
	return Epoch{ID: epochID(eC.Public(), eS), Send: c2s, Recv: s2c, Proof: proof}, err
}

// PhoneEpoch is ComputerEpoch on the phone's side.
func PhoneEpoch(s, eS PrivateKey, c, eC PublicKey) (Epoch, error) {
	c2s, s2c, proof, err := derive([4]func() ([]byte, error){
		func() ([]byte, error) { return eS.dh(eC) },
		func() ([]byte, error) { return s.dh(eC) },
		func() ([]byte, error) { return eS.dh(c) },
		func() ([]byte, error) { return s.dh(c) },
	}, c, s.Public(), eC, eS.Public())
	return Epoch{ID: epochID(eC, eS.Public()), Send: s2c, Recv: c2s, Proof: proof}, err
}

// derive is HKDF-SHA256 over DH(e_c,e_s) ‖ DH(e_c,s) ‖ DH(c,e_s) ‖ DH(c,s),
// info c ‖ s ‖ e_c ‖ e_s, 96 bytes: k_c2s ‖ k_s2c ‖ e_proof. [RFC 5869].
func derive(dhs [4]func() ([]byte, error), c, s, eC, eS PublicKey) (c2s, s2c, proof Key32, err error) {
	var ikm []byte
	for _, f := range dhs {
		z, err := f()
		if err != nil {
			return c2s, s2c, proof, err
		}
		ikm = append(ikm, z...)
	}
	info := string(c[:]) + string(s[:]) + string(eC[:]) + string(eS[:])
	k, err := hkdf.Key(sha256.New, ikm, []byte(epochSalt), info, 96)
	if err != nil {
		return c2s, s2c, proof, fmt.Errorf("sealbox: derive epoch keys: %w", err)
	}
	return Key32(k[:32]), Key32(k[32:64]), Key32(k[64:]), nil
}

func epochID(eC, eS PublicKey) EpochID {
	h := sha256.New()
	h.Write([]byte(epochIDV1))
	h.Write(eC[:])
	h.Write(eS[:])
	return EpochID(h.Sum(nil)[:EpochIDSize])
}

// Whole reports whether e has all its parts: what was stored may have lost some,
// and anyone can seal under a key of zeros.
func (e Epoch) Whole() bool {
	return e.ID != EpochID{} && e.Send != Key32{} && e.Recv != Key32{} && e.Proof != Key32{}
}

// Proved reports whether who sent proof has made this epoch, too. nil proves nothing.
func (e Epoch) Proved(proof *Key32) bool {
	return proof != nil && subtle.ConstantTimeCompare(proof[:], e.Proof[:]) == 1
}

// Seal returns epoch id(8) ‖ nonce(24) ‖ secretbox(plain) under the sending key.
func (e Epoch) Seal(plain []byte) ([]byte, error) {
	b, err := secretSeal((*[32]byte)(&e.Send), plain)
	if err != nil {
		return nil, err
	}
	return append(e.ID[:len(e.ID):len(e.ID)], b...), nil
}

// Open opens a body that the peer sealed under this epoch, or returns ErrOpen.
func (e Epoch) Open(body []byte) ([]byte, error) {
	if id, ok := EpochOf(body); !ok || id != e.ID {
		return nil, ErrOpen
	}
	return secretOpen((*[32]byte)(&e.Recv), body[EpochIDSize:])
}

// EpochOf returns the epoch id that body names, unauthenticated; ok is false
// when body is too short to hold a box.
func EpochOf(body []byte) (id EpochID, ok bool) {
	if len(body) < EpochIDSize+BoxOver {
		return id, false
	}
	return EpochID(body[:EpochIDSize]), true
}

// MarshalText writes the id in hex.
func (id EpochID) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(id[:])), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *EpochID) UnmarshalText(t []byte) error {
	b, err := hex.DecodeString(string(t))
	if err != nil || len(b) != len(id) {
		return ErrKey
	}
	*id = EpochID(b)
	return nil
}
