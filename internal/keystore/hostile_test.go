//go:build !js

package keystore

// Not for wasm, where argon2id is slow.

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"kryptonite/internal/sshwire"
)

// cheap is what a store seals, of a fixed key and at the lowest cost, so that it
// can be opened some thousand times.
func cheap(t testing.TB, passphrase string) (file []byte, want Private) {
	t.Helper()
	want, err := privateOf(Ed25519, bytes.Repeat([]byte{7}, rawSize))
	if err != nil {
		t.Fatal(err)
	}
	return cheapOf(t, passphrase, "", want), want
}

// cheapOf is cheap for any name and key.
func cheapOf(t testing.TB, passphrase, name string, k Private) []byte {
	t.Helper()
	s := sealed{Name: name, KDF: "argon2id", Time: 1, Memory: 8, Lanes: 1, Salt: bytes.Repeat([]byte{9}, 16), Public: k.PublicKey()}
	file, err := s.seal(k, s.derive([]byte(passphrase)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func same(a, b Private) bool {
	return !a.IsZero() && bytes.Equal(a.Raw(), b.Raw()) && bytes.Equal(a.PublicKey(), b.PublicKey())
}

// TestSealCostsWhatItSays: whoever lowers the cost has to change this test.
func TestSealCostsWhatItSays(t *testing.T) {
	if kdfTime < 3 || kdfMemory < 64<<10 || kdfLanes != 1 {
		t.Errorf("argon2id with time %d, %d KiB, %d lanes is cheaper than [RFC 9106] §4", kdfTime, kdfMemory, kdfLanes)
	}
}

// TestAnAcceptedFileIsNoBurden: what a file may demand stays within a few times
// what our own keys cost, whichever way it is spread.
func TestAnAcceptedFileIsNoBurden(t *testing.T) {
	if own := kdfTime * kdfMemory; maxWork > 6*own || maxMemory > 4*kdfMemory {
		t.Errorf("a file may demand %d KiB of work and %d KiB of memory; our own keys take %d and %d", maxWork, maxMemory, own, kdfMemory)
	}
	for _, s := range []sealed{{Time: 64, Memory: 1, Lanes: 255}, {Time: 1 << 20, Memory: 1, Lanes: 1}, {Time: 64, Memory: 1 << 20, Lanes: 1}} {
		if s.affordable() {
			t.Errorf("affordable: time %d, %d KiB, %d lanes", s.Time, s.Memory, s.Lanes)
		}
	}
	if !(sealed{Time: kdfTime, Memory: kdfMemory, Lanes: kdfLanes}).affordable() || !(sealed{Time: 4, Memory: maxMemory, Lanes: 4}).affordable() {
		t.Error("a usual cost is refused")
	}
}

func TestWrongPassphrases(t *testing.T) {
	file, want := cheap(t, "pass")
	for _, p := range []string{"", "Pass", "pass\n", "pas", "pass\x00", "passs"} {
		if priv, err := Open(file, []byte(p)); !errors.Is(err, ErrPassphrase) || !priv.IsZero() {
			t.Errorf("Open with %q = %v, want ErrPassphrase", p, err)
		}
	}
	if priv, err := Open(file, []byte("pass")); err != nil || !same(priv, want) {
		t.Errorf("Open with the passphrase: %v", err)
	}
}

// TestEveryFlippedBit gives an error, or the same key where JSON and base64 do
// not care; never another key.
func TestEveryFlippedBit(t *testing.T) {
	file, want := cheap(t, "pass")
	for i := range file {
		for bit := range 8 {
			bad := bytes.Clone(file)
			bad[i] ^= 1 << bit
			priv, err := Open(bad, []byte("pass"))
			switch {
			case err == nil && !same(priv, want):
				t.Errorf("byte %d bit %d flipped: another key", i, bit)
			case err != nil && !errors.Is(err, ErrPassphrase) && !errors.Is(err, ErrFormat):
				t.Errorf("byte %d bit %d flipped: %v, want ErrPassphrase or ErrFormat", i, bit, err)
			case err != nil && !priv.IsZero():
				t.Errorf("byte %d bit %d flipped: an error and a key", i, bit)
			}
		}
	}
	for n := range file {
		if _, err := Open(file[:n], []byte("pass")); !errors.Is(err, ErrFormat) {
			t.Errorf("cut to %d bytes: %v, want ErrFormat", n, err)
		}
	}
}

// TestPublicKeyOfAnotherIsFound: who can write the file can make it list a
// foreign key, but not have it opened.
func TestPublicKeyOfAnotherIsFound(t *testing.T) {
	file, _ := cheap(t, "pass")
	var s sealed
	if err := json.Unmarshal(file, &s); err != nil {
		t.Fatal(err)
	}
	s.Public = sshwire.Ed25519Blob(make([]byte, 32))
	bad, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bad, []byte("pass")); !errors.Is(err, ErrFormat) {
		t.Errorf("Open = %v, want ErrFormat", err)
	}
}

// TestHostileFiles are refused before argon2id runs.
func TestHostileFiles(t *testing.T) {
	file, _ := cheap(t, "pass")
	for _, c := range []struct{ name, old, new string }{
		{"no rounds", `"time":1`, `"time":0`},
		{"too many rounds", `"time":1`, `"time":65`},
		{"rounds beyond 32 bits", `"time":1`, `"time":4294967297`},
		{"negative rounds", `"time":1`, `"time":-1`},
		{"no memory", `"memory_kib":8`, `"memory_kib":0`},
		{"more than 256 MiB", `"memory_kib":8`, `"memory_kib":262145`},
		{"256 MiB 5 times", `"time":1,"memory_kib":8`, `"time":5,"memory_kib":262144`},
		{"64 rounds of 17 MiB", `"time":1,"memory_kib":8`, `"time":64,"memory_kib":17000`},
		{"17 lanes", `"threads":1`, `"threads":17`},
		{"a salt without end", `"salt":"`, `"salt":"` + strings.Repeat("AAAA", 20)},
		{"no public key", `"public_key":"`, `"xublic_key":"`},
		{"a public key of another kind", `AAAAC3NzaC1lZDI1NTE5AAAA`, `AAAAC3NzaC1lZDI1NTE4AAAA`},
		{"4 TiB", `"memory_kib":8`, `"memory_kib":4294967295`},
		{"memory beyond 32 bits", `"memory_kib":8`, `"memory_kib":4294967304`},
		{"no lanes", `"threads":1`, `"threads":0`},
		{"256 lanes", `"threads":1`, `"threads":256`},
		{"another function", `"argon2id"`, `"argon2i"`},
		{"no function", `"argon2id"`, `""`},
		{"short salt", `"salt":"CQkJCQkJCQkJCQkJCQkJCQ=="`, `"salt":"CQkJCQkJCQkJCQkJCQkJ"`},
		{"no box", `"box":"`, `"xob":"`},
		{"long box", `"box":"`, `"box":"AAAA`},
		{"a name with a line end", `{`, `{"name":"a\nb",`},
		{"a name that turns the text", `{`, `{"name":"a\u202eb",`},
		{"a name with a space before it", `{`, `{"name":" a",`},
		{"a long name", `{`, `{"name":"` + strings.Repeat("x", maxName+1) + `",`},
		{"a time before times", `{`, `{"created_unix_seconds":-1,`},
		{"a time beyond times", `{`, `{"created_unix_seconds":1099511627777,`},
		{"not JSON", `{`, ``},
		{"two objects", `}`, `}{}`},
	} {
		bad := strings.Replace(string(file), c.old, c.new, 1)
		if bad == string(file) {
			t.Fatalf("%s: nothing was replaced in %s", c.name, file)
		}
		if _, err := Open([]byte(bad), []byte("pass")); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: Open = %v, want ErrFormat", c.name, err)
		}
		if _, err := Parse([]byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: Parse = %v, want ErrFormat", c.name, err)
		}
	}
	for _, b := range []string{"", "null", "[]", `"x"`, "{}"} {
		if _, err := Open([]byte(b), nil); !errors.Is(err, ErrFormat) {
			t.Errorf("Open(%s) = %v, want ErrFormat", b, err)
		}
	}
}

// FuzzParse: what lists as a key is one of the two types, has a name that can
// be shown, and can be opened with bounded work; everything else is ErrFormat.
func FuzzParse(f *testing.F) {
	file, _ := cheap(f, "pass")
	ec, err := privateOf(P256, bytes.Repeat([]byte{7}, rawSize))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add(cheapOf(f, "pass", "work", ec))
	f.Add(bytes.Replace(file, []byte(`"time":1`), []byte(`"time":64`), 1))
	f.Add(bytes.Replace(file, []byte(`{`), []byte(`{"name":"a\tb",`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Parse(b)
		if err != nil {
			if k.PublicKey != nil || !errors.Is(err, ErrFormat) {
				t.Errorf("Parse = %+v, %v", k, err)
			}
			return
		}
		if typ := k.Type(); typ != Ed25519 && typ != P256 || !validName(k.Name) {
			t.Errorf("Parse lists %q of type %q", k.Name, typ)
		}
		if s, err := parse(b); err != nil || uint64(s.Time)*uint64(s.Memory) > maxWork {
			t.Errorf("accepted with time %d and %d KiB, %v", s.Time, s.Memory, err)
		}
		s, err := NewSealed(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Rename(k.Name, "other"); err != nil {
			t.Fatal(err)
		}
		again, err := s.File("other")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(again); err != nil || got.Name != "other" || !bytes.Equal(got.PublicKey, k.PublicKey) || !got.Created.Equal(k.Created) {
			t.Errorf("renamed: %+v, %v", got, err)
		}
	})
}

// FuzzOpen: a file opens to the key that was sealed, or not at all.
func FuzzOpen(f *testing.F) {
	file, want := cheap(f, "pass")
	f.Add(file)
	f.Add(bytes.Replace(file, []byte(`"threads":1`), []byte(`"threads":2`), 1))
	f.Add(bytes.Replace(file, []byte(`{`), []byte(`{"new":[],`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parse(b); err == nil && uint64(s.Time)*uint64(s.Memory) > 1<<10 {
			return // slow by right
		}
		priv, err := Open(b, []byte("pass"))
		if err == nil && !same(priv, want) {
			t.Errorf("%s opens to a key that was never sealed", b)
		}
		if err != nil && (!priv.IsZero() || !errors.Is(err, ErrFormat) && !errors.Is(err, ErrPassphrase)) {
			t.Errorf("Open = %v, %v", priv, err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	file := newFile(b, []byte("pass"), DefaultName, Ed25519)
	for b.Loop() {
		if _, err := Open(file, []byte("pass")); err != nil {
			b.Fatal(err)
		}
	}
}
