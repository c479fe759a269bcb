package sshwire

import (
	"encoding/binary"
	"math/big"
	"strings"
)

// MaxSize is the largest structure that any Parse function takes, in bytes.
const MaxSize = 64 << 10

const maxMpint = 16384/8 + 1 // bytes: the largest RSA modulus and its leading zero

// Reader takes SSH data types one after the other. After the first fault it
// stays failed and every further read gives a zero value, so check Done once,
// at the end, before any value is used. It copies nothing: what it returns
// points into its input. [RFC 4251] §5.
type Reader struct {
	b      []byte
	failed bool
}

// NewReader reads from b.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Done reports whether all input was read without a fault.
func (r *Reader) Done() bool { return !r.failed && len(r.b) == 0 }

// more reports whether something is left to read.
func (r *Reader) more() bool { return !r.failed && len(r.b) > 0 }

func (r *Reader) take(n uint32) []byte {
	if r.failed || uint64(n) > uint64(len(r.b)) {
		r.failed = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads a boolean; the one byte must be 0 or 1.
func (r *Reader) Bool() bool {
	b := r.Byte()
	r.failed = r.failed || b > 1
	return b == 1 && !r.failed
}

// Uint32 reads four bytes, big endian.
func (r *Reader) Uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads eight bytes, big endian.
func (r *Reader) Uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// String reads a string of any bytes. A string that was there is not nil, even
// when empty.
func (r *Reader) String() []byte { return r.take(r.Uint32()) }

// Mpint reads a non-negative integer of at most 16,384 bits in its shortest
// form; negative ones are a fault, no key or signature has any.
func (r *Reader) Mpint() *big.Int {
	b := r.String()
	negative := len(b) > 0 && b[0]&0x80 != 0
	padded := len(b) > 0 && b[0] == 0 && (len(b) == 1 || b[1]&0x80 == 0)
	if r.failed || negative || padded || len(b) > maxMpint {
		r.failed = true
		return new(big.Int)
	}
	return new(big.Int).SetBytes(b)
}

// Writer writes SSH data types one after the other. Its zero value is empty.
// [RFC 4251] §5.
type Writer struct{ b []byte }

// Bytes is all that was written.
func (w *Writer) Bytes() []byte { return w.b }

// Raw writes b without a length.
func (w *Writer) Raw(b []byte) { w.b = append(w.b, b...) }

// Byte writes one byte.
func (w *Writer) Byte(b byte) { w.b = append(w.b, b) }

// Bool writes one byte, 0 or 1.
func (w *Writer) Bool(v bool) {
	if v {
		w.Byte(1)
	} else {
		w.Byte(0)
	}
}

// Uint32 writes four bytes, big endian.
func (w *Writer) Uint32(n uint32) { w.b = binary.BigEndian.AppendUint32(w.b, n) }

// Uint64 writes eight bytes, big endian.
func (w *Writer) Uint64(n uint64) { w.b = binary.BigEndian.AppendUint64(w.b, n) }

// String writes the length of s in four bytes, then s.
func (w *Writer) String(s []byte) {
	w.Uint32(uint32(len(s)))
	w.Raw(s)
}

// Text writes s like String.
func (w *Writer) Text(s string) {
	w.Uint32(uint32(len(s)))
	w.b = append(w.b, s...)
}

// Mpint writes n, which is not negative, in its shortest form.
func (w *Writer) Mpint(n *big.Int) {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	w.String(b)
}

// isName reports whether s can be the name of an algorithm or key type: 1 to
// 64 letters, digits and any of ".@+_-". [RFC 4251] §6 allows more characters,
// no name has any, and some (quotes, #) mean something in authorized_keys.
func isName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(".@+_-", c) >= 0:
		default:
			return false
		}
	}
	return len(s) > 0 && len(s) <= 64
}
