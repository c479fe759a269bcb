//go:build !js

package sealbox

// Libsodium and our code at the two ends of a box, with keys and texts that
// nobody chose. gen/live.c is libsodium.

import (
	"bufio"
	"bytes"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// peer is a running gen/live.
type peer struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// startSodium builds and starts libsodium's end. Without a compiler or libsodium the
// test is skipped; CI installs them, so it fails there.
func startSodium(t *testing.T) *peer {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("CI") != "" {
		missing = t.Fatalf
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		missing("no C compiler")
	}
	bin := filepath.Join(t.TempDir(), "live")
	source := filepath.Join("..", "..", "vectors", "gen", "live.c")
	if out, err := exec.Command(cc, "-O1", "-o", bin, source, "-lsodium").CombinedOutput(); err != nil {
		if strings.Contains(string(out), "sodium.h") || strings.Contains(string(out), "-lsodium") {
			missing("no libsodium (Debian: libsodium-dev): %s", out)
		}
		t.Fatalf("%s does not compile: %s", source, out)
	}
	cmd := exec.CommandContext(t.Context(), bin)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &peer{t, in, bufio.NewReader(out)}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("libsodium's end: %v", err)
		}
	})
	return p
}

// ask has libsodium do a job; ok is false when it says error.
func (p *peer) ask(what string, sk, pk, text []byte) (answer []byte, ok bool) {
	p.t.Helper()
	arg := func(b []byte) string {
		if len(b) == 0 {
			return "-"
		}
		return hex.EncodeToString(b)
	}
	if _, err := fmt.Fprintln(p.in, what, arg(sk), arg(pk), arg(text)); err != nil {
		p.t.Fatal(err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%s: no answer: %v", what, err)
	}
	if line = strings.TrimSuffix(line, "\n"); line == "error" {
		return nil, false
	}
	return unhex(p.t, line), true
}

// texts are random bytes of random sizes, the smallest and largest among them.
func texts(n int) [][]byte {
	sizes := []int{0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 80, 255, 256, 512, 65279, 65280}
	for len(sizes) < n {
		sizes = append(sizes, rand.IntN(1<<(1+rand.IntN(15))))
	}
	var out [][]byte
	for _, size := range sizes {
		b := make([]byte, size)
		crand.Read(b)
		out = append(out, b)
	}
	return out
}

func freshKey(t *testing.T) PrivateKey {
	t.Helper()
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// crossing is one kind of box with all four ends.
type crossing struct {
	name                   string
	ourSeal, ourOpen       func(text []byte) ([]byte, error)
	sodiumSeal, sodiumOpen func(text []byte) ([]byte, bool)
}

// crossings makes fresh keys for one box of each kind.
func crossings(t *testing.T, p *peer) []crossing {
	a, b := freshKey(t), freshKey(t)
	aPub, bPub := a.Public(), b.Public()
	ab, err := NewShared(a, bPub)
	if err != nil {
		t.Fatal(err)
	}
	ba, err := NewShared(b, aPub)
	if err != nil {
		t.Fatal(err)
	}
	var e Epoch
	crand.Read(e.ID[:])
	crand.Read(e.Send[:])
	e.Recv = e.Send
	job := func(what string, sk, pk []byte) func([]byte) ([]byte, bool) {
		return func(text []byte) ([]byte, bool) { return p.ask(what, sk, pk, text) }
	}
	return []crossing{
		{"box", ab.Seal, ba.Open, job("seal-box", a.Bytes(), bPub[:]), job("open-box", b.Bytes(), aPub[:])},
		{"sealed box", func(text []byte) ([]byte, error) { return SealTo(bPub, text) },
			func(box []byte) ([]byte, error) { return OpenSealed(b, box) },
			job("seal-sealed", nil, bPub[:]), job("open-sealed", b.Bytes(), bPub[:])},
		{"epoch", e.Seal, e.Open,
			func(text []byte) ([]byte, bool) {
				box, ok := p.ask("seal-secretbox", e.Send[:], nil, text)
				return append(e.ID[:len(e.ID):len(e.ID)], box...), ok
			},
			func(body []byte) ([]byte, bool) { return p.ask("open-secretbox", e.Send[:], nil, body[EpochIDSize:]) }},
	}
}

// TestBoxesCrossWithLibsodium: it opens what we seal and we open what it seals,
// at every size that a frame may have; with one bit flipped, neither opens it.
func TestBoxesCrossWithLibsodium(t *testing.T) {
	p := startSodium(t)
	for _, text := range texts(200) {
		for _, c := range crossings(t, p) {
			ours, err := c.ourSeal(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := c.sodiumOpen(ours); !ok || !bytes.Equal(got, text) {
				t.Errorf("%s of %d bytes, sealed here: libsodium opens %d bytes, %v", c.name, len(text), len(got), ok)
			}
			theirs, ok := c.sodiumSeal(text)
			if !ok {
				t.Fatalf("%s: libsodium seals nothing", c.name)
			}
			if got, err := c.ourOpen(theirs); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s of %d bytes, sealed by libsodium: Open = %d bytes, %v", c.name, len(text), len(got), err)
			}
			if len(ours) != len(theirs) {
				t.Errorf("%s of %d bytes: %d bytes here, %d by libsodium", c.name, len(text), len(ours), len(theirs))
			}
			first := 0
			if c.name == "epoch" {
				first = EpochIDSize // the id is ours, libsodium does not see it
			}
			i := first + rand.IntN(len(ours)-first)
			ours[i] ^= 1 << rand.IntN(8)
			theirs[i] ^= 1 << rand.IntN(8)
			if _, ok := c.sodiumOpen(ours); ok {
				t.Errorf("%s of %d bytes, byte %d flipped: libsodium opens it", c.name, len(text), i)
			}
			if _, err := c.ourOpen(theirs); !errors.Is(err, ErrOpen) {
				t.Errorf("%s of %d bytes, byte %d flipped: %v, want ErrOpen", c.name, len(text), i, err)
			}
		}
	}
}

// TestX25519OfLibsodium: the same results, and the same points refused, those
// of low order in every form that the curve's reading of 32 bytes lets through.
func TestX25519OfLibsodium(t *testing.T) {
	p := startSodium(t)
	var points []PublicKey
	for range 200 {
		var random PublicKey // any 32 bytes are a point, on the curve or its twist
		crand.Read(random[:])
		points = append(points, random, freshKey(t).Public())
	}
	refused := 0
	for _, v := range sodium(t, "x25519") {
		low := PublicKey(unhex(t, v.PK))
		high := low
		high[31] |= 0x80 // a bit that X25519 ignores
		points = append(points, low, high)
	}
	for _, pk := range points {
		k := freshKey(t)
		z, err := k.dh(pk)
		want, ok := p.ask("x25519", k.Bytes(), pk[:], nil)
		if ok != (err == nil) || !bytes.Equal(z, want) {
			t.Errorf("point %x: %x, %v; libsodium %x, %v", pk[:], z, err, want, ok)
		}
		if err == nil {
			continue
		}
		refused++
		if _, err := NewShared(k, pk); !errors.Is(err, ErrKey) {
			t.Errorf("NewShared with %x: %v, want ErrKey", pk[:], err)
		}
		if _, err := SealTo(pk, nil); !errors.Is(err, ErrKey) {
			t.Errorf("SealTo %x: %v, want ErrKey", pk[:], err)
		}
		if _, ok := p.ask("seal-box", k.Bytes(), pk[:], []byte("x")); ok {
			t.Errorf("libsodium seals for %x", pk[:])
		}
	}
	if refused < 8 {
		t.Errorf("only %d points were refused", refused)
	}
}
