//go:build !js

package vectors

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestFiles: each file is one object with a comment and vectors that expect
// something and, where they have names, have different ones.
func TestFiles(t *testing.T) {
	names, err := fs.Glob(FS, "*.json")
	if err != nil || len(names) < 10 {
		t.Fatalf("files %q, %v", names, err)
	}
	for _, name := range names {
		b, err := FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Comment string
			Vectors []struct{ Name, Expect string }
		}
		if err := json.Unmarshal(b, &file); err != nil || file.Comment == "" || len(file.Vectors) == 0 {
			t.Errorf("%s: %d vectors, comment %q, %v", name, len(file.Vectors), file.Comment, err)
		}
		seen := map[string]bool{}
		for i, v := range file.Vectors {
			if v.Expect == "" || v.Name != "" && seen[v.Name] {
				t.Errorf("%s: vector %d, %q: expects %q, or its name is not its own", name, i, v.Name, v.Expect)
			}
			seen[v.Name] = true
		}
	}
}

// TestGeneratorsPrintTheFiles runs what made them, where a C compiler with
// libsodium and Python are at hand. Sealed boxes are random and not compared.
func TestGeneratorsPrintTheFiles(t *testing.T) {
	same := func(name string, cmd *exec.Cmd) {
		t.Helper()
		want, err := FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := cmd.Output(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what %q prints (%v)", name, cmd.Args, err)
		}
	}
	if python, err := exec.LookPath("python3"); err == nil {
		for _, name := range []string{"link", "padding"} {
			same(name+".json", exec.Command(python, filepath.Join("gen", "text.py"), name))
		}
		same("ble_segments.json", exec.Command(python, filepath.Join("gen", "segments.py")))
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		missing(t, "no C compiler")
	}
	derive := filepath.Join(t.TempDir(), "derive")
	if out, err := exec.Command(cc, "-o", derive, filepath.Join("gen", "derive.c"), "-lsodium").CombinedOutput(); err != nil {
		missing(t, "no libsodium (Debian: libsodium-dev): "+string(out))
	}
	for _, name := range []string{"epoch", "words", "x25519", "secretbox"} {
		words, err := os.Open(filepath.Join("..", "internal", "pairing", "words.txt"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(derive, name)
		cmd.Stdin = words
		same(name+".json", cmd)
		words.Close()
	}
}

// missing skips a test for want of a tool; CI installs it, so it fails there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
