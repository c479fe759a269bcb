package bluetooth

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	sentinel = "machine: exit "
	limit    = 6 * time.Minute
)

var only = flag.String("scenarios", ".", "which ones TestVM runs, as go test's -run")

// TestVM boots the machine once; each scenario that ran inside is a subtest.
func TestVM(t *testing.T) {
	needAll(t)
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt) // so that nothing stays behind
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	cache, err := os.UserCacheDir()
	must(t, err)
	kernel, err := fetchKernel(ctx, filepath.Join(cache, "kryptonite", "kernel"))
	if err != nil {
		lack(t, err.Error())
	}
	dir := t.TempDir()
	scenarios := build(t, ctx, dir)
	m := Machine{Kernel: filepath.Join(kernel, "vmlinuz"), Initramfs: filepath.Join(dir, "initramfs")}
	must(t, writeRoot(ctx, m.Initramfs, kernel, dir, "-test.v -test.timeout 5m -test.run '"+*only+"'"))

	begun := time.Now()
	exit, results := "", map[string]string{}
	err = m.Run(ctx, func(line string) {
		t.Logf("%5.1f %s", time.Since(begun).Seconds(), line)
		if s, ok := strings.CutPrefix(line, sentinel); ok {
			exit = s
		}
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "---" {
			results[f[2]] = strings.TrimSuffix(f[1], ":")
		}
	})
	if err != nil || exit != "0" {
		t.Errorf("the machine ended with %q, %v", exit, err)
	}
	for _, name := range scenarios {
		t.Run(name, func(t *testing.T) {
			if results[name] != "PASS" {
				t.Errorf("in the machine: %q", results[name])
			}
		})
	}
}

// needAll sees to what the machine is made of.
func needAll(t *testing.T) {
	t.Helper()
	missing := ""
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		missing = " a PC with Linux"
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		missing += " qemu-system-x86"
	}
	for _, p := range programs {
		if _, err := os.Stat(p.path); err != nil {
			missing += " " + p.pkg
		}
	}
	if missing != "" {
		lack(t, "missing:"+missing)
	}
}

// lack fails in CI, and skips elsewhere.
func lack(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip("NOT RUN, Bluetooth in a virtual machine: " + what)
}

// build compiles the programs and the scenarios into dir, for a machine without
// a C library for them, and lists the scenarios.
func build(t *testing.T, ctx context.Context, dir string) (scenarios []string) {
	t.Helper()
	for _, args := range [][]string{
		{"build", "-ldflags=-s -w", "-o", dir + "/", "kryptonite/cmd/kr", "kryptonite/cmd/krd", "kryptonite/cmd/kr-phone"},
		{"test", "-c", "-ldflags=-s -w", "-o", filepath.Join(dir, "scenarios"), "kryptonite/e2e/bluetooth/scenarios"},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args[0], err, out)
		}
	}
	list, err := output(ctx, "", filepath.Join(dir, "scenarios"), "-test.list", *only)
	must(t, err)
	return strings.Fields(list)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
