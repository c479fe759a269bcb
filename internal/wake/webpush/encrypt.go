package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes of an encrypted message, in bytes. [RFC 8188] §2.1, [RFC 8291] §4.
const (
	recordSize = 4096 // the whole body of a push; services may refuse more
	saltSize   = 16
	publicSize = 65 // an uncompressed point
	headerSize = saltSize + 4 + 1 + publicSize
	overhead   = headerSize + 1 + 16 // header, delimiter, tag

	// MaxFrame is the largest frame that fits, in base64: 2,994 bytes.
	MaxFrame = (recordSize - overhead) / 4 * 3
)

// encrypt seals plain for the subscription with the public key p256dh and the
// secret auth, as one record of aes128gcm, without padding: our frames have
// sizes in steps already.
func encrypt(plain, p256dh, auth []byte) ([]byte, error) {
	sender, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("webpush: make a key: %w", err)
	}
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("webpush: draw a salt: %w", err)
	}
	return encryptWith(sender, salt, plain, p256dh, auth)
}

// encryptWith is encrypt without randomness.
func encryptWith(sender *ecdh.PrivateKey, salt, plain, p256dh, auth []byte) ([]byte, error) {
	if len(plain) > recordSize-overhead {
		return nil, errors.New("webpush: bug: a message that does not fit")
	}
	receiver, err := ecdh.P256().NewPublicKey(p256dh)
	if err != nil {
		return nil, fmt.Errorf("webpush: the subscription's key: %w", err)
	}
	shared, err := sender.ECDH(receiver)
	if err != nil {
		return nil, fmt.Errorf("webpush: agree on a key: %w", err)
	}
	public := sender.PublicKey().Bytes()
	aead, nonce, err := contentKeys(shared, auth, p256dh, public, salt)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(plain)+overhead)
	out = append(out, salt...)
	out = binary.BigEndian.AppendUint32(out, recordSize)
	out = append(out, publicSize)
	out = append(out, public...)
	return aead.Seal(out, nonce, append(plain[:len(plain):len(plain)], 2), nil), nil // 2: the last record
}

// contentKeys derives what seals and opens a message. [RFC 8291] §3.3, §3.4;
// [RFC 8188] §2.2, §2.3.
func contentKeys(shared, auth, receiver, sender, salt []byte) (cipher.AEAD, []byte, error) {
	info := "WebPush: info\x00" + string(receiver) + string(sender)
	ikm, err := hkdf.Key(sha256.New, shared, auth, info, 32)
	if err != nil {
		return nil, nil, err
	}
	key, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, nil, err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, nonce, err
}
