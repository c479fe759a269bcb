package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newcomer is a person's empty home, where no service manager answers. It
// returns the home and the state directory in it.
func newcomer(t *testing.T) (home, state string) {
	t.Helper()
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("SSH_AUTH_SOCK", "")
	t.Setenv("SUDO_USER", "")
	t.Setenv("DOAS_USER", "")
	none := t.TempDir()
	for _, name := range []string{"systemctl", "launchctl"} {
		if err := os.WriteFile(filepath.Join(none, name), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", none+":"+os.Getenv("PATH"))
	return home, filepath.Join(home, ".kr")
}

// sshConfig writes ~/.ssh/config.
func sshConfig(t *testing.T, home, data string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(home, ".ssh", "config")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSetupSays what it would do with each configuration, or why it cannot, and
// touches nothing.
func TestSetupSays(t *testing.T) {
	for _, c := range []struct {
		name, config string
		mode         os.FileMode
		code         int
		want         []string
	}{
		{"a configuration", "Host a\n", 0o600, 0, []string{"put this block at the top of ~/.ssh/config (it is kept as it was in ~/.kr/ssh_config.before)", "IdentityAgent \""}},
		{"another agent", "Host a\n\tidentityagent=none\n", 0o600, 0, []string{"line 2 of ~/.ssh/config names an agent"}},
		{"read-only", "Host a\n", 0o400, 1, []string{"is read-only", "chmod u+w", "IdentityAgent \""}},
		{"half a block", "# BEGIN kr setup\nHost a\n", 0o600, 1, []string{"~/.ssh/config: line 1 begins the block", "in an editor"}},
		{"half a block, the other half", "Host a\n# END kr setup\n", 0o600, 1, []string{"line 2 ends a block"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			home, state := newcomer(t)
			path := sshConfig(t, home, c.config, c.mode)
			code, stdout, stderr := kr(t, state, "setup", "--dry-run")
			for _, want := range c.want {
				if code != c.code || !strings.Contains(stdout+stderr, want) {
					t.Errorf("exit %d, want %d and %q:\n%s%s", code, c.code, want, stdout, stderr)
				}
			}
			if b, err := os.ReadFile(path); string(b) != c.config || err != nil {
				t.Errorf("the configuration is %q now, %v", b, err)
			}
			if _, err := os.Lstat(state); err == nil {
				t.Error("a state directory was made")
			}
		})
	}
}

// TestSetupNamesTheAgent that ssh would not ask any more, wherever it is named;
// what kr setup says is what kr config takes.
func TestSetupNamesTheAgent(t *testing.T) {
	const known = "kr config set agent /run/other/ssh,"
	for _, c := range []struct {
		name, config, included string
		want                   string // "": nothing
	}{
		{"in the file", "Host *\n  IdentityAgent /run/other/ssh\n", "", "line 2 of ~/.ssh/config names an agent (IdentityAgent)"},
		{"in the file, its path", "IdentityAgent /run/other/ssh\n", "", known},
		{"in the file, for one host", "Host a\n  IdentityAgent /run/other/ssh\n", "", "kr config set agent PATH,"},
		{"in an included file", "Include INCLUDED\n", "Host *\n  IdentityAgent /run/other/ssh\n", "a file that ~/.ssh/config includes, or the system's, names an agent"},
		{"in an included file, its path", "Include INCLUDED\n", "IdentityAgent /run/other/ssh\n", known},
		{"none, in an included file", "Include INCLUDED\n", "IdentityAgent none\n", "kr config set agent none,"},
		{"that of SSH_AUTH_SOCK", "Include INCLUDED\n", "IdentityAgent SSH_AUTH_SOCK\n", ""},
		{"nothing", "Host a\n", "", ""},
		{"what ssh cannot read", "Nonsense\n", "", ""},
	} {
		home, state := newcomer(t)
		included := filepath.Join(home, "included")
		if err := os.WriteFile(included, []byte(c.included), 0o600); err != nil {
			t.Fatal(err)
		}
		sshConfig(t, home, strings.Replace(c.config, "INCLUDED", included, 1), 0o600)
		code, _, stderr := kr(t, state, "setup", "--dry-run")
		if said := strings.Contains(stderr, "IdentityAgent"); code != 0 || said != (c.want != "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d: %s", c.name, code, stderr)
		}
		if c.want != known {
			continue
		}
		if code, _, errs := kr(t, state, "config", "set", "agent", "/run/other/ssh"); code != 0 {
			t.Fatal(errs)
		}
		if _, _, stderr := kr(t, state, "setup", "--dry-run"); strings.Contains(stderr, "IdentityAgent") {
			t.Errorf("%s, and set: %s", c.name, stderr)
		}
	}
}

// TestAgentPath: a path in quotes is what it is without; others that depend on
// the directory are none.
func TestAgentPath(t *testing.T) {
	home, state := newcomer(t)
	for value, want := range map[string]string{
		"/run/other//ssh":     "/run/other/ssh",
		"~/Library/a b/agent": filepath.Join(home, "Library/a b/agent"),
		"none":                "none",
		"agent.sock":          "",
		"./agent.sock":        "",
		"~ana/agent.sock":     "",
		"~":                   "",
		"$HOME/agent.sock":    "",
		"~/a\nb":              "",
	} {
		code, _, stderr := kr(t, state, "config", "set", "agent", value)
		if want == "" {
			if code != codeUsage || !strings.Contains(stderr, "kr config set agent /run/user/") {
				t.Errorf("%q: exit %d: %s", value, code, stderr)
			}
			continue
		}
		if _, got, _ := kr(t, state, "config", "get", "agent"); code != 0 || got != want+"\n" {
			t.Errorf("%q: exit %d, %q: %s", value, code, got, stderr)
		}
	}
}

func TestSetupOfASymbolicLink(t *testing.T) {
	home, state := newcomer(t)
	path := sshConfig(t, home, "", 0o600)
	if err := os.Rename(path, filepath.Join(home, "dotfile")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../dotfile", path); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := kr(t, state, "setup", "--dry-run"); code != 0 || !strings.Contains(stdout, "it leads to ~/dotfile") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}

func TestSetupOfAnOddDirectory(t *testing.T) {
	home, _ := newcomer(t)
	if code, _, stderr := kr(t, filepath.Join(home, `a"b`), "setup", "--dry-run"); code != 1 || !strings.Contains(stderr, "KR_HOME") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestSetupAsks: without a terminal both commands want --yes, once there is
// something to do; root that works for somebody is sent away.
func TestSetupAsks(t *testing.T) {
	home, state := newcomer(t)
	path := sshConfig(t, home, "Host a\n", 0o600)
	if code, _, stderr := kr(t, state, "setup"); code != codeUsage || !strings.Contains(stderr, "kr setup --yes") {
		t.Errorf("setup: exit %d: %s", code, stderr)
	}
	if code, _, stderr := kr(t, state, "uninstall"); code != 0 || !strings.Contains(stderr, "nothing was changed") {
		t.Errorf("uninstall of nothing: exit %d: %s", code, stderr)
	}
	block := "# BEGIN kr setup\nIdentityAgent \"" + state + "/agent.sock\"\n# END kr setup\n"
	sshConfig(t, home, block+"Host a\n", 0o600)
	if code, stdout, stderr := kr(t, state, "uninstall"); code != codeUsage || !strings.Contains(stderr, "kr uninstall --yes") || !strings.Contains(stdout, "take the block") {
		t.Errorf("uninstall: exit %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := kr(t, state, "uninstall", "--yes"); code != 0 {
		t.Errorf("uninstall --yes: exit %d: %s%s", code, stdout, stderr)
	}
	if b, err := os.ReadFile(path); string(b) != "Host a\n" || err != nil {
		t.Errorf("the configuration is %q, %v", b, err)
	}
	if os.Geteuid() != 0 {
		return
	}
	t.Setenv("SUDO_USER", "ana")
	for _, cmd := range []string{"setup", "uninstall"} {
		if code, _, stderr := kr(t, state, cmd, "--yes"); code != codeUsage || !strings.Contains(stderr, "as ana, without sudo: kr "+cmd) {
			t.Errorf("%s by sudo: exit %d: %s", cmd, code, stderr)
		}
	}
}

// TestPurgeLeavesOthersFiles: the state directory may hold more than state.
func TestPurgeLeavesOthersFiles(t *testing.T) {
	_, state := newcomer(t)
	if code, _, stderr := kr(t, state, "config", "set", "name", "laptop"); code != 0 {
		t.Fatal(stderr)
	}
	mine := filepath.Join(state, "mine")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := kr(t, state, "uninstall", "--yes", "--purge"); code != 0 || !strings.Contains(stderr, "holds other files") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if names, err := os.ReadDir(state); err != nil || len(names) != 1 {
		t.Errorf("the directory holds %v, %v", names, err)
	}
}
