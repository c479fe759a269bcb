package cli

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"kryptonite/internal/term"
)

// diskTrouble says in words what it means that nothing can be written, and what
// to type; "" where err is of another kind. path is where it was, or nearby.
func diskTrouble(err error, path string) (text, fix string) {
	at := shellQuoted(path)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full", "free some space, see: df -h " + at + "; df -i " + at
	case errors.Is(err, syscall.EDQUOT):
		return "your disk quota is used up", "free some space, see: quota -s"
	case errors.Is(err, syscall.EROFS):
		return "the disk is read-only", "find out why, see: findmnt -T " + at + "; for another place for krd's state, set KR_HOME"
	case errors.Is(err, fs.ErrPermission):
		return "you may not write there", "see whose it is: ls -ld " + at
	}
	return "", ""
}

// withDiskTrouble adds words and a next step to an error of the disk that has
// none.
func withDiskTrouble(err error) error {
	where := new(fs.PathError)
	if !errors.As(err, &where) || errors.As(err, new(*term.Problem)) {
		return err
	}
	dir := filepath.Dir(where.Path)
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	text, fix := diskTrouble(where.Err, dir)
	if text == "" {
		return err
	}
	return &term.Problem{Err: err, Hints: []string{text + ": " + fix, "to see what else is wrong: kr check"}}
}

// shellQuoted is a word as a shell takes it.
func shellQuoted(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@,=", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
