package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ReachableError is a state directory in whose place other users can put another
// one, since one of the directories that lead to it is theirs, or may be written
// by them.
type ReachableError struct {
	Path string // the state directory
	Dir  string // the one that others can change: Path itself, or one above it
	Why  string
}

func (e *ReachableError) Error() string {
	return fmt.Sprintf("%s is no place to keep state: %s %s", e.Path, e.Dir, e.Why)
}

// Hint is the next step for people.
func (e *ReachableError) Hint() []string {
	first := "take that from others, see: ls -ld " + e.Dir
	if strings.HasPrefix(e.Why, anothers) {
		first = "if it is meant to be that user's, run this as that user; see: ls -ld " + e.Dir
	}
	return []string{first, "or keep state elsewhere (KR_HOME; kr-phone: KR_PHONE_HOME; kr-relay: --data)"}
}

const anothers = "belongs to another user"

const maxLinks = 40 // that lead to a directory, as in Linux [path_resolution(7)]

// Guarded returns nil when only this user and root can put files into the
// directory at path, or another directory in its place; else a *ReachableError.
// A directory that everybody may write is fine above it if it is sticky, as /tmp
// is, and one of this user's own group is taken for private. Symbolic links on
// the way, and at path, count as their owner's, and what they lead through as what
// is named. A directory that is not there yet is what leads to it.
func Guarded(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	dir, err := guardedWay(abs, abs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	if why := changeable(info, false); why != "" {
		return &ReachableError{path, dir, why}
	}
	return nil
}

// guardedWay goes to dir as the system does, one symbolic link at a time, and
// returns where it came to. Others may change none of the directories and links
// on the way: else a *ReachableError for the state directory at path. The error
// wraps fs.ErrNotExist when all is well as far as there is anything.
func guardedWay(path, dir string) (string, error) {
	names := strings.Split(dir, "/") // the first is "": the root
	at := "/"
	for links := 0; len(names) > 0; {
		next := filepath.Join(at, names[0]) // .. is above at, as no link leads to at
		names = names[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return "", fmt.Errorf("look at what leads to %s: %w", path, err)
		}
		if why := changeable(info, true); why != "" {
			return "", &ReachableError{path, next, why}
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("look at what leads to %s: %w", path, &fs.PathError{Op: "follow", Path: next, Err: syscall.ELOOP})
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", fmt.Errorf("look at what leads to %s: %w", path, err)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		names = append(strings.Split(target, "/"), names...)
	}
	return at, nil
}

// changeable says how others can change what is in a directory, or the link that
// stands there; "" if they cannot. Where sticky is true the sticky bit is enough,
// as what is in it is ours or root's.
func changeable(info fs.FileInfo, sticky bool) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "has no owner that is known"
	}
	if uid := int(st.Uid); uid != 0 && uid != os.Geteuid() && !unmapped(uid) {
		return fmt.Sprintf("%s (uid %d)", anothers, uid)
	}
	mode := info.Mode()
	if !mode.IsDir() || sticky && mode&fs.ModeSticky != 0 {
		return ""
	}
	if mode.Perm()&0o002 != 0 || mode.Perm()&0o020 != 0 && int(st.Gid) != os.Getegid() {
		return fmt.Sprintf("may be written by others (mode %#o, group %d)", mode.Perm(), st.Gid)
	}
	return ""
}

// unmapped reports whether uid stands for users whom this user namespace does not
// know: root outside, most of the time. [user_namespaces(7)]
func unmapped(uid int) bool {
	const overflow, all = 65534, "4294967295"
	if uid != overflow {
		return false
	}
	b, err := os.ReadFile("/proc/self/uid_map")
	f := strings.Fields(string(b))
	return err == nil && !(len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == all)
}

// ownSub refuses a directory below d that is a symbolic link, or another user's:
// it may be older than the mode of d. What is missing is fine.
func (d *Dir) ownSub(name string) error {
	for sub := name; sub != "."; sub = filepath.Dir(sub) {
		info, err := os.Lstat(d.Path(sub))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // what is above it says so
			continue
		}
		if err != nil {
			return fmt.Errorf("look at state directory: %w", err)
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory (symbolic links are refused)", d.Path(sub))
		}
		if uid, ours := owner(info); !ours {
			return fmt.Errorf("directory %s belongs to another user (uid %d)", d.Path(sub), uid)
		}
	}
	return nil
}
