package sshwire

import "bytes"

// Methods of authentication with a public key.
const (
	MethodPublicKey = "publickey"                           // [RFC 4252] §7
	MethodHostbound = "publickey-hostbound-v00@openssh.com" // [PROTOCOL] §3.1
)

// ServiceConnection is the only service that a login is for. [RFC 4254] §1.
const ServiceConnection = "ssh-connection"

const (
	msgUserauthRequest = 50   // SSH_MSG_USERAUTH_REQUEST, [RFC 4252] §6
	minSessionID       = 16   // bytes; the hash of the first key exchange, [RFC 4253] §7.2:
	maxSessionID       = 64   // bytes; 32 or 64 with today's OpenSSH
	maxUser            = 1024 // bytes
)

// Userauth is a login: the bytes that a client signs to authenticate.
type Userauth struct {
	SessionID []byte // 16 to 64 bytes
	User      string // on the server; any bytes, whoever shows them cleans them
	Service   string // ServiceConnection; Marshal writes that for "", too
	Method    string // MethodPublicKey or MethodHostbound
	Algorithm string // of the signature; may differ from the key's type
	PublicKey []byte // as sent; not yet parsed
	HostKey   []byte // of the server; nil unless Method is MethodHostbound
}

// ParseUserauth reads b. It returns ErrMalformed unless b is exactly what
// Marshal writes. PublicKey and HostKey are not looked into.
func ParseUserauth(b []byte) (Userauth, error) {
	if len(b) > MaxSize {
		return Userauth{}, malformed("userauth", "too long")
	}
	r := NewReader(bytes.Clone(b))
	u := Userauth{SessionID: r.String()}
	message := r.Byte()
	u.User, u.Service, u.Method = string(r.String()), string(r.String()), string(r.String())
	signed := r.Bool()
	u.Algorithm, u.PublicKey = string(r.String()), r.String()
	if u.Method == MethodHostbound {
		u.HostKey = r.String()
	}
	if !r.Done() || message != msgUserauthRequest || !signed {
		return Userauth{}, malformed("userauth", "not its layout")
	}
	if err := u.check(); err != nil {
		return Userauth{}, err
	}
	if !bytes.Equal(u.Marshal(), b) {
		return Userauth{}, malformed("userauth", "not canonical")
	}
	return u, nil
}

// check looks at the values of the fields.
func (u Userauth) check() error {
	var why string
	switch {
	case !plausibleSessionID(u.SessionID):
		why = "session id of implausible length"
	case len(u.User) > maxUser:
		why = "user name too long"
	case u.Service != ServiceConnection:
		why = "service is not ssh-connection"
	case u.Method != MethodPublicKey && u.Method != MethodHostbound:
		why = "unknown method"
	case !isName(u.Algorithm):
		why = "algorithm is not a name"
	case len(u.PublicKey) == 0:
		why = "no public key"
	case u.Method == MethodHostbound && len(u.HostKey) == 0:
		why = "no host key"
	default:
		return nil
	}
	return malformed("userauth", why)
}

// Marshal writes u. HostKey is written with MethodHostbound only.
func (u Userauth) Marshal() []byte {
	service := u.Service
	if service == "" {
		service = ServiceConnection
	}
	var w Writer
	w.String(u.SessionID)
	w.Byte(msgUserauthRequest)
	w.Text(u.User)
	w.Text(service)
	w.Text(u.Method)
	w.Bool(true)
	w.Text(u.Algorithm)
	w.String(u.PublicKey)
	if u.Method == MethodHostbound {
		w.String(u.HostKey)
	}
	return w.Bytes()
}

func plausibleSessionID(id []byte) bool { return len(id) >= minSessionID && len(id) <= maxSessionID }
