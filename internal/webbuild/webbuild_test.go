package webbuild_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kryptonite/internal/webbuild"

	_ "kryptonite/internal/phonejs" // so that the test cache notices its changes
)

// TestBroken: what esbuild does not read is named with its place.
func TestBroken(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module x\n\ngo 1.26\n")
	write("cmd/phone-wasm/main.go", "package main\n\nfunc main() {}\n")
	write("cmd/qr-wasm/main.go", "package main\n\nfunc main() {}\n")
	write("web/node/phone.ts", "let x = ;\n")
	err := webbuild.Build(root, filepath.Join(root, "dist"))
	if err == nil || !strings.Contains(err.Error(), "web/node/phone.ts:1") {
		t.Errorf("Build = %v, want the place of the error", err)
	}
}

// TestTypeScript runs the tests of the TypeScript in Node.
func TestTypeScript(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("Node is missing (Debian: nodejs): ", err)
	}
	tests, err := filepath.Glob("../../web/test/*.test.ts")
	if err != nil || len(tests) == 0 {
		t.Fatal("no tests", err)
	}
	for _, path := range tests {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), strings.TrimSuffix(name, ".ts")+".mjs")
			if err := webbuild.Bundle("../..", "web/test/"+name, out); err != nil {
				t.Fatal(err)
			}
			if said, err := exec.Command("node", "--test", "--test-timeout=30000", out).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}

// TestStyle holds TypeScript to files of 150 lines and types that say something.
func TestStyle(t *testing.T) {
	comment := regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/`)
	vague := regexp.MustCompile(`[:<,|(]\s*any\b|\bas any\b|@ts-|innerHTML|\beval\(`)
	files := 0
	err := filepath.WalkDir("../../web", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".ts") {
			return nil
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := bytes.Count(b, []byte("\n")); n > 150 {
			t.Errorf("%s has %d lines, 150 are allowed", path, n)
		}
		if m := vague.FindString(comment.ReplaceAllString(string(b), "")); m != "" {
			t.Errorf("%s says %q", path, m)
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Error(files, err)
	}
}
