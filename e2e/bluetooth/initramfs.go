package bluetooth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// initramfs writes the root of a machine: a cpio archive in the "newc" format.
// The first error stays. [Linux] Documentation/driver-api/early-userspace/buffer-format.rst.
type initramfs struct {
	w    *bufio.Writer
	n    int             // bytes since the last header
	seen map[string]bool // paths
	err  error
}

func newInitramfs(w io.Writer) *initramfs {
	return &initramfs{w: bufio.NewWriterSize(w, 1<<20), seen: map[string]bool{"/": true}}
}

// add adds a file, a directory or a link with its parents. Only the first of a
// name counts.
func (a *initramfs) add(name string, mode fs.FileMode, size int64, content io.Reader) {
	if name = path.Clean(name); a.seen[name] || a.err != nil {
		return
	}
	a.seen[name] = true
	a.dir(path.Dir(name), 0o755)
	kind := map[fs.FileMode]int{0: 0o100000, fs.ModeDir: 0o040000, fs.ModeSymlink: 0o120000}[mode.Type()]
	a.entry(name[1:], kind|int(mode.Perm()), size, content)
}

func (a *initramfs) dir(name string, perm fs.FileMode) {
	a.add(name, fs.ModeDir|perm, 0, strings.NewReader(""))
}

func (a *initramfs) text(name string, perm fs.FileMode, text string) {
	a.add(name, perm, int64(len(text)), strings.NewReader(text))
}

// file adds a file of this system under another name.
func (a *initramfs) file(name, from string, perm fs.FileMode) {
	f, err := os.Open(from)
	if err != nil {
		a.fail(err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		a.fail(err)
		return
	}
	a.add(name, perm, info.Size(), f)
}

// program adds a program of this system and the libraries that it loads, where
// they are here.
func (a *initramfs) program(ctx context.Context, name string) {
	a.file(name, name, 0o755)
	libs, err := output(ctx, "", "ldd", name)
	if err != nil && !strings.Contains(err.Error(), "not a dynamic executable") {
		a.fail(err)
		return
	}
	for _, word := range strings.Fields(libs) {
		if path.IsAbs(word) {
			a.file(word, word, 0o755)
		}
	}
}

// close ends the archive.
func (a *initramfs) close() error {
	a.entry("TRAILER!!!", 0, 0, strings.NewReader(""))
	return errors.Join(a.err, a.w.Flush())
}

func (a *initramfs) entry(name string, mode int, size int64, content io.Reader) {
	// magic, inode, mode, owner, group, links, time, size, four devices, length of the name, no sum
	a.printf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		len(a.seen), mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	n, err := io.Copy(a.w, content)
	if a.n += int(n); err != nil || n != size {
		a.fail(fmt.Errorf("%s has %d of %d bytes: %w", name, n, size, err))
	}
	a.pad()
}

func (a *initramfs) printf(format string, args ...any) {
	n, err := fmt.Fprintf(a.w, format, args...)
	if a.n += n; err != nil {
		a.fail(err)
	}
}

// pad fills up to four bytes.
func (a *initramfs) pad() {
	if n := -a.n & 3; n > 0 {
		a.printf("%s", "\x00\x00\x00"[:n])
	}
}

func (a *initramfs) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}
