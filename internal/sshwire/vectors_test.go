package sshwire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"kryptonite/vectors"
)

// hexBytes are bytes that JSON holds in hex.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(s []byte) (err error) {
	*h, err = hex.AppendDecode(hexBytes{}, s)
	return err
}

// vectorFile is one file of package vectors.
type vectorFile struct {
	Comment string   `json:"comment"`
	Vectors []vector `json:"vectors"`
}

// vector has one of the four fields, of the file's structure, if Expect is "ok".
type vector struct {
	Name     string          `json:"name"`
	Comment  string          `json:"comment"`
	Input    hexBytes        `json:"input"`
	Expect   string          `json:"expect"` // of the parser; a key of words
	Userauth *userauthFields `json:"userauth,omitempty"`
	SSHSIG   *sshsigFields   `json:"sshsig,omitempty"`
	Bind     *bindFields     `json:"bind,omitempty"`
	Key      *keyFields      `json:"key,omitempty"`
	Checks   []check         `json:"checks,omitempty"` // signatures of Key
}

type userauthFields struct {
	SessionID hexBytes `json:"session_id"`
	User      hexBytes `json:"user"`
	Method    string   `json:"method"`
	Algorithm string   `json:"algorithm"`
	PublicKey hexBytes `json:"public_key"`
	HostKey   hexBytes `json:"host_key,omitempty"`
}

type sshsigFields struct {
	Namespace hexBytes `json:"namespace"`
	Reserved  hexBytes `json:"reserved"`
	Hash      string   `json:"hash_algorithm"`
	Digest    hexBytes `json:"hash"`
}

type bindFields struct {
	HostKey    hexBytes `json:"host_key"`
	SessionID  hexBytes `json:"session_id"`
	Signature  hexBytes `json:"signature"`
	Forwarding bool     `json:"is_forwarding"`
	Verify     string   `json:"verify"`
}

type keyFields struct {
	Type        string      `json:"type"`
	Fingerprint string      `json:"fingerprint"`
	Inner       hexBytes    `json:"inner"`
	Cert        *certFields `json:"certificate,omitempty"`
}

type certFields struct {
	Nonce           hexBytes       `json:"nonce"`
	Serial          uint64         `json:"serial,string"`
	Kind            uint32         `json:"kind"`
	KeyID           hexBytes       `json:"key_id"`
	Principals      []hexBytes     `json:"principals"`
	ValidAfter      uint64         `json:"valid_after,string"`
	ValidBefore     uint64         `json:"valid_before,string"`
	CriticalOptions []optionFields `json:"critical_options"`
	Extensions      []optionFields `json:"extensions"`
	SignatureKey    hexBytes       `json:"ca_key"`
	Signature       hexBytes       `json:"signature"`
	Verify          string         `json:"verify"` // of the authority's signature
}

type optionFields struct {
	Name hexBytes `json:"name"`
	Data hexBytes `json:"data"`
}

type check struct {
	Name      string   `json:"name"`
	Data      hexBytes `json:"data"`
	Signature hexBytes `json:"signature"`
	Expect    string   `json:"expect"`
}

// words are the errors as the vectors call them.
var words = map[string]error{
	"ok": nil, "malformed": ErrMalformed, "unsupported": ErrUnsupported, "signature": ErrSignature, "sha1": ErrSHA1,
}

func word(err error) string {
	for w, e := range words {
		if e != nil && errors.Is(err, e) {
			return w
		}
	}
	if err == nil {
		return "ok"
	}
	return "an error without a word: " + err.Error()
}

// The names of the files in package vectors.
const (
	userauthFile = "ssh_userauth.json"
	sshsigFile   = "ssh_sshsig.json"
	bindFile     = "ssh_bind.json"
	keysFile     = "ssh_keys.json"
)

func load(t testing.TB, name string) []vector {
	t.Helper()
	b, err := vectors.FS.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(f.Vectors) == 0 {
		t.Fatalf("%s: no vectors", name)
	}
	return f.Vectors
}

// parsers decode input into a vector with its fields, and write it again.
var parsers = map[string]func(*vector) ([]byte, error){
	userauthFile: func(v *vector) ([]byte, error) {
		u, err := ParseUserauth(v.Input)
		if err != nil {
			return nil, err
		}
		v.Userauth = &userauthFields{u.SessionID, hexBytes(u.User), u.Method, u.Algorithm, u.PublicKey, u.HostKey}
		return u.Marshal(), nil
	},
	sshsigFile: func(v *vector) ([]byte, error) {
		s, err := ParseSSHSIG(v.Input)
		if err != nil {
			return nil, err
		}
		v.SSHSIG = &sshsigFields{hexBytes(s.Namespace), s.Reserved, s.Hash, s.Digest}
		return s.Marshal(), nil
	},
	bindFile: func(v *vector) ([]byte, error) {
		b, err := ParseBind(v.Input)
		if err != nil {
			return nil, err
		}
		v.Bind = &bindFields{b.HostKey, b.SessionID, b.Signature, b.Forwarding, word(b.Verify())}
		return b.Marshal(), nil
	},
	keysFile: func(v *vector) ([]byte, error) {
		k, err := ParsePublicKey(v.Input)
		if err != nil {
			return nil, err
		}
		v.Key = &keyFields{k.Type(), k.Fingerprint(), k.Inner().Blob(), fieldsOfCert(k.Certificate())}
		return k.Blob(), nil
	},
}

func fieldsOfCert(c *Certificate) *certFields {
	if c == nil {
		return nil
	}
	out := &certFields{Nonce: c.Nonce, Serial: c.Serial, Kind: uint32(c.Kind), KeyID: hexBytes(c.KeyID), Principals: []hexBytes{},
		ValidAfter: c.ValidAfter, ValidBefore: c.ValidBefore, CriticalOptions: fieldsOfOptions(c.CriticalOptions),
		Extensions: fieldsOfOptions(c.Extensions), SignatureKey: c.SignatureKey, Signature: c.Signature, Verify: word(c.VerifyCA())}
	for _, p := range c.Principals {
		out.Principals = append(out.Principals, hexBytes(p))
	}
	return out
}

func fieldsOfOptions(in []CertOption) []optionFields {
	out := []optionFields{}
	for _, o := range in {
		out = append(out, optionFields{hexBytes(o.Name), o.Data})
	}
	return out
}

// asJSON gives v a form in which nil and empty are the same.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestVectors runs every property on every vector: the expected outcome, the
// decoded fields, the same bytes again, refusal of every shorter and one longer
// input, and no memory shared with the input.
func TestVectors(t *testing.T) {
	for file, parse := range parsers {
		for _, want := range load(t, file) {
			t.Run(file+"/"+want.Name, func(t *testing.T) {
				got := vector{Name: want.Name, Comment: want.Comment, Input: bytes.Clone(want.Input), Expect: want.Expect, Checks: want.Checks}
				out, err := parse(&got)
				if word(err) != want.Expect {
					t.Fatalf("parse = %v, want %s", err, want.Expect)
				}
				if err != nil {
					return
				}
				if !bytes.Equal(out, want.Input) {
					t.Errorf("written again: %x, want %x", out, want.Input)
				}
				clear(got.Input) // fields must not change with it
				got.Input = want.Input
				if g, w := asJSON(t, got), asJSON(t, want); g != w {
					t.Errorf("fields:\n got %s\nwant %s", g, w)
				}
				for n := range want.Input {
					if _, err := parse(&vector{Input: want.Input[:n]}); err == nil {
						t.Errorf("the first %d of %d bytes parse", n, len(want.Input))
					}
				}
				if _, err := parse(&vector{Input: append(bytes.Clone(want.Input), 0)}); err == nil {
					t.Error("a trailing byte was taken")
				}
			})
		}
	}
}

// TestVectorChecks verifies the signatures in the key vectors.
func TestVectorChecks(t *testing.T) {
	n := 0
	for _, v := range load(t, keysFile) {
		for _, c := range v.Checks {
			n++
			key, err := ParsePublicKey(v.Input)
			if err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
			sig, err := ParseSignature(c.Signature)
			if err == nil {
				if !bytes.Equal(sig.Marshal(), c.Signature) {
					t.Errorf("%s: %s: signature is written as %x", v.Name, c.Name, sig.Marshal())
				}
				err = key.Verify(c.Data, sig)
			}
			if word(err) != c.Expect {
				t.Errorf("%s: %s: Verify = %v, want %s", v.Name, c.Name, err, c.Expect)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d checks", n)
	}
}

// TestClassify: each payload is what its file says, and nothing else is taken.
func TestClassify(t *testing.T) {
	for file, want := range map[string]Kind{userauthFile: KindUserauth, sshsigFile: KindSSHSIG} {
		for _, v := range load(t, file) {
			kind, err := Classify(v.Input)
			if v.Expect == "ok" && (err != nil || kind != want) {
				t.Errorf("Classify(%s %s) = %v, %v, want %v", file, v.Name, kind, err, want)
			}
			// a refused input may still be a valid one of the other kind
			if v.Expect != "ok" && err == nil && kind == want {
				t.Errorf("Classify(%s %s) = %v, want an error", file, v.Name, kind)
			}
		}
	}
}

// TestFlippedBits: no bit of the data or the signature can change.
func TestFlippedBits(t *testing.T) {
	for _, v := range load(t, bindFile) {
		if v.Expect != "ok" || v.Bind.Verify != "ok" {
			continue
		}
		b, _ := ParseBind(v.Input)
		step := 31 // there is no time for all bits of all
		if v.Name == "recorded host-ed25519" {
			step = 1
		}
		for name, field := range map[string][]byte{"session id": b.SessionID, "signature": b.Signature} {
			for bit := 0; bit < 8*len(field); bit += step {
				field[bit/8] ^= 1 << (bit % 8)
				if b.Verify() == nil {
					t.Errorf("%s: holds with bit %d of the %s flipped", v.Name, bit, name)
				}
				field[bit/8] ^= 1 << (bit % 8)
			}
		}
		if err := b.Verify(); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// TestFlippedCertificate: no bit of a certificate can change unseen by VerifyCA.
func TestFlippedCertificate(t *testing.T) {
	for _, v := range load(t, keysFile) {
		if v.Expect != "ok" || v.Key.Cert == nil || v.Key.Cert.Verify != "ok" {
			continue
		}
		for bit := 0; bit < 8*len(v.Input); bit += 7 {
			b := bytes.Clone(v.Input)
			b[bit/8] ^= 1 << (bit % 8)
			if k, err := ParsePublicKey(b); err == nil && k.Certificate() != nil && k.Certificate().VerifyCA() == nil {
				t.Errorf("%s: holds with bit %d flipped", v.Name, bit)
			}
		}
	}
}

// TestTooLong: nothing beyond MaxSize is read, however well formed.
func TestTooLong(t *testing.T) {
	big := make([]byte, MaxSize)
	u := Userauth{SessionID: big[:32], Method: MethodPublicKey, Algorithm: KeyEd25519}
	for _, extra := range []int{0, 1} {
		u.PublicKey = nil
		u.PublicKey = big[:MaxSize-len(u.Marshal())+extra]
		if _, err := ParseUserauth(u.Marshal()); (err != nil) != (extra > 0) {
			t.Errorf("ParseUserauth of MaxSize + %d bytes: %v", extra, err)
		}
	}
	if _, err := ParseSSHSIG((SSHSIG{Namespace: "git", Reserved: big, Hash: "sha256", Digest: big[:32]}).Marshal()); err == nil {
		t.Error("ParseSSHSIG took more than MaxSize")
	}
	if _, err := ParseBind((Bind{HostKey: big, SessionID: big[:32], Signature: big[:8]}).Marshal()); err == nil {
		t.Error("ParseBind took more than MaxSize")
	}
	if _, err := ParseSignature((Signature{KeyEd25519, big}).Marshal()); err == nil {
		t.Error("ParseSignature took more than MaxSize")
	}
	if _, err := ParsePublicKey(append(Ed25519Blob(big[:32]), big...)); err == nil {
		t.Error("ParsePublicKey took more than MaxSize")
	}
}

// TestZeroKey: a PublicKey that nobody parsed verifies nothing and writes nothing.
func TestZeroKey(t *testing.T) {
	var k PublicKey
	if err := k.Verify(nil, Signature{}); !errors.Is(err, ErrSignature) {
		t.Errorf("Verify = %v, want ErrSignature", err)
	}
	if k.Blob() != nil || k.Type() != "" || k.Certificate() != nil || !reflect.DeepEqual(k.Inner(), k) {
		t.Error("the zero key is something")
	}
}

func TestAuthorizedKey(t *testing.T) {
	blob := Ed25519Blob(make([]byte, 32))
	const line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, c := range []struct{ comment, want string }{
		{"", line},
		{"phone", line + " phone"},
		{"Zoë's phone", line + " Zoë's phone"},
		{" a\nssh-ed25519 AAAA evil\r\n\t\x00\x1b[31m\x7f ", line + " assh-ed25519 AAAA evil[31m"},
		{"a\u2028b\u2029c\u0085d\u202ee\u00a0f\u200bg\xffh", line + " abcdefgh"},
		{"\n", line},
	} {
		if got := AuthorizedKey(blob, c.comment); got != c.want {
			t.Errorf("AuthorizedKey(%q) = %q, want %q", c.comment, got, c.want)
		}
	}
	for _, typ := range []string{"", "a\nb", `command="`, "#", "a b"} {
		var w Writer
		w.Text(typ)
		if got := AuthorizedKey(w.Bytes(), "x"); got != "" {
			t.Errorf("AuthorizedKey of type %q = %q, want nothing", typ, got)
		}
	}
	if got := AuthorizedKey([]byte{0, 0, 0, 9, 'x'}, "x"); got != "" {
		t.Errorf("AuthorizedKey of a cut blob = %q, want nothing", got)
	}
}
