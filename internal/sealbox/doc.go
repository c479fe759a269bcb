// Package sealbox is the cryptography of the protocol: key pairs, boxes,
// sealed boxes, epochs and padding. It puts well-known primitives together
// and invents none.
//
// What goes over a channel is an envelope, one header byte and a body:
//
//	0x00  nonce(24) ‖ crypto_box             under the session keys of a pairing
//	0x02  crypto_box_seal                    to the key in the QR code
//	0x03  epoch id(8) ‖ nonce(24) ‖ crypto_secretbox   under an epoch key
//
// [Shared] is the first, [SealTo] and [OpenSealed] the second, [Epoch] the
// third. Every function that opens returns [ErrOpen] and nothing else for
// whatever is wrong with a frame: which check failed is nobody's business.
//
// Epochs give forward secrecy to the two long-term X25519 keys. The key
// agreement has the authenticated pattern of Noise KK: both static keys and
// both ephemeral keys enter, so that only the two paired parties can compute
// it, and a stolen long-term key opens nothing of the past.
//
// The package does no I/O and reads no clock. Go cannot promise that a secret
// leaves memory; [PrivateKey.Erase] does what can be done.
//
// References: [kr-protocol] docs/protocol.md §2; [crypto_box] libsodium,
// public-key authenticated encryption; [sealed box] libsodium, crypto_box_seal;
// [RFC 5869] HKDF; [RFC 7748] X25519; [Noise] §7.4, pattern KK.
package sealbox
