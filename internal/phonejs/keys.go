package phonejs

import (
	"crypto/ed25519"
	"fmt"

	"kryptonite/internal/sshwire"
)

// KeyType is a type of SSH key that WebCrypto can make.
type KeyType string

// The types of keys.
const (
	Ed25519 KeyType = "ssh-ed25519"
	P256    KeyType = "ecdsa-sha2-nistp256"
)

// publicKey takes a key as WebCrypto exports it in the format "raw": the 32
// bytes of an Ed25519 key, or the 65 of an uncompressed point.
func publicKey(typ KeyType, raw []byte) (PublicKey, error) {
	var blob []byte
	var err error
	switch {
	case typ == Ed25519 && len(raw) == ed25519.PublicKeySize:
		blob = sshwire.Ed25519Blob(raw)
	case typ == P256:
		blob, err = sshwire.P256Blob(raw)
	default:
		err = fmt.Errorf("this is no key of the type %q", typ)
	}
	if err != nil {
		return PublicKey{}, err
	}
	return PublicKey{blob, sshwire.Fingerprint(blob)}, nil
}

// signature takes a signature as WebCrypto makes it and writes it as SSH does.
func signature(typ KeyType, raw []byte) ([]byte, error) {
	switch {
	case typ == Ed25519 && len(raw) == ed25519.SignatureSize:
		return sshwire.Ed25519Signature(raw), nil
	case typ == P256:
		return sshwire.P256Signature(raw)
	}
	return nil, fmt.Errorf("this is no signature of the type %q", typ)
}

// Assertion is what WebAuthn's get returns, byte for byte, and the page's own
// origin.
type Assertion struct {
	AuthenticatorData, ClientDataJSON, Signature []byte
	Origin                                       string
}

// passkeyPublic takes a credential for ES256 as WebAuthn's getPublicKey gives it;
// application is the RP ID that it was made for.
func passkeyPublic(spki []byte, application string) (PublicKey, error) {
	blob, err := sshwire.PasskeyBlob(spki, application)
	if err != nil {
		return PublicKey{}, err
	}
	return PublicKey{blob, sshwire.Fingerprint(blob)}, nil
}

// passkeySignature writes an assertion as an SSH signature. Its challenge must
// have been the whole payload of a Sign.
func passkeySignature(a Assertion) ([]byte, error) {
	return sshwire.WebAuthnSignature(sshwire.Assertion(a))
}

// authorizedKey is the line for authorized_keys.
func authorizedKey(blob []byte, comment string) (string, error) {
	if _, err := sshwire.ParsePublicKey(blob); err != nil {
		return "", err
	}
	return sshwire.AuthorizedKey(blob, comment), nil
}
