package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/authorize"
	"kryptonite/internal/control"
	"kryptonite/internal/term"
)

// TestFromNowOn: the command is the whole one, without the old key, and is promised
// only where the person's own ssh offers the new one.
func TestFromNowOn(t *testing.T) {
	dir := t.TempDir()
	k := phoneKey{Key: control.Key{Fingerprint: "SHA256:a/b+cDeFgHiJ", AuthorizedKey: "ssh-ed25519 AAAA it's"}}
	for config, want := range map[string][]string{
		"IdentityAgent /krd":    {"It logs in. From now on: ssh -F CONFIG -p 2222 -o 'User ana' server\n"},
		"IdentityAgent /other":  {"does not ask krd. Run kr setup", "  IdentityAgent \"/krd\"\n", "Then: ssh -F CONFIG -p 2222 -o 'User ana' server\n"},
		"Nonsense in this file": {"It logs in.", "is not known: ask ssh -G"},
		"IdentityAgent /krd\nIdentitiesOnly yes\nIdentityFile /none": {"(IdentitiesOnly)", "  $ echo 'ssh-ed25519 AAAA' >~/.ssh/kr-abcDeFgH.pub\n", "  IdentityFile ~/.ssh/kr-abcDeFgH.pub\n"},
	} {
		path := filepath.Join(dir, "config")
		if err := os.WriteFile(path, []byte(config+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		e := &env{io: &term.IO{Err: &said}}
		h := authorize.Host{Dest: "server", Options: []string{"-F", path, "-p", "2222", "-o", "User ana", "-i", "/old"}}
		e.fromNowOn(t.Context(), h.WithoutKeys(), k, "/krd")
		text := strings.ReplaceAll(said.String(), path, "CONFIG")
		for _, w := range want {
			if !strings.Contains(text, w) || strings.Contains(text, "From now on") != strings.HasPrefix(want[0], "It logs in. From") {
				t.Errorf("with %q:\n%s\nwant %q", config, text, w)
			}
		}
	}
}
