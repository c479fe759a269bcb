package bluetooth

import (
	"bytes"
	"io/fs"
	"os/exec"
	"strings"
	"testing"
)

// TestInitramfs: busybox reads what was written.
func TestInitramfs(t *testing.T) {
	if _, err := exec.LookPath("busybox"); err != nil {
		lack(t, "missing: busybox-static")
	}
	var b bytes.Buffer
	a := newInitramfs(&b)
	a.text("/etc/odd", 0o640, "odd")
	a.text("/etc/odd", 0o600, "the first of a name counts")
	a.text("/etc/even", 0o600, "even")
	a.add("/link", fs.ModeSymlink|0o777, 8, strings.NewReader("/etc/odd"))
	must(t, a.close())
	list := exec.Command("busybox", "cpio", "-tv")
	list.Stdin = bytes.NewReader(b.Bytes())
	out, err := list.Output()
	must(t, err)
	var got []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		got = append(got, f[0]+" "+f[2]+" "+strings.Join(f[5:], " "))
	}
	want := "drwxr-xr-x 0 etc|-rw-r----- 3 etc/odd|-rw------- 4 etc/even|lrwxrwxrwx 0 link -> /etc/odd"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("%s\nwant %s", s, want)
	}
	dir := t.TempDir()
	take := exec.Command("busybox", "cpio", "-i")
	take.Dir, take.Stdin = dir, bytes.NewReader(b.Bytes())
	must(t, take.Run())
	if out, err := output(t.Context(), dir, "cat", "etc/odd", "etc/even"); err != nil || out != "oddeven" {
		t.Errorf("%q, %v", out, err)
	}
}
