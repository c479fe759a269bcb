// Package keystore keeps the SSH private keys of a phone. A [Store] has at most
// [MaxKeys] of them, Ed25519 or ECDSA on P-256, each with a name that a person
// chose. What is listed is public; a signature is in SSH wire format.
//
// [Sealed] is for files: each key is a JSON object that only a passphrase opens.
//
//	{"name":"work","created_unix_seconds":1795000000,
//	 "kdf":"argon2id","time":3,"memory_kib":65536,"threads":1,
//	 "salt":"…","box":"…","public_key":"…"}
//
// box is nonce(24) ‖ crypto_secretbox of 32 bytes, the Ed25519 seed or the
// P-256 scalar, under the key that argon2id makes of passphrase and salt;
// public_key is in SSH wire format and says which of the two it is. Keys of one
// store have one passphrase and share salts, so that one run of argon2id opens
// them all. An object without a name, as written before there were several
// keys, is the key "default". Who can write the objects can change names and
// times, which nothing seals, but not put another public key to a private one.
//
// [Memory] is for tests, and for programs that seal by other means. The package
// does no I/O and reads no clock; randomness is crypto/rand.
//
// References: [RFC 9106] argon2id; libsodium, crypto_secretbox; [RFC 8709] §6
// and [RFC 5656] §3.1.2, signatures.
package keystore
