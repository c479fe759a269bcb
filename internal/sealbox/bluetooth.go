package sealbox

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
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
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
