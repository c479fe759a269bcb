package sshwire

import (
	"encoding/binary"
	"errors"
	"math/big"
)

// MaxSize is the largest structure that is read, in bytes.
const MaxSize = 64 << 10

// ErrMalformed is returned for bytes that are not the structure asked for.
var ErrMalformed = errors.New("sshwire: malformed")

// reader takes SSH data types from b; after the first fault ok is false and
// everything reads as zero. [RFC 4251] §5.
type reader struct {
	b  []byte
	ok bool
}

func newReader(b []byte) *reader { return &reader{b, len(b) <= MaxSize} }

func (r *reader) take(n int) []byte {
	if !r.ok || n < 0 || n > len(r.b) {
		r.ok = false
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// bool reads a boolean that must be 0 or 1.
func (r *reader) bool() bool {
	b := r.byte()
	if b > 1 {
		r.ok = false
	}
	return b == 1
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) string() []byte {
	n := r.uint32()
	if n > MaxSize {
		r.ok = false
		return nil
	}
	return r.take(int(n))
}

// mpint reads a positive integer in its shortest form.
func (r *reader) mpint() *big.Int {
	b := r.string()
	if !r.ok || len(b) > 0 && (b[0]&0x80 != 0 || b[0] == 0 && (len(b) == 1 || b[1]&0x80 == 0)) {
		r.ok = false
		return new(big.Int)
	}
	return new(big.Int).SetBytes(b)
}

// done reports whether all was read without fault.
func (r *reader) done() bool { return r.ok && len(r.b) == 0 }

func putString(out, s []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(s)))
	return append(out, s...)
}

func putMpint(out []byte, n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return putString(out, b)
}

func putBool(out []byte, v bool) []byte {
	if v {
		return append(out, 1)
	}
	return append(out, 0)
}
