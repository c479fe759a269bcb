package authorize

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	blob = "AAAAC3NzaC1lZDI1NTE5AAAAIHu/TpHuZWg7MEAef3e6KrqUZHBb5sYZhPvRVrCBmsH+"
	line = "ssh-ed25519 " + blob + ` Ana's "phone" $(id) * \n`
	fp   = "SHA256:tZrF4KR7+dmFespAywmZ2affOb2aOCLSz2AWPSHIrPk"
)

// fakeSSH puts a script in the place of ssh. The command for the server is its
// last argument; $DIR is where it lives.
func fakeSSH(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := "#!/bin/sh\nDIR=" + dir + "\nfor last; do :; done\nfor a; do printf '%s\\n' \"$a\"; done >$DIR/args\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// login is what sshd does with a command: the account's shell gets it.
func login(shell string) string { return "cd /; HOME=$DIR/home exec " + shell + ` -c "$last"` }

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// TestAdd: what is in the account before and after, in every shell that is here.
func TestAdd(t *testing.T) {
	for _, shell := range []string{"sh", "busybox sh", "zsh", "fish", "tcsh"} {
		if _, err := exec.LookPath(strings.Fields(shell)[0]); err != nil {
			continue // a login shell that this machine does not have
		}
		dir := fakeSSH(t, login(shell))
		for _, c := range []struct {
			name, before, after string
			out                 Outcome
		}{
			{"none", "-", line + "\n", Added},
			{"empty", "", line + "\n", Added},
			{"others", "ssh-rsa AAAA x\n", "ssh-rsa AAAA x\n" + line + "\n", Added},
			{"no line end", "ssh-rsa AAAA x", "ssh-rsa AAAA x\n" + line + "\n", Added},
			{"there", "a\nssh-ed25519 " + blob + " old name", "a\nssh-ed25519 " + blob + " old name", There},
			{"there, with options", `from="10.*" ssh-ed25519 ` + blob + "\n", `from="10.*" ssh-ed25519 ` + blob + "\n", There},
			{"commented out", "  # ssh-ed25519 " + blob + "\n", "  # ssh-ed25519 " + blob + "\n" + line + "\n", Added},
		} {
			home := filepath.Join(dir, "home")
			os.RemoveAll(home)
			if err := os.Mkdir(home, 0o755); err != nil {
				t.Fatal(err)
			}
			ssh, file := filepath.Join(home, ".ssh"), filepath.Join(home, ".ssh", "authorized_keys")
			wantDir, wantFile := os.FileMode(0o700), os.FileMode(0o600)
			if c.before != "-" { // behind a symbolic link, with modes of its own
				wantDir, wantFile = 0o755, 0o640
				if err := errors.Join(os.Mkdir(ssh, 0o755), os.Chmod(ssh, 0o755), os.WriteFile(filepath.Join(home, "keys"), []byte(c.before), 0o640),
					os.Chmod(filepath.Join(home, "keys"), 0o640), os.Symlink("../keys", file)); err != nil {
					t.Fatal(err)
				}
			}
			runs := 1
			if c.out == Added && c.before != "" {
				runs = 2
			}
			for again := range runs {
				var said strings.Builder
				out, err := Add(t.Context(), Host{Dest: "ana@host", Options: []string{"-p", "22"}}, line, &said)
				want := c.out
				if again > 0 {
					want = There
				}
				if err != nil || out != want || read(t, file) != c.after || said.Len() > 0 {
					t.Errorf("%s, %s: %q, %v, says %q\n%s", shell, c.name, out, err, said.String(), read(t, file))
				}
			}
			a, err1 := os.Stat(ssh)
			b, err2 := os.Stat(file)
			if err := errors.Join(err1, err2); err != nil || a.Mode().Perm() != wantDir || b.Mode().Perm() != wantFile {
				t.Errorf("%s, %s: modes %v, %v, %v", shell, c.name, a, b, err)
			}
		}
	}
}

// TestAddSays why it was not done.
func TestAddSays(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         error
		stderr       string
	}{
		{"no way in", "echo 'Permission denied (publickey).' >&2; exit 255", ErrLogin, "Permission denied"},
		{"no shell", "echo 'Hi ana! GitHub does not provide shell access.'; exit 1", ErrShell, ""},
		{"a menu", "cat >/dev/null; echo welcome", ErrShell, ""},
		{"~/.ssh is a file", "mkdir -p $DIR/home; >$DIR/home/.ssh; " + login("sh"), ErrShell, ".ssh"},
	} {
		fakeSSH(t, c.script)
		var said strings.Builder
		if _, err := Add(t.Context(), Host{Dest: "host"}, line, &said); !errors.Is(err, c.want) || !strings.Contains(said.String(), c.stderr) {
			t.Errorf("%s: %v, says %q", c.name, err, said.String())
		}
	}
	dir := fakeSSH(t, "exit 0")
	for _, dest := range []string{"", "-oProxyCommand=id", "a b", "a\nb"} {
		if _, err := Add(t.Context(), Host{Dest: dest}, line, nil); err == nil {
			t.Errorf("ssh to %q", dest)
		}
		if err := Prove(t.Context(), Host{Dest: dest}, line, fp, "/s"); err == nil {
			t.Errorf("ssh to %q", dest)
		}
	}
	for _, two := range []string{line + "\nssh-rsa AAAA", "ssh-ed25519", ""} {
		if _, err := Add(t.Context(), Host{Dest: "host"}, two, nil); err == nil {
			t.Errorf("%q is added", two)
		}
	}
	if read(t, filepath.Join(dir, "args")) != "" {
		t.Error("ssh was run for nothing")
	}
}

// TestProve: only a login by that very key counts.
func TestProve(t *testing.T) {
	const (
		cont  = "echo 'debug1: Authentications that can continue: publickey' >&2\n"
		ours  = "echo 'debug1: Server accepts key: /tmp/key.pub ED25519 " + fp + " explicit agent' >&2\n"
		other = "echo 'debug1: Server accepts key: /home/ana/.ssh/id ED25519 SHA256:C0iSJ5UXvAYwzgQ2rX5Qd0nZqj6xk3YF0nN7mWl5b3A explicit' >&2\n"
		in    = `echo 'Authenticated to host ([127.0.0.1]:22) using "publickey".' >&2` + "\n"
		none  = `echo 'Authenticated to host ([127.0.0.1]:22) using "none".' >&2` + "\n"
	)
	for _, c := range []struct {
		name, script string
		want         error
	}{
		{"by the key", cont + ours + in + "exit 0", nil},
		{"by the key, no command", cont + ours + in + "exit 7", nil},
		{"after a jump host", cont + other + in + cont + ours + in, nil},
		{"another key", cont + other + in, ErrOtherKey},
		{"no key", ours + none, ErrOtherKey},
		{"only to the jump host", cont + ours + in + cont + "exit 255", ErrRefused},
		{"by another after the jump host", cont + ours + in + cont + other + in, ErrOtherKey},
		{"by none after the jump host", cont + ours + in + none, ErrOtherKey},
		{"not signed", cont + ours + cont + "echo 'ana@host: Permission denied (publickey).' >&2; exit 255", ErrRefused},
		{"an old ssh", "echo 'debug1: Server accepts key: pkalg ssh-ed25519 blen 51' >&2\n" + in, ErrOtherKey},
	} {
		dir := fakeSSH(t, c.script)
		err := Prove(t.Context(), Host{Dest: "ana@host", Options: []string{"-F", "conf"}}, line, fp, "/run/krd/agent 100%.sock")
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if c.name == "not signed" && !strings.Contains(err.Error(), "did not log in: ana@host: Permission denied (publickey).") {
			t.Errorf("%s: %v", c.name, err)
		}
		args := read(t, filepath.Join(dir, "args"))
		for _, want := range []string{"BatchMode=yes\n", "IdentitiesOnly=yes\n", "PreferredAuthentications=publickey\n", "ControlPath=none\n",
			"IdentityAgent=\"/run/krd/agent 100%%.sock\"\n", "-F\nconf\n-v\n--\nana@host\ntrue\n"} {
			if !strings.Contains(args, want) {
				t.Errorf("%s: ssh was called with\n%s", c.name, args)
			}
		}
	}
}
