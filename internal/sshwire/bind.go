package sshwire

import "bytes"

// ExtensionBind is the name of the agent extension whose content a Bind is.
// [PROTOCOL.agent] §1.
const ExtensionBind = "session-bind@openssh.com"

// Bind is a session-bind@openssh.com: a host key's word that it made a session.
type Bind struct {
	HostKey    []byte // key or certificate
	SessionID  []byte // 16 to 64 bytes; the signed data
	Signature  []byte // of HostKey over SessionID
	Forwarding bool   // the agent connection is forwarded into this session
}

// ParseBind reads the content of the extension, without its name. It returns
// ErrMalformed unless b is exactly what Marshal writes. It verifies nothing.
func ParseBind(b []byte) (Bind, error) {
	if len(b) > MaxSize {
		return Bind{}, malformed("session-bind", "too long")
	}
	r := NewReader(bytes.Clone(b))
	out := Bind{HostKey: r.String(), SessionID: r.String(), Signature: r.String(), Forwarding: r.Bool()}
	if !r.Done() || len(out.HostKey) == 0 || len(out.Signature) == 0 {
		return Bind{}, malformed("session-bind", "not its layout")
	}
	if !plausibleSessionID(out.SessionID) {
		return Bind{}, malformed("session-bind", "session id of implausible length")
	}
	if !bytes.Equal(out.Marshal(), b) {
		return Bind{}, malformed("session-bind", "not canonical")
	}
	return out, nil
}

// Marshal writes b, without the name of the extension.
func (b Bind) Marshal() []byte {
	var w Writer
	w.String(b.HostKey)
	w.String(b.SessionID)
	w.String(b.Signature)
	w.Bool(b.Forwarding)
	return w.Bytes()
}

// Verify checks the host key's signature over the session id; of a certificate,
// the key inside made it. Nil says that whoever holds the key signed this id,
// not that the id is of a session with them, and nothing about a certificate's
// authority, names or validity. Errors are those of ParsePublicKey,
// ParseSignature and PublicKey.Verify.
func (b Bind) Verify() error {
	if !plausibleSessionID(b.SessionID) {
		return malformed("session-bind", "session id of implausible length")
	}
	key, err := ParsePublicKey(b.HostKey)
	if err != nil {
		return err
	}
	sig, err := ParseSignature(b.Signature)
	if err != nil {
		return err
	}
	return key.Verify(b.SessionID, sig)
}
