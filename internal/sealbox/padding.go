package sealbox

import "bytes"

// Padding of a plaintext, in bytes: spaces up to a multiple of PadBlock, at
// least PadMin, so that sizes tell little. [kr-protocol] §2.5.
const (
	PadBlock = 256
	PadMin   = 512
)

// Pad returns text followed by spaces (0x20).
func Pad(text []byte) []byte {
	n := (len(text) + PadBlock - 1) / PadBlock * PadBlock
	n = max(n, PadMin)
	out := make([]byte, n)
	copy(out, text)
	for i := len(text); i < n; i++ {
		out[i] = ' '
	}
	return out
}

// Unpad returns the text without the spaces that Pad added; ok is false when
// b has not a length that Pad makes.
func Unpad(b []byte) (text []byte, ok bool) {
	if len(b) < PadMin || len(b)%PadBlock != 0 {
		return nil, false
	}
	return bytes.TrimRight(b, " "), true
}
