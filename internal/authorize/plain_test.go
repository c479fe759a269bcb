package authorize

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWithoutKeys: -i goes, in whichever way it is written; all else stays.
func TestWithoutKeys(t *testing.T) {
	for typed, want := range map[string]string{
		"":                           "",
		"-p 2222 -i ~/.ssh/old":      "-p 2222",
		"-i a -i b -v":               "-v",
		"-ia -p22":                   "-p22",
		"-vi old -F conf":            "-v -F conf",
		"-vvi old":                   "-vv",
		"-o IdentitiesOnly=no -l i":  "-o IdentitiesOnly=no -l i",
		"-F -i -J -i":                "-F -i -J -i",
		"-oUser=i -i":                "-oUser=i",
		"-4A -p 22 -o User=ana -i k": "-4A -p 22 -o User=ana",
	} {
		h := Host{Dest: "host", Options: strings.Fields(typed)}
		if got := h.WithoutKeys(); got.Dest != "host" || !slices.Equal(got.Options, strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", typed, got.Options, want)
		}
	}
}

// TestPlain asks the real ssh, which reads its configuration as ever.
func TestPlain(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Fatal("ssh is missing (Debian: openssh-client): ", err)
	}
	home := t.TempDir()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(u.HomeDir, home) // ssh goes by the user database
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(home, "100%.sock")
	for name, text := range map[string]string{"100%.sock": "", "ours.pub": line + "\n", "other.pub": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA other\n", "raw": line + "\n",
		"private": "-----BEGIN SOMETHING-----\n" + blob + "\n"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(socket, filepath.Join(home, "link.sock")); err != nil {
		t.Fatal(err)
	}
	ours := `IdentityAgent "` + home + `/100%%.sock"` + "\n"
	for _, c := range []struct {
		name, config string
		env          map[string]string
		want         Lack
	}{
		{"as kr setup makes it", ours, nil, Lack{}},
		{"by home", "IdentityAgent %d/" + rel + "/100%%.sock\n", nil, Lack{}},
		{"by tilde", "IdentityAgent ~/" + rel + "/100%%.sock\n", nil, Lack{}},
		{"by a link", "IdentityAgent " + home + "/link.sock\n", nil, Lack{}},
		{"without kr setup", "", nil, Lack{Agent: true}},
		{"without kr setup, another agent", "", map[string]string{"SSH_AUTH_SOCK": "/run/other"}, Lack{Agent: true}},
		{"by the environment", "", map[string]string{"SSH_AUTH_SOCK": socket}, Lack{}},
		{"by the environment, in words", "IdentityAgent SSH_AUTH_SOCK\n", map[string]string{"SSH_AUTH_SOCK": socket}, Lack{}},
		{"by a variable", "IdentityAgent $MINE\n", map[string]string{"MINE": socket}, Lack{}},
		{"no agent", "IdentityAgent none\n", map[string]string{"SSH_AUTH_SOCK": socket}, Lack{Agent: true}},
		{"another one for this host", "Host server\n IdentityAgent /run/other\nHost *\n " + ours, nil, Lack{Agent: true}},
		{"for other hosts", "Host other\n IdentityAgent /run/other\n IdentitiesOnly yes\nHost *\n " + ours, nil, Lack{}},
		{"named only, another", ours + "IdentitiesOnly yes\nIdentityFile " + home + "/other\n", nil, Lack{Name: true}},
		{"named only, none", ours + "IdentitiesOnly yes\n", nil, Lack{Name: true}},
		{"named only, this one", ours + "IdentitiesOnly yes\nIdentityFile " + home + "/other\nIdentityFile ~/" + rel + "/ours.pub\n", nil, Lack{}},
		{"named only, without .pub", ours + "IdentitiesOnly yes\nIdentityFile %d/" + rel + "/ours\n", nil, Lack{}},
		{"named only, as it is", ours + "IdentitiesOnly yes\nIdentityFile " + home + "/raw\n", nil, Lack{}},
		{"private keys are not read", ours + "IdentitiesOnly yes\nIdentityFile " + home + "/private\n", nil, Lack{Name: true}},
		{"another one, not only", ours + "IdentityFile " + home + "/other\n", nil, Lack{}},
		{"both", "IdentitiesOnly yes\n", nil, Lack{Agent: true, Name: true}},
	} {
		config := filepath.Join(home, "config")
		if err := os.WriteFile(config, []byte(c.config), 0o600); err != nil {
			t.Fatal(err)
		}
		h := Host{Dest: "ana@server", Options: []string{"-F", config, "-p", "2222"}}
		got, err := Plain(t.Context(), h, line, socket, func(name string) string { return c.env[name] })
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
	bad := Host{Dest: "server", Options: []string{"-F", filepath.Join(home, "missing")}}
	if got, err := Plain(t.Context(), bad, line, socket, os.Getenv); err == nil || got != (Lack{}) {
		t.Errorf("a configuration that is not there: %+v, %v", got, err)
	}
	fakeSSH(t, "exit 255")
	if _, err := Plain(t.Context(), Host{Dest: "server"}, line, socket, os.Getenv); !errors.As(err, new(*exec.ExitError)) {
		t.Errorf("an ssh that fails: %v", err)
	}
}
