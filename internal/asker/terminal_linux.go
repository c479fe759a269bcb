package asker

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Terminal is where the asker's person sits. What is written there is lost when
// the terminal does not take it at once. It must be closed.
type Terminal struct {
	asker Asker
	name  string
	tty   uint64
	fd    int
	dumb  bool
}

// Terminal opens the asker's terminal, without making it ours. Besides being in
// the foreground, the asker or its parent has it open as one of its standard
// files: a program that runs git or ssh behind a screen of its own gives them
// pipes.
func (a Asker) Terminal() (*Terminal, error) {
	s, ok := a.status()
	env, _ := environment(a.pid, quietVariable, "TERM")
	if !ok || os.Getenv(quietVariable) != "" || env[quietVariable] != "" {
		return nil, ErrQuiet
	}
	if s.tty == 0 || s.front != s.group || !sameSystem(a.pid) {
		return nil, ErrNoTerminal
	}
	name := terminalName(s.tty)
	if name == "" || !holds(a.pid, name) && !holds(s.parent, name) {
		return nil, ErrNoTerminal
	}
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, ErrNoTerminal
	}
	t := &Terminal{asker: a, name: name, tty: s.tty, fd: fd, dumb: env["TERM"] == "dumb"}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || int(st.Uid) != os.Geteuid() ||
		deviceNumber(unix.Major(st.Rdev), unix.Minor(st.Rdev)) != s.tty || !t.Ready() {
		t.Close()
		return nil, ErrNoTerminal
	}
	return t, nil
}

// deviceNumber is how /proc/PID/stat writes a device. [proc(5)]
func deviceNumber(major, minor uint32) uint64 {
	return uint64(minor&0xff | major<<8 | minor&^0xff<<12)
}

// terminalName returns the path of a pseudo terminal or a virtual console, or
// "" for other devices: closing a serial line may take long.
func terminalName(nr uint64) string {
	major, minor := nr>>8&0xfff, nr&0xff|nr>>12&0xfff00
	switch {
	case major >= 136 && major <= 143:
		return fmt.Sprintf("/dev/pts/%d", (major-136)<<8+minor)
	case major == 4 && minor > 0 && minor < 64:
		return fmt.Sprintf("/dev/tty%d", minor)
	}
	return ""
}

// holds reports whether one of the standard files of a process is the terminal.
func holds(pid int, name string) bool {
	for fd := range 3 {
		if path, err := os.Readlink(proc(pid, fmt.Sprintf("fd/%d", fd))); err == nil && (path == name || path == "/dev/tty") {
			return true
		}
	}
	return false
}

// Name is the terminal's path.
func (t *Terminal) Name() string { return t.name }

// Dumb reports whether the terminal cannot erase a line (TERM=dumb).
func (t *Terminal) Dumb() bool { return t.dumb }

// Ready reports whether the asker still runs in the foreground.
func (t *Terminal) Ready() bool {
	s, ok := t.asker.status()
	return ok && s.tty == t.tty && s.front == s.group
}

// Width is the number of columns, or 80.
func (t *Terminal) Width() int {
	if w, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ); err == nil && w.Col > 0 {
		return int(w.Col)
	}
	return 80
}

// Write never waits and never fails: a terminal that is stopped loses the text.
func (t *Terminal) Write(p []byte) (int, error) {
	unix.Write(t.fd, p)
	return len(p), nil
}

// Close lets go of the terminal.
func (t *Terminal) Close() error { return unix.Close(t.fd) }
