package coredump

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"kryptonite/internal/attacktest"
)

const (
	holder   = "COREDUMP_TEST_HOLDER" // "off" or "on"
	stranger = 54321
)

// TestMain is a process with a secret where a test starts the test's program so.
func TestMain(m *testing.M) {
	how := os.Getenv(holder)
	if how == "" {
		os.Exit(m.Run())
	}
	if how == "off" {
		if err := Off(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil || how == "off" && limit.Cur != 0 {
		fmt.Println("core files of", limit.Cur, "bytes", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin) // until the test is over
}

// start starts a process with a secret, as a user without rights.
func start(t *testing.T, how string) (pid int) {
	t.Helper()
	program, err := os.Open("/proc/self/exe") // it lies where that user cannot go
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	cmd := exec.Command("/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{program}
	cmd.Env = []string{holder + "=" + how, "SECRET=precious"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	return cmd.Process.Pid
}

// TestMemoryIsPrivate: another process of the same user reads nothing of one that
// is Off; one that is not shows that the reader can.
func TestMemoryIsPrivate(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("only root can be another user")
		}
		t.Skip("only root can be another user")
	}
	tally := attacktest.New(t, "memory of a process, by its user's others")
	for _, how := range []string{"on", "off"} {
		pid := start(t, how)
		for _, file := range []string{"environ", "maps", "fd/0", "exe", "cwd", "mem"} {
			cmd := exec.Command("/usr/bin/head", "-c", "1", fmt.Sprintf("/proc/%d/%s", pid, file))
			if file == "fd/0" || file == "exe" || file == "cwd" {
				cmd = exec.Command("/usr/bin/readlink", fmt.Sprintf("/proc/%d/%s", pid, file))
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
			out, err := cmd.CombinedOutput()
			var failed *exec.ExitError
			switch {
			case err != nil && !errors.As(err, &failed):
				t.Fatal(err)
			case how == "on" && err != nil && file != "mem": // its first byte is nowhere, and Yama may forbid it
				t.Errorf("%s of a usual process cannot be read: %v, %s", file, err, out)
			case how == "on":
			case err == nil:
				tally.Succeeded("%s is read: %q", file, out)
			default:
				tally.Rejected()
			}
		}
		if how == "off" {
			if info, err := os.Stat(fmt.Sprintf("/proc/%d/mem", pid)); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
				t.Errorf("its memory belongs to %+v, %v; want root", info, err)
			}
		}
	}
}
