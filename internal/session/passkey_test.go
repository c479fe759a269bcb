package session

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"

	"kryptonite/internal/sshwire"
	"kryptonite/internal/sshwire/passkeytest"
	"kryptonite/internal/wire"
)

// TestPasskey: ssh sees a passkey's signature only if it is over exactly the
// payload, by that key, for its application, with somebody present.
func TestPasskey(t *testing.T) {
	const origin = "https://phone.example"
	key := passkeytest.New(1, "phone.example")
	blob, err := sshwire.PasskeyBlob(key.SPKI(), key.Application)
	if err != nil {
		t.Fatal(err)
	}
	payload := sshwire.Userauth{SessionID: make([]byte, 32), User: "root", Method: sshwire.MethodPublicKey,
		Algorithm: sshwire.KeyPasskey, PublicKey: blob}.Marshal()
	made := func(p passkeytest.Passkey, data []byte, flags byte) []byte {
		a := p.Assert(data, passkeytest.Given{Flags: flags, Origin: origin})
		sig, err := sshwire.WebAuthnSignature(sshwire.Assertion(a))
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	// The phone refuses to write this one, so it is written by hand.
	absent, err := sshwire.ParseWebAuthn(made(key, payload, 0x01))
	if err != nil {
		t.Fatal(err)
	}
	a := key.Assert(payload, passkeytest.Given{Flags: 0x00, Origin: origin})
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(a.Signature, &rs); err != nil {
		t.Fatal(err)
	}
	absent.Flags, absent.R, absent.S = 0x00, rs.R, rs.S
	plain, err := sshwire.SignP256(key.Key, payload)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		sig  []byte
		ok   bool
	}{
		{"present", made(key, payload, 0x01), true},
		{"present and verified", made(key, payload, 0x05), true},
		{"nobody present", absent.Marshal(), false},
		{"another payload", made(key, append([]byte("x"), payload...), 0x01), false},
		{"another application", made(passkeytest.New(1, "other.example"), payload, 0x01), false},
		{"another key", made(passkeytest.New(2, "phone.example"), payload, 0x01), false},
		{"a plain signature of its key", plain, false},
		{"nothing", nil, false},
	} {
		got, err := checked(blob, payload, &wire.SignResponse{Signature: c.sig})
		if c.ok && (err != nil || !bytes.Equal(got, c.sig)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.ok && !errors.As(err, new(*RefusedError)) {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
	}
}
