package peer

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPassed(t *testing.T) {
	for _, c := range []struct {
		name             string
		dirMode, mode    os.FileMode
		missing, regular bool
		want             string // "": it is taken
	}{
		{name: "as Listen makes it", dirMode: 0o700, mode: 0o600},
		{name: "others may open it", dirMode: 0o700, mode: 0o666, want: "SocketMode=0600"},
		{name: "the group may open it", dirMode: 0o700, mode: 0o660, want: "SocketMode=0600"},
		{name: "others may replace it", dirMode: 0o777, mode: 0o600, want: "make it 0700"},
		{name: "removed meanwhile", dirMode: 0o700, mode: 0o600, missing: true, want: "look at the socket"},
		{name: "replaced by a file", dirMode: 0o700, mode: 0o600, regular: true, want: "is no socket"},
	} {
		d := home(t)
		path := filepath.Join(d, "s")
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if c.missing || c.regular {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if c.regular {
			if err := os.WriteFile(path, nil, c.mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(d, c.dirMode); err != nil {
			t.Fatal(err)
		}
		err = CheckPassed(path)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestPassedNone: variables for another process are none of ours.
func TestPassedNone(t *testing.T) {
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("LISTEN_PID", "1")
	if got, err := Passed(); len(got) != 0 || err != nil {
		t.Errorf("Passed = %v, %v", got, err)
	}
	if os.Getenv("LISTEN_FDS") != "" {
		t.Error("a child would see LISTEN_FDS")
	}
}
