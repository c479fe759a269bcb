package keystore

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"kryptonite/internal/sshwire"
)

func TestSealAndOpen(t *testing.T) {
	b, err := Seal([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := Open(b, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := PublicKey(b)
	if err != nil || !bytes.Equal(pub, sshwire.Ed25519Blob(key.Public().(ed25519.PublicKey))) {
		t.Errorf("PublicKey = %x, %v", pub, err)
	}
	if bytes.Contains(b, key.Seed()) {
		t.Error("the seed is in the sealed key")
	}
	if _, err := Open(b, []byte("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v, want ErrPassphrase", err)
	}
	var s sealed
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	s.Box[30] ^= 1
	changed, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(changed, []byte("correct horse")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("changed box: %v, want ErrPassphrase", err)
	}
	s.Box[30] ^= 1
	s.PublicKey[20] ^= 1
	if changed, err = json.Marshal(s); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(changed, []byte("correct horse")); !errors.Is(err, ErrFormat) {
		t.Errorf("another public key: %v, want ErrFormat", err)
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	good, err := Seal([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]string{
		"empty": "", "no object": "[]", "another kdf": strings.Replace(string(good), "argon2id", "md5", 1),
		"4 TiB of memory": strings.Replace(string(good), `"memory_kib":65536`, `"memory_kib":4294967295`, 1),
		"no time":         strings.Replace(string(good), `"time":3`, `"time":0`, 1),
		"endless":         strings.Replace(string(good), `"time":3`, `"time":4294967295`, 1),
		"no lanes":        strings.Replace(string(good), `"threads":1`, `"threads":0`, 1),
	} {
		if _, err := Open([]byte(b), []byte("x")); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}
