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
	keys, err := loadKeys(dir)
	if err != nil {
		return nil, err
	}
	records, err := viewRecords(dir)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 && len(keys.Keys()) == 0 {
		return nil, noKey()
	}
	return &opened{dir: dir, records: records, keys: keys}, nil
}

// viewKeys is view for what is about keys: there must be one.
func viewKeys() (*opened, error) {
	o, err := view()
	if err == nil && len(o.keys.Keys()) == 0 {
		return nil, noKey()
	}
	return o, err
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
	keys, err := loadKeys(dir)
	if err == nil && len(keys.Keys()) == 0 {
		err = noKey()
	}
	return nil, err
}

func viewRecords(dir *statedir.Dir) (map[string][]byte, error) {
	records, err := statedir.ReadJournal(dir, journalFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return records, err
}
