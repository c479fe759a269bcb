package subprocess

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOutput(t *testing.T) {
	for _, c := range []struct {
		max  int
		want string
		cut  bool
	}{{0, "", true}, {4, "abcd", true}, {5, "abcde", false}, {6, "abcde", false}} {
		o := Output{Max: c.max}
		for _, part := range []string{"ab", "", "cde"} {
			if n, err := io.Copy(&o, strings.NewReader(part)); int(n) != len(part) || err != nil {
				t.Fatalf("Max %d: %d bytes of %q were taken: %v", c.max, n, part, err)
			}
		}
		if string(o.Bytes()) != c.want || o.Cut() != c.cut {
			t.Errorf("Max %d: %q, cut %v", c.max, o.Bytes(), o.Cut())
		}
	}
}

// A program that is alone has a session of its own, and its children die with it.
func TestAlone(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "alive")
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	// The child holds the pipe open for as long as it lives; so does the shell.
	cmd := exec.CommandContext(ctx, "sh", "-c", `exec 3>"$1"; echo begun >&3; sleep 1000 & wait`, "sh", pipe)
	Alone(cmd, time.Minute)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	if sid, err := unix.Getsid(cmd.Process.Pid); sid != cmd.Process.Pid || err != nil {
		t.Errorf("process %d is in the session %d: %v", cmd.Process.Pid, sid, err)
	}
	cancel()
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	if _, err := io.ReadAll(f); err != nil { // returns once nobody holds the pipe
		t.Error(err)
	}
}
