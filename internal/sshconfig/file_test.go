package sshconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func write(t *testing.T, path, data string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string, mode fs.FileMode, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != want {
		t.Errorf("%s holds %q, %v, want %q", path, b, err, want)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != mode {
		t.Errorf("%s is %v, %v, want %v", path, info.Mode(), err, mode)
	}
}

// alone fails when a directory holds other names than these.
func alone(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(names) {
		t.Errorf("%s holds %v, %v, want %v", dir, entries, err, names)
	}
}

func TestReplace(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o644, 0o664, 0o700} {
		dir := t.TempDir()
		path := filepath.Join(dir, "config")
		write(t, path, "Host a\n", mode)
		f, err := Read(path)
		if err != nil || !f.Exists || string(f.Data) != "Host a\n" || f.Target != path {
			t.Fatalf("Read = %+v, %v", f, err)
		}
		if err := f.Replace([]byte("Host b\n")); err != nil {
			t.Fatal(err)
		}
		content(t, path, mode, "Host b\n")
		alone(t, dir, "config")
	}
}

// TestReplaceOfWhatChanged: what somebody wrote after Read stays.
func TestReplaceOfWhatChanged(t *testing.T) {
	for name, change := range map[string]func(path, target string) error{
		"edited": func(_, target string) error { return os.WriteFile(target, []byte("Host c\n"), 0o600) },
		"replaced, as editors do": func(path, target string) error {
			return errors.Join(os.WriteFile(target+"~", []byte("Host c\n"), 0o600), os.Rename(target+"~", target))
		},
		"closed": func(_, target string) error { return os.Chmod(target, 0o400) },
		"gone":   func(path, _ string) error { return os.Remove(path) },
		"led away": func(path, target string) error {
			return errors.Join(os.Rename(target, target+"2"), os.Remove(path), os.Symlink(target+"2", path))
		},
		"no link": func(path, _ string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("Host a\n"), 0o600))
		},
		"longer": func(_, target string) error { return os.WriteFile(target, []byte("Host a\nHost b\n"), 0o600) },
	} {
		dir, dotfiles := t.TempDir(), t.TempDir()
		path, target := filepath.Join(dir, "config"), filepath.Join(dotfiles, "sshconfig")
		write(t, target, "Host a\n", 0o600)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		f, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(path, target); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		err = f.Replace([]byte("Host b\n"))
		if e := new(ChangedError); !errors.As(err, &e) || e.Path != path {
			t.Errorf("%s: Replace = %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s: it holds %q, and before %q", name, after, before)
		}
		if left, err := filepath.Glob(filepath.Join(dotfiles, ".kr-setup-*")); err != nil || left != nil {
			t.Errorf("%s: left are %v, %v", name, left, err)
		}
	}
	f, err := Read(filepath.Join(t.TempDir(), "config"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.Path, "Host c\n", 0o600)
	if e := new(ChangedError); !errors.As(f.Replace([]byte("Host b\n")), &e) {
		t.Error("a file that was made meanwhile is replaced")
	}
	content(t, f.Path, 0o600, "Host c\n")
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	f, err := Read(filepath.Join(dir, "config"))
	if err != nil || f.Exists || f.Data != nil || f.Writable() != nil {
		t.Fatalf("Read = %+v, %v", f, err)
	}
	if err := f.Replace([]byte("x")); err != nil {
		t.Fatal(err)
	}
	content(t, filepath.Join(dir, "config"), 0o600, "x")
	f, err = Read(filepath.Join(dir, "none", "config"))
	if err != nil || f.Exists {
		t.Fatalf("Read in a missing directory = %+v, %v", f, err)
	}
	if err := f.Replace(nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Replace in a missing directory: %v", err)
	}
}

func TestSymbolicLink(t *testing.T) {
	dir, dotfiles := t.TempDir(), t.TempDir()
	target, path := filepath.Join(dotfiles, "sshconfig"), filepath.Join(dir, "config")
	write(t, target, "Host a\n", 0o640)
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil || f.Target != target {
		t.Fatalf("Read = %+v, %v", f, err)
	}
	if err := f.Replace([]byte("Host b\n")); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(path); to != target || err != nil {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	content(t, target, 0o640, "Host b\n")
	alone(t, dotfiles, "sshconfig")
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "leads nowhere") {
		t.Errorf("a link to nothing: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "Host a\n", 0o444)
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if e := new(ReadOnlyError); !errors.As(f.Replace(nil), &e) || e.Path != path {
		t.Errorf("Replace of a read-only file: %v", e)
	}
	content(t, path, 0o444, "Host a\n")
	if os.Geteuid() == 0 {
		return // writes into every directory
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config"), "Host a\n", 0o600)
	if f, err = Read(filepath.Join(dir, "config")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if e := new(ReadOnlyError); !errors.As(f.Replace(nil), &e) {
		t.Error("Replace in a read-only directory is no ReadOnlyError")
	}
}

// TestRootsFile: what root has put there ssh takes, and so do we; it is not ours to
// write.
func TestRootsFile(t *testing.T) {
	const path = "/etc/passwd"
	f, err := readAs(path, os.Geteuid()+1)
	if err != nil || len(f.Data) == 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	for _, err := range []error{f.Writable(), f.Replace(f.Data)} {
		if e := new(ReadOnlyError); !errors.As(err, &e) || err.Error() != path+" cannot be replaced: it belongs to root" {
			t.Error(err)
		}
	}
}

func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "fifo")} {
		if f, err := Read(path); err == nil {
			t.Errorf("%s was read: %+v", path, f)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	path := filepath.Join(dir, "config")
	write(t, path, "", 0o600)
	if err := os.Chown(path, 12345, -1); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err) // root of a container that maps no other user
	}
	if _, err := Read(path); err == nil {
		t.Error("another user's file was read")
	}
}

// TestNeedsKeys asks the real ssh.
func TestNeedsKeys(t *testing.T) {
	for _, c := range []struct {
		config string
		needs  bool
		own    string
	}{
		{"", false, "id_ed25519"},
		{"Host a\n IdentitiesOnly yes\n", false, "id_ed25519"},
		{"Host *\n IdentitiesOnly yes\n", true, "id_ed25519"},
		{"IdentitiesOnly yes\nIdentityFile ~/.ssh/work\n", true, ""},
	} {
		needs, own, err := NeedsKeys(t.Context(), []byte(c.config))
		if err != nil || needs != c.needs || c.own != "" && !strings.Contains(strings.Join(own, " "), c.own) || c.own == "" && own != nil {
			t.Errorf("%q: %t, %v, %v", c.config, needs, own, err)
		}
	}
	if _, _, err := NeedsKeys(t.Context(), []byte("Nonsense\n")); err == nil {
		t.Error("ssh takes nonsense")
	}
}
