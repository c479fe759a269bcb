//go:build !js

package keystore

// Not for wasm, where argon2id is slow.

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"

	"kryptonite/internal/sshwire"
)

// cheap is what Seal writes, of a fixed key and at the lowest cost, so that it
// can be opened some thousand times.
func cheap(t testing.TB, passphrase string) (file []byte, want ed25519.PrivateKey) {
	t.Helper()
	want = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	s := sealed{KDF: "argon2id", Time: 1, Memory: 8, Lanes: 1, Salt: bytes.Repeat([]byte{9}, 16),
		PublicKey: sshwire.Ed25519Blob(want.Public().(ed25519.PublicKey))}
	nonce := [24]byte{1, 2, 3}
	s.Box = secretbox.Seal(nonce[:], want.Seed(), &nonce, s.key([]byte(passphrase)))
	file, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return file, want
}

// TestSealedKeyOpensWithItsPassphraseOnly at the real cost.
func TestSealedKeyOpensWithItsPassphraseOnly(t *testing.T) {
	pass := []byte("correct horse")
	file, err := Seal(pass)
	if err != nil {
		t.Fatal(err)
	}
	priv, err := Open(file, pass)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file, priv.Seed()) {
		t.Error("the file holds the seed in the clear")
	}
	blob, err := PublicKey(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sshwire.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := sshwire.ParseSignature(sshwire.Ed25519Signature(ed25519.Sign(priv, []byte("data"))))
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Verify([]byte("data"), sig); err != nil {
		t.Errorf("the listed public key is not that of the private key: %v", err)
	}
	if _, err := Open(file, []byte("correct horse ")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("another passphrase: %v, want ErrPassphrase", err)
	}
	other, err := Seal(pass)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := PublicKey(other); err != nil || bytes.Equal(second, blob) {
		t.Errorf("two keys are the same, %v", err)
	}
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
		if priv, err := Open(file, []byte(p)); !errors.Is(err, ErrPassphrase) || priv != nil {
			t.Errorf("Open with %q = %v, want ErrPassphrase", p, err)
		}
	}
	if priv, err := Open(file, []byte("pass")); err != nil || !priv.Equal(want) {
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
			case err == nil && !priv.Equal(want):
				t.Errorf("byte %d bit %d flipped: another key", i, bit)
			case err != nil && !errors.Is(err, ErrPassphrase) && !errors.Is(err, ErrFormat):
				t.Errorf("byte %d bit %d flipped: %v, want ErrPassphrase or ErrFormat", i, bit, err)
			case err != nil && priv != nil:
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
	s.PublicKey = sshwire.Ed25519Blob(make([]byte, 32))
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
		if _, err := PublicKey([]byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: PublicKey = %v, want ErrFormat", c.name, err)
		}
	}
	for _, b := range []string{"", "null", "[]", `"x"`, "{}"} {
		if _, err := Open([]byte(b), nil); !errors.Is(err, ErrFormat) {
			t.Errorf("Open(%s) = %v, want ErrFormat", b, err)
		}
	}
}

// FuzzPublicKey: what lists as a key is an Ed25519 key that can be opened with
// bounded work; everything else is ErrFormat.
func FuzzPublicKey(f *testing.F) {
	file, _ := cheap(f, "pass")
	f.Add(file)
	f.Add(bytes.Replace(file, []byte(`"time":1`), []byte(`"time":64`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		blob, err := PublicKey(b)
		if err != nil {
			if blob != nil || !errors.Is(err, ErrFormat) {
				t.Errorf("PublicKey = %x, %v", blob, err)
			}
			return
		}
		if k, err := sshwire.ParsePublicKey(blob); err != nil || k.Type() != sshwire.KeyEd25519 {
			t.Errorf("PublicKey lists %x, %v", blob, err)
		}
		if s, err := parse(b); err != nil || uint64(s.Time)*uint64(s.Memory) > maxWork {
			t.Errorf("accepted with time %d and %d KiB, %v", s.Time, s.Memory, err)
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
		if err == nil && !priv.Equal(want) {
			t.Errorf("%s opens to a key that was never sealed", b)
		}
		if err != nil && (priv != nil || !errors.Is(err, ErrFormat) && !errors.Is(err, ErrPassphrase)) {
			t.Errorf("Open = %d bytes, %v", len(priv), err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	file, err := Seal([]byte("pass"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Open(file, []byte("pass")); err != nil {
			b.Fatal(err)
		}
	}
}
