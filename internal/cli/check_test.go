package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/daemon"
	"kryptonite/internal/peer"
	"kryptonite/internal/strangertest"
	"kryptonite/internal/term"
	"kryptonite/internal/version"
)

// TestMain is krd where a test starts the test's program by that name; it is of
// the version that KR_TEST_KRD names. It is kr where KR_TEST_KR has its words.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "krd" {
		os.Exit(daemon.Main(context.Background(), os.Args[1:], first(os.Getenv("KR_TEST_KRD"), version.String()), term.System("krd")))
	}
	if words := os.Getenv("KR_TEST_KR"); words != "" {
		os.Exit(Main(context.Background(), strings.Fields(words), term.System("kr"), nil))
	}
	os.Exit(m.Run())
}

// resident is a newcomer who has run kr setup: krd runs, and ends with the test.
func resident(t *testing.T) (home, state string) {
	t.Helper()
	home, _ = newcomer(t)
	state, err := os.MkdirTemp("", "kr") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(state) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "krd")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("SHELL", "/bin/sh")
	sshConfig(t, home, "Host a\n", 0o600)
	if code, out, errs := kr(t, state, "setup", "--yes"); code != 0 {
		t.Fatalf("kr setup: %d\n%s%s", code, out, errs)
	}
	t.Cleanup(func() { kr(t, state, "daemon", "stop") })
	return home, state
}

// TestCheckFindsAndMends seeds one fault after another: kr check names it and
// what to type, changes nothing, and --fix mends it and says so.
func TestCheckFindsAndMends(t *testing.T) {
	home, state := resident(t)
	config := filepath.Join(home, ".ssh", "config")
	whole := read(t, config)
	write := func(path, text string, mode os.FileMode) func() {
		return func() {
			os.Chmod(path, 0o600)
			if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod := func(path string, mode os.FileMode) func() {
		return func() {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop := func() {
		if code, _, errs := kr(t, state, "daemon", "stop"); code != 0 {
			t.Fatal(errs)
		}
	}
	for _, c := range []struct {
		name   string
		seed   func()
		found  string // a line of kr check
		mended string // one of --fix
		after  func() bool
	}{
		{"krd does not run", stop, "fail    krd          krd is not running (no answer on " + state + "/krd.sock); to mend it: kr daemon start", "mended  started krd", nil},
		{"an old krd", func() {
			stop()
			t.Setenv("KR_TEST_KRD", "0.0.9")
			if code, _, errs := kr(t, state, "daemon", "start"); code != 0 {
				t.Fatal(errs)
			}
			t.Setenv("KR_TEST_KRD", "")
		}, "warn    krd          krd 0.0.9 runs, and this is kr " + version.String() + "; to mend it: kr daemon restart", "mended  restarted krd, as it was 0.0.9", nil},
		{"the socket is gone", func() { os.Remove(filepath.Join(state, "agent.sock")) },
			"is not there any more; to mend it: kr daemon restart", "mended  restarted krd, as its socket was gone", nil},
		{"an open directory", chmod(state, 0o755), "fail    state        " + state + " is open to others, or closed to you; to mend it: chmod -R u=rwX,go= " + state,
			"mended  closed " + state + " to others", func() bool { return mode(state) == 0o700 }},
		{"an open socket and an open record", func() {
			chmod(filepath.Join(state, "agent.sock"), 0o666)()
			chmod(filepath.Join(state, recordFile), 0o640)()
		}, "is open to others, or closed to you, and 1 more", "mended  closed ", func() bool {
			return mode(filepath.Join(state, "agent.sock")) == 0o600 && mode(filepath.Join(state, recordFile)) == 0o600
		}},
		{"no block", write(config, "Host a\n", 0o600), "the block of kr setup is not there any more in ~/.ssh/config; to mend it: kr setup", "mended  restored the block", nil},
		{"half a block", write(config, strings.Split(whole, "# END")[0]+"Host a\n", 0o600), "begins the block of kr setup, and no line ends it", "mended  put a whole block", nil},
		{"a block that an editor moved", write(config, "IdentityAgent none\n"+whole, 0o600), "not as kr setup made it, or not at the top", "mended  restored the block",
			func() bool { return strings.HasSuffix(read(t, config), "# END kr setup\nIdentityAgent none\nHost a\n") }},
		{"others may write it", write(config, whole, 0o622), "fail    ssh config   others may write to ~/.ssh/config", "mended  took the right to write to ~/.ssh/config from others",
			func() bool { return mode(config) == 0o600 && read(t, config) == whole }},
	} {
		c.seed()
		before := snapshot(t, home, state)
		code, out, errs := kr(t, state, "check")
		if code == 0 || !strings.Contains(out, c.found) {
			t.Errorf("%s: kr check = %d\n%s%s", c.name, code, out, errs)
		}
		if !strings.Contains(errs, "to have 1 of it mended: kr check --fix") {
			t.Errorf("%s: nothing is said of --fix: %s", c.name, errs)
		}
		if after := snapshot(t, home, state); after != before {
			t.Errorf("%s: kr check changed something: before\n%safter\n%s", c.name, before, after)
		}
		if _, out, errs = kr(t, state, "check", "--fix"); !strings.Contains(out, c.mended) {
			t.Errorf("%s: kr check --fix said\n%s%s", c.name, out, errs)
		}
		if c.after != nil && !c.after() {
			t.Errorf("%s: it was not mended", c.name)
		}
		if _, out, _ := kr(t, state, "check"); strings.Contains(out, c.found) {
			t.Errorf("%s: afterwards\n%s", c.name, out)
		}
		write(config, whole, 0o600)()
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mode(path string) os.FileMode {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Mode().Perm()
}

// snapshot is all names and modes in directories, and the contents of files,
// but for logs.
func snapshot(t *testing.T, dirs ...string) string {
	t.Helper()
	var out strings.Builder
	for _, d := range dirs {
		err := filepath.WalkDir(d, func(path string, e os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			fmt.Fprintln(&out, mode(path), path)
			if e.Type().IsRegular() && !strings.Contains(path, ".log") && !strings.Contains(path, "log.") {
				fmt.Fprintf(&out, "%q\n", read(t, path))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// TestCheckMendsNothingNew: where kr setup has not been, --fix starts krd, and
// leaves ssh's configuration alone.
func TestCheckMendsNothingNew(t *testing.T) {
	home, state := newcomer(t)
	path := sshConfig(t, home, "Host a\n", 0o600)
	code, out, errs := kr(t, state, "check", "--fix")
	if code != codeNotRunning || !strings.Contains(out, "it was not mended: krd is not installed") || !strings.Contains(out, "there is no ~/.kr yet; to mend it: kr setup") ||
		!strings.Contains(out, "does not say that ssh is to ask krd; to mend it: kr setup") {
		t.Errorf("kr check --fix = %d\n%s%s", code, out, errs)
	}
	if got := read(t, path); got != "Host a\n" {
		t.Errorf("ssh's configuration is %q", got)
	}
}

// TestUninstallAfterMending: what --fix made anew is taken back, too.
func TestUninstallAfterMending(t *testing.T) {
	home, state := resident(t)
	if err := os.RemoveAll(filepath.Join(home, ".ssh")); err != nil {
		t.Fatal(err)
	}
	if _, out, errs := kr(t, state, "check", "--fix"); !strings.Contains(out, "mended  restored the block") {
		t.Errorf("%s%s", out, errs)
	}
	if code, out, errs := kr(t, state, "uninstall", "--yes", "--purge"); code != 0 {
		t.Errorf("kr uninstall = %d\n%s%s", code, out, errs)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 || exists(state) {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestCheckOfAnothersFile: what another user owns is named, and no --fix can mend it.
func TestCheckOfAnothersFile(t *testing.T) {
	strangertest.Needed(t)
	_, state := newcomer(t)
	if code, _, errs := kr(t, state, "config", "set", "name", "laptop"); code != 0 {
		t.Fatal(errs)
	}
	if err := os.Chown(filepath.Join(state, configFile), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	chk := newCheckup(&env{home: state})
	if f := lookState(t.Context(), chk)[0]; f.state != factFail || f.mend != nil || f.text != "~/.kr/config.json belongs to another user" || !strings.HasPrefix(f.fix, "sudo chown -R 0 ") {
		t.Errorf("%+v", f)
	}
	if f := lookSettings(t.Context(), chk)[0]; f.state != factFail || !strings.Contains(f.text, "another user") {
		t.Errorf("%+v", f)
	}
}

// TestCheckOfAHungKrd ends, and says so.
func TestCheckOfAHungKrd(t *testing.T) {
	state := t.TempDir()
	socket := filepath.Join(state, control.Socket)
	l, err := net.Listen("unix", socket) // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	chk := newCheckup(&env{home: state, krd: control.NewClient(socket, peer.SameUser)})
	chk.patience = 50 * time.Millisecond
	if f := lookKrd(t.Context(), chk)[0]; f.state != factFail || !strings.Contains(f.text, "no answer within 50ms") || f.code != codeNotRunning || f.mend != nil {
		t.Errorf("%+v", f)
	}
}
