package phoneterm

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oldKey is a key.json of the time when a phone had one key: the "default" of
// newHome's phone, without what is new.
func oldKey(t *testing.T, file []byte) []byte {
	t.Helper()
	var v struct {
		Version int            `json:"version"`
		Data    map[string]any `json:"data"`
	}
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	v.Version = 1
	delete(v.Data, "name")
	delete(v.Data, "created_unix_seconds")
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKeyOfBefore is the key "default", with the same line for servers; its file
// is not touched until the key is renamed, and it stays where it is then.
func TestKeyOfBefore(t *testing.T) {
	home, passphrase, file := newHome(t)
	_, line, _ := krPhone(t, home, "key")
	old := oldKey(t, file)
	path := filepath.Join(home, keyFile)
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := krPhone(t, home, "key"); code != 0 || stdout != line {
		t.Errorf("exit %d, %q, %q, want %q", code, stdout, stderr, line)
	}
	if code, _, stderr := krPhone(t, home, "key", "new", "work", "--type", "p256", "--passphrase-file", passphrase); code != 0 {
		t.Fatal(stderr)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, old) {
		t.Errorf("a new key changed the old one's file: %v", err)
	}
	_, stdout, _ := krPhone(t, home, "key", "list")
	rows := strings.Split(stdout, "\n")
	if len(rows) != 3 || !strings.HasPrefix(rows[0], "default\tssh-ed25519\tSHA256:") || !strings.HasSuffix(rows[0], "\t-\t-") || !strings.HasPrefix(rows[1], "work\tecdsa-sha2-nistp256\t") {
		t.Errorf("listed:\n%s", stdout)
	}
	if code, _, stderr := krPhone(t, home, "key", "rename", "Default", "Ana's own"); code != 0 {
		t.Fatal(stderr)
	}
	if code, stdout, _ := krPhone(t, home, "key", "show", "ana's OWN"); code != 0 || stdout == line || !strings.HasPrefix(stdout, strings.Join(strings.Fields(line)[:2], " ")+" ") {
		t.Errorf("renamed: exit %d, %q", code, stdout)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Contains(b, []byte(`"version": 2`)) {
		t.Errorf("its file: %s, %v", b, err)
	}
	if code, _, stderr := krPhone(t, home, "key", "new", "third", "--passphrase-file", passphrase); code != 0 {
		t.Errorf("the passphrase does not open the renamed key: %s", stderr)
	}
	others, err := filepath.Glob(filepath.Join(home, keyDir, "*.json"))
	if err != nil || len(others) != 2 {
		t.Errorf("the other keys are in %q, %v", others, err)
	}
}

// TestDamagedOtherKey: nothing works until a person has seen to it, so that no
// computer is told that the key is gone; and two files of one key are named.
func TestDamagedOtherKey(t *testing.T) {
	home, passphrase, file := newHome(t)
	if code, _, stderr := krPhone(t, home, "key", "new", "work", "--passphrase-file", passphrase); code != 0 {
		t.Fatal(stderr)
	}
	paths, _ := filepath.Glob(filepath.Join(home, keyDir, "*.json"))
	whole, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths[0], whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, args := range [][]string{{"key"}, {"list"}, {"key", "delete", "default", "--yes"}, {"run", "--passphrase-file", passphrase}} {
			if code, stdout, stderr := krPhone(t, home, args...); code == 0 || stdout != "" || !strings.Contains(stderr, paths[0]+".damaged-") {
				t.Errorf("%q: exit %d, %q, %q", args, code, stdout, stderr)
			}
		}
	}
	aside, _ := filepath.Glob(paths[0] + ".damaged-*")
	if err := os.Remove(aside[0]); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := krPhone(t, home, "key"); code != 0 || strings.Count(stdout, "\n") != 1 {
		t.Errorf("given up: exit %d, %q, %q", code, stdout, stderr)
	}
	if err := os.WriteFile(paths[0], file, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := krPhone(t, home, "key"); code == 0 || !strings.Contains(stderr, "do not go together") || !strings.Contains(stderr, "move the wrong one away") {
		t.Errorf("one key in two files: exit %d, %q", code, stderr)
	}
}

// TestKeyMistakes: exit codes and the next step.
func TestKeyMistakes(t *testing.T) {
	home, passphrase, _ := newHome(t)
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("not it\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"key", "lst"}, 2, "--help"},
		{[]string{"key", "new"}, 2, "kr-phone key new --help"},
		{[]string{"key", "new", "a", "--type", "rsa"}, 2, "ed25519 or p256"},
		{[]string{"key", "new", "DEFAULT", "--passphrase-file", passphrase}, 1, "kr-phone key list"},
		{[]string{"key", "new", "a\x1b[2J", "--passphrase-file", passphrase}, 1, "choose another name"},
		{[]string{"key", "new", "work", "--passphrase-file", wrong}, 1, "wrong passphrase"},
		{[]string{"key", "rename", "nobody", "a"}, 1, "kr-phone key list"},
		{[]string{"key", "rename", "default", ""}, 1, "choose another name"},
		{[]string{"key", "allow", "default", "laptop"}, 3, "kr-phone list"},
		{[]string{"key", "hide", "nobody", "laptop"}, 1, "kr-phone key list"},
		{[]string{"key", "delete", "default"}, 2, "--yes"},
	} {
		code, stdout, stderr := krPhone(t, home, c.args...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "\x1b") {
			t.Errorf("%q: exit %d, %q, %q, want %d and %q", c.args, code, stdout, stderr, c.code, c.says)
		}
	}
	if code, stdout, _ := krPhone(t, home, "key", "delete", "default", "--yes"); code != 0 || !strings.HasPrefix(stdout, "ssh-ed25519 ") {
		t.Errorf("delete: exit %d, %q", code, stdout)
	}
	if code, _, stderr := krPhone(t, home, "key"); code != 1 || !strings.Contains(stderr, "kr-phone init") {
		t.Errorf("without a key: exit %d, %q", code, stderr)
	}
	if code, _, stderr := krPhone(t, home, "init", "--passphrase-file", passphrase); code != 0 {
		t.Error(stderr)
	}
}
