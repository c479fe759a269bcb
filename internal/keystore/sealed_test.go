//go:build !js

package keystore

// Not for wasm, where argon2id is slow.

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// newFile is a key as a new store seals it.
func newFile(t testing.TB, passphrase []byte, name, typ string) []byte {
	t.Helper()
	s := &Sealed{}
	if err := s.Unlock(passphrase); err != nil {
		t.Fatal(err)
	}
	if _, err := s.New(now, name, typ); err != nil {
		t.Fatal(err)
	}
	file, err := s.File(name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOpensWithItsPassphraseOnly, at the real cost.
func TestOpensWithItsPassphraseOnly(t *testing.T) {
	for _, typ := range []string{Ed25519, P256} {
		file := newFile(t, []byte("correct horse"), "work", typ)
		private, err := Open(file, []byte("correct horse"))
		if err != nil {
			t.Fatal(err)
		}
		k, err := Parse(file)
		if err != nil || k.Name != "work" || k.Type() != typ || !k.Created.Equal(now) || !bytes.Equal(k.PublicKey, private.PublicKey()) {
			t.Errorf("%s: Parse = %+v, %v", typ, k, err)
		}
		if bytes.Contains(file, private.Raw()) {
			t.Errorf("%s: the file holds the private key in the clear", typ)
		}
		if _, err := Open(file, []byte("correct horse ")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: another passphrase: %v, want ErrPassphrase", typ, err)
		}
	}
}

// TestKeyOfTheFirstVersion is read as the key "default", keeps its place, and
// is renamed without its passphrase.
func TestKeyOfTheFirstVersion(t *testing.T) {
	old, want := cheap(t, "pass")
	if bytes.Contains(old, []byte("name")) {
		t.Fatalf("this is none: %s", old)
	}
	s, err := NewSealed(cheapOf(t, "pass", "work", mustGenerate(t, P256)), old)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Unlock([]byte("pass")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.New(now, "newest", Ed25519); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename(DefaultName, "first"); err != nil {
		t.Fatal(err)
	}
	file, err := s.File("first")
	if err != nil {
		t.Fatal(err)
	}
	if private, err := Open(file, []byte("pass")); err != nil || !same(private, want) {
		t.Errorf("renamed, it opens to %v, %v", private, err)
	}
	if names := names(s); names[2] != "newest" || !slices.Contains(names[:2], "first") {
		t.Errorf("the keys are %q", names)
	}
}

func mustGenerate(t testing.TB, typ string) Private {
	t.Helper()
	k, err := Generate(typ)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func names(s Store) (out []string) {
	for _, k := range s.Keys() {
		out = append(out, k.Name)
	}
	return out
}

// TestLocked: without the passphrase keys are listed, renamed and deleted, but
// none is made and nothing is signed; a wrong one changes nothing.
func TestLocked(t *testing.T) {
	file, want := cheap(t, "pass")
	s, err := NewSealed(file)
	if err != nil {
		t.Fatal(err)
	}
	fp := s.Keys()[0].Fingerprint()
	for _, unlock := range []error{nil, s.Unlock([]byte("wrong"))} {
		if unlock != nil && !errors.Is(unlock, ErrPassphrase) {
			t.Errorf("Unlock = %v, want ErrPassphrase", unlock)
		}
		if sig, err := s.Sign(fp, []byte("x")); !errors.Is(err, ErrLocked) || sig != nil {
			t.Errorf("Sign = %v, want ErrLocked", err)
		}
		if _, err := s.New(now, "work", Ed25519); !errors.Is(err, ErrLocked) {
			t.Errorf("New = %v, want ErrLocked", err)
		}
	}
	if err := s.Unlock([]byte("pass")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(fp, []byte("x")); err != nil || !same(s.entries[0].private, want) {
		t.Errorf("unlocked: %v", err)
	}
	if err := s.Delete(DefaultName); err != nil || len(s.Keys()) != 0 {
		t.Errorf("Delete = %v", err)
	}
}

// TestOnePassphraseForAllKeys: a key that was sealed with another one is named,
// and keys of one store open by one run of argon2id.
func TestOnePassphraseForAllKeys(t *testing.T) {
	first, _ := cheap(t, "pass")
	foreign := cheapOf(t, "other", "foreign", mustGenerate(t, P256))
	s, err := NewSealed(first, foreign)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Unlock([]byte("pass"))
	if named := s.entries[1].Name; !errors.Is(err, ErrPassphrase) || s.entries[0].Name == DefaultName && !strings.Contains(err.Error(), named) {
		t.Errorf("Unlock = %v, want one that names the other key", err)
	}
	own := &Sealed{}
	if err := own.Unlock([]byte("pass")); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := own.New(now, fmt.Sprint("key ", i), Ed25519); err != nil {
			t.Fatal(err)
		}
	}
	salts := map[string]bool{}
	boxes := map[string]bool{}
	for _, e := range own.entries {
		f, err := parse(e.file)
		if err != nil {
			t.Fatal(err)
		}
		salts[string(f.Salt)], boxes[string(f.Box[:24])] = true, true
	}
	if len(salts) != 1 || len(boxes) != 3 || len(own.wraps) != 1 {
		t.Errorf("%d salts and %d nonces for 3 keys, want 1 and 3", len(salts), len(boxes))
	}
}

// TestNoStoreOfOnePhone: files that do not go together.
func TestNoStoreOfOnePhone(t *testing.T) {
	file, private := cheap(t, "pass")
	many := make([][]byte, MaxKeys+1)
	for i := range many {
		many[i] = cheapOf(t, "pass", fmt.Sprint("key ", i), mustGenerate(t, Ed25519))
	}
	for name, c := range map[string]struct {
		files [][]byte
		want  error
	}{
		"one name twice": {[][]byte{file, cheapOf(t, "pass", "DEFAULT", mustGenerate(t, P256))}, ErrTaken},
		"one key twice":  {[][]byte{file, cheapOf(t, "pass", "copy", private)}, ErrTaken},
		"too many":       {many, ErrFull},
		"no key":         {[][]byte{file, []byte("{}")}, ErrFormat},
	} {
		if s, err := NewSealed(c.files...); !errors.Is(err, c.want) || s != nil {
			t.Errorf("%s: NewSealed = %v, want %v", name, err, c.want)
		}
	}
}

// TestPrivateKeysDoNotPrint, whatever verb or log prints them.
func TestPrivateKeysDoNotPrint(t *testing.T) {
	for _, typ := range []string{Ed25519, P256} {
		k := mustGenerate(t, typ)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k)
		for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %x %s %d", k, k, k, k, k, k), log.String()} {
			if !strings.Contains(text, redacted) || len(text) > 120 {
				t.Errorf("%s prints as %q", typ, text)
			}
		}
	}
}
