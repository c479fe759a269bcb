package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"kryptonite/internal/control"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
)

// kr runs kr in a state directory.
func kr(t testing.TB, home string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return krOf(t, nil, home, args...)
}

// krOf is a kr with these hashes built in.
func krOf(t testing.TB, hashes map[string]string, home string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	old := os.Getenv("KR_HOME")
	os.Setenv("KR_HOME", home)
	defer os.Setenv("KR_HOME", old)
	code = Main(context.Background(), args, &term.IO{Program: "kr", In: strings.NewReader(""), Out: &out, Err: &err},
		func() (map[string]string, error) { return hashes, nil })
	return code, out.String(), err.String()
}

// TestCutAndFlippedConfig: config.json is set aside and named, or read; what is
// read as an origin that is none is an error that names the setting, and the
// setting can be set anew.
func TestCutAndFlippedConfig(t *testing.T) {
	home := filepath.Join(t.TempDir(), "kr")
	for _, args := range [][]string{{"config", "set", "relay", "https://relay.example"}, {"config", "set", "name", "laptop"}} {
		if code, _, stderr := kr(t, home, args...); code != 0 {
			t.Fatal(stderr)
		}
	}
	path := filepath.Join(home, configFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(b []byte) (read bool) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := kr(t, home, "config", "get", "relay")
		aside, _ := filepath.Glob(path + ".damaged-*")
		for _, a := range aside {
			if kept, err := os.ReadFile(a); err != nil || !bytes.Equal(kept, b) || !strings.Contains(stderr, a) {
				t.Errorf("%q: kept is %q, %v; said was %q", b, kept, err, stderr)
			}
			os.Remove(a)
		}
		if code != 0 && (!strings.Contains(stderr, path) || stdout != "") {
			t.Errorf("%q: the error does not name the file: %q %q", b, stdout, stderr)
		}
		if relay := strings.TrimSuffix(stdout, "\n"); code == 0 && relay != "" {
			if c, err := mailbox.CanonicalOrigin(relay); err != nil || c != relay {
				t.Errorf("%q: the relay is %q, %v", b, relay, err)
			}
		}
		return code == 0
	}
	for n := range len(whole) - 2 {
		if try(whole[:n]) {
			t.Errorf("cut to %d bytes: read", n)
		}
	}
	for i := range whole {
		for _, mask := range []byte{0x01, 0x10, 0x20} {
			b := bytes.Clone(whole)
			b[i] ^= mask
			try(b)
		}
	}
	if err := os.WriteFile(path, bytes.Replace(whole, []byte("https://relay"), []byte("ftp://relay"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := kr(t, home, "pair"); code == 0 || !strings.Contains(stderr, path) || !strings.Contains(stderr, "kr config set relay") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if code, _, stderr := kr(t, home, "config", "set", "relay", "https://relay.example"); code != 0 {
		t.Errorf("the setting cannot be mended: %s", stderr)
	}
	if code, stdout, _ := kr(t, home, "config", "get", "name"); code != 0 || stdout != "laptop\n" {
		t.Errorf("the name is %q", stdout)
	}
}

// FuzzConfig: whatever stands in config.json, the list has one line a setting
// and nothing that steers a terminal.
func FuzzConfig(f *testing.F) {
	home := filepath.Join(f.TempDir(), "kr")
	dir, err := statedir.Open(home)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"version":1,"data":{"relay":"https://relay.example","app":"http://localhost:8080","name":"laptop"}}`))
	f.Add([]byte(`{"version":1,"data":{"relay":"ftp://x","name":"a\u001b[2J\n\u202e"}}`))
	f.Add([]byte(`{"version":2,"data":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(dir.Path(configFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() {
			aside, _ := filepath.Glob(dir.Path(configFile) + ".damaged-*")
			for _, a := range aside {
				os.Remove(a)
			}
		}()
		code, stdout, stderr := kr(t, home, "config", "list")
		if code == 0 && strings.Count(stdout, "\n") != len(settings()) || code != 0 && stdout != "" {
			t.Errorf("%q: exit %d, %q", b, code, stdout)
		}
		if strings.ContainsFunc(stdout+stderr, func(r rune) bool {
			return r != '\n' && r != '\t' && !unicode.IsPrint(r)
		}) {
			t.Errorf("%q is shown as %q, %q", b, stdout, stderr)
		}
	})
}

// FuzzStatus: whatever krd says of phones and channels, nothing of it steers
// the terminal.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"version":"0.1","phones":[{"id":"x","name":"ana","keys":[{"name":"k","fingerprint":"SHA256:x","authorized_key":"ssh-ed25519 A"}],"channels":[{"name":"relay","last_error":"x"}]}]}`))
	f.Add([]byte(`{"version":"\u001b","phones":[{"id":"\n","name":"\u202e","keys":[{"name":"\u0007","fingerprint":"\u009b"}],"channels":[{"name":"\t","last_error":"\n"}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var st control.Status
		if json.Unmarshal(b, &st) != nil {
			return
		}
		var out bytes.Buffer
		e := &env{io: &term.IO{Out: &out, Err: &out}}
		if err := e.showStatus(st); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("shown: %q", out.String())
		}
	})
}
