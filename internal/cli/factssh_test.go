package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/strangertest"
)

// TestCheckGroupMayWrite: what Debian's ssh takes is no fault; what an ssh does not
// take is one, and --fix mends it.
func TestCheckGroupMayWrite(t *testing.T) {
	home, state := newcomer(t)
	e := inside(state)
	for _, c := range []struct {
		name  string
		mode  os.FileMode
		gid   int    // -1: one's own
		ssh   string // a script in its place; "": the real one
		state factState
		text  string
		mends bool
	}{
		{"one's own group", 0o660, -1, "", factWarn, "HOME is ", false},
		{"one's own group, and an ssh that minds", 0o660, -1, "echo Bad owner or permissions on config >&2; exit 255", factFail, "Bad owner or permissions", true},
		{"another group", 0o660, strangertest.GID, "", factFail, "others may write to ~/.ssh/config", true},
		{"everybody", 0o662, -1, "", factFail, "others may write to ~/.ssh/config", true},
		{"nobody, and another fault", 0o600, -1, "echo Bad configuration option >&2; exit 255", factFail, "Bad configuration option", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := sshConfig(t, home, e.block().Text(), 0o600)
			if c.gid >= 0 {
				strangertest.Needed(t)
			}
			gid := c.gid
			if gid < 0 {
				gid = os.Getegid()
			}
			if err := os.Chown(path, -1, gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			if c.ssh != "" {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\n"+c.ssh+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
				t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
			}
			f := lookSSHConfig(t.Context(), newCheckup(e))[0]
			if f.state != c.state || !strings.Contains(f.text, c.text) || (f.mend != nil) != c.mends || c.mends && f.fix != "chmod go-w "+path {
				t.Fatalf("%+v", f)
			}
			if !c.mends {
				return
			}
			if err := f.mend(t.Context()); err != nil || mode(path)&0o022 != 0 {
				t.Errorf("%v, and its mode is %o", err, mode(path))
			}
		})
	}
}

// TestCheckSSHThatOthersMayChange, as Homebrew's: it is said where krd would ask it,
// and nobody is told to close it.
func TestCheckSSHThatOthersMayChange(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ssh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho OpenSSH_10.3p1 >&2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for asks, want := range map[bool]factState{true: factWarn, false: factOK} {
		c := newCheckup(&env{})
		c.asksSSH = asks
		if f := lookSSH(t.Context(), c)[0]; f.state != want || strings.Contains(f.fix, "chmod") || !strings.Contains(f.text, path) {
			t.Errorf("asks %t: %+v", asks, f)
		}
	}
}
