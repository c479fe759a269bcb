package sshwire

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed is returned for bytes that are not the structure asked for,
	// or not in its one canonical form.
	ErrMalformed = errors.New("sshwire: malformed")
	// ErrUnsupported is returned for a key or signature of a type that this
	// package does not know, such as sk-ssh-ed25519@openssh.com.
	ErrUnsupported = errors.New("sshwire: unsupported type of key or signature")
	// ErrSignature is returned for a signature that does not hold, whatever the
	// reason.
	ErrSignature = errors.New("sshwire: signature does not hold")
	// ErrSHA1 is returned for a signature over SHA-1, which proves nothing. It
	// was not even looked at. [RFC 8332] §1.
	ErrSHA1 = errors.New("sshwire: signature over SHA-1")
)

// malformed says which structure failed and why, never with bytes of it.
func malformed(what, why string) error {
	return fmt.Errorf("%w %s: %s", ErrMalformed, what, why)
}
