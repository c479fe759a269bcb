// Package hostauth finds out which host a login is for, how far that is proved,
// and whether a request of any kind may be forwarded, out of nothing but the
// bytes to be signed and the session binds of the agent connection:
//
//	proved    the signed bytes name the host key, and that key signed this session
//	vouched   that key signed this session; the signed bytes do not name it
//	bound     the signed bytes name the host key; no signature of it was seen
//	unknown   nothing says which host this is
//
// Binds follow OpenSSH's own rules. One that breaks them spoils the whole
// connection: nothing may be signed. Names are not its business: no bind and no
// payload holds one. It does no I/O and reads no clock.
//
// References: [kr-protocol] docs/protocol.md §4.3; [PROTOCOL.agent] OpenSSH
// PROTOCOL.agent §1; [PROTOCOL] OpenSSH PROTOCOL §3.1 hostbound.
package hostauth

import (
	"bytes"
	"errors"

	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// maxBinds is how many binds one agent connection may carry. [PROTOCOL.agent] §1.
const maxBinds = 16

// Proof says how far it could be checked which host a login is for.
type Proof string

// The labels, best first.
const (
	Proved  Proof = "proved"
	Vouched Proof = "vouched"
	Bound   Proof = "bound"
	Unknown Proof = "unknown"
)

// Host is the server of a login.
type Host struct {
	Proof       Proof
	KeyType     string   // such as "ssh-ed25519", without a certificate's suffix; "" when unknown
	Fingerprint string   // of the host key; of the key inside a certificate
	Cert        *Cert    // what a host certificate says; nil without one
	Local       bool     // asked by an ssh on the computer itself; false: may be forwarded
	Path        []string // fingerprints of the hosts it was forwarded through, as reported
}

// Cert is a host certificate that its authority has signed. Whether to believe
// that authority is for the person.
type Cert struct {
	CA          string   // fingerprint
	Principals  []string // host names, any bytes; none means all
	ValidAfter  uint64   // Unix seconds
	ValidBefore uint64   // Unix seconds; all ones means for ever
}

// Reasons never to sign.
var (
	errTooMany   = errors.New("the agent connection carries too many session binds")
	errAfter     = errors.New("a session bind follows one that is not for forwarding")
	errForged    = errors.New("a session bind is not signed by its host key")
	errTwoKeys   = errors.New("two host keys claim the same session")
	errOtherKey  = errors.New("the login names another host key than the session was made with")
	errBadKey    = errors.New("the login names a host key that cannot be read")
	errWeakMatch = errors.New("the login names another host key than the bind of its session, which is signed with SHA-1")
)

// Way is what the binds of an agent connection say of how a request came, whatever
// it asks.
type Way struct {
	host  Host // unknown, with Local and Path
	binds []checked
}

// checked is a bind that keeps the rules.
type checked struct {
	*wire.Bind
	proves   bool // its host key signed its session
	repeated bool // its session was bound before, by the same key
}

// Check checks the binds of an agent connection, in their order. An error means:
// never sign what came over it, be it a login or not.
func Check(binds []wire.Bind) (Way, error) {
	w := Way{host: Host{Proof: Unknown}}
	if len(binds) > maxBinds {
		return w, errTooMany
	}
	for i := range binds {
		b := &binds[i]
		if i > 0 && !binds[i-1].Forwarding {
			return w, errAfter
		}
		proves, err := verify(b)
		if err != nil {
			return w, err
		}
		repeated, err := seen(binds[:i], b)
		if err != nil {
			return w, err
		}
		if i == 0 {
			w.host.Local = proves && !b.Forwarding
		}
		if b.Forwarding {
			w.host.Path = append(w.host.Path, inner(b.HostKey))
		}
		w.binds = append(w.binds, checked{b, proves, repeated})
	}
	return w, nil
}

// Host is the host of what is no login: unknown, with the way it came.
func (w Way) Host() Host { return w.host }

// Login finds out which host u logs in to. An error means: never sign.
func (w Way) Login(u sshwire.Userauth) (Host, error) {
	h := w.host
	var match *wire.Bind
	for _, b := range w.binds {
		switch {
		case b.Forwarding:
		case bytes.Equal(b.SessionID, u.SessionID) && !b.proves:
			if u.HostKey != nil && !bytes.Equal(b.HostKey, u.HostKey) {
				return h, errWeakMatch
			}
		case bytes.Equal(b.SessionID, u.SessionID) && !b.repeated:
			match = b.Bind
		}
	}
	return h, h.name(u.HostKey, match)
}

// verify checks a bind's signature. A signature that proves nothing (SHA-1, or
// of a kind of key that is not known here) is no error.
func verify(b *wire.Bind) (proves bool, err error) {
	bind := sshwire.Bind{HostKey: b.HostKey, SessionID: b.SessionID, Signature: b.Signature, Forwarding: b.Forwarding}
	switch err := bind.Verify(); {
	case err == nil:
		return true, nil
	case errors.Is(err, sshwire.ErrSHA1), errors.Is(err, sshwire.ErrUnsupported):
		return false, nil
	}
	return false, errForged
}

// seen reports whether the session of b was bound before: by the same key it
// changes nothing, by another one it is an attack.
func seen(before []wire.Bind, b *wire.Bind) (bool, error) {
	for _, o := range before {
		if !bytes.Equal(o.SessionID, b.SessionID) {
			continue
		}
		if !bytes.Equal(o.HostKey, b.HostKey) {
			return false, errTwoKeys
		}
		return true, nil
	}
	return false, nil
}

// name fills in key and proof from the host key in the payload, or nil, and the
// bind that matches, or nil.
func (h *Host) name(hostKey []byte, match *wire.Bind) error {
	switch {
	case match != nil && hostKey != nil && !bytes.Equal(match.HostKey, hostKey):
		return errOtherKey
	case match != nil && hostKey != nil:
		h.Proof = Proved
	case match != nil:
		h.Proof, hostKey = Vouched, match.HostKey
	case hostKey != nil:
		h.Proof = Bound
	default:
		return nil
	}
	key, err := sshwire.ParsePublicKey(hostKey)
	if errors.Is(err, sshwire.ErrUnsupported) && h.Proof == Bound {
		h.Proof = Unknown // a kind of key that is not known here, and nothing else to go by
		return nil
	}
	if err != nil {
		return errBadKey
	}
	h.KeyType, h.Fingerprint = key.Inner().Type(), key.Fingerprint()
	if c := key.Certificate(); c != nil && c.Kind == sshwire.HostCert && c.VerifyCA() == nil {
		h.Cert = &Cert{CA: sshwire.Fingerprint(c.SignatureKey), Principals: c.Principals, ValidAfter: c.ValidAfter, ValidBefore: c.ValidBefore}
	}
	return nil
}

// inner is the fingerprint of a key, of the key inside a certificate.
func inner(blob []byte) string {
	if key, err := sshwire.ParsePublicKey(blob); err == nil {
		return key.Fingerprint()
	}
	return sshwire.Fingerprint(blob)
}
