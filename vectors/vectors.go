// Package vectors holds test vectors as JSON, for every language. Bytes are
// hex. sodium.json was printed by gen/sodium.c; epoch.json, words.json,
// x25519.json and secretbox.json by gen/derive.c. Both are linked with
// libsodium and share no code with us: boxes, sealed boxes, X25519 results, and
// the epoch, commitment and word constructions computed with libsodium's HMAC
// and SHA-256. link.json pins what a QR code says and what is no link,
// padding.json the sizes of plaintexts; gen/text.py printed them.
// ble_segments.json has segments of Bluetooth LE, and what one end answers to
// another, step by step; gen/segments.py printed it. ble_service.json has the UUIDs
// of its services, by gen/bluetooth.py. ssh_*.json are SSH
// structures; internal/sshwire made them from recordings of OpenSSH, and
// ssh_webauthn.json with an authenticator of its own and one of Chromium's.
// Those of Project Wycheproof are in package wycheproof.
package vectors

import "embed"

// FS holds the JSON files.
//
//go:embed *.json
var FS embed.FS
