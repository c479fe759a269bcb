package desktop

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// on makes a desktop with these programs, each of which keeps its arguments and
// its input in a file, and is all that PATH has.
func on(t *testing.T, goos string, env map[string]string, programs ...string) (d Desktop, dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, p := range programs {
		name, more, _ := strings.Cut(p, ":")
		script := "#!/bin/sh\necho \"$@\" >" + dir + "/" + name + ".args\n/bin/cat >" + dir + "/" + name + ".in\n" + more + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return Desktop{GOOS: goos, Getenv: func(name string) string { return env[name] }}, dir
}

const osc = "\x1b]52;c;a2V5IDE=\a" // of "key 1"

func TestCopy(t *testing.T) {
	wayland, x11 := map[string]string{"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, map[string]string{"DISPLAY": ":0"}
	term := map[string]string{"TERM": "xterm-256color"}
	ssh := map[string]string{"TERM": "tmux-256color", "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}
	withTerm := maps.Clone(x11)
	withTerm["TERM"] = "xterm"
	for _, c := range []struct {
		name, goos string
		env        map[string]string
		programs   string
		tty        bool
		by         Method
		args       string
	}{
		{"Wayland", "linux", wayland, "wl-copy|xclip", false, "wl-copy", ""},
		{"X11", "linux", x11, "wl-copy|xclip|xsel", false, "xclip", "-selection clipboard"},
		{"X11, only xsel", "linux", x11, "wl-copy|xsel", true, "xsel", "--clipboard --input"},
		{"Wayland's is broken", "linux", wayland, "wl-copy:exit 1|xclip", false, "xclip", "-selection clipboard"},
		{"in the background", "linux", x11, "xclip:(while [ -e $0 ]; do /bin/sleep 0.1; done) &", false, "xclip", "-selection clipboard"},
		{"macOS", "darwin", nil, "pbcopy", false, "pbcopy", ""},
		{"a Mac by ssh", "darwin", ssh, "pbcopy", true, OSC52, ""},
		{"no program", "linux", withTerm, "xdg-open", true, OSC52, ""},
		{"no display", "linux", term, "wl-copy|xclip|xsel", true, OSC52, ""},
		{"by ssh", "linux", ssh, "xclip", true, OSC52, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, dir := on(t, c.goos, c.env, strings.Split(c.programs, "|")...)
			var tty strings.Builder
			if c.tty {
				d.TTY = &tty
			}
			start := time.Now()
			by, err := d.Copy(t.Context(), "key 1")
			if err != nil || by != c.by {
				t.Fatalf("copied by %q, %v, want %q", by, err, c.by)
			}
			if time.Since(start) > 15*time.Second {
				t.Error("it waited for what goes on in the background")
			}
			if by == OSC52 {
				if tty.String() != osc {
					t.Errorf("the terminal got %q", tty.String())
				}
				return
			}
			in, _ := os.ReadFile(filepath.Join(dir, string(by)+".in"))
			args, _ := os.ReadFile(filepath.Join(dir, string(by)+".args"))
			if string(in) != "key 1" || strings.TrimSpace(string(args)) != c.args || tty.Len() > 0 {
				t.Errorf("%s %s got %q, the terminal %q", by, args, in, tty.String())
			}
		})
	}
}

// TestNoClipboard: it says why not.
func TestNoClipboard(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		tty  bool
		say  string
		text string
	}{
		{map[string]string{"TERM": "xterm"}, false, "there is no terminal", "x"},
		{map[string]string{"TERM": "linux", "SSH_TTY": "/dev/pts/1"}, true, `over ssh: no program for it works here (wl-copy, xclip, xsel, pbcopy), and a terminal of the kind "linux"`, "x"},
		{map[string]string{"TERM": "dumb"}, true, `"dumb"`, "x"},
		{map[string]string{"TERM": "screen", "STY": "1.x"}, true, "screen passes", "x"},
		{map[string]string{"TERM": "xterm"}, true, "more than terminals take", strings.Repeat("x", maxOSC52+1)},
		{map[string]string{"DISPLAY": ":0"}, false, "xclip: exit status 3", "x"},
	} {
		d, _ := on(t, "linux", c.env, "xclip:exit 3")
		var tty strings.Builder
		if c.tty {
			d.TTY = &tty
		}
		if by, err := d.Copy(t.Context(), c.text); err == nil || !strings.Contains(err.Error(), c.say) || tty.Len() > 0 {
			t.Errorf("%v: by %q, %v, want %q", c.env, by, err, c.say)
		}
	}
	d, _ := on(t, "linux", map[string]string{"TERM": "xterm"})
	d.TTY = gone{}
	if _, err := d.Copy(t.Context(), "x"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a terminal that has gone: %v", err)
	}
}

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		goos, env, program, url string
		bad                     bool
	}{
		{"linux", "DISPLAY", "xdg-open", "https://a.example/x", false},
		{"linux", "WAYLAND_DISPLAY", "xdg-open", "https://a.example/x", false},
		{"darwin", "TERM", "open", "https://a.example/x", false},
		{"darwin", "SSH_CONNECTION", "open", "https://a.example/x", true},
		{"linux", "TERM", "xdg-open", "https://a.example/x", true},
		{"linux", "DISPLAY", "open", "https://a.example/x", true},
		{"linux", "DISPLAY", "xdg-open", "file:///etc/passwd", true},
	} {
		d, dir := on(t, c.goos, map[string]string{c.env: "1"}, c.program)
		err := d.Open(c.url)
		if (err != nil) != c.bad {
			t.Errorf("%+v: %v", c, err)
		}
		path := filepath.Join(dir, c.program+".in") // written last
		for limit := time.Now().Add(30 * time.Second); err == nil; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(path); err == nil {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("%+v: the browser was not started", c)
			}
		}
		if args, _ := os.ReadFile(filepath.Join(dir, c.program+".args")); err == nil && string(args) != c.url+"\n" {
			t.Errorf("%+v: opened %q", c, args)
		}
	}
}
