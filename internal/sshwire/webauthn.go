package sshwire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"strings"
)

// A passkey as an SSH key: a P-256 credential of WebAuthn. [PROTOCOL.u2f].
const (
	KeyPasskey  = "sk-ecdsa-sha2-nistp256@openssh.com"          // its type, and the algorithm of a login
	SigWebAuthn = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com" // the format of its signatures
)

const (
	maxApplication = 256     // bytes; an RP ID is a domain
	maxOrigin      = 1 << 10 // bytes
	minAuthData    = 37      // hash(32) ‖ flags ‖ counter(4), [WebAuthn] §6.1
)

// Flags of authenticatorData. [WebAuthn] §6.1.
const (
	flagPresent    = 0x01 // UP: somebody was there
	flagAttested   = 0x40 // AT: of a new credential, never of a signature
	flagExtensions = 0x80 // ED
)

// passkey is the key of KeyPasskey.
type passkey struct {
	point       *ecdsa.PublicKey
	application string // the RP ID; any bytes, whoever shows it cleans it
}

// spkiP256 comes before the point in a SubjectPublicKeyInfo. [RFC 5480] §2.
var spkiP256 = []byte("\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00")

// PasskeyBlob is the SSH blob of a credential: spki is what WebAuthn's
// getPublicKey returns for ES256, application the RP ID. It returns
// ErrUnsupported for a key that is not on P-256, and ErrMalformed for a point
// that is none, and for an application that is empty or has more than 256 bytes.
func PasskeyBlob(spki []byte, application string) ([]byte, error) {
	point, ok := bytes.CutPrefix(spki, spkiP256)
	if !ok {
		return nil, ErrUnsupported
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, malformed("public key", "not a point on the curve")
	}
	if application == "" || len(application) > maxApplication {
		return nil, malformed("public key", "application empty or too long")
	}
	return PublicKey{plain: KeyPasskey, key: &passkey{key, application}}.Blob(), nil
}

func readPasskey(r *Reader) (*passkey, error) {
	curve, q, application := r.String(), r.String(), r.String()
	if string(curve) != "nistp256" {
		return nil, malformed("public key", "curve does not fit the type")
	}
	point, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), q)
	if err != nil {
		return nil, malformed("public key", "not a point on the curve")
	}
	if len(application) == 0 || len(application) > maxApplication {
		return nil, malformed("public key", "application empty or too long")
	}
	return &passkey{point, string(application)}, nil
}

func (k *passkey) write(w *Writer) {
	q, err := k.point.Bytes()
	if err != nil {
		panic("sshwire: bug: point that was parsed cannot be written")
	}
	w.Text("nistp256")
	w.String(q)
	w.Text(k.application)
}

// WebAuthn is a signature of a passkey, with what else was signed. Origin is
// what the browser said; like sshd we compare it with nothing but ClientData.
type WebAuthn struct {
	R, S       *big.Int
	Flags      byte   // of authenticatorData
	Counter    uint32 // synced passkeys have 0
	Origin     string
	ClientData []byte // clientDataJSON
	Extensions []byte // of authenticatorData
}

// Assertion is what WebAuthn's get returns, byte for byte, and the page's own
// origin.
type Assertion struct {
	AuthenticatorData []byte
	ClientDataJSON    []byte
	Signature         []byte // DER
	Origin            string
}

// WebAuthnSignature writes an assertion as an SSH signature, if it looks like
// one that sshd takes: with user presence, and with a clientDataJSON whose
// members begin as [WebAuthn] §5.8.1.1 orders them. Whether it holds is for
// PublicKey.VerifyWebAuthn. Otherwise it returns ErrMalformed.
func WebAuthnSignature(a Assertion) ([]byte, error) {
	r, s, ok := parseDER(a.Signature)
	if !ok {
		return nil, malformed("assertion", "its signature is not r and s in DER")
	}
	if len(a.AuthenticatorData) < minAuthData {
		return nil, malformed("assertion", "authenticatorData too short")
	}
	rest := a.AuthenticatorData[32:] // the hash of the RP ID is in the key
	sig := WebAuthn{r, s, rest[0], binary.BigEndian.Uint32(rest[1:]), a.Origin, a.ClientDataJSON, rest[5:]}
	if err := sig.check(); err != nil {
		return nil, err
	}
	challenge, _, found := bytes.Cut(bytes.TrimPrefix(a.ClientDataJSON, []byte(clientDataStart)), []byte(`"`))
	message, err := base64.RawURLEncoding.Strict().DecodeString(string(challenge))
	if !found || err != nil || !sig.signs(message) {
		return nil, malformed("assertion", "clientDataJSON is not as ssh reads it: type, challenge, origin, without spaces")
	}
	out := sig.Marshal()
	if len(out) > MaxSize {
		return nil, malformed("assertion", "too long")
	}
	return out, nil
}

// ParseWebAuthn reads a signature of the format SigWebAuthn. It returns
// ErrUnsupported for another format, and ErrMalformed unless b is exactly what
// Marshal writes.
func ParseWebAuthn(b []byte) (WebAuthn, error) {
	if len(b) > MaxSize {
		return WebAuthn{}, malformed("signature", "too long")
	}
	rd := NewReader(bytes.Clone(b))
	if string(rd.String()) != SigWebAuthn {
		return WebAuthn{}, ErrUnsupported
	}
	blob := NewReader(rd.String())
	s := WebAuthn{R: blob.Mpint(), S: blob.Mpint(), Flags: rd.Byte(), Counter: rd.Uint32(),
		Origin: string(rd.String()), ClientData: rd.String(), Extensions: rd.String()}
	if !rd.Done() || !blob.Done() || len(s.Origin) > maxOrigin || !bytes.Equal(s.Marshal(), b) {
		return WebAuthn{}, malformed("signature", "not its layout")
	}
	return s, nil
}

// Marshal writes s: string format ‖ string { mpint r ‖ mpint s } ‖ byte flags ‖
// uint32 counter ‖ string origin ‖ string clientData ‖ string extensions.
func (s WebAuthn) Marshal() []byte {
	var blob, w Writer
	blob.Mpint(s.R)
	blob.Mpint(s.S)
	w.Text(SigWebAuthn)
	w.String(blob.Bytes())
	w.Byte(s.Flags)
	w.Uint32(s.Counter)
	w.Text(s.Origin)
	w.String(s.ClientData)
	w.String(s.Extensions)
	return w.Bytes()
}

// VerifyWebAuthn checks that sig is k's signature over data, made with the
// user present, as sshd does: the challenge in ClientData is the whole of data.
// It returns ErrSignature for everything else, a key of another type included.
//
// User verification is not required: the phone app asks its browser for it, and
// how a phone unlocks a key is for no key visible here. A server can demand it
// (verify-required) and sees the flag itself.
func (k PublicKey) VerifyWebAuthn(data []byte, sig WebAuthn) error {
	key, ok := k.key.(*passkey)
	if !ok || sig.check() != nil || !sig.signs(data) {
		return ErrSignature
	}
	application, client := sha256.Sum256([]byte(key.application)), sha256.Sum256(sig.ClientData)
	var w Writer
	w.Raw(application[:])
	w.Byte(sig.Flags)
	w.Uint32(sig.Counter)
	w.Raw(sig.Extensions)
	w.Raw(client[:])
	if !inRange(sig.R, sig.S, elliptic.P256()) || !ecdsa.Verify(key.point, hashFor(elliptic.P256(), w.Bytes()), sig.R, sig.S) {
		return ErrSignature
	}
	return nil
}

// check looks at what sshd refuses whatever was signed, and at user presence.
func (s WebAuthn) check() error {
	var why string
	switch {
	case s.Flags&flagPresent == 0:
		why = "nobody was present"
	case s.Flags&flagAttested != 0:
		why = "it is of a new credential"
	case (s.Flags&flagExtensions != 0) != (len(s.Extensions) > 0):
		why = "extensions are announced and missing, or the other way round"
	case len(s.Origin) > maxOrigin || strings.ContainsAny(s.Origin, "\"\x00"):
		why = "origin too long, or with a character that none has"
	default:
		return nil
	}
	return malformed("assertion", why)
}

const clientDataStart = `{"type":"webauthn.get","challenge":"`

// signs reports whether ClientData is about data and Origin. What comes after
// those is not looked at, as in webauthn_check_prepare_hash of OpenSSH's
// ssh-ecdsa-sk.c: browsers add members there.
func (s WebAuthn) signs(data []byte) bool {
	want := clientDataStart + base64.RawURLEncoding.EncodeToString(data) + `","origin":"` + s.Origin + `"`
	return bytes.HasPrefix(s.ClientData, []byte(want))
}

// inRange reports whether r and s are between 0 and the order of the curve.
func inRange(r, s *big.Int, curve elliptic.Curve) bool {
	n := curve.Params().N
	return r != nil && s != nil && r.Sign() > 0 && s.Sign() > 0 && r.Cmp(n) < 0 && s.Cmp(n) < 0
}

// parseDER reads ECDSA-Sig-Value, a SEQUENCE of two INTEGERs, of a curve of 256
// bits: no length needs more than a byte. [RFC 3279] §2.2.3, [X.690] §8.3, §10.
func parseDER(b []byte) (r, s *big.Int, ok bool) {
	body, rest, ok := derElement(b, 0x30)
	if !ok || len(rest) > 0 {
		return nil, nil, false
	}
	rb, body, okR := derElement(body, 0x02)
	sb, body, okS := derElement(body, 0x02)
	if !okR || !okS || len(body) > 0 || !derPositive(rb) || !derPositive(sb) {
		return nil, nil, false
	}
	return new(big.Int).SetBytes(rb), new(big.Int).SetBytes(sb), true
}

// derElement splits the element with this tag from b.
func derElement(b []byte, tag byte) (content, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag || b[1] > 0x7f || len(b) < 2+int(b[1]) {
		return nil, nil, false
	}
	end := 2 + int(b[1])
	return b[2:end], b[end:], true
}

// derPositive reports whether b is a positive integer of at most 256 bits in
// its shortest form.
func derPositive(b []byte) bool {
	switch {
	case len(b) == 0, len(b) > 33, b[0]&0x80 != 0:
		return false
	case b[0] == 0:
		return len(b) > 1 && b[1]&0x80 != 0
	}
	return len(b) < 33
}
