package sshname

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ssh is the real one, and a directory with a configuration "config".
func ssh(t testing.TB, config string) Question {
	t.Helper()
	exe, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal("ssh is missing (Debian: openssh-client): ", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return Question{Exe: exe, Dir: dir}
}

// TestForms: whatever people and programs type, ssh knows what it means.
func TestForms(t *testing.T) {
	q := ssh(t, "Host alias\n HostName Server.Example\n Port 2222\n User ana\nHost pinned\n HostName 192.0.2.1\n HostKeyAlias Pinned.Example\n")
	for typed, want := range map[string]Answer{
		"-F none -l root -p 22 host":                           {Host: "host", Port: 22, User: "root"},
		"-F none root@host":                                    {Host: "host", Port: 22, User: "root"},
		"-F none ssh://root@host:2200":                         {Host: "host", Port: 2200, User: "root"},
		"-F none -o User=root -o HostName=x alias":             {Host: "x", Port: 22, User: "root"},
		"-F config alias":                                      {Host: "server.example", Port: 2222, User: "ana"},
		"-Fconfig alias uptime -l bob":                         {Host: "server.example", Port: 2222, User: "ana"},
		"-F config alias -l bob uptime":                        {Host: "server.example", Port: 2222, User: "bob"},
		"-vF config -p 3 -t -t alias -- ls -G":                 {Host: "server.example", Port: 3, User: "ana"},
		"-F config pinned":                                     {Host: "pinned.example", Alias: true, Port: 22},
		"-F config -l root -p 2298 -W [192.0.2.2]:2297 alias":  {Host: "server.example", Port: 2298, User: "root"}, // ProxyJump
		"-F config -J jump alias":                              {Host: "server.example", Port: 2222, User: "ana"},
		"-F none -x -oForwardAgent=no -l r -s -- host sftp":    {Host: "host", Port: 22, User: "r"}, // sftp, scp
		"-F none -o SendEnv=GIT_PROTOCOL u@h git-upload-pack":  {Host: "h", Port: 22, User: "u"},
		"-F none -p 22 fe80::1%eth0":                           {Host: "fe80::1%eth0", Port: 22},
		"-F config -f -N -M -S ctl -O check alias grep -E foo": {Host: "server.example", Port: 2222, User: "ana"},
	} {
		q.Args = strings.Fields(typed)
		got, err := new(Resolver).Resolve(t.Context(), q)
		if want.User == "" {
			got.User = ""
		}
		got.KeyFile = false // the one who tests may have some
		if err != nil || got != want {
			t.Errorf("ssh %s: %+v, %v, want %+v", typed, got, err, want)
		}
	}
	left, err := os.ReadDir(q.Dir)
	if err != nil || len(left) != 1 {
		t.Errorf("asking left files behind: %v", left)
	}
}

// TestKeyFiles: a private key that ssh would try, as ssh itself names it.
func TestKeyFiles(t *testing.T) {
	q := ssh(t, "Host *\n IdentityFile none\n")
	key := filepath.Join(q.Dir, "key")
	for _, name := range []string{key, key + ".pub"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{key: true, key + ".pub": false, key + "2": false, q.Dir: false, "key": false, "none": false} {
		q.Args = []string{"-F", "none", "-o", "IdentityFile=" + name, "host"}
		if a, err := new(Resolver).Resolve(t.Context(), q); err != nil || a.KeyFile != want {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if !strings.HasPrefix(homeDir(), "/") || isKeyFile("~/none/of/it") {
		t.Errorf("the home is %q", homeDir())
	}
}

// TestNotAskedAgain: what has effects, or cannot be read twice, is not run.
func TestNotAskedAgain(t *testing.T) {
	q := ssh(t, "")
	for typed, want := range map[string]error{
		"-E log host": errLogFile, "-Elog host": errLogFile, "-vE log host": errLogFile, "host -E log": errLogFile, "-l root -E log host": errLogFile,
		"-F /dev/fd/63 host": errPipe, "-F/dev/stdin host": errPipe, "-TF /proc/self/fd/3 host": errPipe, "host -F /dev/stdin x": errPipe,
	} {
		q.Args = strings.Fields(typed)
		if a, err := new(Resolver).Resolve(t.Context(), q); !errors.Is(err, want) {
			t.Errorf("ssh %s: %+v, %v, want %v", typed, a, err, want)
		}
	}
	for _, fine := range []string{"host grep -E foo", "-o EscapeChar=none host", "-l E host", "-lE host", "-F /dev/null host", "-- host -E x", "-", "", "-o"} {
		if err := checkArgs(strings.Fields(fine)); err != nil {
			t.Errorf("ssh %s: %v", fine, err)
		}
	}
	for _, nothing := range []string{"", "-V", "-Q key", "-nosuch", "-F missing host"} {
		q.Args = strings.Fields(nothing)
		if a, err := new(Resolver).Resolve(t.Context(), q); err == nil || a != (Answer{}) {
			t.Errorf("ssh %s: %+v, %v", nothing, a, err)
		}
	}
}

// TestMatchExec: a person's own programs run as in the first ssh, but reach no
// agent, are marked, and end after a second with all that they started.
func TestMatchExec(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "/nowhere")
	q := ssh(t, "Match host quick exec \"env > env\"\n HostName quick.example\nMatch host slow exec \"sleep 60 >fifo; :\"\n HostName slow.example\n")
	q.Args = []string{"-F", "config", "quick"}
	if a, err := new(Resolver).Resolve(t.Context(), q); err != nil || a.Host != "quick.example" {
		t.Errorf("quick: %+v, %v", a, err)
	}
	env, err := os.ReadFile(filepath.Join(q.Dir, "env"))
	if err != nil || !slices.Contains(strings.Split(string(env), "\n"), GuardVariable+"=1") || strings.Contains(string(env), "SSH_AUTH_SOCK") {
		t.Errorf("the environment of a program: %v\n%s", err, env)
	}
	q.Args = []string{"-F", "config", "slow"}
	if err := syscall.Mkfifo(filepath.Join(q.Dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	fifo, err := os.OpenFile(filepath.Join(q.Dir, "fifo"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	started := time.Now()
	if a, err := new(Resolver).Resolve(t.Context(), q); err == nil {
		t.Errorf("slow: %+v", a)
	}
	if took := time.Since(started); took < limit || took > 10*time.Second {
		t.Errorf("it took %v, want about %v", took, limit)
	}
	fifo.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := fifo.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("what ssh started still runs: %d bytes, %v", n, err)
	}
}

// fake is an ssh that counts its runs in the file "runs" and prints what it
// finds in "says".
func fake(t *testing.T, says string) Question {
	t.Helper()
	dir := t.TempDir()
	exe := filepath.Join(dir, "ssh")
	for name, text := range map[string]string{"ssh": "#!/bin/sh\necho >>runs\ncat says\n", "says": says} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return Question{Exe: exe, Args: []string{"host"}, Dir: dir}
}

func TestAnswersAreRemembered(t *testing.T) {
	q := fake(t, "hostname a\nport 22\nhostkeyalias none\n")
	config := filepath.Join(q.Dir, "config")
	r := &Resolver{watched: []string{config}}
	runs := func(want int, when string) {
		t.Helper()
		a, err := r.Resolve(t.Context(), q)
		b, _ := os.ReadFile(filepath.Join(q.Dir, "runs"))
		if err != nil || a != (Answer{Host: "a", Port: 22}) || len(b) != want {
			t.Errorf("%s: %+v, %v, %d runs, want %d", when, a, err, len(b), want)
		}
	}
	runs(1, "first")
	runs(1, "again")
	os.WriteFile(config, nil, 0o600)
	runs(2, "with a configuration")
	os.Chtimes(config, time.Time{}, time.Unix(1, 0))
	runs(3, "with a changed one")
	q.Args = []string{"host", "ls"}
	runs(4, "with other arguments")
	if _, ok := r.look(r.key(q), time.Now().Add(cacheLife)); ok {
		t.Error("an answer is remembered too long")
	}
	for i := range 3 * maxCached {
		r.keep(fmt.Sprint(i), Answer{}, time.Now())
	}
	if len(r.cached) > maxCached {
		t.Errorf("%d answers are remembered", len(r.cached))
	}
	r.keep("new", Answer{}, time.Now().Add(2*cacheLife))
	if len(r.cached) != 1 {
		t.Errorf("%d answers are left when they are old", len(r.cached))
	}
}

func TestStrangeOutput(t *testing.T) {
	for says, want := range map[string]string{
		"":                                  "named no host",
		"hostname a\n":                      "named no host",
		"hostname a\nport x\n":              "named no host",
		"hostname a\nport 65536\n":          "named no host",
		"port 22\n":                         "named no host",
		strings.Repeat("x", maxOutput+1):    "too much",
		"hostname a\nport 22\n\xff\x00\x1b": "",
	} {
		a, err := new(Resolver).Resolve(t.Context(), fake(t, says))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %+v, %v, want %q", says, a, err, want)
		}
	}
	if a, err := new(Resolver).Resolve(t.Context(), Question{Exe: "/nowhere/ssh", Dir: "/"}); err == nil {
		t.Errorf("no ssh: %+v", a)
	}
}

func FuzzArgs(f *testing.F) {
	f.Add("-vF\x00config\x00-p\x003\x00host\x00--\x00ls")
	f.Add("-E")
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\x00")
		n := 0
		options(args, func(letter byte, value string) {
			n++
			if !strings.Contains(s, string([]byte{letter})) || !strings.Contains(s, value) {
				t.Errorf("options(%q) gives -%c %q", args, letter, value)
			}
		})
		if n > len(s) {
			t.Errorf("options(%q) gives %d", args, n)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("hostname a\nport 22\nuser root\nhostkeyalias b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parse(b)
		if (err == nil) != (a != Answer{}) || err == nil && (a.Host == "" || a.Port < 1 || a.Port > 65535) {
			t.Errorf("parse(%q) = %+v, %v", b, a, err)
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	q := ssh(b, "Host alias\n HostName server.example\n")
	q.Args = []string{"-F", "config", "alias"}
	for b.Loop() {
		if _, err := new(Resolver).Resolve(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}
