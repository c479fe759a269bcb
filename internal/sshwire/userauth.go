package sshwire

import "bytes"

// Names of authentication methods. [RFC 4252] §7, [PROTOCOL] §3.1.
const (
	MethodPublicKey = "publickey"
	MethodHostbound = "publickey-hostbound-v00@openssh.com"
)

const (
	msgUserauthRequest = 50 // [RFC 4252] §6
	serviceConnection  = "ssh-connection"
	minSessionID       = 16   // bytes; a hash of the key exchange
	maxSessionID       = 64   // bytes
	maxUser            = 1024 // bytes
)

// Userauth is a login: the bytes that a client signs to authenticate. User may
// hold any bytes; whoever shows it cleans it.
type Userauth struct {
	SessionID []byte // 16 to 64 bytes
	User      string
	Method    string // one of the two above
	Algorithm string
	PublicKey []byte
	HostKey   []byte // of the server; nil unless Method is MethodHostbound
}

// ParseUserauth reads b. It returns ErrMalformed unless b is exactly what
// Marshal writes.
func ParseUserauth(b []byte) (Userauth, error) {
	r := newReader(b)
	u := Userauth{SessionID: r.string()}
	kind := r.byte()
	u.User = string(r.string())
	service := string(r.string())
	u.Method = string(r.string())
	signed := r.bool()
	u.Algorithm = string(r.string())
	u.PublicKey = r.string()
	switch u.Method {
	case MethodPublicKey:
	case MethodHostbound:
		u.HostKey = r.string()
		if len(u.HostKey) == 0 {
			return Userauth{}, ErrMalformed
		}
	default:
		return Userauth{}, ErrMalformed
	}
	if !r.done() || kind != msgUserauthRequest || service != serviceConnection || !signed ||
		len(u.SessionID) < minSessionID || len(u.SessionID) > maxSessionID || len(u.User) > maxUser ||
		!bytes.Equal(u.Marshal(), b) {
		return Userauth{}, ErrMalformed
	}
	return u, nil
}

// Marshal writes u.
func (u Userauth) Marshal() []byte {
	out := putString(nil, u.SessionID)
	out = append(out, msgUserauthRequest)
	for _, s := range []string{u.User, serviceConnection, u.Method} {
		out = putString(out, []byte(s))
	}
	out = putBool(out, true)
	out = putString(out, []byte(u.Algorithm))
	out = putString(out, u.PublicKey)
	if u.Method == MethodHostbound {
		out = putString(out, u.HostKey)
	}
	return out
}

const sshsigMagic = "SSHSIG"

// SSHSIG is what "ssh-keygen -Y sign" and git have signed: the hash of content
// that is not here.
type SSHSIG struct {
	Namespace string
	Reserved  []byte
	Hash      string // "sha256" or "sha512"
	Digest    []byte
}

// ParseSSHSIG reads b. It returns ErrMalformed unless b is exactly what
// Marshal writes. [PROTOCOL.sshsig] §3.
func ParseSSHSIG(b []byte) (SSHSIG, error) {
	rest, ok := bytes.CutPrefix(b, []byte(sshsigMagic))
	if !ok {
		return SSHSIG{}, ErrMalformed
	}
	r := newReader(rest)
	s := SSHSIG{Namespace: string(r.string()), Reserved: r.string(), Hash: string(r.string()), Digest: r.string()}
	size := map[string]int{"sha256": 32, "sha512": 64}[s.Hash]
	if !r.done() || s.Namespace == "" || size == 0 || len(s.Digest) != size || !bytes.Equal(s.Marshal(), b) {
		return SSHSIG{}, ErrMalformed
	}
	return s, nil
}

// Marshal writes s.
func (s SSHSIG) Marshal() []byte {
	out := []byte(sshsigMagic)
	for _, f := range [][]byte{[]byte(s.Namespace), s.Reserved, []byte(s.Hash), s.Digest} {
		out = putString(out, f)
	}
	return out
}

// Bind is a session-bind@openssh.com: a host key's word that it made a session.
type Bind struct {
	HostKey, SessionID, Signature []byte
	Forwarding                    bool
}

// ParseBind reads the content of the extension, without its name.
func ParseBind(b []byte) (Bind, error) {
	r := newReader(b)
	out := Bind{r.string(), r.string(), r.string(), r.bool()}
	if !r.done() {
		return Bind{}, ErrMalformed
	}
	return out, nil
}

// Marshal writes b.
func (b Bind) Marshal() []byte {
	out := putString(nil, b.HostKey)
	out = putString(out, b.SessionID)
	out = putString(out, b.Signature)
	return putBool(out, b.Forwarding)
}

// Verify checks the host key's signature over the session id.
func (b Bind) Verify() error {
	if len(b.SessionID) < minSessionID || len(b.SessionID) > maxSessionID {
		return ErrMalformed
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
