// Package wycheproof holds test vectors of Project Wycheproof
// (https://github.com/C2SP/wycheproof, 3fa63dd0344a of 2026-09-02): signatures and
// key exchanges that libraries were wrong about. Copyright its authors, Apache
// License 2.0; gen.py here chose fields, and changed no value.
package wycheproof

import (
	"embed"
	"encoding/hex"
	"encoding/json"
	"testing"
)

//go:embed *.json
var files embed.FS

// The files.
const (
	X25519    = "x25519"
	Ed25519   = "ed25519"
	P256      = "ecdsa_secp256r1_sha256"       // signatures in DER
	P256P1363 = "ecdsa_secp256r1_sha256_p1363" // r ‖ s; those that hold are in P256
)

// What a library has to say.
const (
	Valid      = "valid"
	Invalid    = "invalid"
	Acceptable = "acceptable" // either; what we say, our tests say
)

// Test is one vector. Key and Sig are of signatures over Msg; Public, Private and
// Shared of an exchange.
type Test struct {
	ID                      int `json:"tcId"` // in their file, which has a comment
	Key                     Hex `json:"-"`    // 32 bytes, or an uncompressed point
	Msg, Sig                Hex
	Public, Private, Shared Hex
	Result                  string
}

// Hex is bytes.
type Hex []byte

// UnmarshalText reads hexadecimal digits.
func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// Load returns all vectors of a file.
func Load(t testing.TB, file string) (all []Test) {
	t.Helper()
	b, err := files.ReadFile(file + "_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		NumberOfTests int
		TestGroups    []struct {
			PublicKey Hex
			Tests     []Test
		}
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	for _, g := range f.TestGroups {
		for _, test := range g.Tests {
			test.Key = g.PublicKey
			all = append(all, test)
		}
	}
	if len(all) == 0 || len(all) != f.NumberOfTests {
		t.Fatalf("%s: %d tests of %d", file, len(all), f.NumberOfTests)
	}
	return all
}
