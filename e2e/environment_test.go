package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"kryptonite/internal/attacktest"
)

// systemctl is one that starts krd with the environment of who calls it.
const systemctl = `#!/bin/sh
case "$*" in
*show-environment*) ;;
*is-enabled*) test -e "$PIDS/krd" || exit 1 ;;
*enable*--now*krd.service*) case "$*" in *disable*) kill $(cat "$PIDS/krd"); rm "$PIDS/krd" ;;
	*) setsid krd </dev/null >/dev/null 2>&1 & echo $! >"$PIDS/krd" ;; esac ;;
esac
`

// clone is a directory that a stranger filled: a program of each name that ours
// start. Whatever runs there leaves a file "ran".
func (h *House) clone(t *testing.T) (dir, ran string) {
	t.Helper()
	dir, ran = h.Path("clone"), h.Path("ran")
	must(t, os.Mkdir(dir, 0o755))
	for _, name := range []string{"kr", "krd", "ssh", "ssh-add", "ssh-keygen", "git", "systemctl", "launchctl", "sh", "setsid", "tool"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho "+name+" >>"+ran+"\n"), 0o755))
	}
	return dir, ran
}

// TestInjectedEnvironments: what a directory's .envrc, a repository's hook or a CI
// job puts into the environment becomes no setting in a file that kr writes, no
// program that runs, no sequence in a terminal, and nothing in a krd that lives on.
func TestInjectedEnvironments(t *testing.T) {
	t.Parallel()
	tally := attacktest.New(t, "an environment that others filled")
	h := newHouse(t)
	clone, ran := h.clone(t)
	fake, home := h.Path("fake"), h.Path("h")
	must(t, errors.Join(os.Mkdir(fake, 0o755), os.WriteFile(filepath.Join(fake, "systemctl"), []byte(systemctl), 0o755), os.Mkdir(home, 0o700)))
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer proxy.Close()
	asked := make(chan struct{}, 1)
	go func() { // ends with proxy
		for {
			c, err := proxy.Accept()
			if err != nil {
				return
			}
			c.Close()
			select {
			case asked <- struct{}{}:
			default:
			}
		}
	}()
	path := "PATH=" + fake + ":" + bin + ":" + os.Getenv("PATH")
	env := append(h.Env, "HOME="+home, "KR_HOME="+h.Path("k"), "PIDS="+fake, "XDG_CONFIG_HOME=", "SSH_AUTH_SOCK=", path)
	run := func(more []string, args ...string) (int, string) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "kr"), args...)
		cmd.Env, cmd.Dir = append(append([]string{}, env...), more...), clone
		out, err := cmd.CombinedOutput()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}

	const line, escape = "\nExecStartPre=/bin/false\nProxyCommand false\n", "\x1b]0;owned\a\u009b2J\u202e\r"
	shell := "$(touch " + ran + ");`touch " + ran + "`"
	program := filepath.Join(clone, "tool")
	var all []string // variables that name programs, or are shown
	for _, name := range []string{"PAGER", "EDITOR", "VISUAL", "BROWSER", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND", "GIT_ASKPASS", "SSH_ASKPASS", "SUDO_ASKPASS",
		"ENV", "BASH_ENV", "PROMPT_COMMAND", "LESSOPEN", "SHELL", "MAILCAP", "OPENSSL_CONF"} {
		all = append(all, name+"="+program)
	}
	all = append(all, "SSH_ASKPASS_REQUIRE=force", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.sshCommand", "GIT_CONFIG_VALUE_0="+program, "GIT_DIR="+clone)
	var odd []string
	for _, name := range []string{"TERM", "COLUMNS", "LINES", "LANG", "LC_ALL", "SHELL", "USER", "LOGNAME", "DISPLAY", "SSH_CONNECTION", "KR_PHONE_NAME", "KR_BLUETOOTH_ADAPTER", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"} {
		odd = append(odd, name+"="+escape+line+shell)
	}
	var proxies []string
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		proxies = append(proxies, name+"=http://"+proxy.Addr().String())
	}
	for _, c := range []struct {
		name string
		env  []string
		code int
		says string
	}{
		{"a line of a unit in KR_HOME", []string{"KR_HOME=" + h.Path("k") + line}, 1, "control characters"},
		{"an escape sequence in KR_HOME", []string{"KR_HOME=" + h.Path("k") + escape}, 1, "control characters"},
		{"a shell's command in KR_HOME", []string{"KR_HOME=" + h.Path("k $(touch ran) `touch ran` 50%h %%")}, 0, ""},
		{"a quote in KR_HOME", []string{"KR_HOME=" + h.Path(`k" x`)}, 1, "cannot carry"},
		{"a KR_HOME of where one stands", []string{"KR_HOME=state"}, 1, "absolute"},
		{"a HOME of where one stands", []string{"HOME=state"}, 1, "absolute"},
		{"a configuration of where one stands", []string{"XDG_CONFIG_HOME=state"}, 1, "relative"},
		{"a line in the place of configurations", []string{"XDG_CONFIG_HOME=" + h.Path("c") + line}, 0, ""},
		{"a line of a unit in SSH_AUTH_SOCK", []string{"SSH_AUTH_SOCK=/run/a" + line}, 0, "control characters"},
		{"a shell's command in SSH_AUTH_SOCK", []string{"SSH_AUTH_SOCK=/run/" + shell + `" %h`}, 0, ""},
		{"programs of where one stands", []string{"PATH=.::" + strings.TrimPrefix(path, "PATH=") + ":", "GODEBUG=execerrdot=0"}, 0, ""},
		{"programs in variables", all, 0, ""},
		{"escape sequences and lines in variables", odd, 0, ""},
		{"a proxy, and where to write keys", append(proxies, "SSLKEYLOGFILE="+ran), 0, ""},
	} {
		code, out := run(c.env, "setup", "--yes")
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: kr setup ends with %d, not %d %q: %s", c.name, code, c.code, c.says, out)
		}
		for _, args := range [][]string{{"status"}, {"check"}, {"setup", "--dry-run"}, {"daemon", "logs"}} {
			_, more := run(c.env, args...)
			out += more
		}
		bad := written(t, h.Dir, regexp.MustCompile(`(?m)^\s*(ExecStartPre|ProxyCommand)`))
		if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			bad = append(bad, fmt.Sprintf("%q in what kr says", out[max(0, i-50):min(len(out), i+50)]))
		}
		if b, err := os.ReadFile(ran); err == nil {
			bad = append(bad, "this ran: "+string(b))
		}
		if _, err := os.Lstat(filepath.Join(clone, "state")); err == nil {
			bad = append(bad, "there is state where one stood")
		}
		select {
		case <-asked:
			bad = append(bad, "the proxy was asked")
		default:
		}
		switch {
		case len(bad) > 0:
			tally.Succeeded("%s: %s", c.name, bad)
		case c.code == 0:
			tally.Harmless()
		default:
			tally.Rejected()
		}
		if c.code == 0 {
			if code, out := run(c.env, "uninstall", "--yes", "--purge"); code != 0 {
				t.Errorf("%s: kr uninstall: %s", c.name, out)
			}
		}
	}
}

// written finds what matches in the files below a directory.
func written(t *testing.T, dir string, bad *regexp.Regexp) (found []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && !strings.HasSuffix(path, ".log") {
			if line := bad.Find(read(t, path)); line != nil {
				found = append(found, fmt.Sprintf("%q in %q", line, path))
			}
		}
		return err
	}))
	return found
}

// TestInheritedEnvironment: neither the shell that starts krd nor an ssh that asks
// it has a say in the environment of what krd starts, for all who log in later.
func TestInheritedEnvironment(t *testing.T) {
	t.Parallel()
	tally := attacktest.New(t, "an environment that krd would keep, or take from who asks")
	h := newHouse(t)
	clone, ran := h.clone(t)
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(t, err)
	hostile := []string{"GIT_DIR=" + clone, "GIT_SSH_COMMAND=tool", "LD_LIBRARY_PATH=" + clone, "LD_BIND_NOW=1", "GODEBUG=execerrdot=0", "BASH_ENV=" + filepath.Join(clone, "tool"), "PERL5OPT=-w", "MINE=1"}
	start := exec.Command(filepath.Join(bin, "kr"), "daemon", "start")
	start.Env, start.Dir = append(append([]string{}, h.Env...), append(hostile, "PATH=.:"+bin+":"+os.Getenv("PATH")+":")...), clone
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("kr daemon start: %v: %s", err, out)
	}
	defer h.Kr("daemon", "stop")
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	seen := h.Path("seen")
	must(t, h.Append("ssh_config", "\nMatch exec \"test -z $KR_SSH_G || { env >"+seen+"; tool; }\"\n"))
	login := h.ssh()
	login.Env, login.Dir = append(append([]string{}, h.Env...), hostile...), clone
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("ssh: %v: %s", err, out)
	}
	got := string(read(t, seen)) // before krd asked the phone
	if !strings.Contains(got, "KR_SSH_G=1") || !strings.Contains(got, "HOME="+h.Dir) {
		t.Errorf("krd's ssh has the environment %s", got)
	}
	for _, v := range hostile {
		name, _, _ := strings.Cut(v, "=")
		if strings.Contains("\n"+got, "\n"+name+"=") {
			tally.Succeeded("krd's ssh has %s", name)
		} else {
			tally.Rejected()
		}
	}
	if b, err := os.ReadFile(ran); err == nil {
		tally.Succeeded("this ran where the asker stood: %s", b)
	} else {
		tally.Rejected()
	}
}
