package keystore

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/nacl/secretbox"

	"kryptonite/internal/sshwire"
)

// Cost of argon2id for a first key: the second recommendation of [RFC 9106] §4,
// with one lane.
const (
	kdfTime   = 3
	kdfMemory = 64 << 10 // KiB
	kdfLanes  = 1

	// What a file may demand: who writes one must not hang who opens it. The
	// work bound is 5 times that of a new key.
	maxMemory = 256 << 10 // KiB
	maxTime   = 64        // rounds
	maxLanes  = 16
	maxWork   = 1 << 20 // KiB filled in all rounds
	minSalt   = 16      // bytes
	maxSalt   = 64
)

// sealed is a key as it is stored.
type sealed struct {
	Name    string `json:"name,omitempty"` // "": DefaultName, of a time when there was one key
	Created int64  `json:"created_unix_seconds,omitempty"`
	KDF     string `json:"kdf"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Lanes   uint8  `json:"threads"`
	Salt    []byte `json:"salt"`
	Box     []byte `json:"box"`
	Public  []byte `json:"public_key"` // SSH wire format, so that it can be listed while sealed
}

// Sealed is a Store of keys that are sealed with a passphrase. They are listed,
// renamed and deleted without it. The program that uses it stores [Sealed.File]
// of each key that it makes or renames.
type Sealed struct {
	entries
	wraps []wrap // what the passphrase opened, or nil before Unlock
}

// wrap is what argon2id made of the passphrase with a cost and a salt.
type wrap struct {
	cost sealed // without name, box and public key
	key  *[32]byte
}

// NewSealed returns the store of these keys, locked. It returns ErrFormat,
// ErrTaken or ErrFull when they are no store of one phone.
func NewSealed(files ...[]byte) (*Sealed, error) {
	s := &Sealed{}
	for _, f := range files {
		k, err := Parse(f)
		if err != nil {
			return nil, err
		}
		if len(s.entries) >= MaxKeys {
			return nil, ErrFull
		}
		if s.named(k.Name) >= 0 {
			return nil, fmt.Errorf("two keys are called %q: %w", k.Name, ErrTaken)
		}
		if slices.ContainsFunc(s.entries, func(e *entry) bool { return bytes.Equal(e.PublicKey, k.PublicKey) }) {
			return nil, fmt.Errorf("the key %q is there twice: %w", k.Name, ErrTaken)
		}
		s.add(&entry{Key: k, file: bytes.Clone(f)})
	}
	return s, nil
}

// Parse says what a sealed key is, without its passphrase. Changed bytes may
// lie: opening them finds out. It returns ErrFormat.
func Parse(file []byte) (Key, error) {
	s, err := parse(file)
	if err != nil {
		return Key{}, err
	}
	k := Key{Name: s.Name, PublicKey: s.Public}
	if k.Name == "" {
		k.Name = DefaultName
	}
	if s.Created != 0 {
		k.Created = time.Unix(s.Created, 0).UTC()
	}
	return k, nil
}

// Open opens one sealed key. It returns ErrPassphrase or ErrFormat.
func Open(file, passphrase []byte) (Private, error) {
	s, err := parse(file)
	if err != nil {
		return Private{}, err
	}
	return s.open(s.derive(passphrase))
}

// Unlock opens all keys. For a wrong passphrase it returns an error that wraps
// ErrPassphrase, and for a changed key ErrFormat; the store then stays locked.
// A store without keys takes any passphrase: the next key is sealed with it. A
// key beside others is sealed at the highest cost among them: the passphrase is
// as safe as the cheapest of them keeps it, whatever one more costs.
func (s *Sealed) Unlock(passphrase []byte) error {
	var wraps []wrap
	opened := make([]Private, len(s.entries))
	for i, e := range s.entries {
		f, err := parse(e.file)
		if err != nil {
			return err
		}
		w := find(wraps, f)
		if w == nil {
			wraps = append(wraps, wrap{f.cost(), f.derive(passphrase)})
			w = &wraps[len(wraps)-1]
		}
		if opened[i], err = f.open(w.key); errors.Is(err, ErrPassphrase) && i > 0 {
			return fmt.Errorf("%w for the key %q: it was not sealed together with the others", err, e.Name)
		}
		if err != nil {
			return err
		}
	}
	if len(wraps) == 0 {
		own := sealed{KDF: "argon2id", Time: kdfTime, Memory: kdfMemory, Lanes: kdfLanes, Salt: make([]byte, minSalt)}
		if _, err := rand.Read(own.Salt); err != nil {
			return err
		}
		wraps = []wrap{{own, own.derive(passphrase)}}
	}
	for i, e := range s.entries {
		e.private = opened[i]
	}
	s.wraps = wraps
	return nil
}

// New makes a key and seals it.
func (s *Sealed) New(now time.Time, name, typ string) (Key, error) {
	if len(s.wraps) == 0 {
		return Key{}, ErrLocked
	}
	w := slices.MaxFunc(s.wraps, func(a, b wrap) int { return cmp.Compare(a.cost.work(), b.cost.work()) })
	e, err := s.generate(now, name, typ)
	if err != nil {
		return Key{}, err
	}
	f := w.cost
	f.Name, f.Created, f.Public = e.Name, e.Created.Unix(), e.PublicKey
	if e.file, err = f.seal(e.private, w.key); err != nil {
		return Key{}, err
	}
	s.add(e)
	return e.Key, nil
}

// Rename gives a key another name; its file changes.
func (s *Sealed) Rename(name, to string) error {
	i := s.named(name)
	if i < 0 {
		return ErrNoKey
	}
	if err := s.free(to, i); err != nil {
		return err
	}
	f, err := parse(s.entries[i].file)
	if err != nil {
		return err
	}
	f.Name = to
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	s.entries[i].Name, s.entries[i].file = to, b
	return nil
}

// File is the sealed key, to be stored. It returns ErrNoKey.
func (s *Sealed) File(name string) ([]byte, error) {
	i := s.named(name)
	if i < 0 {
		return nil, ErrNoKey
	}
	return bytes.Clone(s.entries[i].file), nil
}

// cost is the part of s that derive needs.
func (s sealed) cost() sealed {
	return sealed{KDF: s.KDF, Time: s.Time, Memory: s.Memory, Lanes: s.Lanes, Salt: s.Salt}
}

func find(ws []wrap, c sealed) *wrap {
	i := slices.IndexFunc(ws, func(w wrap) bool {
		return w.cost.Time == c.Time && w.cost.Memory == c.Memory && w.cost.Lanes == c.Lanes &&
			bytes.Equal(w.cost.Salt, c.Salt)
	})
	if i < 0 {
		return nil
	}
	return &ws[i]
}

// seal puts the private key into the box of s.
func (s sealed) seal(private Private, key *[32]byte) ([]byte, error) {
	var nonce [24]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	s.Box = secretbox.Seal(nonce[:], private.Raw(), &nonce, key)
	return json.Marshal(s)
}

// open opens the box, and checks that the public key is that of the private one.
func (s sealed) open(key *[32]byte) (Private, error) {
	nonce := [24]byte(s.Box[:24])
	raw, ok := secretbox.Open(nil, s.Box[24:], &nonce, key)
	if !ok {
		return Private{}, ErrPassphrase
	}
	public, err := sshwire.ParsePublicKey(s.Public)
	if err != nil {
		return Private{}, ErrFormat
	}
	private, err := privateOf(public.Type(), raw)
	if err != nil || !bytes.Equal(private.PublicKey(), s.Public) {
		return Private{}, ErrFormat
	}
	return private, nil
}

func parse(b []byte) (sealed, error) {
	var s sealed
	if err := json.Unmarshal(b, &s); err != nil || s.KDF != "argon2id" || len(s.Salt) < minSalt || len(s.Salt) > maxSalt ||
		len(s.Box) != 24+secretbox.Overhead+rawSize || !s.affordable() {
		return sealed{}, ErrFormat
	}
	if k, err := sshwire.ParsePublicKey(s.Public); err != nil || k.Type() != Ed25519 && k.Type() != P256 {
		return sealed{}, ErrFormat
	}
	if s.Name != "" && !validName(s.Name) || s.Created < 0 || s.Created > 1<<40 {
		return sealed{}, ErrFormat
	}
	return s, nil
}

// affordable reports whether opening s takes about a second, not minutes.
func (s sealed) affordable() bool {
	return s.Time > 0 && s.Time <= maxTime && s.Lanes > 0 && s.Lanes <= maxLanes &&
		s.Memory > 0 && s.Memory <= maxMemory && s.work() <= maxWork
}

// work is what opening s costs, in KiB filled in all rounds.
func (s sealed) work() uint64 {
	least := 8 * uint64(s.Lanes) // KiB that argon2 takes at least
	return uint64(s.Time) * max(uint64(s.Memory), least)
}

func (s sealed) derive(passphrase []byte) *[32]byte {
	k := [32]byte(argon2.IDKey(passphrase, s.Salt, s.Time, s.Memory, s.Lanes, 32))
	return &k
}
