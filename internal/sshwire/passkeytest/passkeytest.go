// Package passkeytest is a passkey in software, for tests: a P-256 key that
// answers as WebAuthn's get does. It signs the same bytes the same way each time.
//
//	p := passkeytest.New(1, "phone.example")
//	a := p.Assert(data, passkeytest.Given{Flags: 0x05, Origin: "https://phone.example"})
//	sig, err := sshwire.WebAuthnSignature(sshwire.Assertion(a))
//
// References: [WebAuthn] W3C Web Authentication Level 3, §5.8.1.1 and §6.1.
package passkeytest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
)

// Passkey is a credential for one application, an RP ID.
type Passkey struct {
	Key         *ecdsa.PrivateKey
	Application string
}

// New makes the passkey that belongs to seed.
func New(seed byte, application string) Passkey {
	secret := sha256.Sum256([]byte{seed})
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:])
	if err != nil {
		panic(err)
	}
	return Passkey{key, application}
}

// SPKI is what getPublicKey returns.
func (p Passkey) SPKI() []byte {
	b, err := x509.MarshalPKIXPublicKey(p.Key.Public())
	if err != nil {
		panic(err)
	}
	return b
}

// Given is what the platform says around the data.
type Given struct {
	Flags      byte
	Counter    uint32
	Extensions []byte
	Origin     string
	ClientData string // instead of what a browser writes
}

// Assertion is what get returns, and the origin of the page.
type Assertion struct {
	AuthenticatorData []byte
	ClientDataJSON    []byte
	Signature         []byte // DER
	Origin            string
}

// ClientData is a clientDataJSON with data as the challenge, and what follows
// the origin in it.
func ClientData(data []byte, origin, tail string) string {
	return `{"type":"webauthn.get","challenge":"` + base64.RawURLEncoding.EncodeToString(data) + `","origin":"` + origin + `"` + tail
}

// Assert signs data.
func (p Passkey) Assert(data []byte, g Given) Assertion {
	if g.ClientData == "" {
		g.ClientData = ClientData(data, g.Origin, `,"crossOrigin":false}`)
	}
	application, client := sha256.Sum256([]byte(p.Application)), sha256.Sum256([]byte(g.ClientData))
	auth := append(application[:], g.Flags)
	auth = append(binary.BigEndian.AppendUint32(auth, g.Counter), g.Extensions...)
	digest := sha256.Sum256(append(bytes.Clone(auth), client[:]...))
	der, err := p.Key.Sign(nil, digest[:], crypto.SHA256) // nil: RFC 6979
	if err != nil {
		panic(err)
	}
	return Assertion{auth, []byte(g.ClientData), der, g.Origin}
}
