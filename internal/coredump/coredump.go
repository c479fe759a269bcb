// Package coredump keeps what a process has in memory out of files and away
// from its user's other processes, as far as the system can.
//
//	coredump.Off()   // before the first secret is there
//
// On Linux the process is not dumpable any more: there is no core file, also
// none by a handler such as systemd-coredump, and other processes of the user
// can neither trace it nor read /proc/PID/mem, environ and fd. On macOS there is
// no core file; who may trace whom is for the system to say. Children begin anew
// with exec, with no core files either.
//
// References: prctl(2) PR_SET_DUMPABLE, proc(5), ptrace(2), getrlimit(2).
package coredump

import (
	"fmt"
	"syscall"
)

// Off is for the beginning of a program that holds secrets.
func Off() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("look at the limit of core files: %w", err)
	}
	limit.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("turn core files off: %w", err)
	}
	return undumpable()
}
