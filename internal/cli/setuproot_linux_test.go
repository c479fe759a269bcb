package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/strangertest"
)

// TestSetupOfRootsFile: ~/.ssh/config leads to a file of root's, in a directory where
// root's helpers may write, as Nix has it. kr says which lines are missing; with
// them, there is nothing to do.
func TestSetupOfRootsFile(t *testing.T) {
	strangertest.Needed(t)
	dir, err := os.MkdirTemp("", "kr") // he may go there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	home, store := filepath.Join(dir, "home"), filepath.Join(dir, "store")
	config := filepath.Join(store, "config")
	block := (&env{home: filepath.Join(home, ".kr")}).block().Text()
	his := func(path string) error { return os.Lchown(path, strangertest.UID, strangertest.GID) }
	if err := errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(filepath.Join(home, ".ssh"), 0o755), os.Mkdir(store, 0o755),
		os.Symlink(config, filepath.Join(home, ".ssh", "config")), his(home), his(filepath.Join(home, ".ssh")), his(filepath.Join(home, ".ssh", "config")),
		os.Chown(store, 0, strangertest.GID+1), os.Chmod(store, 0o775|os.ModeSticky),
		os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\nexit 1\n"), 0o755), os.Chmod(filepath.Join(dir, "systemctl"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config string
		fine   bool
		want   []string
	}{
		{"Host a\n", false, append([]string{config + " cannot be replaced: it belongs to root", "in the way you manage it"}, strings.Split(strings.TrimSpace(block), "\n")...)},
		{block + "Host a\n", true, []string{"start krd in the background"}},
	} {
		if err := os.WriteFile(config, []byte(c.config), 0o444); err != nil {
			t.Fatal(err)
		}
		cmd := strangertest.Self(t, "KR_TEST_KR=setup --dry-run", "HOME="+home, "PATH="+dir+":/usr/bin:/bin")
		out, err := cmd.CombinedOutput()
		if (err == nil) != c.fine || strings.Contains(string(out), "put this block") || strings.Contains(string(out), "chmod") {
			t.Errorf("%q: %v\n%s", c.config, err, out)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%q: not %q: %v\n%s", c.config, want, err, out)
			}
		}
	}
}
