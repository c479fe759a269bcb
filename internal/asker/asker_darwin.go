package asker

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// This file was never run. What x/sys does not reach (the working directory,
// sandboxes) is unknown, and so no ssh is asked, no repository read, and no terminal
// written to.

const noDevice = -1 // NODEV, sys/param.h

func readStatus(pid int) (status, error) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return status{}, fmt.Errorf("asker: process %d cannot be read: %w", pid, err)
	}
	s := status{state: 'R', parent: int(k.Eproc.Ppid), group: int(k.Eproc.Pgid), front: int(k.Eproc.Tpgid),
		tty: uint64(uint32(k.Eproc.Tdev)), start: uint64(k.Proc.P_starttime.Sec)*1e6 + uint64(k.Proc.P_starttime.Usec)}
	if k.Eproc.Tdev == noDevice {
		s.tty = 0
	}
	const zombie = 5 // SZOMB, sys/proc.h
	if k.Proc.P_stat == zombie {
		s.state = 'Z'
	}
	return s, nil
}

// programArgs is how a process was started; nothing, if the system does not tell.
func programArgs(pid int) procArgs {
	b, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return procArgs{}
	}
	return parseProcArgs(b)
}

func executable(pid int) string { return programArgs(pid).path }

func arguments(pid int) (argv []string, complete bool) {
	p := programArgs(pid)
	return p.argv, p.complete
}

func directory(int) string { return "" }

func environment(pid int, names ...string) (map[string]string, bool) {
	p := programArgs(pid)
	return variables(p.env, names...), len(p.env) > 0
}

func sameSystem(int) bool { return false }

func sameRights(int) bool { return false }

func sameFile(int, string) bool { return false }

// Terminal is where the asker's person sits; there is none yet on macOS.
type Terminal struct{}

// Terminal returns ErrNoTerminal for an asker that has none, and ErrQuiet for
// others: what is on their screens is not known here.
func (a Asker) Terminal() (*Terminal, error) {
	s, ok := a.status()
	env, _ := environment(a.pid, quietVariable)
	if !ok || s.tty != 0 || os.Getenv(quietVariable) != "" || env[quietVariable] != "" {
		return nil, ErrQuiet
	}
	return nil, ErrNoTerminal
}

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
