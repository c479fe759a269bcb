package sshversion

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// script is a program of the tester's that says and does this.
func script(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "ssh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// trusting believes in programs of the tester's.
func trusting() *Versions { return &Versions{root: uint32(os.Getuid())} }

func TestParse(t *testing.T) {
	for _, c := range []struct {
		out  string
		want Version
		err  error
	}{
		{"OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026\n", Version{9, 2}, nil},
		{"OpenSSH_10.3p1, OpenSSL 3.5.4\n", Version{10, 3}, nil},
		{"OpenSSH_10.5\n", Version{10, 5}, nil},
		{"OpenSSH_10.5", Version{10, 5}, nil},
		{"OpenSSH_8.4p1", Version{8, 4}, nil},
		{"OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2\n", Version{}, ErrOther},
		{"Dropbear v2022.83\n", Version{}, ErrOther},
		{"I am OpenSSH_10.5", Version{}, ErrOther},
		{"OpenSSH_10.33333", Version{}, ErrOther},
		{"OpenSSH_10", Version{}, ErrOther},
		{"OpenSSH_10.3.1", Version{}, ErrOther},
		{"", Version{}, ErrOther},
	} {
		if v, err := parse([]byte(c.out)); v != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q: %v, %v, want %v, %v", c.out, v, err, c.want, c.err)
		}
	}
	for v, want := range map[Version]bool{{10, 3}: true, {10, 4}: true, {11, 0}: true, {10, 2}: false, {9, 9}: false, {}: false} {
		if v.AtLeast(10, 3) != want {
			t.Errorf("%v is at least 10.3: %v", v, !want)
		}
	}
}

// TestStockSSH: Debian's own says what it is; nobody but root can change it.
func TestStockSSH(t *testing.T) {
	path, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal("ssh is missing (Debian: openssh-client): ", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(path, "-V").CombinedOutput()
	v, err := new(Versions).Of(t.Context(), path)
	if err != nil || !strings.HasPrefix(string(out), "OpenSSH_"+v.String()) {
		t.Errorf("%v, %v of %q", v, err, out)
	}
}

// TestAsksOnce: of many at once, and again only when the file is another one.
func TestAsksOnce(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	path := script(t, dir, `[ "$1" = -V ] && [ -z "$HOME" ] && echo x >> `+runs+` && echo OpenSSH_10.3p1 >&2`)
	vs := trusting()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if v, err := vs.Of(t.Context(), path); err != nil || v != (Version{10, 3}) {
				t.Errorf("%v, %v", v, err)
			}
		})
	}
	wg.Wait()
	if b, _ := os.ReadFile(runs); string(b) != "x\n" {
		t.Errorf("it ran %d times", len(b)/2)
	}
	script(t, dir, "echo Dropbear >&2; exit 1")
	for range 2 {
		if _, err := vs.Of(t.Context(), path); !errors.Is(err, ErrOther) {
			t.Errorf("another file: %v", err)
		}
	}
	if len(vs.cached) != 2 {
		t.Errorf("%d files are remembered", len(vs.cached))
	}
}

// TestSlow: an ssh that hangs costs a second, leaves nothing behind, and is asked
// again.
func TestSlow(t *testing.T) {
	dir := t.TempDir()
	held := filepath.Join(dir, "held") // open as long as the child lives
	if err := syscall.Mkfifo(held, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(held, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path := script(t, dir, "sleep 60 > "+held+" & wait")
	vs, start := trusting(), time.Now()
	_, err = vs.Of(t.Context(), path)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < limit || took > 3*limit {
		t.Errorf("%v after %s", err, took)
	}
	f.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := f.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("its child lives: %d, %v", n, err)
	}
	if len(vs.cached) != 0 {
		t.Error("no answer is remembered as one")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := vs.Of(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("for nobody: %v", err)
	}
}

func TestMuchOutput(t *testing.T) {
	path := script(t, t.TempDir(), "echo OpenSSH_10.3p1; head -c 1000000 /dev/zero")
	if v, err := trusting().Of(t.Context(), path); err != nil || v != (Version{10, 3}) {
		t.Errorf("%v, %v", v, err)
	}
}

// TestUntrusted: what others than root can change is not run.
func TestUntrusted(t *testing.T) {
	for name, change := range map[string]func(dir, path string) string{
		"its file":      func(_, path string) string { os.Chmod(path, 0o722); return path },
		"its group":     func(_, path string) string { os.Chmod(path, 0o770); return path },
		"its directory": func(dir, path string) string { os.Chmod(filepath.Dir(path), 0o777); return path },
		"above it":      func(dir, path string) string { os.Chmod(dir, 0o777); return path },
		"a link": func(dir, path string) string {
			os.Symlink(path, filepath.Join(dir, "link"))
			return filepath.Join(dir, "link")
		},
		"a relative path": func(_, path string) string { return "ssh" },
		"a directory":     func(_, path string) string { return filepath.Dir(path) },
	} {
		dir := t.TempDir()
		inner := filepath.Join(dir, "bin")
		if err := os.Mkdir(inner, 0o700); err != nil {
			t.Fatal(err)
		}
		ran := filepath.Join(dir, "ran")
		path := change(dir, script(t, inner, "touch "+ran+"; echo OpenSSH_10.3p1"))
		if name == "a relative path" {
			t.Chdir(inner)
		}
		_, err := trusting().Of(t.Context(), path)
		if !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(ran); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
	path := script(t, t.TempDir(), "echo OpenSSH_10.3p1")
	if _, err := (&Versions{root: uint32(os.Getuid()) + 1}).Of(t.Context(), path); !errors.Is(err, ErrUntrusted) {
		t.Errorf("of another owner: %v", err)
	}
	if os.Getuid() != 0 {
		if _, err := new(Versions).Of(t.Context(), path); !errors.Is(err, ErrUntrusted) {
			t.Errorf("of this user: %v", err)
		}
	}
	if _, err := new(Versions).Of(t.Context(), path+".not"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}
