// Package vectors holds test vectors as JSON, for every language. Bytes are
// hex. sodium.json was printed by gen/sodium.c, which is linked with libsodium
// and shares no code with us: boxes, sealed boxes, X25519 results, and the
// epoch, commitment and word constructions computed with libsodium's HMAC and
// SHA-256. link.json pins what a QR code says.
package vectors

import "embed"

// FS holds the JSON files.
//
//go:embed *.json
var FS embed.FS
