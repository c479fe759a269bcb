package phoneterm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"kryptonite/internal/keystore"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

// keyVersion is the version of a key's file. In version 1 a key had no name.
const keyVersion = 2

// keyring is the sealed keys together with their files.
type keyring struct {
	*keystore.Sealed
	dir   *statedir.Dir
	files map[string]string // by fingerprint
}

// loadKeys reads all keys; they stay sealed. A damaged file is set aside and
// named, now and until a person moves it away: a new key must not take its
// place unseen, and no computer is told that the key is gone.
func loadKeys(dir *statedir.Dir) (*keyring, error) {
	names, err := keyFiles(dir)
	if err != nil {
		return nil, err
	}
	r := &keyring{dir: dir, files: map[string]string{}}
	var sealed [][]byte
	for _, name := range names {
		var b rawJSON
		if err := dir.ReadJSON(name, keyVersion, &b); err != nil {
			return nil, err
		}
		k, err := keystore.Parse(b)
		if err != nil {
			return nil, err
		}
		r.files[k.Fingerprint()] = name
		sealed = append(sealed, b)
	}
	if r.Sealed, err = keystore.NewSealed(sealed...); err != nil {
		return nil, &term.Problem{Err: fmt.Errorf("the keys in %s do not go together: %w", dir.Path(), err),
			Hints: []string{"they are " + keyFile + " and " + keyDir + "/*.json; move the wrong one away"}}
	}
	return r, nil
}

// keyFiles lists where keys are.
func keyFiles(dir *statedir.Dir) (out []string, err error) {
	for _, sub := range []string{".", keyDir} {
		names, err := dir.List(sub)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			if sub == keyDir {
				n = keyDir + "/" + n
			}
			isKey := n == keyFile || sub == keyDir && strings.HasSuffix(n, ".json")
			if file, _, damaged := strings.Cut(n, ".json.damaged-"); damaged && (sub == keyDir || file+".json" == keyFile) {
				return nil, &term.Problem{Err: fmt.Errorf("a key of this phone was damaged; it was kept as %s", dir.Path(n)),
					Hints: []string{fmt.Sprintf("put a copy back as %s.json and move that file away; without a copy the key is lost: just move the file away", dir.Path(file))}}
			}
			if isKey {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

// save makes a new or renamed key durable.
func (r *keyring) save(k keystore.Key) error {
	b, err := r.File(k.Name)
	if err != nil {
		return err
	}
	name := r.files[k.Fingerprint()]
	if name == "" {
		name = r.place(k)
	}
	if err := r.dir.WriteJSON(name, keyVersion, rawJSON(b)); err != nil {
		return err
	}
	r.files[k.Fingerprint()] = name
	return nil
}

// place is where a new key goes: the first one where it always was, others
// under a name made of the public key.
func (r *keyring) place(k keystore.Key) string {
	if len(r.files) == 0 {
		return keyFile
	}
	sum := sha256.Sum256(k.PublicKey)
	return keyDir + "/" + hex.EncodeToString(sum[:8]) + ".json"
}

// remove deletes a key and its file.
func (r *keyring) remove(k keystore.Key) error {
	if err := r.dir.Remove(r.files[k.Fingerprint()]); err != nil {
		return err
	}
	delete(r.files, k.Fingerprint())
	return r.Delete(k.Name)
}

// public is the keys as the core knows them.
func (r *keyring) public() []wire.SSHKey {
	var out []wire.SSHKey
	for _, k := range r.Keys() {
		out = append(out, wire.SSHKey{PublicKey: k.PublicKey, Name: k.Name})
	}
	return out
}

// authorizedKey is the key as one line for authorized_keys.
func authorizedKey(k keystore.Key) string {
	return sshwire.AuthorizedKey(k.PublicKey, wire.SSHKey{Name: k.Name}.Comment(phoneName()))
}

// rawJSON keeps a sealed key as it is.
type rawJSON []byte

// MarshalJSON returns the value.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// UnmarshalJSON keeps the value if it is a sealed key.
func (r *rawJSON) UnmarshalJSON(b []byte) error {
	if _, err := keystore.Parse(b); err != nil {
		return err
	}
	*r = append((*r)[:0], b...)
	return nil
}
