package sshwire

import "strings"

const certSuffix = "-cert-v01@openssh.com" // [PROTOCOL.certkeys]

// CertKind says whom a certificate is for.
type CertKind uint32

// The kinds of certificates: SSH_CERT_TYPE_USER, SSH_CERT_TYPE_HOST.
const (
	UserCert CertKind = 1
	HostCert CertKind = 2
)

const maxCertEntries = 256 // principals, options: OpenSSH's SSHKEY_CERT_MAX_PRINCIPALS

// Certificate is what an OpenSSH certificate says about the key inside.
// Everything in it is the word of its authority, and not even that before
// VerifyCA. [PROTOCOL.certkeys].
type Certificate struct {
	Nonce           []byte
	Serial          uint64
	Kind            CertKind
	KeyID           string   // any bytes, whoever shows them cleans them
	Principals      []string // host or user names, any bytes; none means all
	ValidAfter      uint64   // Unix seconds; valid if ValidAfter <= now < ValidBefore
	ValidBefore     uint64   // Unix seconds; all ones means for ever
	CriticalOptions []CertOption
	Extensions      []CertOption
	Reserved        []byte
	SignatureKey    []byte // blob of the authority's key, of any type but a certificate
	Signature       []byte

	signed []byte // what the authority signed: all before Signature
}

// CertOption is a critical option, which must be understood, or an extension,
// which may be ignored. Data is empty or, by custom, a packed string.
type CertOption struct {
	Name string
	Data []byte
}

// CA is the key of the authority. It returns ErrUnsupported for types that
// this package does not know; their Fingerprint(SignatureKey) can still be had.
func (c *Certificate) CA() (PublicKey, error) { return ParsePublicKey(c.SignatureKey) }

// VerifyCA checks that SignatureKey signed the certificate. Whether that
// authority is to be believed, for which names and when, is for the caller.
// Errors are those of ParsePublicKey, ParseSignature and PublicKey.Verify.
func (c *Certificate) VerifyCA() error {
	ca, err := c.CA()
	if err != nil {
		return err
	}
	sig, err := ParseSignature(c.Signature)
	if err != nil {
		return err
	}
	return ca.Verify(c.signed, sig)
}

// readCert reads what follows the key in a certificate, which is all of r's
// input. The caller compares with what write makes of it.
func readCert(r *Reader, nonce []byte) (*Certificate, error) {
	c := &Certificate{Nonce: nonce, Serial: r.Uint64(), Kind: CertKind(r.Uint32()), KeyID: string(r.String())}
	principals := NewReader(r.String())
	c.ValidAfter, c.ValidBefore = r.Uint64(), r.Uint64()
	options, extensions := NewReader(r.String()), NewReader(r.String())
	c.Reserved, c.SignatureKey, c.Signature = r.String(), r.String(), r.String()
	if !r.Done() || len(c.Signature) == 0 {
		return nil, malformed("certificate", "not its layout")
	}
	if c.Kind != UserCert && c.Kind != HostCert {
		return nil, malformed("certificate", "for neither user nor host")
	}
	if ca := typeOf(c.SignatureKey); !isName(ca) || strings.HasSuffix(ca, certSuffix) {
		return nil, malformed("certificate", "authority is itself a certificate, or no key")
	}
	var ok [3]bool
	c.Principals, ok[0] = readPrincipals(principals)
	c.CriticalOptions, ok[1] = readOptions(options)
	c.Extensions, ok[2] = readOptions(extensions)
	if ok != [3]bool{true, true, true} {
		return nil, malformed("certificate", "principals, options or extensions cannot be read")
	}
	return c, nil
}

func readPrincipals(r *Reader) (out []string, ok bool) {
	for r.more() && len(out) < maxCertEntries {
		out = append(out, string(r.String()))
	}
	return out, r.Done()
}

// readOptions reads pairs of name and data, in lexical order, each name once.
func readOptions(r *Reader) (out []CertOption, ok bool) {
	for r.more() && len(out) < maxCertEntries {
		o := CertOption{string(r.String()), r.String()}
		if n := len(out); n > 0 && o.Name <= out[n-1].Name {
			return nil, false
		}
		out = append(out, o)
	}
	return out, r.Done()
}

// write appends what readCert reads.
func (c *Certificate) write(w *Writer) {
	w.Uint64(c.Serial)
	w.Uint32(uint32(c.Kind))
	w.Text(c.KeyID)
	var principals Writer
	for _, p := range c.Principals {
		principals.Text(p)
	}
	w.String(principals.Bytes())
	w.Uint64(c.ValidAfter)
	w.Uint64(c.ValidBefore)
	w.String(packOptions(c.CriticalOptions))
	w.String(packOptions(c.Extensions))
	w.String(c.Reserved)
	w.String(c.SignatureKey)
	w.String(c.Signature)
}

func packOptions(options []CertOption) []byte {
	var w Writer
	for _, o := range options {
		w.Text(o.Name)
		w.String(o.Data)
	}
	return w.Bytes()
}

// typeOf is the first string in a key blob, or "".
func typeOf(blob []byte) string { return string(NewReader(blob).String()) }
