package kryptonite

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// credential matches what scanners, and people who misuse it, take for a secret: AWS's
// access keys, private keys in PEM, tokens of GitHub, Google and Slack, and
// credentials of pushes as SNS takes them.
var credential = regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[opsur]_[0-9A-Za-z]{36}|` +
	`\bAIza[0-9A-Za-z_-]{35}|\bxox[abprs]-[0-9A-Za-z-]{10}|"private_key": *"[^"]|aws_secret_access_key *= *[0-9A-Za-z/+]{40}`)

// generated are directories that others wrote, or programs.
var generated = map[string]bool{".git": true, "node_modules": true, "dist": true}

// TestNoCredentials: nothing in the repository looks like a credential, not even
// one that opens nothing.
func TestNoCredentials(t *testing.T) {
	for _, sample := range []string{"AKIA" + strings.Repeat("A", 16), "-----BEGIN " + "OPENSSH PRIVATE KEY-----", "-----BEGIN " + "PRIVATE KEY-----",
		"ghp_" + strings.Repeat("a", 36), `"private_key"` + `: "x`, "aws_secret_access_key = " + strings.Repeat("a", 40)} {
		if !credential.MatchString("x " + sample + "\n") {
			t.Errorf("%q would not be noticed", sample)
		}
	}
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && generated[d.Name()]:
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if at := credential.FindIndex(b); at != nil {
			t.Errorf("%s has what looks like a credential, at byte %d", path, at[0])
		}
		files++
		return err
	})
	if err != nil || files < 500 {
		t.Errorf("looked into %d files, %v", files, err)
	}
}
