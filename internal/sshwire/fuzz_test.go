package sshwire

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"unicode"
)

// seed adds the inputs of a vector file, good and bad.
func seed(f *testing.F, file string) {
	f.Helper()
	for _, v := range load(f, file) {
		f.Add([]byte(v.Input))
	}
}

func FuzzParseUserauth(f *testing.F) {
	seed(f, userauthFile)
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := ParseUserauth(b)
		if err == nil && !bytes.Equal(u.Marshal(), b) {
			t.Errorf("written again: %x, want %x", u.Marshal(), b)
		}
		if err == nil && (u.Service != ServiceConnection || (u.HostKey != nil) != (u.Method == MethodHostbound)) {
			t.Errorf("parsed as %+v", u)
		}
		if kind, _ := Classify(b); (kind == KindUserauth) != (err == nil) {
			t.Errorf("Classify = %v, ParseUserauth = %v", kind, err)
		}
	})
}

func FuzzParseSSHSIG(f *testing.F) {
	seed(f, sshsigFile)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSSHSIG(b)
		if err == nil && !bytes.Equal(s.Marshal(), b) {
			t.Errorf("written again: %x, want %x", s.Marshal(), b)
		}
		if kind, _ := Classify(b); (kind == KindSSHSIG) != (err == nil) {
			t.Errorf("Classify = %v, ParseSSHSIG = %v", kind, err)
		}
	})
}

func FuzzParseBind(f *testing.F) {
	seed(f, bindFile)
	f.Fuzz(func(t *testing.T, b []byte) {
		bind, err := ParseBind(b)
		if err == nil && !bytes.Equal(bind.Marshal(), b) {
			t.Errorf("written again: %x, want %x", bind.Marshal(), b)
		}
		word(bind.Verify())
	})
}

func FuzzParsePublicKey(f *testing.F) {
	seed(f, keysFile)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParsePublicKey(b)
		if err != nil {
			return
		}
		if !bytes.Equal(k.Blob(), b) {
			t.Errorf("written again: %x, want %x", k.Blob(), b)
		}
		if inner, err := ParsePublicKey(k.Inner().Blob()); err != nil || inner.Fingerprint() != k.Fingerprint() {
			t.Errorf("inner key: %v, fingerprint %s, want %s", err, inner.Fingerprint(), k.Fingerprint())
		}
		if c := k.Certificate(); c != nil {
			c.VerifyCA()
		}
	})
}

func FuzzParseSignature(f *testing.F) {
	var keys []PublicKey
	for _, v := range load(f, keysFile) {
		for _, c := range v.Checks {
			f.Add([]byte(c.Signature))
		}
		if len(v.Checks) > 0 {
			k, err := ParsePublicKey(v.Input)
			if err != nil {
				f.Fatal(err)
			}
			keys = append(keys, k)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSignature(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Marshal(), b) {
			t.Errorf("written again: %x, want %x", s.Marshal(), b)
		}
		for _, k := range keys { // nobody signed this
			if k.Verify([]byte("never signed"), s) == nil {
				t.Errorf("%s: forged by %x", k.Type(), b)
			}
		}
	})
}

func FuzzParseWebAuthn(f *testing.F) {
	var keys []PublicKey
	for _, v := range loadWebAuthn(f) {
		f.Add([]byte(v.Signature), []byte(v.Data))
		if k, err := ParsePublicKey(v.Key); err == nil {
			keys = append(keys, k)
		}
	}
	f.Fuzz(func(t *testing.T, b, data []byte) {
		s, err := ParseWebAuthn(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Marshal(), b) {
			t.Errorf("written again: %x, want %x", s.Marshal(), b)
		}
		for _, k := range keys {
			if k.VerifyWebAuthn(append(data, "never signed"...), s) == nil {
				t.Errorf("forged by %x", b)
			}
		}
	})
}

// FuzzWebAuthnSignature: what is written of an assertion is read again, with
// all that the phone's platform said.
func FuzzWebAuthnSignature(f *testing.F) {
	for _, v := range loadWebAuthn(f) {
		if a := v.Assertion; a != nil {
			f.Add([]byte(a.AuthenticatorData), []byte(a.ClientDataJSON), []byte(a.Signature), a.Origin)
		}
	}
	f.Fuzz(func(t *testing.T, authData, clientData, der []byte, origin string) {
		b, err := WebAuthnSignature(Assertion{authData, clientData, der, origin})
		if err != nil {
			return
		}
		s, err := ParseWebAuthn(b)
		if err != nil || !bytes.Equal(s.ClientData, clientData) || s.Origin != origin || s.Flags != authData[32] ||
			!bytes.Equal(s.Extensions, authData[37:]) {
			t.Errorf("%x is read as %+v, %v", b, s, err)
		}
	})
}

// FuzzReader: no order of reads panics or returns more than there is.
func FuzzReader(f *testing.F) {
	f.Add([]byte("bBiIsm"), []byte("\x01\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x01s\x00\x00\x00\x02\x00\x80"))
	f.Fuzz(func(t *testing.T, reads, b []byte) {
		r := NewReader(b)
		var w Writer
		for _, c := range reads {
			switch c {
			case 'b':
				w.Byte(r.Byte())
			case 'B':
				w.Bool(r.Bool())
			case 'i':
				w.Uint32(r.Uint32())
			case 'I':
				w.Uint64(r.Uint64())
			case 's':
				w.String(r.String())
			case 'm':
				w.Mpint(r.Mpint())
			}
		}
		if r.Done() && !bytes.Equal(w.Bytes(), b) {
			t.Errorf("read by %q and written again: %x, want %x", reads, w.Bytes(), b)
		}
	})
}

// FuzzAuthorizedKey: one line whose second word is the blob, or nothing.
func FuzzAuthorizedKey(f *testing.F) {
	for _, v := range load(f, keysFile) {
		f.Add([]byte(v.Input), "ana's phone")
	}
	f.Add([]byte("\x00\x00\x00\x07ssh-rsa"), "a\nssh-ed25519 AAAA evil\u2028\x1b[2J\xff")
	f.Fuzz(func(t *testing.T, blob []byte, comment string) {
		line := AuthorizedKey(blob, comment)
		if line == "" {
			if _, err := ParsePublicKey(blob); err == nil {
				t.Errorf("no line for %x", blob)
			}
			return
		}
		words := strings.SplitN(line, " ", 3)
		if len(words) < 2 || words[0] != typeOf(blob) || words[1] != base64.StdEncoding.EncodeToString(blob) {
			t.Errorf("AuthorizedKey(%x) = %q", blob, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the line holds more than a line: %q", line)
		}
	})
}
