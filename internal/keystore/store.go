package keystore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kryptonite/internal/sshwire"
)

const (
	// MaxKeys is how many keys a store holds. [kr-protocol] §4.10.
	MaxKeys = 16
	// DefaultName is the name of a phone's first key.
	DefaultName = "default"

	maxName = 32 // runes of a key's name
)

// Types of keys, as SSH names them.
const (
	Ed25519 = sshwire.KeyEd25519
	P256    = sshwire.KeyP256
)

var (
	// ErrPassphrase is returned for a wrong passphrase or a changed key.
	ErrPassphrase = errors.New("wrong passphrase")
	// ErrFormat is returned for what is no sealed key.
	ErrFormat = errors.New("keystore: not a sealed key")
	// ErrLocked is returned by a store that has not been unlocked.
	ErrLocked = errors.New("the keys are locked")
	// ErrNoKey is returned for a key that the store does not have.
	ErrNoKey = errors.New("this phone has no such key")
	// ErrName is returned for a name that no key can have.
	ErrName = fmt.Errorf("a key's name has 1 to %d letters, digits, signs or inner spaces", maxName)
	// ErrTaken is returned for a name that another key has.
	ErrTaken = errors.New("another key has this name")
	// ErrFull is returned when there is no room for one more key.
	ErrFull = fmt.Errorf("a phone has at most %d keys", MaxKeys)
	// ErrType is returned for a type of key that is not made here.
	ErrType = errors.New("keystore: a key is of type " + Ed25519 + " or " + P256)
)

// Key is what everyone may know of a key.
type Key struct {
	Name      string
	Created   time.Time // zero: not known
	PublicKey []byte    // SSH wire format
}

// Fingerprint names the key: "SHA256:" and unpadded base64.
func (k Key) Fingerprint() string { return sshwire.Fingerprint(k.PublicKey) }

// Type is Ed25519 or P256.
func (k Key) Type() string {
	p, err := sshwire.ParsePublicKey(k.PublicKey)
	if err != nil {
		return ""
	}
	return p.Type()
}

// Store is a phone's keys. Every implementation passes keystoretest.Run. It is
// not safe for concurrent use.
type Store interface {
	// Keys lists the keys, oldest first, also while they are sealed.
	Keys() []Key
	// New makes a key. Errors: ErrName, ErrTaken, ErrFull, ErrType, ErrLocked.
	New(now time.Time, name, typ string) (Key, error)
	// Rename gives a key another name. Errors: ErrNoKey, ErrName, ErrTaken.
	Rename(name, to string) error
	// Delete forgets a key. It returns ErrNoKey.
	Delete(name string) error
	// Sign signs data with the key of this fingerprint. The signature is in
	// SSH wire format, its format the key's type. Errors: ErrNoKey, ErrLocked.
	Sign(fingerprint string, data []byte) ([]byte, error)
}

// Named is the key that s has under name, in capitals or not.
func Named(s Store, name string) (Key, error) {
	for _, k := range s.Keys() {
		if strings.EqualFold(k.Name, name) {
			return k, nil
		}
	}
	return Key{}, ErrNoKey
}

// entry is a key of a store. In one of sealed keys it has a file, and the
// private key once it is unlocked.
type entry struct {
	Key
	private Private
	file    []byte
}

// entries are the keys of a store, oldest first.
type entries []*entry

func (es entries) Keys() []Key {
	out := make([]Key, len(es))
	for i, e := range es {
		out[i] = e.Key
		out[i].PublicKey = slices.Clone(e.PublicKey)
	}
	return out
}

func (es entries) named(name string) int {
	return slices.IndexFunc(es, func(e *entry) bool { return strings.EqualFold(e.Name, name) })
}

// Sign signs with the key of this fingerprint.
func (es entries) Sign(fingerprint string, data []byte) ([]byte, error) {
	for _, e := range es {
		switch {
		case e.Fingerprint() != fingerprint:
		case e.private.IsZero():
			return nil, ErrLocked
		default:
			return e.private.Sign(data)
		}
	}
	return nil, ErrNoKey
}

// generate makes a key that add takes.
func (es entries) generate(now time.Time, name, typ string) (*entry, error) {
	if err := es.free(name, -1); err != nil {
		return nil, err
	}
	if len(es) >= MaxKeys {
		return nil, ErrFull
	}
	private, err := Generate(typ)
	if err != nil {
		return nil, err
	}
	created := now.UTC().Truncate(time.Second)
	if n := len(es); n > 0 && !created.After(es[n-1].Created) {
		created = es[n-1].Created.Add(time.Second) // a clock that was set back does not change the order
	}
	return &entry{Key: Key{name, created, private.PublicKey()}, private: private}, nil
}

// add puts e in its place. Of several keys without a time, which only files put
// there by hand make possible, the order is that of their fingerprints.
func (es *entries) add(e *entry) {
	*es = append(*es, e)
	slices.SortStableFunc(*es, func(a, b *entry) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Fingerprint(), b.Fingerprint()))
	})
}

// free reports why name cannot be that of the key at index own (-1: a new one).
func (es entries) free(name string, own int) error {
	if !validName(name) {
		return ErrName
	}
	if i := es.named(name); i >= 0 && i != own {
		return ErrTaken
	}
	return nil
}

// Delete forgets a key.
func (es *entries) Delete(name string) error {
	i := es.named(name)
	if i < 0 {
		return ErrNoKey
	}
	*es = slices.Delete(*es, i, i+1)
	return nil
}

func validName(s string) bool {
	n := utf8.RuneCountInString(s)
	return n > 0 && n <= maxName && utf8.ValidString(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unshown)
}

// unshown tells the characters that have no picture, or move others about.
func unshown(r rune) bool {
	return !unicode.IsPrint(r) || r == utf8.RuneError || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Memory is a Store that keeps its keys in memory, unsealed. Its zero value is
// empty.
type Memory struct{ entries }

// New makes a key.
func (m *Memory) New(now time.Time, name, typ string) (Key, error) {
	e, err := m.generate(now, name, typ)
	if err != nil {
		return Key{}, err
	}
	m.add(e)
	return e.Key, nil
}

// Rename gives a key another name.
func (m *Memory) Rename(name, to string) error {
	i := m.named(name)
	if i < 0 {
		return ErrNoKey
	}
	if err := m.free(to, i); err != nil {
		return err
	}
	m.entries[i].Name = to
	return nil
}
