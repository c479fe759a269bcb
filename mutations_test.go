package kryptonite

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var mutate = flag.Bool("mutate", false, "TestMutations runs the test that each mutation names")

// mutation is a file of testdata/mutations: a security check that is removed or
// inverted, and the test that must notice.
//
//	pairing: the commitment is not compared
//	red: ./internal/pairing TestChangedNonceBreaksCommitment
//
//	--- a/internal/pairing/computer.go
//	+++ b/internal/pairing/computer.go
//	@@ …
type mutation struct {
	pkg, test string
	hunks     []hunk
}

// hunk is a place in a file: the lines that are there, and those of the mutation.
type hunk struct{ file, old, new string }

var (
	redLine   = regexp.MustCompile(`(?m)^red: (\./internal/\S+) ((?:Test|Fuzz)\w+)$`)
	testFails = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)|^panic: (.+)`)
)

// TestMutations looks whether each mutation still fits the code. With -mutate it
// runs the test that each names, too, and fails if one passes in spite of it.
func TestMutations(t *testing.T) {
	paths, err := filepath.Glob("testdata/mutations/*.patch")
	if err != nil || len(paths) < 60 {
		t.Fatalf("%d mutations, %v: at least 60 are kept", len(paths), err)
	}
	without := map[string]error{} // what a test says without a mutation
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".patch"), func(t *testing.T) {
			m := readMutation(t, path)
			mutants := m.apply(t)
			if !*mutate {
				return
			}
			key := m.pkg + " " + m.test
			if _, ran := without[key]; !ran {
				out, err := m.run()
				if err == nil && bytes.Contains(out, []byte("no tests to run")) {
					err = errors.New("it does not exist")
				}
				if err != nil {
					err = fmt.Errorf("%w\n%s", err, out)
				}
				without[key] = err
			}
			if without[key] != nil {
				t.Fatalf("%s must pass without the mutation: %v", key, without[key])
			}
			out, err := m.run("-overlay=" + overlay(t, mutants))
			switch {
			case err == nil:
				t.Errorf("it survived: %s passes", key)
			case !testFails.Match(out):
				t.Errorf("it does not build, or %s ends without a failure: %v\n%s", key, err, out)
			}
		})
	}
}

func readMutation(t *testing.T, path string) (m mutation) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	red := redLine.FindSubmatch(b)
	if red == nil {
		t.Fatal("no line says which test must turn red")
	}
	m.pkg, m.test = string(red[1]), string(red[2])
	file := ""
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "+++ b/"); ok {
			file = strings.TrimSpace(name)
			continue
		}
		if strings.HasPrefix(line, "@@ ") {
			m.hunks = append(m.hunks, hunk{file: file})
			continue
		}
		if len(m.hunks) == 0 {
			continue
		}
		h := &m.hunks[len(m.hunks)-1]
		switch line[0] {
		case ' ':
			h.old, h.new = h.old+line[1:], h.new+line[1:]
		case '-':
			h.old += line[1:]
		case '+':
			h.new += line[1:]
		}
	}
	if len(m.hunks) == 0 {
		t.Fatal("it changes nothing")
	}
	return m
}

// apply returns the mutated files by name. Lines are found by what they say, not
// by number.
func (m mutation) apply(t *testing.T) map[string]string {
	t.Helper()
	mutants := map[string]string{}
	for _, h := range m.hunks {
		if !strings.HasPrefix(h.file, "internal/") || !strings.HasSuffix(h.file, ".go") || strings.HasSuffix(h.file, "_test.go") {
			t.Fatalf("it changes %q: only Go files under internal, and no tests", h.file)
		}
		if mutants[h.file] == "" {
			b, err := os.ReadFile(h.file)
			if err != nil {
				t.Fatal(err)
			}
			mutants[h.file] = string(b)
		}
		if n := strings.Count(mutants[h.file], h.old); n != 1 || h.old == h.new {
			t.Fatalf("it does not fit any more: these lines are %d times in %s:\n%s", n, h.file, h.old)
		}
		mutants[h.file] = strings.Replace(mutants[h.file], h.old, h.new, 1)
	}
	return mutants
}

// overlay writes the mutated files to a temporary directory and returns what
// the go command's -overlay takes, which puts them in the place of ours.
func overlay(t *testing.T, mutants map[string]string) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir, replace := t.TempDir(), map[string]string{}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for file, source := range mutants {
		replace[filepath.Join(root, file)] = write(strings.ReplaceAll(file, "/", "_"), []byte(source))
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	return write("overlay.json", b)
}

// run runs the test that must notice.
func (m mutation) run(flags ...string) ([]byte, error) {
	args := append([]string{"test", "-vet=off", "-timeout=2m", "-run=^" + m.test + "$"}, flags...)
	return exec.Command("go", append(args, m.pkg)...).CombinedOutput()
}
