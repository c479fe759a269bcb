// Package desktop reaches what a person has beside the terminal: the clipboard,
// and the browser.
//
// The clipboard is reached by the first program of this table that is there and
// whose display is; without one by the terminal itself, if it takes OSC 52, which
// also works over ssh:
//
//	wl-copy      WAYLAND_DISPLAY
//	xclip, xsel  DISPLAY
//	pbcopy       macOS, not over ssh: the clipboard of a Mac that is elsewhere
//
// What is copied is public. References: xterm's ctlseqs, "Operating System
// Commands", Ps = 5 2.
package desktop

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	toolPatience = 5 * time.Second
	maxOSC52     = 8 << 10 // bytes of text; terminals cut longer ones
)

// Desktop is where a person works.
type Desktop struct {
	Getenv func(name string) string
	GOOS   string    // runtime.GOOS
	TTY    io.Writer // the terminal; nil: there is none
}

// Method is how a text came to the clipboard.
type Method string

// OSC52 is the terminal's own way. Whether it took the text, nobody says.
const OSC52 Method = "OSC 52"

type tool struct {
	name    string
	args    []string
	display string // the variable that says that its display is there; "": macOS
}

func tools() []tool {
	return []tool{
		{"wl-copy", nil, "WAYLAND_DISPLAY"},
		{"xclip", []string{"-selection", "clipboard"}, "DISPLAY"},
		{"xsel", []string{"--clipboard", "--input"}, "DISPLAY"},
		{"pbcopy", nil, ""},
	}
}

// Copy puts text on the clipboard and says how, or why there is no way.
func (d Desktop) Copy(ctx context.Context, text string) (Method, error) {
	var failed error
	for _, t := range tools() {
		if !d.has(t.display) {
			continue
		}
		path, err := exec.LookPath(t.name)
		if err != nil {
			continue
		}
		if err = feed(ctx, path, t.args, text); err == nil {
			return Method(t.name), nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", t.name, err))
	}
	if err := d.osc52(text); err != nil {
		return "", errors.Join(failed, err)
	}
	return OSC52, nil
}

// has reports whether a display of that kind is there.
func (d Desktop) has(display string) bool {
	if display == "" {
		return d.GOOS == "darwin" && !d.remote()
	}
	return d.Getenv(display) != ""
}

func (d Desktop) remote() bool { return d.Getenv("SSH_CONNECTION") != "" || d.Getenv("SSH_TTY") != "" }

// feed runs a program with text as its input. It gets no output of ours: some go
// on in the background to hold the clipboard, and would keep a pipe open.
func feed(ctx context.Context, path string, args []string, text string) error {
	ctx, cancel := context.WithTimeout(ctx, toolPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(text)
	cmd.WaitDelay = time.Second
	return cmd.Run()
}

// osc52 gives text to the terminal, unless that is known to drop it.
func (d Desktop) osc52(text string) error {
	where := ""
	if d.remote() {
		where = " over ssh"
	}
	switch name := d.Getenv("TERM"); {
	case d.TTY == nil:
		return fmt.Errorf("no clipboard can be reached%s: no program for it works here (wl-copy, xclip, xsel, pbcopy), and there is no terminal", where)
	case name == "" || name == "dumb" || name == "linux":
		return fmt.Errorf("no clipboard can be reached%s: no program for it works here (wl-copy, xclip, xsel, pbcopy), and a terminal of the kind %q has none", where, name)
	case d.Getenv("STY") != "":
		return fmt.Errorf("no clipboard can be reached%s: screen passes OSC 52 on to no terminal", where)
	case len(text) > maxOSC52:
		return fmt.Errorf("%d bytes are more than terminals take by OSC 52", len(text))
	}
	if _, err := io.WriteString(d.TTY, "\x1b]52;c;"+base64.StdEncoding.EncodeToString([]byte(text))+"\a"); err != nil {
		return fmt.Errorf("copy by the terminal: %w", err)
	}
	return nil
}

// Open shows a page in the person's browser, if there is one at hand. It does not
// wait for it.
func (d Desktop) Open(url string) error {
	name, there := "xdg-open", d.has("WAYLAND_DISPLAY") || d.has("DISPLAY")
	if d.GOOS == "darwin" {
		name, there = "open", !d.remote()
	}
	if !there {
		return errors.New("there is no desktop here")
	}
	if !strings.HasPrefix(url, "https://") {
		return fmt.Errorf("%q is no page to open", url)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C here is not for the browser
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
