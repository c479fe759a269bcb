package statedir

import (
	"fmt"
	"os"
)

// ReadJournal returns what a journal holds, also while another process commits
// to it. It needs no lock and changes nothing: a torn last record, which may be
// one that is being written, is left out and stays; a damaged file is an error
// and stays where it is. The error wraps fs.ErrNotExist when there is none.
func ReadJournal(dir *Dir, name string) (map[string][]byte, error) {
	live, err := readJournal(dir, name)
	if err != nil {
		// The file may have been replaced, or a failed commit cut off and
		// written anew, while it was read.
		live, err = readJournal(dir, name)
	}
	return live, err
}

func readJournal(dir *Dir, name string) (map[string][]byte, error) {
	f, err := dir.openFile(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f, maxJournal)
	if err != nil {
		return nil, err
	}
	if v := magicVersion(data); v > journalVersion {
		return nil, &VersionError{dir.Path(name), v, journalVersion}
	}
	j := &Journal{dir: dir, name: name, erase: func(string) bool { return false }, live: map[string][]byte{}}
	if _, err := j.replay(data); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w); it was left as it is", dir.Path(name), err)
	}
	return j.live, nil
}
