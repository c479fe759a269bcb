package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/service"
)

// launchctl plays macOS's, as strict: what is loaded is not loaded again, what is
// not cannot be unloaded, and who unloads a job that runs does not wait for its
// end. It keeps what it knows in LAUNCHD.
const launchctl = `#!/bin/sh
cd "$LAUNCHD" || exit 1
echo "$*" >>told
fail() { echo "$2" >&2; exit $1; }
case $1 in
print)
	test -e loaded || fail 113 'Could not find service in domain' ;;
bootstrap)
	test ! -e loaded || fail 5 'Bootstrap failed: 5: Input/output error'
	echo "$3" >loaded
	home=$(sed -n '/KR_HOME/{n;s/.*<string>\(.*\)<.string>/\1/p;}' "$3")
	krd=$(sed -n '/<array>/,/<.array>/s/.*<string>\(.*\)<.string>/\1/p' "$3")
	{
		KR_HOME=$home $krd 2>>krd.log &
		echo $! >pid
		: >started
		wait $!
		rm -f pid
		test ! -e ending || rm -f loaded ending
	} </dev/null >/dev/null 2>&1 &
	until rm started 2>/dev/null; do sleep 0.01; done ;;
bootout)
	test -e loaded || fail 3 'Boot-out failed: 3: No such process'
	if test -e pid; then
		: >ending
		kill $(cat pid)
		fail 36 'Boot-out failed: 36: Operation now in progress'
	fi
	rm loaded ;;
getenv) cat environment 2>/dev/null ;;
setenv) echo "$3" >environment ;;
unsetenv) rm environment ;;
*) fail 64 'Unrecognized subcommand' ;;
esac
exit 0
`

// TestLaunchd: setup, another one over it, stop and start, and uninstall of what
// was stopped, as launchd has it.
func TestLaunchd(t *testing.T) {
	home, _ := newcomer(t)
	state, err := os.MkdirTemp("", "kr") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(state) })
	tools, launchd := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(tools, "krd")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tools, "launchctl"), []byte(launchctl), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	t.Setenv("LAUNCHD", launchd)
	t.Setenv("SHELL", "/bin/sh")
	t.Cleanup(func() { kr(t, state, "daemon", "stop") })
	e := inside(state)
	setUp := func() {
		t.Helper()
		s := newSetup(newCheckup(e))
		if err := s.plan(t.Context(), kindLaunchd); err != nil {
			t.Fatal(err)
		}
		if _, err := e.carryOut(t.Context(), "kr setup", s.steps, consent{yes: true}); err != nil {
			t.Fatalf("%v, after\n%s", err, read(t, filepath.Join(launchd, "told")))
		}
	}
	run := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := kr(t, state, args...)
		if code != want {
			t.Fatalf("kr %v = %d, want %d\n%s%s%s", args, code, want, out, errs, read(t, filepath.Join(launchd, "told")))
		}
		return out + errs
	}

	setUp()
	run(0, "status")
	run(0, "config", "set", "agent", "/run/other/ssh") // as README has it: then kr setup
	setUp()
	if out := run(0, "status"); !strings.Contains(out, "/run/other/ssh") {
		t.Errorf("krd was not started anew: %s", out)
	}
	run(0, "daemon", "stop")
	run(codeNotRunning, "status")
	run(0, "daemon", "stop")
	run(0, "daemon", "start")
	run(0, "daemon", "restart")
	if err := e.krd.Stop(t.Context()); err != nil { // loaded, and it does not run
		t.Fatal(err)
	}
	if err := e.awaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(0, "daemon", "start")
	run(0, "daemon", "stop")
	if out := run(0, "uninstall", "--yes", "--purge"); !strings.Contains(out, "run, unless that is gone: launchctl bootout gui/") {
		t.Errorf("uninstall said\n%s", out)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 || exists(state) {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestCarry: what is gone is not ended again, and what takes its time is waited
// for, whatever the command said; but not for ever.
func TestCarry(t *testing.T) {
	for _, c := range []struct {
		name, ends, args string
		patience         time.Duration
		told             string
		fails            bool
	}{
		{"gone", "false", "echo args >>told", time.Minute, "", false},
		{"takes its time", "echo ends >>told; test $(wc -l <told) -lt 4", "echo args >>told; exit 36", time.Minute, "ends args ends ends", false},
		{"stays", "true", "exit 5", 500 * time.Millisecond, "", true},
	} {
		dir := t.TempDir()
		sh := func(script string) []string { return []string{"sh", "-c", "cd " + shellQuoted(dir) + "; " + script} }
		ctx, cancel := context.WithTimeout(t.Context(), c.patience)
		err := carry(ctx, service.Command{Args: sh(c.args), Ends: sh(c.ends)})
		cancel()
		told, _ := os.ReadFile(filepath.Join(dir, "told"))
		if got := strings.Join(strings.Fields(string(told)), " "); got != c.told || (err != nil) != c.fails {
			t.Errorf("%s: told %q, want %q; %v", c.name, got, c.told, err)
		}
	}
}
