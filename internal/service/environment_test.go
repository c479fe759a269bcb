package service

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const odd = `/home/ana & 50%/it's "$HOME" \ ${x}` + "/a`b`/agent.sock"

// TestSystemdReadsTheEnvironment lets systemd's own generator read the file, with
// a path that has all that needs quoting.
func TestSystemdReadsTheEnvironment(t *testing.T) {
	const generator = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
	if _, err := os.Stat(generator); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: apt-get install systemd", err)
		}
		t.Skipf("%v: apt-get install systemd", err)
	}
	config := t.TempDir()
	for _, value := range []string{"/home/ana/.kr/agent.sock", odd} {
		v := SystemdEnvironment(config, "SSH_AUTH_SOCK", value)
		if err := os.MkdirAll(filepath.Dir(v.File.Path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(v.File.Path, []byte(v.File.Content), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(generator)
		cmd.Env = []string{"XDG_CONFIG_HOME=" + config, "HOME=" + config}
		out, err := cmd.Output()
		if got := v.Value(string(out)); got != value || err != nil {
			t.Errorf("systemd reads %q, %v, want %q, of\n%s", got, err, value, v.File.Content)
		}
	}
}

// TestShownEnvironment: the value is found however systemctl quotes it.
func TestShownEnvironment(t *testing.T) {
	systemd := SystemdEnvironment("/c", "SSH_AUTH_SOCK", "/a")
	for output, want := range map[string]string{
		"":                                   "",
		"XSSH_AUTH_SOCK=/b\n":                "",
		"A=1\nSSH_AUTH_SOCK=/b/c\nB=2\n":     "/b/c",
		"SSH_AUTH_SOCK=$'/a b/it\\'s\\\\'\n": `/a b/it's\`,
		"SSH_AUTH_SOCK=\"/a b\\$\"\n":        "/a b$",
	} {
		if got := systemd.Value(output); got != want {
			t.Errorf("of %q it is %q, want %q", output, got, want)
		}
	}
	if got := LaunchdEnvironment("/h", "SSH_AUTH_SOCK", "/a").Value("/b\n"); got != "/b" {
		t.Errorf("launchctl's is %q", got)
	}
}

// TestEnvironmentRestored: what was before comes back, or nothing.
func TestEnvironmentRestored(t *testing.T) {
	for _, c := range []struct {
		v    Environment
		want string
	}{
		{SystemdEnvironment("/c", "X", "/a"), "systemctl --user set-environment X=/a; systemctl --user unset-environment X; systemctl --user set-environment X=/b"},
		{LaunchdEnvironment("/h", "X", "/a"), "launchctl setenv X /a; launchctl unsetenv X; launchctl setenv X /b"},
	} {
		var got []string
		for _, all := range [][]Command{c.v.Enable, c.v.Restore(""), c.v.Restore("/b")} {
			for _, cmd := range all {
				got = append(got, strings.Join(cmd.Args, " "))
			}
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s, want %s", s, c.want)
		}
	}
}
