package sshwire

import "bytes"

// Kind is what bytes to sign are.
type Kind int

// The kinds of bytes that are ever signed.
const (
	KindUserauth Kind = iota + 1 // ParseUserauth takes them
	KindSSHSIG                   // ParseSSHSIG takes them
)

// Classify says what b is, or returns the error of the parser that refused it.
// The two cannot be confused: read as the length of a session id, "SSHS" is
// more than a gigabyte. [PROTOCOL.sshsig] §3.
func Classify(b []byte) (Kind, error) {
	if bytes.HasPrefix(b, []byte(sshsigMagic)) {
		if _, err := ParseSSHSIG(b); err != nil {
			return 0, err
		}
		return KindSSHSIG, nil
	}
	if _, err := ParseUserauth(b); err != nil {
		return 0, err
	}
	return KindUserauth, nil
}
