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
	return []string{"take that from others, see: ls -ld " + e.Dir, "or keep state elsewhere (KR_HOME; kr-phone: KR_PHONE_HOME; kr-relay: --data)"}
}

// Guarded returns nil when only this user and root can put files into the
// directory at path, or another directory in its place; else a *ReachableError.
// A directory that everybody may write is fine above it if it is sticky, as /tmp
// is, and one of this user's own group is taken for private. Symbolic links on
// the way, and at path, count as their owner's, and what they lead to as what is
// named. A directory that is not there yet is what leads to it.
func Guarded(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return guardedWay(path)
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	if why := changeable(info, false); why != "" {
		return &ReachableError{path, path, why}
	}
	err = guardedWay(filepath.Join(path, "file"))
	if r := (*ReachableError)(nil); errors.As(err, &r) {
		r.Path = path
	}
	return err
}

// guardedWay is Guarded for what leads to path, as far as it is there: as it is
// named, and where links lead.
func guardedWay(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	named := filepath.Dir(abs)
	for {
		if _, err := os.Lstat(named); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		named = filepath.Dir(named)
	}
	real, err := filepath.EvalSymlinks(named)
	if err != nil {
		return fmt.Errorf("look at what leads to %s: %w", path, err)
	}
	for _, dir := range []string{named, real} {
		for {
			info, err := os.Lstat(dir)
			if err != nil {
				return fmt.Errorf("look at what leads to %s: %w", path, err)
			}
			if why := changeable(info, true); why != "" {
				return &ReachableError{path, dir, why}
			}
			if dir == filepath.Dir(dir) {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	return nil
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
		return fmt.Sprintf("belongs to another user (uid %d)", uid)
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
