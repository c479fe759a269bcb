package subprocess

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestFixPath: what stands in the directory that one is in is not run, neither by
// us nor by what we start, also where GODEBUG allows it; the one behind it is.
func TestFixPath(t *testing.T) {
	here, real := t.TempDir(), t.TempDir()
	for dir, says := range map[string]string{here: "hostile", real: "real"} {
		if err := os.WriteFile(filepath.Join(dir, "tool"), []byte("#!/bin/sh\necho "+says+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(here)
	t.Setenv("GODEBUG", "execerrdot=0")
	for _, path := range []string{".:" + real, ":" + real, real + ":", "../" + filepath.Base(here) + ":" + real + ":."} {
		t.Setenv("PATH", path+":/usr/bin:/bin")
		if err := FixPath(); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range []*exec.Cmd{exec.Command("tool"), exec.Command("sh", "-c", "tool")} {
			if out, err := cmd.Output(); string(out) != "real\n" || err != nil {
				t.Errorf("with PATH=%q, %v is %q, %v", path, cmd.Args, out, err)
			}
		}
	}
	for _, path := range []string{"", ".", ":", "unset"} {
		t.Setenv("PATH", path)
		if path == "unset" {
			os.Unsetenv("PATH")
		}
		if err := FixPath(); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("sh", "-c", "tool || echo none").Output(); string(out) != "none\n" || err != nil {
			t.Errorf("with PATH=%q, tool is %q, %v", path, out, err)
		}
	}
}
