package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnvironmentLosesNoKeys: whoever has which agent where, krd passes one on or
// programs of the desktop keep theirs.
func TestEnvironmentLosesNoKeys(t *testing.T) {
	const keyring, other, apple = "/run/keyring/ssh", "/run/other/ssh", "/private/tmp/com.apple.launchd.abc/Listeners"
	const home = "/home/ana"
	t.Setenv("HOME", home)
	t.Setenv("TMPDIR", filepath.Join(home, "tmp"))
	temporary, newer := filepath.Join(os.TempDir(), "ssh-abc/agent.1"), filepath.Join(home, ".ssh/agent/s.abc.agent.def")
	for _, c := range []struct {
		name, set, terminal, session string
		remote                       bool
		agent                        string // the setting, afterwards
		taken                        bool
	}{
		{"no agent", "", "", "", false, "", true},
		{"krd already", "", "KRD", "KRD", false, "", true},
		{"one that lasts", "", keyring, keyring, false, keyring, true},
		{"one of the session alone", "", "", keyring, false, keyring, true},
		{"one that does not last", "", temporary, "", false, "", false},
		{"one that does not last, of the session, too", "", temporary, temporary, false, "", false},
		{"one of /tmp, whatever TMPDIR is", "", "/tmp/ssh-abc/agent.1", "", false, "", false},
		{"one of OpenSSH 10.1", "", newer, "", false, "", false},
		{"one of OpenSSH 10.1, of the session, too", "", newer, newer, false, "", false},
		{"one beside that", "", home + "/.ssh/agent.sock", "", false, home + "/.ssh/agent.sock", true},
		{"macOS's own", "", apple, apple, false, "", false},
		{"two", "", other, keyring, false, other, false},
		{"a forwarded one", "", temporary, "", true, "", true},
		{"a forwarded one of OpenSSH 10.1", "", newer, keyring, true, keyring, true},
		{"a forwarded one at any other place", "", other, "", true, "", true},
		{"the session's, from elsewhere", "", keyring, keyring, true, keyring, true},
		{"a forwarded one beside the session's", "", temporary, keyring, true, keyring, true},
		{"set by the person", keyring, "KRD", keyring, false, keyring, true},
		{"another one set by the person", other, keyring, keyring, false, other, false},
		{"none, says the person", noAgent, temporary, apple, false, noAgent, true},
	} {
		s := &setup{env: &env{home: "/home/ana/.kr"}, cfg: config{Agent: c.set}}
		here := func(sock string) string { return strings.Replace(sock, "KRD", s.agentSocket(), 1) }
		t.Setenv(authSock, here(c.terminal))
		t.Setenv("SSH_CONNECTION", "")
		if c.remote {
			t.Setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
		}
		s.shown = here(c.session)
		s.planAgent()
		if taken := s.mayTakeEnvironment(); taken != c.taken || s.cfg.Agent != c.agent {
			t.Errorf("%s: agent %q, taken %v", c.name, s.cfg.Agent, taken)
		} else if !taken && !strings.Contains(strings.Join(s.notes, " "), "kr config set agent PATH") {
			t.Errorf("%s: nobody is told: %q", c.name, s.notes)
		}
	}
	s := &setup{env: &env{}, cfg: config{Environment: noEnvironment}}
	if s.mayTakeEnvironment() || len(s.notes) > 0 {
		t.Error("a person's no is not heard")
	}
}

// TestCompletionFiles: each shell's file is where it looks, and what a person or a
// package has put there stays.
func TestCompletionFiles(t *testing.T) {
	home, state := newcomer(t)
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "kr"), []byte("#!/bin/sh\necho did=$2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_DATA_HOME", "")
	for shell, want := range map[string]string{
		"/bin/bash":         filepath.Join(home, ".local/share/bash-completion/completions/kr"),
		"/usr/bin/fish":     filepath.Join(home, ".config/fish/completions/kr.fish"),
		"/usr/bin/zsh":      "",
		"":                  "",
		"/opt/my shell/nsh": "",
	} {
		t.Setenv("SHELL", shell)
		f, ok, err := completion()
		if err != nil || ok != (want != "") || f.Path != want {
			t.Errorf("%s: %q, %v, %v", shell, f.Path, ok, err)
		}
		run := f.Content
		switch filepath.Base(shell) {
		case "zsh":
			run = zshCompletion
		case "bash":
		default:
			continue
		}
		for _, path := range []string{t.TempDir(), programs} { // without kr, and with one
			cmd := exec.Command("/bin/bash", "-c", run+"\nprintf %s \"$did\"") // zsh has the same words
			cmd.Env = []string{"PATH=" + path}
			out, err := cmd.CombinedOutput()
			if want := map[string]string{programs: filepath.Base(shell)}[path]; err != nil || string(out) != want {
				t.Errorf("%s, PATH=%s: %v, %q, want %q", shell, path, err, out, want)
			}
		}
	}
	t.Setenv("SHELL", "/bin/bash")
	t.Setenv("XDG_DATA_HOME", filepath.Join(home, "data"))
	mine := filepath.Join(home, "data/bash-completion/completions/kr")
	if err := os.MkdirAll(filepath.Dir(mine), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := kr(t, state, "setup", "--dry-run"); code != 0 || strings.Contains(out, "completion") {
		t.Errorf("kr setup --dry-run = %d\n%s%s", code, out, errs)
	}
}
