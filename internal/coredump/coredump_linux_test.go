package coredump

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"syscall"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/strangertest"
)

const holder = "COREDUMP_TEST_HOLDER" // "off" or "on"

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
	secret := []byte(os.Getenv("SECRET"))
	fmt.Printf("ready %d\n", reflect.ValueOf(secret).Pointer())
	io.Copy(io.Discard, os.Stdin) // until the test is over
	runtime.KeepAlive(secret)
}

// start starts a process with a secret, as a user without rights, and returns where
// in its memory that is.
func start(t *testing.T, how string) (pid int, secret uintptr) {
	t.Helper()
	cmd := strangertest.Self(t, holder+"="+how, "SECRET=precious")
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
	line, err := bufio.NewReader(out).ReadString('\n')
	if n, _ := fmt.Sscanf(line, "ready %d\n", &secret); n != 1 {
		t.Fatalf("it says %q, %v", line, err)
	}
	return cmd.Process.Pid, secret
}

// tracing reports whether the system lets a process read the memory of any other of
// its user. Where it does not, Off changes nothing about that. [ptrace(2)]
func tracing(t *testing.T) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err != nil || string(b) == "0\n"
}

// TestMemoryIsPrivate: another process of the same user reads nothing of one that
// is Off; one that is not shows that the reader can.
func TestMemoryIsPrivate(t *testing.T) {
	strangertest.Needed(t)
	tally := attacktest.New(t, "memory of a process, by its user's others")
	for _, how := range []string{"on", "off"} {
		pid, secret := start(t, how)
		at := func(file string) string { return fmt.Sprintf("/proc/%d/%s", pid, file) }
		reads := map[string][]string{"environ": {"head", "-c", "1", at("environ")}, "maps": {"head", "-c", "1", at("maps")},
			"fd/0": {"readlink", at("fd/0")}, "exe": {"readlink", at("exe")}, "cwd": {"readlink", at("cwd")}}
		if tracing(t) {
			reads["mem"] = []string{"dd", "if=" + at("mem"), "iflag=skip_bytes", fmt.Sprint("skip=", secret), "bs=8", "count=1", "status=none"}
		}
		for file, read := range reads {
			out, err := strangertest.Command(t, read[0], read[1:]...).CombinedOutput()
			var failed *exec.ExitError
			switch {
			case err != nil && !errors.As(err, &failed):
				t.Fatal(err)
			case how == "on" && (err != nil || file == "mem" && string(out) != "precious"):
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
