package asker

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kryptonite/internal/ptytest"
)

// in makes cmd the leader of a session in tty.
func in(cmd *exec.Cmd, tty *os.File) *exec.Cmd {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return cmd
}

func TestTerminal(t *testing.T) {
	person, tty := ptytest.Open(t)
	a := At(start(t, in(exec.Command(program(t, "ssh"), "host"), tty)))
	term, err := a.Terminal()
	if err != nil {
		t.Fatal(err)
	}
	defer term.Close()
	if term.Name() != tty.Name() || term.Dumb() || !term.Ready() || term.Width() != 80 {
		t.Errorf("terminal %s, want %s; dumb %v, ready %v, width %d", term.Name(), tty.Name(), term.Dumb(), term.Ready(), term.Width())
	}
	unix.IoctlSetWinsize(term.fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 33})
	if term.Width() != 33 {
		t.Errorf("width %d, want 33", term.Width())
	}
	fmt.Fprint(term, "\r\x1b[Khello")
	b := make([]byte, 64)
	person.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := person.Read(b); err != nil || string(b[:n]) != "\r\x1b[Khello" {
		t.Errorf("the person sees %q, %v", b[:n], err)
	}
	// A terminal that nobody reads takes some and loses the rest.
	for range 100 {
		if n, err := term.Write(bytes.Repeat([]byte("x"), 4096)); n != 4096 || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	syscall.Kill(a.pid, syscall.SIGKILL)
	if err := unix.Waitid(unix.P_PID, a.pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil { // a zombie is still there to be read
		t.Fatal(err)
	}
	if term.Ready() {
		t.Error("a terminal is ready for a process that has ended")
	}
}

func TestNoTerminal(t *testing.T) {
	ssh := program(t, "ssh")
	want := ErrNoTerminal
	check := func(name string, cmd *exec.Cmd) {
		t.Run(name, func(t *testing.T) {
			if term, err := At(start(t, cmd)).Terminal(); !errors.Is(err, want) {
				t.Errorf("Terminal = %v, %v", term, err)
			}
		})
	}
	alone := exec.Command(ssh)
	alone.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check("none", alone)

	_, tty := ptytest.Open(t)
	input, open, err := os.Pipe() // who reads a terminal in the background is stopped
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	defer open.Close()
	background := in(exec.Command("bash", "-c", `set -m; "$0" <&4 & wait`, ssh), tty)
	background.ExtraFiles = []*os.File{input}
	check("background", background)

	_, tty = ptytest.Open(t)
	want = ErrQuiet
	check("quiet", in(exec.Command("env", "KR_QUIET=1", ssh), tty))
	alone = exec.Command("env", "KR_QUIET=1", ssh)
	alone.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check("none, and quiet", alone)
	if _, err := (Asker{}).Terminal(); !errors.Is(err, ErrQuiet) {
		t.Errorf("of a process that is not known: %v", err)
	}
	want = ErrNoTerminal

	_, tty = ptytest.Open(t)
	pipes := exec.Command(ssh)
	pipes.ExtraFiles = []*os.File{tty}
	pipes.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 4}
	check("behind a screen of its own", pipes)

	_, tty = ptytest.Open(t)
	check("other mounts", in(exec.Command("unshare", "-m", ssh), tty))

	_, tty = ptytest.Open(t)
	if os.Geteuid() == 0 {
		if err := tty.Chown(12345, -1); err != nil {
			t.Fatal(err)
		}
		check("another user's", in(exec.Command(ssh), tty))
	}

	_, tty = ptytest.Open(t)
	t.Setenv("KR_QUIET", "1")
	want = ErrQuiet
	check("krd is quiet", in(exec.Command("env", "-u", "KR_QUIET", ssh), tty))
}

func TestDumbTerminal(t *testing.T) {
	_, tty := ptytest.Open(t)
	term, err := At(start(t, in(exec.Command("env", "TERM=dumb", program(t, "ssh")), tty))).Terminal()
	if err != nil {
		t.Fatal(err)
	}
	defer term.Close()
	if !term.Dumb() {
		t.Error("a dumb terminal is none")
	}
}

func TestTerminalName(t *testing.T) {
	for nr, want := range map[uint64]string{
		deviceNumber(136, 0): "/dev/pts/0", deviceNumber(136, 255): "/dev/pts/255", deviceNumber(137, 1): "/dev/pts/257",
		deviceNumber(136, 300): "/dev/pts/300", deviceNumber(143, 255): "/dev/pts/2047", deviceNumber(144, 0): "",
		deviceNumber(4, 1): "/dev/tty1", deviceNumber(4, 64): "", deviceNumber(4, 0): "", 0: "", 34817: "/dev/pts/1",
	} {
		if got := terminalName(nr); got != want {
			t.Errorf("terminalName(%d) = %q, want %q", nr, got, want)
		}
	}
}
