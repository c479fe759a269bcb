package sshwire

import (
	"bytes"
	"testing"
)

// TestReaderRefuses what no SSH peer may write, or what is not all there.
// [RFC 4251] §5.
func TestReaderRefuses(t *testing.T) {
	long := append([]byte{1}, make([]byte, maxMpint)...)
	for _, c := range []struct {
		name string
		in   []byte
		read func(*Reader)
	}{
		{"no byte", nil, func(r *Reader) { r.Byte() }},
		{"bool 2", []byte{2}, func(r *Reader) { r.Bool() }},
		{"bool 255", []byte{255}, func(r *Reader) { r.Bool() }},
		{"uint32 of 3 bytes", make([]byte, 3), func(r *Reader) { r.Uint32() }},
		{"uint64 of 7 bytes", make([]byte, 7), func(r *Reader) { r.Uint64() }},
		{"string of 4 GiB", []byte("\xff\xff\xff\xffx"), func(r *Reader) { r.String() }},
		{"string one byte short", []byte("\x00\x00\x00\x02x"), func(r *Reader) { r.String() }},
		{"mpint negative", []byte("\x00\x00\x00\x01\x80"), func(r *Reader) { r.Mpint() }},
		{"mpint 0 as a byte", []byte("\x00\x00\x00\x01\x00"), func(r *Reader) { r.Mpint() }},
		{"mpint padded", []byte("\x00\x00\x00\x02\x00\x7f"), func(r *Reader) { r.Mpint() }},
		{"mpint too long", []byte(packed(string(long))), func(r *Reader) { r.Mpint() }},
		{"a rest", []byte{1, 1}, func(r *Reader) { r.Byte() }},
	} {
		r := NewReader(c.in)
		if c.read(r); r.Done() {
			t.Errorf("%s: taken", c.name)
		}
	}
}

// TestReaderStaysFailed: after a fault everything is zero and nothing is done.
func TestReaderStaysFailed(t *testing.T) {
	r := NewReader([]byte("\xff\x01\x01\x01\x01\x01\x01\x01\x01\x01"))
	r.Bool()
	if r.Byte() != 0 || r.Bool() || r.Uint32() != 0 || r.Uint64() != 0 || r.String() != nil || r.Mpint().Sign() != 0 || r.Done() || r.more() {
		t.Error("a failed reader goes on")
	}
}

// TestMpintExamples are those of [RFC 4251] §5 that are not negative.
func TestMpintExamples(t *testing.T) {
	for _, s := range []string{
		"\x00\x00\x00\x00",
		"\x00\x00\x00\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7",
		"\x00\x00\x00\x02\x00\x80",
	} {
		r := NewReader([]byte(s))
		var w Writer
		w.Mpint(r.Mpint())
		if !r.Done() || !bytes.Equal(w.Bytes(), []byte(s)) {
			t.Errorf("%x is written as %x", s, w.Bytes())
		}
	}
}
