package asker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const (
	maxStat = 4 << 10   // bytes of /proc/PID/stat; it has some 350
	maxArgv = 64 << 10  // bytes of arguments that are looked at
	maxEnv  = 512 << 10 // bytes of environment that are looked at
	deleted = " (deleted)"
)

var errStat = errors.New("asker: /proc/PID/stat does not look as proc(5) says")

func proc(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

// readSome returns up to limit bytes of a file; complete is false when there
// were more.
func readSome(name string, limit int64) (b []byte, complete bool) {
	f, err := os.Open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, false
	}
	return b[:min(int64(len(b)), limit)], int64(len(b)) <= limit
}

func readStatus(pid int) (status, error) {
	b, ok := readSome(proc(pid, "stat"), maxStat)
	if !ok {
		return status{}, fmt.Errorf("asker: process %d cannot be read", pid)
	}
	return parseStat(b)
}

// parseStat reads /proc/PID/stat. The name in parentheses is what the process
// calls itself, with spaces, parentheses and newlines as it likes: fields are
// counted from the last ')'. [proc(5)]
func parseStat(b []byte) (status, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return status{}, errStat
	}
	f := strings.Fields(string(b[end+1:])) // f[0] is field 3
	if len(f) < 20 || len(f[0]) != 1 {
		return status{}, errStat
	}
	var err error
	number := func(field int) int64 {
		n, e := strconv.ParseInt(f[field-3], 10, 64)
		err = errors.Join(err, e)
		return n
	}
	s := status{state: f[0][0], parent: int(number(4)), group: int(number(5)), session: int(number(6)),
		tty: uint64(uint32(number(7))), front: int(number(8)), start: uint64(number(22))}
	if err != nil || s.start == 0 {
		return status{}, errStat
	}
	return s, nil
}

// executable returns the path of a process's program, or "".
func executable(pid int) string {
	path, err := os.Readlink(proc(pid, "exe"))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(path, deleted) // replaced by an update while it runs
}

// directory returns the working directory, or "".
func directory(pid int) string {
	path, err := os.Readlink(proc(pid, "cwd"))
	if err != nil {
		return ""
	}
	return path
}

// arguments returns the arguments with the program's name; complete is false
// when there are more than we look at.
func arguments(pid int) (argv []string, complete bool) {
	b, complete := readSome(proc(pid, "cmdline"), maxArgv)
	return splitArgs(b, complete)
}

// splitArgs reads /proc/PID/cmdline: each argument ends with a zero byte.
func splitArgs(b []byte, complete bool) ([]string, bool) {
	if len(b) == 0 {
		return nil, false
	}
	complete = complete && b[len(b)-1] == 0 // else the process wrote over it
	argv := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	if len(argv) > maxArgs {
		return argv[:maxArgs], false
	}
	return argv, complete
}

// environment returns those of the named variables that the process was
// started with. ok is false when its environment cannot be read.
func environment(pid int, names ...string) (env map[string]string, ok bool) {
	b, ok := readSome(proc(pid, "environ"), maxEnv)
	return variables(strings.Split(string(b), "\x00"), names...), ok
}

// sameSystem reports whether the process sees the same files, users and
// processes as this one.
func sameSystem(pid int) bool {
	for _, ns := range []string{"mnt", "user", "pid"} {
		theirs, err := os.Readlink(proc(pid, "ns/"+ns))
		if err != nil {
			return false
		}
		if ours, err := os.Readlink("/proc/self/ns/" + ns); err != nil || ours != theirs {
			return false
		}
	}
	return sameFile(pid, "/")
}

// sameFile reports whether a path leads to the file that the process has there:
// its root for "/", its program for another path.
func sameFile(pid int, path string) bool {
	link := "exe"
	if path == "/" {
		link = "root"
	}
	theirs, err := os.Stat(proc(pid, link))
	if err != nil {
		return false
	}
	ours, err := os.Stat(path)
	return err == nil && os.SameFile(ours, theirs)
}

// sameRights reports whether the process is in no sandbox that this one is not
// in: seccomp and Landlock need no_new_privs. [prctl(2)]
func sameRights(pid int) bool {
	theirs, ours := noNewPrivs(proc(pid, "status")), noNewPrivs("/proc/self/status")
	return theirs != "" && theirs == ours
}

func noNewPrivs(name string) string {
	b, _ := readSome(name, maxStat)
	for line := range strings.SplitSeq(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "NoNewPrivs:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
