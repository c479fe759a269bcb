package sshwire

import "bytes"

const sshsigMagic = "SSHSIG" // MAGIC_PREAMBLE, [PROTOCOL.sshsig] §3

const maxNamespace = 256 // bytes; "git" and "file" are usual

// SSHSIG is what "ssh-keygen -Y sign" and git have signed: the hash of content
// that is not here.
type SSHSIG struct {
	Namespace string // not empty; any bytes, whoever shows them cleans them
	Reserved  []byte // empty today; ignored, but part of what is signed
	Hash      string // "sha256" or "sha512"
	Digest    []byte // 32 or 64 bytes
}

// ParseSSHSIG reads b. It returns ErrMalformed unless b is exactly what
// Marshal writes. [PROTOCOL.sshsig] §3.
func ParseSSHSIG(b []byte) (SSHSIG, error) {
	rest, ok := bytes.CutPrefix(b, []byte(sshsigMagic))
	if !ok || len(b) > MaxSize {
		return SSHSIG{}, malformed("SSHSIG", "no preamble, or too long")
	}
	r := NewReader(bytes.Clone(rest))
	s := SSHSIG{Namespace: string(r.String()), Reserved: r.String(), Hash: string(r.String()), Digest: r.String()}
	if !r.Done() {
		return SSHSIG{}, malformed("SSHSIG", "not its layout")
	}
	if s.Namespace == "" || len(s.Namespace) > maxNamespace {
		return SSHSIG{}, malformed("SSHSIG", "namespace empty or too long")
	}
	if size := hashSize(s.Hash); size == 0 || len(s.Digest) != size {
		return SSHSIG{}, malformed("SSHSIG", "unknown hash, or one of another length")
	}
	if !bytes.Equal(s.Marshal(), b) {
		return SSHSIG{}, malformed("SSHSIG", "not canonical")
	}
	return s, nil
}

// Marshal writes s.
func (s SSHSIG) Marshal() []byte {
	var w Writer
	w.Raw([]byte(sshsigMagic))
	w.Text(s.Namespace)
	w.String(s.Reserved)
	w.Text(s.Hash)
	w.String(s.Digest)
	return w.Bytes()
}

// hashSize is the length in bytes of a hash that may be used, else 0.
// [PROTOCOL.sshsig] §2.
func hashSize(name string) int {
	switch name {
	case "sha256":
		return 32
	case "sha512":
		return 64
	}
	return 0
}
