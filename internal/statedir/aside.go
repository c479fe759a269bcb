package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// setAside renames a damaged file, never over another, and returns the
// *DamagedError.
func (d *Dir) setAside(name string, cause error) error {
	path := d.Path(name)
	aside, err := reserve(fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix()))
	if err == nil {
		if err = d.step("rename", aside); err == nil {
			err = os.Rename(path, aside)
		}
		if err != nil {
			os.Remove(aside) // ours, and empty
		}
	}
	if err != nil {
		return fmt.Errorf("%s is damaged (%w) and cannot be set aside: %w", path, cause, err)
	}
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s is damaged (%w); set aside: %w", path, cause, err)
	}
	return &DamagedError{path, aside, cause}
}

// reserve makes an empty file under a name that is free: base, base-1, base-2…
func reserve(base string) (string, error) {
	name := base
	for i := 1; ; i++ {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
		if err == nil {
			return name, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}
