//go:build !js

package keystore_test

// Not for wasm, where argon2id is slow.

import (
	"testing"

	"kryptonite/internal/keystore"
	"kryptonite/internal/keystore/keystoretest"
)

func TestSealed(t *testing.T) {
	pass := []byte("correct horse")
	unlocked := func(t *testing.T, files ...[]byte) keystore.Store {
		s, err := keystore.NewSealed(files...)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Unlock(pass); err != nil {
			t.Fatal(err)
		}
		return s
	}
	keystoretest.Run(t, keystoretest.Maker{
		New: func(t *testing.T) keystore.Store { return unlocked(t) },
		Reopen: func(t *testing.T, s keystore.Store) keystore.Store {
			var files [][]byte
			for _, k := range s.Keys() {
				f, err := s.(*keystore.Sealed).File(k.Name)
				if err != nil {
					t.Fatal(err)
				}
				files = append([][]byte{f}, files...)
			}
			return unlocked(t, files...)
		},
	})
}
