// Package gitrepo says, for people, which git repository a directory belongs to:
// the branch, and where it comes from. It asks no git, which would read
// configurations that run programs, and believes no file more than it must:
//
//	r := gitrepo.At("/home/ana/shop/src", os.Geteuid())
//	r.Branch   "main"
//	r.Remote   "github.com/ana/shop": never the user or password of a URL
//
// All of it is a hint: who can write to the repository can write what they like.
// Includes, insteadOf and conditional configuration are not looked at, so Remote
// may be another than git would use.
//
// References: gitrepository-layout(5), git-config(1), git-check-ref-format(1).
package gitrepo

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	maxParents = 64        // directories above, as far as is looked
	maxPointer = 8 << 10   // bytes of HEAD and of files that hold a path
	maxConfig  = 256 << 10 // bytes
)

// Repo is what a repository says of itself. Fields are empty where it does not,
// or says nothing that may be shown.
type Repo struct {
	Branch string // checked out, or being rebased
	Remote string // host and path of the branch's remote, or of the only one
}

// At returns what the repository around dir, an absolute path, says. It is zero if
// there is none, or if it is not uid's. It reads a few files and takes as long as
// their disk does.
func At(dir string, uid int) Repo {
	root := find(dir)
	if root == "" || !owned(root, uid) {
		return Repo{}
	}
	r := Repo{Branch: branch(root)}
	common := root
	if b, err := read(filepath.Join(root, "commondir"), maxPointer); err == nil { // of a linked worktree
		common = below(root, string(b))
	}
	if b, err := read(filepath.Join(common, "config"), maxConfig); err == nil && owned(common, uid) {
		r.Remote = remote(b, r.Branch)
	}
	return r
}

// find returns the git directory of the nearest repository, or "".
func find(dir string) string {
	if !filepath.IsAbs(dir) {
		return ""
	}
	for range maxParents {
		git := filepath.Join(dir, ".git")
		switch st, err := os.Stat(git); {
		case err == nil && st.IsDir():
			return git
		case err == nil:
			b, err := read(git, maxPointer)
			if path, ok := strings.CutPrefix(string(b), "gitdir: "); err == nil && ok {
				return below(dir, path)
			}
			return ""
		case isDir(filepath.Join(dir, "objects")) && isDir(filepath.Join(dir, "refs")):
			return dir // a bare one
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return ""
}

// below is the path that a file in dir names.
func below(dir, path string) string {
	path = strings.TrimRight(path, "\r\n")
	if path == "" || strings.ContainsRune(path, 0) {
		return ""
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// owned reports whether a directory is uid's own, as git wants it, too
// (safe.directory).
func owned(dir string, uid int) bool {
	st, err := os.Stat(dir)
	if err != nil || !st.IsDir() {
		return false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == uid
}

var errKind = errors.New("gitrepo: not a file, or too large")

// read returns a regular file of at most limit bytes. It waits for no pipe and
// opens no device.
func read(name string, limit int64) ([]byte, error) {
	if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() {
		return nil, errKind
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() { // changed meanwhile
		return nil, errKind
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil || int64(len(b)) > limit {
		return nil, errKind
	}
	return b, nil
}

// branch returns the name of the branch, or "".
func branch(root string) string {
	for _, name := range []string{"HEAD", "rebase-merge/head-name", "rebase-apply/head-name"} {
		b, err := read(filepath.Join(root, filepath.FromSlash(name)), maxPointer)
		if err != nil {
			continue
		}
		ref := bytes.TrimSpace(bytes.TrimPrefix(b, []byte("ref:")))
		if short, ok := strings.CutPrefix(string(ref), "refs/heads/"); ok && validBranch(short) {
			return short
		}
	}
	return ""
}
