package statedir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/strangertest"
)

// ignoreFileSizeSignal makes a write beyond RLIMIT_FSIZE an error.
func ignoreFileSizeSignal(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(syscall.SIGXFSZ) })
}

func TestOpenMakesParents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if d.Path() != path || d.Path("x", "y") != filepath.Join(path, "x", "y") {
			t.Errorf("Path = %s", d.Path())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, fifo, dangling, filepath.Join(file, "below")} {
		if _, err := Open(path); err == nil {
			t.Errorf("Open(%s) is well", filepath.Base(path))
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a directory was made at the end of a symbolic link")
	}
}

// TestLinksOnTheWay: links of ours lead to a state directory, in a circle to none,
// and a missing one is missing.
func TestLinksOnTheWay(t *testing.T) {
	top := t.TempDir()
	at := func(name ...string) string { return filepath.Join(append([]string{top}, name...)...) }
	links := map[string]string{"up": ".././" + filepath.Base(top) + "//real/", "round": "about", "about": "round", "n0": "real"}
	for i := range maxLinks {
		links[fmt.Sprint("n", i+1)] = fmt.Sprint("n", i)
	}
	err := os.Mkdir(at("real"), 0o700)
	for name, target := range links {
		err = errors.Join(err, os.Symlink(target, at(name)))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"up", "n0", fmt.Sprint("n", maxLinks-1)} {
		if err := errors.Join(second(Open(at(way, "kr"))), second(Existing(at(way, "kr"))), Guarded(at(way)), Guarded(at(way, "kr"))); err != nil {
			t.Errorf("by %s: %v", way, err)
		}
	}
	for _, way := range []string{"round", fmt.Sprint("n", maxLinks)} {
		if err := Guarded(at(way)); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("Guarded, by %s: %v, want ELOOP", way, err)
		}
		if _, err := Open(at(way, "kr")); err == nil {
			t.Errorf("Open, by %s, is well", way)
		}
	}
	if err := Guarded(at("missing", "kr")); err != nil {
		t.Errorf("Guarded of nothing = %v", err)
	}
	if _, err := Existing(at("missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Existing of nothing = %v", err)
	}
}

func TestAnotherUsersFiles(t *testing.T) {
	strangertest.Needed(t)
	d := newDir(t)
	if err := errors.Join(d.WriteFile("f", []byte("x")), os.Chown(d.Path("f"), strangertest.UID, -1)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReadFile("f"); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("ReadFile = %v", err)
	}
	if _, err := d.Lock("f"); err == nil {
		t.Error("another user's file is a lock")
	}
	if err := os.Chown(d.Path(), strangertest.UID, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(d.Path()); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("Open = %v", err)
	}
}

func TestNamesStayInside(t *testing.T) {
	d := newDir(t)
	for _, name := range []string{"", "../x", "/etc/passwd", "a/../../x", ".."} {
		_, read := d.ReadFile(name)
		_, lock := d.Lock(name)
		_, list := d.List(name)
		_, _, journal := OpenJournal(d, name, nil)
		for what, err := range map[string]error{
			"ReadFile": read, "WriteFile": d.WriteFile(name, nil), "Remove": d.Remove(name), "Lock": lock, "List": list, "OpenJournal": journal,
		} {
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s(%q) = %v", what, name, err)
			}
		}
	}
}

func TestReadFileRefuses(t *testing.T) {
	d := newDir(t)
	if err := syscall.Mkfifo(d.Path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile("sub/long", make([]byte, 101)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fifo", "sub"} {
		if _, err := d.ReadFile(name); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if _, err := d.ReadFileMax("sub/long", 100); err == nil {
		t.Error("101 bytes are read where 100 are allowed")
	}
	if b, err := d.ReadFileMax("sub/long", 101); err != nil || len(b) != 101 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := d.ReadFile("missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want fs.ErrNotExist", err)
	}
}

// TestWriteFileKilledBeforeEachStep: old or new, and mended afterwards.
func TestWriteFileKilledBeforeEachStep(t *testing.T) {
	d := newDir(t)
	if err := d.WriteFile("sub/f", []byte("old")); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		step := 0
		d.fault = func(name, _ string) error {
			if step++; step > n {
				return syscall.EIO
			}
			return nil
		}
		err := d.WriteFile("sub/f", []byte("new"))
		d.fault = nil
		got, _ := d.ReadFile("sub/f")
		if err == nil {
			if string(got) != "new" {
				t.Errorf("written, and it holds %q", got)
			}
			return
		}
		if string(got) != "old" && string(got) != "new" {
			t.Errorf("step %d fails: it holds %q", n, got)
		}
		if names, _ := os.ReadDir(d.Path("sub")); len(names) != 1 {
			t.Errorf("step %d fails: %v is left", n, names)
		}
	}
	t.Error("20 steps are not enough")
}

func TestReadOnlyDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root writes everywhere")
	}
	d := newDir(t)
	if err := d.WriteFile("f", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.Path(), 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(d.Path(), 0o700)
	if err := d.WriteFile("f", []byte("new")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("WriteFile = %v", err)
	}
}

// TestSweep deletes temporary files that a crash left, and not those that a
// running process writes.
func TestSweep(t *testing.T) {
	d := newDir(t)
	if err := d.WriteFile("sub/kept", nil); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{".tmp-a-1": 2 * tempLife, "sub/.tmp-b-1": 2 * tempLife, ".tmp-young-1": 0} {
		if err := os.WriteFile(d.Path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(d.Path(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(d.Path()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{".tmp-a-1": false, "sub/.tmp-b-1": false, ".tmp-young-1": true, "sub/kept": true} {
		if _, err := os.Lstat(d.Path(name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
	if names, err := d.List("."); err != nil || len(names) != 0 {
		t.Errorf("List = %v, %v, want nothing temporary", names, err)
	}
}

// TestAsideNames: two files damaged in one second are both kept.
func TestAsideNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands still
		d := newDir(t)
		base := d.Path("f") + fmt.Sprintf(".damaged-%d", time.Now().Unix())
		for i, want := range []string{base, base + "-1", base + "-2"} {
			content := fmt.Appendf(nil, "{broken %d", i)
			if err := d.WriteFile("f", content); err != nil {
				t.Fatal(err)
			}
			var damaged *DamagedError
			if err := d.ReadJSON("f", 1, new(int)); !errors.As(err, &damaged) || damaged.Aside != want || damaged.Path != d.Path("f") {
				t.Fatalf("ReadJSON = %v, want kept as %s", err, want)
			}
			if b, err := os.ReadFile(want); err != nil || !bytes.Equal(b, content) {
				t.Errorf("%s holds %q", want, b)
			}
			if _, err := d.ReadFile("f"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after setting aside: %v", err)
			}
		}
	})
}

func TestReadJSON(t *testing.T) {
	type data struct {
		A int
		B string
	}
	for _, test := range []struct {
		name, file string
		want       data
		newer      bool
		damaged    bool
	}{
		{name: "good", file: `{"version":2,"data":{"A":1,"B":"x"}}`, want: data{1, "x"}},
		{name: "older", file: `{"version":1,"data":{"A":1}}`, want: data{1, "kept"}},
		{name: "newer", file: `{"version":3,"data":"of another shape"}`, newer: true},
		{name: "newer, no data", file: `{"version":3,"what":1}`, newer: true},
		{name: "empty", file: ``, damaged: true},
		{name: "no version", file: `{"data":{}}`, damaged: true},
		{name: "no data", file: `{"version":1}`, damaged: true},
		{name: "version as text", file: `{"version":"9","data":{}}`, damaged: true},
		{name: "version as fraction", file: `{"version":9.5,"data":{}}`, damaged: true},
		{name: "half fits", file: `{"version":2,"data":{"A":7,"B":8}}`, damaged: true},
		{name: "text after", file: `{"version":2,"data":{}} {}`, damaged: true},
		{name: "newer but cut", file: `{"version":3,"data":`, damaged: true},
		{name: "list", file: `[1]`, damaged: true},
		{name: "binary", file: "\x00\xff", damaged: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDir(t)
			if err := d.WriteFile("f", []byte(test.file)); err != nil {
				t.Fatal(err)
			}
			before := data{0, "kept"}
			got := before
			err := d.ReadJSON("f", 2, &got)
			var newer *VersionError
			var damaged *DamagedError
			if errors.As(err, &newer) != test.newer || errors.As(err, &damaged) != test.damaged {
				t.Errorf("ReadJSON = %v", err)
			}
			if test.newer && len(newer.Hint()) == 0 {
				t.Error("nobody is told what to do")
			}
			if err := d.WriteJSON("f", 2, before); errors.As(err, new(*VersionError)) != test.newer || err != nil && !test.newer {
				t.Errorf("WriteJSON = %v", err)
			}
			if b, err := d.ReadFile("f"); (string(b) == test.file) != test.newer || err != nil {
				t.Errorf("it holds %s, %v", b, err)
			}
			if err == nil && got != test.want || err != nil && got != before {
				t.Errorf("read %+v, want %+v", got, test.want)
			}
			if names, _ := d.List("."); !test.damaged && !slices.Equal(names, []string{"f"}) {
				t.Errorf("a file was touched: %v", names)
			}
		})
	}
	d := newDir(t)
	if err := d.ReadJSON("f", 1, new(data)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want fs.ErrNotExist", err)
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	d := newDir(t)
	l, err := d.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Lock("lock")
	if want := fmt.Sprintf("(process %d)", os.Getpid()); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("Lock = %v, want %s", err, want)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("lock", d.Path("link")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock("link"); err == nil {
		t.Error("a symbolic link is a lock")
	}
}
