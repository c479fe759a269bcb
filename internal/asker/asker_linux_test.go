package asker

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMain is also the program that tests start under other names: it says its
// pid on file 3, if there is one, and waits for the end of its input.
func TestMain(m *testing.M) {
	if os.Getenv("ASKER_TEST_WAIT") == "" {
		os.Exit(m.Run())
	}
	if f := os.NewFile(3, "pid"); f != nil {
		io.WriteString(f, strconv.Itoa(os.Getpid())+"\n")
	}
	io.Copy(io.Discard, os.Stdin)
}

// program is this test as a program with another name.
func program(t *testing.T, name string) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// withLibraries copies the libraries that a program was linked with below the
// directory that will be its root; with the race detector it has some.
func withLibraries(t *testing.T, program string) string {
	t.Helper()
	root := filepath.Dir(program)
	list, _ := exec.Command("ldd", program).Output() // an error: it has none
	for _, field := range strings.Fields(string(list)) {
		b, err := os.ReadFile(field)
		if !filepath.IsAbs(field) || err != nil {
			continue
		}
		to := filepath.Join(root, field)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// start starts cmd with a file 3 and returns the pid that was written there.
// An input that cmd has none of ends with the test.
func start(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.ExtraFiles = append([]*os.File{w}, cmd.ExtraFiles...)
	cmd.Env = append(append(os.Environ(), "ASKER_TEST_WAIT=1"), cmd.Env...)
	if cmd.Stdin == nil {
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	if pid == 0 {
		cmd.Process.Kill()
		cmd.Wait()
		if os.Geteuid() == 0 {
			t.Fatalf("%v does not run: %v", cmd.Args, err)
		}
		t.Skipf("%v needs root: %v", cmd.Args, err)
	}
	t.Cleanup(func() { // first the one that was asked about, then who waits for it
		syscall.Kill(pid, syscall.SIGKILL)
		cmd.Process.Kill()
		cmd.Wait()
	})
	return pid
}

func TestFacts(t *testing.T) {
	ssh, dir := program(t, "ssh"), t.TempDir()
	cmd := exec.Command(ssh, "-F", "s3cret", "-oProxyCommand=t0ken", "bob:pw@server", "echo", "")
	cmd.Dir = dir
	a := At(start(t, cmd))
	d := a.Describe()
	if !strings.HasSuffix(d.Program, " > ssh") || d.Directory != dir || d.Git || d.Path != "" {
		t.Errorf("Describe = %+v", d)
	}
	if works, ok := a.Directory(); !ok || works != dir {
		t.Errorf("Directory = %q, %v", works, ok)
	}
	for _, secret := range []string{"s3cret", "t0ken", "bob", "pw", "server", "echo"} {
		if strings.Contains(d.Program, secret) {
			t.Errorf("an argument is in %q", d.Program)
		}
	}
	c, ok := a.SSH("KR_TEST_GUARD")
	if !ok || c.Exe != ssh || c.Dir != dir || !slices.Equal(c.Args, cmd.Args[1:]) {
		t.Errorf("SSH = %+q, %v", c, ok)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if d := a.Describe(); d != (Description{}) || a.IsSSH() {
		t.Errorf("after its end: %+v", d)
	}
	if _, ok := a.SSH("KR_TEST_GUARD"); ok {
		t.Error("after its end its arguments are given")
	}
	if _, ok := a.Directory(); ok {
		t.Error("after its end its directory is given")
	}
}

// TestPidOfAnother: a pid that was given to another process names nobody.
func TestPidOfAnother(t *testing.T) {
	a := At(start(t, exec.Command(program(t, "ssh"))))
	if !a.IsSSH() {
		t.Fatal("an ssh is none")
	}
	a.start--
	if d := a.Describe(); d != (Description{}) || a.IsSSH() {
		t.Errorf("another process: %+v", d)
	}
	for _, pid := range []int{-1, 0, 1 << 30} {
		if a := At(pid); a != (Asker{}) || a.IsSSH() {
			t.Errorf("At(%d) = %+v", pid, a)
		}
	}
}

func TestParents(t *testing.T) {
	git, ssh := program(t, "git"), program(t, "ssh")
	// A script's shell, a shell, and "git": who is asked about is at the end.
	script := filepath.Join(t.TempDir(), "deploy.sh")
	if err := os.WriteFile(script, []byte(`sh -c '"$0" -c http.extraHeader=s3cret push origin; :' "`+git+"\"\n:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := At(start(t, exec.Command("bash", script)))
	if d := a.Describe(); !strings.HasSuffix(d.Program, "deploy.sh > dash > git push") && !strings.HasSuffix(d.Program, "deploy.sh > sh > git push") || !d.Git {
		t.Errorf("Describe = %+v", d)
	}
	for _, c := range []struct {
		args []string
		git  bool
		path string
	}{
		{[]string{"-c", `"$0" clone x; :`, git}, false, ""}, // where it works is not what it clones
		{[]string{"-c", `"$0" git@forge.example "git-receive-pack 'ana/shop.git'"; :`, ssh}, false, "ana/shop"},
	} {
		if d := At(start(t, exec.Command("sh", c.args...))).Describe(); d.Git != c.git || d.Path != c.path {
			t.Errorf("%q: %+v", c.args, d)
		}
	}
	cmd := exec.Command(ssh)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if d := At(start(t, cmd)).Describe(); d.Program != "ssh" {
		t.Errorf("above the leader of a session: %q", d.Program)
	}
}

// TestSandboxedSSH: what a process in a sandbox says is not run outside of it.
func TestSandboxedSSH(t *testing.T) {
	ssh := program(t, "ssh")
	for name, cmd := range map[string]*exec.Cmd{
		"no new privileges":   exec.Command("setpriv", "--no-new-privs", ssh, "host"),
		"other mounts":        exec.Command("unshare", "-m", ssh, "host"),
		"another root":        exec.Command("chroot", withLibraries(t, ssh), "/ssh", "host"),
		"guarded":             exec.Command("env", "KR_TEST_GUARD=", ssh, "host"),
		"no arguments":        exec.Command(ssh),
		"called ssh only":     {Path: program(t, "sshd"), Args: []string{"ssh", "host"}},
		"replaced on disk":    exec.Command(program(t, "ssh"), "host"),
		"too many arguments":  exec.Command(ssh, slices.Repeat([]string{"a"}, maxArgs+1)...),
		"too large arguments": exec.Command(ssh, strings.Repeat("a", maxArgv)),
	} {
		t.Run(name, func(t *testing.T) {
			a := At(start(t, cmd))
			if name == "replaced on disk" {
				if err := os.Rename(program(t, "ssh"), cmd.Path); err != nil {
					t.Fatal(err)
				}
			}
			if c, ok := a.SSH("KR_TEST_GUARD"); ok {
				t.Errorf("SSH = %+q", c)
			}
			if d := a.Describe(); len(d.Program) > (maxWord+3)*(maxParents+1) {
				t.Errorf("a description of %d bytes", len(d.Program))
			}
		})
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 10 20 30 34817 40 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 17 18 19\n"
	want := status{state: 'S', parent: 10, group: 20, session: 30, tty: 34817, front: 40, start: 99}
	for _, name := range []string{"ssh", "a b", "a) R 1 1 1 1 1", "(((", ")))", "a\nb", "", "\xff\x00", ") Z 0 0 0 0 0 0"} {
		if s, err := parseStat([]byte("7 (" + name + ")" + rest)); err != nil || s != want {
			t.Errorf("a process called %q: %+v, %v", name, s, err)
		}
	}
	if s, err := parseStat([]byte("7 (krd) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0")); err != nil || s.front != -1 || s.tty != 0 {
		t.Errorf("without a terminal: %+v, %v", s, err)
	}
	for _, bad := range []string{"", "7 (ssh", "7 (ssh)", "7 (ssh) S 10", "7 (ssh)" + strings.Replace(rest, "34817", "x", 1),
		"7 (ssh)" + strings.Replace(rest, " 99 ", " 0 ", 1), "7 (ssh)" + strings.Replace(rest, "S", "SS", 1)} {
		if s, err := parseStat([]byte(bad)); !errors.Is(err, errStat) {
			t.Errorf("%q is read as %+v, %v", bad, s, err)
		}
	}
	if s, err := readStatus(os.Getpid()); err != nil || s.parent != os.Getppid() || s.group != syscall.Getpgrp() {
		t.Errorf("own status: %+v, %v", s, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) b) S 10 20 30 34817 40 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 17"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStat(b)
		if (err == nil) != (s != status{}) {
			t.Errorf("parseStat(%q) = %+v, %v", b, s, err)
		}
		if name := terminalName(s.tty); name != "" && !strings.HasPrefix(name, "/dev/pts/") && !strings.HasPrefix(name, "/dev/tty") {
			t.Errorf("terminal %q", name)
		}
	})
}

// TestExecutable: the path of the program, as long as that is the program.
func TestExecutable(t *testing.T) {
	b, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ssh")
	put := func() {
		t.Helper()
		if err := errors.Join(os.WriteFile(path+".new", b, 0o700), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	put()
	cmd := exec.Command(path, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := At(cmd.Process.Pid)
	check := func(when, want string, wantSame bool) {
		t.Helper()
		if got, same := a.Executable(); got != want || same != wantSame {
			t.Errorf("%s: %q, %v, want %q, %v", when, got, same, want, wantSame)
		}
	}
	check("at work", path, true)
	put()
	check("replaced", path, false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	check("removed", path, false)
	cmd.Process.Kill()
	cmd.Wait()
	check("ended", "", false)
	a = Asker{}
	check("unknown", "", false)
}
