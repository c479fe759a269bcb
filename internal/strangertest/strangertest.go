// Package strangertest runs programs in tests as another user of the computer, one
// who is nobody there. Only root can: other people's tests are skipped, but where CI
// is set they fail.
package strangertest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// UID is the other user, and GID his group.
const (
	UID = 54321
	GID = 54321
)

// Needed says that t takes another user.
func Needed(t testing.TB) {
	t.Helper()
	const why = "only root can be two users"
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") != "":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
}

// Command is a program as his, with no environment, in the root directory.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	Needed(t)
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: UID, Gid: GID}}
	return cmd
}

// Self is the test's own program as his, on Linux, with env, by which TestMain knows
// what it is to do.
func Self(t testing.TB, env ...string) *exec.Cmd {
	t.Helper()
	cmd := Command(t, "/proc/self/fd/3")
	self, err := os.Open("/proc/self/exe") // it lies where he cannot go
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { self.Close() })
	cmd.ExtraFiles, cmd.Env = []*os.File{self}, env
	return cmd
}
