package phone

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// maxBinds is how many binds one agent connection may carry. [PROTOCOL.agent] §1.
const maxBinds = 16

// Proof says how far the phone itself could check which host a login is for.
type Proof string

// The labels. [kr-protocol] §4.3.
const (
	Proved  Proof = "proved"  // the signed bytes name the host key, and that key signed this session
	Vouched Proof = "vouched" // that key signed this session; the signed bytes do not name it
	Bound   Proof = "bound"   // the signed bytes name the host key; no signature of it was seen
	Unknown Proof = "unknown" // nothing says which host this is
)

// Host is the server of a login as far as the phone knows it.
type Host struct {
	Proof       Proof
	KeyType     string // such as "ssh-ed25519"; "" when unknown
	Fingerprint string // of the host key, or of the key inside a host certificate
	Local       bool   // asked by an ssh on the computer itself; false: may be forwarded
	Path        []string
}

// prove finds out which host a login is for from the payload and the binds of
// the agent connection, by OpenSSH's own rules. An error means: never sign.
func prove(u sshwire.Userauth, binds []wire.Bind) (Host, error) {
	h := Host{Proof: Unknown}
	if len(binds) > maxBinds {
		return h, errors.New("the agent connection carries too many session binds")
	}
	var match *wire.Bind
	for i, b := range binds {
		if i > 0 && !binds[i-1].Forwarding {
			return h, errors.New("a session bind follows one that is not for forwarding")
		}
		bind := sshwire.Bind{HostKey: b.HostKey, SessionID: b.SessionID, Signature: b.Signature, Forwarding: b.Forwarding}
		if err := bind.Verify(); err != nil {
			return h, errors.New("a session bind is not signed by its host key")
		}
		if b.Forwarding {
			h.Path = append(h.Path, fingerprint(b.HostKey))
		} else if bytes.Equal(b.SessionID, u.SessionID) {
			match = &binds[i]
		}
	}
	h.Local = len(binds) > 0 && !binds[0].Forwarding
	hostKey := u.HostKey
	switch {
	case match != nil && hostKey != nil && !bytes.Equal(match.HostKey, hostKey):
		return h, errors.New("the login names another host key than the session was made with")
	case match != nil && hostKey != nil:
		h.Proof = Proved
	case match != nil:
		h.Proof, hostKey = Vouched, match.HostKey
	case hostKey != nil:
		h.Proof = Bound
	default:
		return h, nil
	}
	key, err := sshwire.ParsePublicKey(hostKey)
	if err != nil {
		return h, fmt.Errorf("the login names a host key that cannot be read")
	}
	h.KeyType, h.Fingerprint = key.Type(), key.Fingerprint()
	return h, nil
}

// fingerprint is "SHA256:" and the unpadded base64 of the key blob's hash.
func fingerprint(blob []byte) string {
	sum := sha256.Sum256(blob)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
