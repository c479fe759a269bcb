// Package wire is what computer and phone say to each other: messages as JSON,
// the envelope around their ciphertext, and the link in the QR code.
//
// A frame is one header byte and a body ([Header]); package sealbox seals and
// opens the body. What is inside is a [Message], one JSON object with exactly
// one of a request (computer to phone), a response or a notice (both phone to
// computer), padded with spaces:
//
//	{"request":{"request_id":"q83v…","unix_seconds":1795480000,
//	 "expires_unix_seconds":1795480090,"k":1,"v":"0.1.0",
//	 "sign_request":{"public_key_fingerprint":"SHA256:…","payload":"…"}}}
//
// Bytes are base64, unknown fields are ignored, and everything here may have
// been written by anyone: what does not parse is an error for the caller to
// count and drop. The package does no I/O, reads no clock and decides nothing.
//
// References: [kr-protocol] docs/protocol.md §2 to §4.
package wire
