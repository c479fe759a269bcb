package phoneterm

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/keystore"
	"kryptonite/internal/phone"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
)

// krPhone runs kr-phone in a state directory.
func krPhone(t *testing.T, home string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("KR_PHONE_HOME", home)
	var out, err bytes.Buffer
	code = Main(context.Background(), args, &term.IO{Program: "kr-phone", In: strings.NewReader(""), Out: &out, Err: &err})
	return code, out.String(), err.String()
}

// newHome is a phone with a key, sealed with "pass".
func newHome(t *testing.T) (home, passphrase string, key []byte) {
	t.Helper()
	home, passphrase = filepath.Join(t.TempDir(), "phone"), filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(passphrase, []byte("pass\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := krPhone(t, home, "init", "--passphrase-file", passphrase); code != 0 {
		t.Fatal(stderr)
	}
	key, err := os.ReadFile(filepath.Join(home, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	return home, passphrase, key
}

// TestDamagedKeyIsNeverReplaced: the file is named, kept as it was, and no new
// key is made until a person moved it away.
func TestDamagedKeyIsNeverReplaced(t *testing.T) {
	home, passphrase, key := newHome(t)
	path := filepath.Join(home, keyFile)
	half := key[:len(key)/2]
	if err := os.WriteFile(path, half, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := krPhone(t, home, "init", "--passphrase-file", passphrase); code == 0 {
		t.Errorf("init over a damaged key: %s", stderr)
	}
	for _, args := range [][]string{{"key"}, {"key"}, {"list"}, {"run", "--passphrase-file", passphrase}, {"init", "--passphrase-file", passphrase}} {
		code, stdout, stderr := krPhone(t, home, args...)
		if code == 0 || stdout != "" || !strings.Contains(stderr, path+".damaged-") {
			t.Errorf("%q: exit %d, %q, %q", args, code, stdout, stderr)
		}
	}
	aside, err := filepath.Glob(path + ".damaged-*")
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside: %q, %v", aside, err)
	}
	if b, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(b, half) {
		t.Errorf("kept is %q, %v", b, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a new key: %v", err)
	}
	if err := os.Rename(aside[0], filepath.Join(t.TempDir(), "old")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := krPhone(t, home, "init", "--passphrase-file", passphrase); code != 0 {
		t.Errorf("init after the old key was moved away: %s", stderr)
	}
}

// TestCutAndFlippedKeys: key.json cut at each byte is set aside and named; with
// a bit flipped it is that, or a newer version's that is left alone, or opens to
// the same key or none.
func TestCutAndFlippedKeys(t *testing.T) {
	dir, err := statedir.Open(filepath.Join(t.TempDir(), "phone"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := loadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Unlock([]byte("pass")); err != nil {
		t.Fatal(err)
	}
	made, err := keys.New(time.Unix(1_795_000_000, 0), "work", keystore.P256)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.save(made); err != nil {
		t.Fatal(err)
	}
	whole, err := dir.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pub := made.PublicKey
	read := func(b []byte) (*keyring, error) {
		if err := os.WriteFile(dir.Path(keyFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := loadKeys(dir)
		if damaged := new(statedir.DamagedError); errors.As(err, &damaged) {
			if kept, readErr := os.ReadFile(damaged.Aside); readErr != nil || !bytes.Equal(kept, b) || damaged.Path != dir.Path(keyFile) {
				t.Errorf("%v: kept is %q, %v", err, kept, readErr)
			}
			os.Remove(damaged.Aside)
		} else if err != nil && !strings.Contains(err.Error(), dir.Path(keyFile)) {
			t.Errorf("the error does not name the file: %v", err)
		}
		return got, err
	}
	for n := range len(whole) - 2 {
		if got, err := read(whole[:n]); err == nil || got != nil {
			t.Errorf("cut to %d bytes: %v, %v", n, got, err)
		}
	}
	sealedHere := 0
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= []byte{0x01, 0x10, 0x20}[i%3]
		got, err := read(b)
		if err != nil {
			continue
		}
		if bytes.Equal(got.Keys()[0].PublicKey, pub) {
			continue
		}
		// Only Unlock can tell; it costs, so a few are enough.
		if sealedHere++; sealedHere > 3 {
			continue
		}
		if err := got.Unlock([]byte("pass")); !errors.Is(err, keystore.ErrFormat) {
			t.Errorf("byte %d: another public key opens: %v", i, err)
		}
	}
}

// TestJournalWithABadRecord: a record that the phone cannot use is an error that
// names it, and nothing of the journal is thrown away.
func TestJournalWithABadRecord(t *testing.T) {
	home, _, _ := newHome(t)
	dir, err := statedir.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := statedir.OpenJournal(dir, journalFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := phone.PairingPrefix + "0011223344556677"
	if err := j.Commit([]statedir.Op{{Key: name, Value: []byte(`{"v":1,"state":"paired"}`)}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := dir.ReadFile(journalFile)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := krPhone(t, home, "list"); code == 0 || !strings.Contains(stderr, name) {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if after, err := dir.ReadFile(journalFile); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the journal was changed: %v", err)
	}
}
