// Package keystoretest holds the suite that every keystore.Store must pass.
// golang.org/x/crypto/ssh judges keys and signatures.
package keystoretest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"kryptonite/internal/keystore"
)

// Maker makes stores for the suite.
type Maker struct {
	// New returns an empty store that is ready to sign.
	New func(t *testing.T) keystore.Store
	// Reopen makes the store anew from what the program stored of it, ready to
	// sign. Nil for stores that are never stored.
	Reopen func(t *testing.T, s keystore.Store) keystore.Store
}

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// Run runs the suite.
func Run(t *testing.T, m Maker) {
	if m.Reopen == nil {
		m.Reopen = func(_ *testing.T, s keystore.Store) keystore.Store { return s }
	}
	for name, run := range map[string]func(*testing.T, Maker){
		"signatures hold": signatures, "order and times": order, "a clock that was set back": setBack, "names": names, "a full store": full,
		"deleted keys": deleted, "what is listed is a copy": copies,
	} {
		t.Run(name, func(t *testing.T) { run(t, m) })
	}
}

func add(t *testing.T, s keystore.Store, name, typ string) keystore.Key {
	t.Helper()
	k, err := s.New(start, name, typ)
	if err != nil {
		t.Fatalf("New(%q, %s): %v", name, typ, err)
	}
	return k
}

// holds fails unless s signs with k as ssh wants it.
func holds(t *testing.T, s keystore.Store, k keystore.Key) {
	t.Helper()
	pub, err := ssh.ParsePublicKey(k.PublicKey)
	if err != nil {
		t.Fatalf("%s: x/crypto/ssh does not read the public key: %v", k.Name, err)
	}
	if pub.Type() != k.Type() || ssh.FingerprintSHA256(pub) != k.Fingerprint() {
		t.Errorf("%s: it is %s %s, x/crypto/ssh says %s %s", k.Name, k.Type(), k.Fingerprint(), pub.Type(), ssh.FingerprintSHA256(pub))
	}
	for n := range 20 { // some r and s of P-256 are short, or have their first bit set
		data := bytes.Repeat([]byte{byte(n)}, 7*n)
		b, err := s.Sign(k.Fingerprint(), data)
		if err != nil {
			t.Fatalf("%s: Sign: %v", k.Name, err)
		}
		sig := new(ssh.Signature)
		if err := ssh.Unmarshal(b, sig); err != nil || len(sig.Rest) != 0 {
			t.Fatalf("%s: no signature in SSH wire format: %x, %v", k.Name, b, err)
		}
		if sig.Format != k.Type() {
			t.Errorf("%s: the format is %q, want %q", k.Name, sig.Format, k.Type())
		}
		if err := pub.Verify(data, sig); err != nil {
			t.Errorf("%s: x/crypto/ssh refuses the signature over %x: %v", k.Name, data, err)
		}
		if pub.Verify(append(data, 0), sig) == nil {
			t.Errorf("%s: the signature holds for other data, too", k.Name)
		}
	}
}

func signatures(t *testing.T, m Maker) {
	s := m.New(t)
	keys := []keystore.Key{add(t, s, "default", keystore.Ed25519), add(t, s, "work", keystore.P256), add(t, s, "home", keystore.Ed25519)}
	for range 2 {
		for _, k := range keys {
			holds(t, s, k)
		}
		s = m.Reopen(t, s)
	}
	fp := keys[1].Fingerprint()
	one, err1 := s.Sign(fp, []byte("x"))
	two, err2 := s.Sign(fp, []byte("x"))
	if err1 != nil || err2 != nil || bytes.Equal(one, two) {
		t.Errorf("two P-256 signatures over the same are the same: %v, %v", err1, err2)
	}
	for _, fp := range []string{"", "SHA256:", keys[0].Fingerprint() + "A", "default"} {
		if sig, err := s.Sign(fp, []byte("x")); !errors.Is(err, keystore.ErrNoKey) || sig != nil {
			t.Errorf("Sign with %q = %x, %v, want ErrNoKey", fp, sig, err)
		}
	}
	if _, err := s.New(start, "other", "ssh-rsa"); !errors.Is(err, keystore.ErrType) {
		t.Errorf("New of another type: %v, want ErrType", err)
	}
}

func order(t *testing.T, m Maker) {
	s := m.New(t)
	var want []string
	for i, name := range []string{"z", "a", "M"} {
		at := start.Add(time.Duration(i)*time.Minute + 300*time.Millisecond)
		k, err := s.New(at.In(time.FixedZone("", 3600)), name, keystore.P256)
		if err != nil || !k.Created.Equal(at.Truncate(time.Second)) {
			t.Fatalf("New = %+v, %v, want the time %s", k, err, at)
		}
		want = append(want, name)
	}
	for range 2 {
		if got := listed(s); !slices.Equal(got, want) {
			t.Errorf("the keys are %q, want the oldest first: %q", got, want)
		}
		s = m.Reopen(t, s)
	}
}

// setBack: whatever the clock says, a new key is the newest.
func setBack(t *testing.T, m Maker) {
	s := m.New(t)
	var want []string
	for _, d := range []time.Duration{0, 0, -time.Hour, -time.Minute, time.Hour} {
		name := fmt.Sprint("key ", len(want))
		if _, err := s.New(start.Add(d), name, keystore.Ed25519); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	if got := listed(m.Reopen(t, s)); !slices.Equal(got, want) {
		t.Errorf("the keys are %q, want %q", got, want)
	}
}

func listed(s keystore.Store) (out []string) {
	for _, k := range s.Keys() {
		out = append(out, k.Name)
	}
	return out
}

func names(t *testing.T, m Maker) {
	s := m.New(t)
	first := add(t, s, "default", keystore.Ed25519)
	add(t, s, "Zürich, 東京 & me", keystore.Ed25519)
	for name, want := range map[string]error{
		"default": keystore.ErrTaken, "DEFAULT": keystore.ErrTaken, "": keystore.ErrName, " ": keystore.ErrName, "a ": keystore.ErrName,
		" a": keystore.ErrName, "a\nb": keystore.ErrName, "a\tb": keystore.ErrName, "a\x1b[2Jb": keystore.ErrName, "a\u202eb": keystore.ErrName,
		"a\u200bb": keystore.ErrName, "a\xffb": keystore.ErrName, "\ufffd": keystore.ErrName, strings.Repeat("é", 33): keystore.ErrName,
	} {
		if _, err := s.New(start, name, keystore.Ed25519); !errors.Is(err, want) {
			t.Errorf("New(%q) = %v, want %v", name, err, want)
		}
		if name == "default" || name == "DEFAULT" {
			name = "zürich, 東京 & ME" // of the other key
		}
		if err := s.Rename("default", name); !errors.Is(err, want) {
			t.Errorf("Rename to %q = %v, want %v", name, err, want)
		}
	}
	if err := s.Rename("nobody", "x"); !errors.Is(err, keystore.ErrNoKey) {
		t.Errorf("Rename of none: %v, want ErrNoKey", err)
	}
	for _, to := range []string{strings.Repeat("é", 32), "Default", "default 2"} { // the second: its own, in other letters
		if err := s.Rename(s.Keys()[slices.IndexFunc(s.Keys(), func(k keystore.Key) bool {
			return k.Fingerprint() == first.Fingerprint()
		})].Name, to); err != nil {
			t.Errorf("Rename to %q: %v", to, err)
		}
		s = m.Reopen(t, s)
		if k, err := keystore.Named(s, strings.ToUpper(to)); err != nil || k.Name != to || k.Fingerprint() != first.Fingerprint() || !k.Created.Equal(first.Created) {
			t.Errorf("renamed to %q it is %+v, %v", to, k, err)
		}
	}
	holds(t, s, s.Keys()[0])
}

func full(t *testing.T, m Maker) {
	s := m.New(t)
	for i := range keystore.MaxKeys {
		add(t, s, fmt.Sprint("key ", i), keystore.Ed25519)
	}
	if _, err := s.New(start, "one more", keystore.Ed25519); !errors.Is(err, keystore.ErrFull) {
		t.Errorf("New = %v, want ErrFull", err)
	}
	s = m.Reopen(t, s)
	if err := s.Delete("key 3"); err != nil {
		t.Fatal(err)
	}
	add(t, s, "one more", keystore.P256)
	if n := len(m.Reopen(t, s).Keys()); n != keystore.MaxKeys {
		t.Errorf("%d keys, want %d", n, keystore.MaxKeys)
	}
}

func deleted(t *testing.T, m Maker) {
	s := m.New(t)
	gone, stays := add(t, s, "gone", keystore.P256), add(t, s, "stays", keystore.P256)
	if err := s.Delete("GONE"); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("gone"); !errors.Is(err, keystore.ErrNoKey) {
		t.Errorf("Delete again: %v, want ErrNoKey", err)
	}
	for range 2 {
		if _, err := s.Sign(gone.Fingerprint(), []byte("x")); !errors.Is(err, keystore.ErrNoKey) {
			t.Errorf("Sign with it: %v, want ErrNoKey", err)
		}
		if _, err := keystore.Named(s, "gone"); !errors.Is(err, keystore.ErrNoKey) {
			t.Errorf("Named = %v, want ErrNoKey", err)
		}
		s = m.Reopen(t, s)
	}
	if again := add(t, s, "gone", keystore.P256); again.Fingerprint() == gone.Fingerprint() {
		t.Error("a new key of the same name is the old one")
	}
	holds(t, s, stays)
}

func copies(t *testing.T, m Maker) {
	s := m.New(t)
	k := add(t, s, "default", keystore.Ed25519)
	list := s.Keys()
	list[0].Name, list[0].PublicKey[20] = "changed", list[0].PublicKey[20]^1
	if got := s.Keys()[0]; got.Name != "default" || got.Fingerprint() != k.Fingerprint() {
		t.Errorf("a caller changed the store: %+v", got)
	}
}
