package daemon

import (
	"errors"
	"fmt"
	"strings"

	"kryptonite/internal/statedir"
)

// eachNote calls f for what the files of a directory of krd's state say. name is the
// file that a note belongs in, "" if it makes no sense; one that is elsewhere is left
// alone, and so is one of a newer krd. A damaged one has been set aside, and lost says
// what that means for the person.
func eachNote[T any](d *Daemon, dir, lost string, name func(T) string, f func(T) error) error {
	files, err := d.cfg.Dir.List(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, ".json") {
			continue
		}
		file = dir + "/" + file
		var note T
		err := d.cfg.Dir.ReadJSON(file, recordVersion, &note)
		switch {
		case errors.As(err, new(*statedir.DamagedError)):
			d.cfg.Log.Error(lost, "err", err)
		case errors.As(err, new(*statedir.VersionError)):
			d.cfg.Log.Error("a file is left alone", "err", err)
		case err != nil:
			return fmt.Errorf("read %s: %w", dir, err)
		case name(note) != file:
			d.cfg.Log.Error("a file is left alone: it does not say what its name does", "file", file)
		default:
			if err := f(note); err != nil {
				return err
			}
		}
	}
	return nil
}
