package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/strangertest"
)

// asStranger runs a shell command as another user, in a group that is not ours.
func asStranger(t *testing.T, command string, args ...string) (string, error) {
	t.Helper()
	cmd := strangertest.Command(t, "/bin/sh", append([]string{"-c", command, "sh"}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// shared is a directory that everybody may enter and write, as a careless person
// makes one, below one that only we may change.
func shared(t *testing.T, mode os.FileMode) string {
	t.Helper()
	strangertest.Needed(t)
	top, err := os.MkdirTemp("", "neigh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, "shared")
	if err := errors.Join(os.Chmod(top, 0o755), os.Mkdir(dir, 0o700), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNeighbourPlants: what another user puts in the place of a state directory
// beforehand, or in a directory that was open once, is refused with a sentence,
// and what lies at the end of a link is not touched.
func TestNeighbourPlants(t *testing.T) {
	tally := attacktest.New(t, "state directories, planted by another user")
	secret := filepath.Join(shared(t, 0o755), "ours")
	if err := os.WriteFile(secret, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ plant, use string }{
		"a directory of his":                      {`mkdir "$1/kr"`, ""},
		"a directory of his, open to all":         {`mkdir -m 777 "$1/kr"`, ""},
		"a link to a directory of his":            {`mkdir "$1/his" && ln -s his "$1/kr"`, ""},
		"a link to a directory of ours":           {`ln -s "$(dirname "$2")" "$1/kr"`, ""},
		"a link to nowhere":                       {`ln -s nowhere "$1/kr"`, ""},
		"a file":                                  {`: >"$1/kr"`, ""},
		"a FIFO":                                  {`mkfifo "$1/kr"`, ""},
		"a directory above it":                    {`mkdir -m 777 "$1/up"`, "up/kr"},
		"a link above it":                         {`ln -s "$(dirname "$2")" "$1/up"`, "up/kr"},
		"a link above it, to a directory of ours": {`ln -s /root "$1/up"`, "up/kr"},
	} {
		dir := shared(t, 0o777|os.ModeSticky)
		if out, err := asStranger(t, c.plant, dir, secret); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if c.use == "" {
			c.use = "kr"
		}
		d, err := Open(filepath.Join(dir, c.use))
		if err == nil {
			tally.Succeeded("%s: it is used as %s", name, d.Path())
			continue
		}
		tally.Rejected()
		if !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v does not say where", name, err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(secret)); err != nil || len(left) != 1 {
		t.Errorf("beside our file is %v, %v", left, err)
	}
}

// TestNeighbourWasHere: a state directory was open to all for a while, and
// another user left things in it. None is followed, read, or written into.
func TestNeighbourWasHere(t *testing.T) {
	tally := attacktest.New(t, "things that another user left in an open state directory")
	outside := shared(t, 0o755)
	target := filepath.Join(outside, "f")
	if err := os.WriteFile(target, []byte(`{"version":1,"data":"precious"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ plant, file string }{
		"a file of his":               {`echo '{"version":1,"data":"evil"}' >"$1/f"; chmod 666 "$1/f"`, "f"},
		"a link to a file of ours":    {`ln -s "$2/f" "$1/f"`, "f"},
		"a hard link to his file":     {`echo evil >"$1/x"; ln "$1/x" "$1/f"`, "f"},
		"a FIFO":                      {`mkfifo "$1/f"`, "f"},
		"a directory of his":          {`mkdir -m 777 "$1/sub"; echo '{"version":1,"data":"evil"}' >"$1/sub/f"; chmod 666 "$1/sub/f"`, "sub/f"},
		"a link to a directory":       {`ln -s "$2" "$1/sub"`, "sub/f"},
		"a link in a place of a link": {`ln -s other "$1/sub"; ln -s "$2" "$1/other"`, "sub/f"},
		"a directory of his, deeper":  {`mkdir -m 777 "$1/a" "$1/a/b"`, "a/b/f"},
	} {
		dir := filepath.Join(shared(t, 0o755), "kr")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)); err != nil {
			t.Fatal(err)
		}
		if out, err := asStranger(t, c.plant, dir, outside); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got string
		if err := d.ReadJSON(c.file, 1, &got); err == nil {
			tally.Succeeded("%s: %q is read", name, got)
		} else {
			tally.Rejected()
		}
		if lock, err := d.Lock(c.file); err == nil {
			lock.Unlock()
			tally.Succeeded("%s: it is a lock", name)
		} else {
			tally.Rejected()
		}
		if j, _, err := OpenJournal(d, c.file, nil); err == nil {
			j.Close()
			tally.Succeeded("%s: it is a journal", name)
		} else {
			tally.Rejected()
		}
		// A write replaces what is there by a file of ours, or is refused.
		if err := d.WriteFile(c.file, []byte("new")); err != nil {
			tally.Rejected()
		} else if info, err := os.Lstat(d.Path(c.file)); err != nil || info.Mode() != 0o600 || filepath.Dir(c.file) != "." {
			tally.Succeeded("%s: what was written is %v, %v", name, info, err)
		} else {
			tally.Harmless()
		}
		if _, err := asStranger(t, `cat "$1"`, d.Path(c.file)); err == nil {
			tally.Succeeded("%s: he reads what we wrote", name)
		}
		if b, err := os.ReadFile(target); err != nil || !strings.Contains(string(b), "precious") {
			tally.Succeeded("%s: our file elsewhere holds %q, %v", name, b, err)
		}
	}
}

// TestNeighbourMayMoveIt: where others can put another directory in the place of
// a state directory, or of one above it, it is not used. They try that, too.
func TestNeighbourMayMoveIt(t *testing.T) {
	tally := attacktest.New(t, "state directories that another user can move")
	for name, c := range map[string]struct {
		mode os.FileMode
		own  bool // by us
		fine bool
	}{
		"everybody writes above it":         {0o777, true, false},
		"a group writes above it":           {0o770, true, false},
		"another user's directory above it": {0o755, false, false},
		"sticky":                            {0o777 | os.ModeSticky, true, true},
		"closed":                            {0o755, true, true},
	} {
		dir := shared(t, c.mode)
		kr := filepath.Join(dir, "kr")
		if err := errors.Join(os.Mkdir(kr, 0o700), os.Chown(dir, -1, strangertest.GID)); err != nil {
			t.Fatal(err)
		}
		if !c.own {
			if err := os.Chown(dir, strangertest.UID, -1); err != nil {
				t.Fatal(err)
			}
		}
		for what, err := range map[string]error{"Open": second(Open(kr)), "Existing": second(Existing(kr)), "Guarded": Guarded(kr)} {
			reachable := new(ReachableError)
			switch {
			case c.fine && err != nil:
				t.Errorf("%s: %s = %v", name, what, err)
			case c.fine:
				tally.Harmless()
			case !errors.As(err, &reachable) || reachable.Dir != dir:
				tally.Succeeded("%s: %s = %v", name, what, err)
			default:
				tally.Rejected()
				if len(reachable.Hint()) != 2 {
					t.Error("no hint")
				}
			}
		}
		_, err := asStranger(t, `mv "$1/kr" "$1/kr2" && mkdir "$1/kr"`, dir)
		if (err != nil) != c.fine {
			t.Errorf("%s: the other user's mv = %v: the rule is not about what can be done", name, err)
		}
	}
}

// TestNeighbourMayTurnALink: each directory that a link leads through counts, also
// one that neither the path names nor is left in the end, and so does what leads to
// the end of a link in the directory's own place.
func TestNeighbourMayTurnALink(t *testing.T) {
	tally := attacktest.New(t, "state directories that another user can turn elsewhere by a link on the way")
	for name, c := range map[string]struct {
		mode os.FileMode
		fine bool
	}{
		"everybody": {0o777, false},
		"sticky":    {0o777 | os.ModeSticky, true},
		"closed":    {0o755, true},
	} {
		dir := shared(t, c.mode)
		top := filepath.Dir(dir)
		kr := filepath.Join(top, "real", "kr")
		if err := errors.Join(os.MkdirAll(kr, 0o700), os.Chmod(filepath.Dir(kr), 0o755),
			os.Symlink("shared/../shared/b", filepath.Join(top, "a")), // a → shared/b → real
			os.Symlink(filepath.Join(top, "real"), filepath.Join(dir, "b")),
			os.Symlink("a/kr", filepath.Join(top, "last"))); err != nil {
			t.Fatal(err)
		}
		through := filepath.Join(top, "a", "kr")
		for what, err := range map[string]error{
			"Open": second(Open(through)), "Open of a new one": second(Open(filepath.Join(top, "a", "new", "kr"))),
			"Existing": second(Existing(through)), "Guarded": Guarded(through), "Guarded, of a new one": Guarded(filepath.Join(top, "a", "none", "kr")), "Guarded, a link": Guarded(filepath.Join(top, "last")),
		} {
			reachable := new(ReachableError)
			switch {
			case c.fine && err != nil:
				t.Errorf("%s: %s = %v", name, what, err)
			case c.fine:
				tally.Harmless()
			case !errors.As(err, &reachable) || reachable.Dir != dir:
				tally.Succeeded("%s: %s = %v", name, what, err)
			default:
				tally.Rejected()
			}
		}
		if _, err := os.Lstat(filepath.Join(top, "real", "new")); (err == nil) != c.fine {
			t.Errorf("%s: a new directory was made: %v, want %v", name, err == nil, c.fine)
		}
		_, err := asStranger(t, `mv "$1/b" "$1/c" && ln -s /tmp "$1/b"`, dir)
		if (err != nil) != c.fine {
			t.Errorf("%s: the other user's mv = %v: the rule is not about what can be done", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
