package asker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// This file was never run. What x/sys does not reach (the working directory,
// sandboxes) is unknown, and so no ssh is asked and no terminal written to.

const maxArgs = 512

func readStatus(pid int) (status, error) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return status{}, fmt.Errorf("asker: process %d cannot be read: %w", pid, err)
	}
	s := status{state: 'R', parent: int(k.Eproc.Ppid), group: int(k.Eproc.Pgid), front: int(k.Eproc.Tpgid),
		start: uint64(k.Proc.P_starttime.Sec)*1e6 + uint64(k.Proc.P_starttime.Usec)}
	const zombie = 5 // SZOMB, sys/proc.h
	if k.Proc.P_stat == zombie {
		s.state = 'Z'
	}
	return s, nil
}

// programArgs returns KERN_PROCARGS2: argc(4) ‖ path ‖ zeros ‖ arguments and
// environment, each with a zero byte at its end. [sysctl(3)]
func programArgs(pid int) (path string, argv []string) {
	b, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil || len(b) < 4 {
		return "", nil
	}
	n := int(binary.NativeEndian.Uint32(b))
	name, rest, _ := bytes.Cut(b[4:], []byte{0})
	for range min(n, maxArgs) {
		var a []byte
		if len(argv) == 0 {
			rest = bytes.TrimLeft(rest, "\x00")
		}
		a, rest, _ = bytes.Cut(rest, []byte{0})
		argv = append(argv, string(a))
	}
	return strings.Clone(string(name)), argv
}

func executable(pid int) string {
	path, _ := programArgs(pid)
	return path
}

func arguments(pid int) (argv []string, complete bool) {
	_, argv = programArgs(pid)
	return argv, false
}

func directory(int) string { return "" }

func environment(int, ...string) (map[string]string, bool) { return nil, false }

func sameSystem(int) bool { return false }

func sameRights(int) bool { return false }

func sameFile(int, string) bool { return false }

// ErrNoTerminal is what Terminal returns.
var ErrNoTerminal = errors.New("asker: no terminal to write to")

// Terminal is where the asker's person sits; there is none yet on macOS.
type Terminal struct{}

// Terminal returns ErrNoTerminal.
func (a Asker) Terminal() (*Terminal, error) { return nil, ErrNoTerminal }

// Name is the terminal's path.
func (t *Terminal) Name() string { return "" }

// Dumb reports whether the terminal cannot erase a line.
func (t *Terminal) Dumb() bool { return true }

// Ready reports whether the asker still runs in the foreground.
func (t *Terminal) Ready() bool { return false }

// Width is the number of columns.
func (t *Terminal) Width() int { return 80 }

// Write drops the text.
func (t *Terminal) Write(p []byte) (int, error) { return len(p), nil }

// Close lets go of the terminal.
func (t *Terminal) Close() error { return nil }
