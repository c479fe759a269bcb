package sealbox

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

const bluetoothSalt = "kryptonite bluetooth v1"

// ServiceUUID names a GATT service of Bluetooth LE: a UUID of version 8, big-endian.
// [RFC 9562] §5.8. It is written as usual, 36 characters in lower case.
type ServiceUUID [16]byte

// RendezvousService is where a computer and a phone meet that know only the QR
// code's c_pub. [kr-protocol] §5.9.
func RendezvousService(c PublicKey) ServiceUUID { return service(c[:], "rendezvous") }

// ComputerService is the service of a pairing; c is the computer's own key. It
// returns ErrKey for a key s of low order. [kr-protocol] §5.9.
func ComputerService(c PrivateKey, s PublicKey) (ServiceUUID, error) {
	z, err := c.dh(s)
	if err != nil {
		return ServiceUUID{}, err
	}
	return pairingService(z, c.Public(), s), nil
}

// PhoneService is ComputerService on the phone's side.
func PhoneService(s PrivateKey, c PublicKey) (ServiceUUID, error) {
	z, err := s.dh(c)
	if err != nil {
		return ServiceUUID{}, err
	}
	return pairingService(z, c, s.Public()), nil
}

func pairingService(z []byte, c, s PublicKey) ServiceUUID {
	return service(z, "pairing"+string(c[:])+string(s[:]))
}

func service(ikm []byte, info string) (u ServiceUUID) {
	b, err := hkdf.Key(sha256.New, ikm, []byte(bluetoothSalt), info, len(u))
	if err != nil {
		panic("sealbox: bug: HKDF: " + err.Error())
	}
	copy(u[:], b)
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u
}

// String returns the 36 characters.
func (u ServiceUUID) String() string {
	h := hex.EncodeToString(u[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// MarshalText returns the 36 characters.
func (u ServiceUUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what MarshalText wrote, and nothing else.
func (u *ServiceUUID) UnmarshalText(t []byte) error {
	var v ServiceUUID
	b, err := hex.DecodeString(strings.ReplaceAll(string(t), "-", ""))
	if err == nil && len(b) == len(v) {
		copy(v[:], b)
	}
	if v[6]>>4 != 8 || v[8]>>6 != 2 || v.String() != string(t) {
		return errors.New("sealbox: not the UUID of a service")
	}
	*u = v
	return nil
}
