// Package sshversion asks an ssh which OpenSSH it is, by running it with -V,
// which prints a line and connects nowhere.
//
//	v, err := versions.Of(ctx, "/usr/bin/ssh")    // {9 2}
//	v.AtLeast(10, 3)                              // false
//
// Only a program is run that nobody but root can have put there: it and the
// directories above it belong to root, and others cannot write to them (or, as
// in /tmp, can replace nothing there that is root's). It gets no environment,
// no input and a second. What it said is remembered for that very file.
//
// References: ssh(1); version.h of OpenSSH.
package sshversion

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"

	"kryptonite/internal/subprocess"
)

const (
	limit     = time.Second
	maxOutput = 1 << 10 // bytes; ssh prints about 60
	maxCached = 64      // files
)

// Errors that are the answer for as long as the file stays as it is.
var (
	// ErrUntrusted is returned for a program that others than root can change.
	ErrUntrusted = errors.New("others than root can change it")
	// ErrOther is returned for a program that does not call itself OpenSSH.
	ErrOther = errors.New("it does not say which OpenSSH it is")
)

// Version is that of an OpenSSH release.
type Version struct{ Major, Minor int }

// AtLeast reports whether v is that release or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Versions asks and remembers. The zero value is ready; it is safe for
// concurrent use, and runs one program at a time.
type Versions struct {
	mu     sync.Mutex
	busy   chan struct{} // holds one entry while a program runs
	cached map[file]answer

	root uint32 // the uid that may own programs: 0, but in tests
}

// file is a program as it is now.
type file struct {
	device, inode  uint64
	changed, bytes int64
}

type answer struct {
	v   Version
	err error
}

// Of returns the version of the ssh at path, an absolute path without links. It
// waits for a second at most, and for an ssh that it knows not at all. Errors
// are ErrUntrusted, ErrOther, or say why the program could not be asked.
func (vs *Versions) Of(ctx context.Context, path string) (Version, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	f, err := vs.trusted(path)
	if err != nil {
		return Version{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	if a, ok := vs.look(f); ok {
		return a.v, a.err
	}
	busy := vs.slot()
	select {
	case busy <- struct{}{}:
		defer func() { <-busy }()
	case <-ctx.Done():
		return Version{}, fmt.Errorf("ask %s for its version: %w", path, ctx.Err())
	}
	if a, ok := vs.look(f); ok { // whoever was before us asked the same
		return a.v, a.err
	}
	out, err := run(ctx, path)
	if err != nil && !errors.As(err, new(*exec.ExitError)) || ctx.Err() != nil {
		return Version{}, fmt.Errorf("ask %s for its version: %w", path, errors.Join(err, ctx.Err()))
	}
	var a answer
	if a.v, a.err = parse(out); a.err != nil {
		a.err = fmt.Errorf("ask %s for its version: %w", path, a.err)
	}
	vs.keep(f, a)
	return a.v, a.err
}

// trusted checks who can change the program, and returns which file it is.
func (vs *Versions) trusted(path string) (file, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return file{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !filepath.IsAbs(path) || !info.Mode().IsRegular() || st.Uid != vs.root || info.Mode().Perm()&0o022 != 0 {
		return file{}, ErrUntrusted
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		d, err := os.Lstat(dir)
		if err != nil {
			return file{}, err
		}
		dst, ok := d.Sys().(*syscall.Stat_t)
		if !ok || !d.IsDir() || dst.Uid != vs.root && dst.Uid != 0 || d.Mode().Perm()&0o022 != 0 && d.Mode()&fs.ModeSticky == 0 {
			return file{}, ErrUntrusted
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return file{uint64(st.Dev), uint64(st.Ino), info.ModTime().UnixNano(), info.Size()}, nil
}

// slot returns the channel that the one program that runs is in.
func (vs *Versions) slot() chan struct{} {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.busy == nil {
		vs.busy = make(chan struct{}, 1)
	}
	return vs.busy
}

func (vs *Versions) look(f file) (answer, bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	a, ok := vs.cached[f]
	return a, ok
}

func (vs *Versions) keep(f file, a answer) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.cached == nil || len(vs.cached) >= maxCached {
		vs.cached = map[file]answer{}
	}
	vs.cached[f] = a
}

// run returns what the program prints with -V. It ends with all that it started.
func run(ctx context.Context, path string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path, "-V")
	cmd.Env = []string{} // nil would be our own
	cmd.Dir = "/"
	subprocess.Alone(cmd, limit/10)
	out := subprocess.Output{Max: maxOutput}
	cmd.Stdout, cmd.Stderr = &out, &out // ssh says it on stderr
	err := cmd.Run()
	return out.Bytes(), err
}

var line = regexp.MustCompile(`^OpenSSH_([0-9]{1,4})\.([0-9]{1,4})(?:[^0-9.]|$)`)

// parse reads "OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026".
func parse(out []byte) (Version, error) {
	m := line.FindSubmatch(out)
	if m == nil {
		return Version{}, ErrOther
	}
	major, _ := strconv.Atoi(string(m[1])) // at most 4 digits
	minor, _ := strconv.Atoi(string(m[2]))
	return Version{major, minor}, nil
}
