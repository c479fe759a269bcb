package phoneterm

import (
	"errors"
	"io/fs"

	"kryptonite/internal/statedir"
)

// view reads the phone's state as open does, but takes no lock, changes nothing
// and works while kr-phone runs. Do not close it.
func view() (*opened, error) {
	dir, err := home()
	if err != nil {
		return nil, err
	}
	sealed, err := readKey(dir)
	if err != nil {
		return nil, err
	}
	records, err := viewRecords(dir)
	if err != nil {
		return nil, err
	}
	return &opened{dir: dir, records: records, sealed: sealed}, nil
}

// viewLog is what the journal holds, on a phone that has a key or had one: the
// log is there for those who come to look after damage.
func viewLog() (map[string][]byte, error) {
	dir, err := home()
	if err != nil {
		return nil, err
	}
	records, err := viewRecords(dir)
	if err != nil || len(records) > 0 {
		return records, err
	}
	_, err = readKey(dir)
	return nil, err
}

func viewRecords(dir *statedir.Dir) (map[string][]byte, error) {
	records, err := statedir.ReadJournal(dir, journalFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return records, err
}
