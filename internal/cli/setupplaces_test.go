package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/strangertest"
)

// TestSetupInOthersPlaces: nothing is written where others can put files or another
// directory; a link of the person's own is as good as a directory.
func TestSetupInOthersPlaces(t *testing.T) {
	places := []string{".ssh", ".config/systemd/user", ".config/environment.d", ".local/share/bash-completion/completions"}
	mk := func(path string) error { return os.MkdirAll(path, 0o700) }
	open := func(path string) error { return errors.Join(mk(path), os.Chmod(path, 0o777)) }
	for name, c := range map[string]struct {
		make  func(home, path string) error
		fine  bool
		asTwo bool // needs root
	}{
		"nothing there": {func(_, path string) error { return mk(filepath.Dir(path)) }, true, false},
		"one's own":     {func(_, path string) error { return mk(path) }, true, false},
		"one's own link": {func(home, path string) error {
			dots := filepath.Join(home, "dotfiles", filepath.Base(path))
			return errors.Join(mk(dots), mk(filepath.Dir(path)), os.Symlink(dots, path))
		}, true, false},
		"open to all":       {func(_, path string) error { return open(path) }, false, false},
		"below an open one": {func(_, path string) error { return errors.Join(mk(path), os.Chmod(filepath.Dir(path), 0o777)) }, false, false},
		"to be made in an open one": {func(_, path string) error {
			return errors.Join(mk(filepath.Dir(path)), os.Chmod(filepath.Dir(path), 0o777))
		}, false, false},
		"a link to an open one": {func(home, path string) error {
			dots := filepath.Join(home, "dotfiles")
			return errors.Join(open(dots), mk(filepath.Dir(path)), os.Symlink(dots, path))
		}, false, false},
		"a link to below an open one": {func(home, path string) error {
			dots := filepath.Join(home, "shared", "dotfiles")
			return errors.Join(mk(dots), os.Chmod(filepath.Dir(dots), 0o777), mk(filepath.Dir(path)), os.Symlink(dots, path))
		}, false, false},
		"open to another group": {func(_, path string) error {
			return errors.Join(mk(path), os.Chown(path, -1, strangertest.GID), os.Chmod(path, 0o770))
		}, false, true},
		"another user's": {func(_, path string) error { return errors.Join(mk(path), os.Chown(path, strangertest.UID, -1)) }, false, true},
		"another user's link": {func(home, path string) error {
			dots := filepath.Join(home, "dotfiles")
			return errors.Join(mk(dots), mk(filepath.Dir(path)), os.Symlink(dots, path), os.Lchown(path, strangertest.UID, -1))
		}, false, true},
	} {
		for _, place := range places {
			t.Run(name+" "+filepath.Base(place), func(t *testing.T) {
				if c.asTwo {
					strangertest.Needed(t)
				}
				home, state := newcomer(t)
				t.Setenv("SHELL", "/bin/bash")
				t.Setenv("XDG_DATA_HOME", "")
				tools := t.TempDir()
				for _, tool := range []string{"systemctl", "krd"} {
					if err := os.WriteFile(filepath.Join(tools, tool), []byte("#!/bin/sh\n"), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
				if err := c.make(home, filepath.Join(home, place)); err != nil {
					t.Fatal(err)
				}
				code, _, stderr := kr(t, state, "setup", "--dry-run")
				if c.fine && code != 0 || !c.fine && (code != 1 || !strings.Contains(stderr, "kr setup writes nothing to ~/")) {
					t.Errorf("exit %d: %s", code, stderr)
				}
			})
		}
	}
}
