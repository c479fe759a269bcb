package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"kryptonite/internal/statedir"
)

const (
	maxStateFiles = 10_000  // that are looked at
	littleSpace   = 8 << 20 // bytes
)

// lookState looks whose the state is, and who may read it.
func lookState(_ context.Context, c *checkup) []fact {
	const name = "state"
	d, err := c.existing()
	if err != nil {
		return one(fact{name: name, state: factFail, text: err.Error(), fix: "move it away, or set KR_HOME to a directory of yours"})
	}
	if d == nil {
		return warn(name, "kr setup", "there is no %s yet", tilde(c.home))
	}
	open, others, err := strangers(c.home)
	switch {
	case err != nil:
		return one(fact{name: name, state: factFail, text: "it cannot be looked at: " + err.Error(), fix: "chmod 700 " + shellQuoted(c.home)})
	case len(others) > 0:
		return one(fact{name: name, state: factFail, text: fmt.Sprintf("%s belongs to another user%s", tilde(others[0]), andMore(others)),
			fix: fmt.Sprintf("sudo chown -R %d %s", os.Geteuid(), shellQuoted(c.home))})
	case len(open) > 0:
		return one(fact{name: name, state: factFail, text: tilde(open[0]) + " is open to others, or closed to you" + andMore(open),
			fix: "chmod -R u=rwX,go= " + shellQuoted(c.home),
			did: fmt.Sprintf("closed %s to others%s", tilde(open[0]), andMore(open)), mend: func(context.Context) error { return closeToOthers(c.home, open) }})
	}
	return okay(name, "%s is yours alone", tilde(c.home))
}

func andMore(paths []string) string {
	if len(paths) < 2 {
		return ""
	}
	return fmt.Sprintf(", and %d more", len(paths)-1)
}

// strangers returns the paths of krd's state that others may use, or its owner
// may not, and those of another user: the directory, and what krd and setup put
// into it. What else a person keeps there is theirs.
func strangers(home string) (open, others []string, err error) {
	look := func(path string, info fs.FileInfo) {
		want := fs.FileMode(0o600)
		switch {
		case info.IsDir():
			want = 0o700
		case info.Mode()&fs.ModeSymlink != 0:
			return // whoever reads it refuses it
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
			others = append(others, path)
		} else if info.Mode().Perm() != want {
			open = append(open, path)
		}
	}
	info, err := os.Lstat(home)
	if err != nil {
		return nil, nil, err
	}
	if look(home, info); len(open)+len(others) > 0 {
		return open, others, nil // inside, it may not be possible to look
	}
	seen := 0
	for _, pattern := range slices.Concat(stateNames[:], ownNames[:]) {
		names, err := fs.Glob(os.DirFS(home), pattern)
		if err != nil {
			return nil, nil, err
		}
		for _, n := range names {
			err := filepath.WalkDir(filepath.Join(home, n), func(path string, e fs.DirEntry, err error) error {
				if seen++; err != nil || seen > maxStateFiles {
					return err
				}
				if info, err := e.Info(); err == nil {
					look(path, info)
				}
				return nil
			})
			if err != nil && !errors.Is(err, fs.ErrPermission) { // a directory that is closed to us has been noted
				return nil, nil, err
			}
		}
	}
	return open, others, nil
}

// closeToOthers makes directories 0700 and files 0600. Links are not followed
// out of home.
func closeToOthers(home string, paths []string) error {
	if err := os.Chmod(home, 0o700); err != nil { // #nosec G302 -- a directory
		return err
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, path := range paths {
		name, err := filepath.Rel(home, path)
		if err != nil {
			return err
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if info.IsDir() {
			mode = 0o700
		}
		if err := root.Chmod(name, mode); err != nil {
			return err
		}
	}
	return nil
}

// lookDisk writes a file, as krd does for each request.
func lookDisk(_ context.Context, c *checkup) []fact {
	const name = "disk"
	dir := c.home
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	if err := tryToWrite(dir); err != nil {
		text, fix := diskTrouble(err, dir)
		if text == "" {
			text, fix = "nothing can be written to "+tilde(dir), "kr daemon logs"
		}
		return one(fact{name: name, state: factFail, text: text + ": " + err.Error(), fix: fix})
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil {
		if free := st.Bavail * uint64(st.Bsize); free < littleSpace {
			return warn(name, "df -h "+shellQuoted(dir), "there are only %d KiB left where %s is", free>>10, tilde(c.home))
		}
	}
	return okay(name, "files can be written to %s", tilde(dir))
}

// tryToWrite writes a file of a usual size and takes it away.
func tryToWrite(dir string) error {
	f, err := os.CreateTemp(dir, statedir.TempPrefix+"check-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 64<<10))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
