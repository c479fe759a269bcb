package phonejs

import (
	"errors"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/phone"
)

// Chain is what the chain of a log says.
type Chain struct {
	Held   int    // entries that hold
	First  int    // the number of the oldest of them, 0 when there is none
	Length int    // that of the newest
	Head   string // the hash of that, 64 hex characters
	Broken string // what is wrong with the entry that comes next; "": nothing
}

// uses lists where the entries say that the key with this fingerprint was used.
func uses(stored [][]byte, fingerprint string) ([]phone.Use, error) {
	read, _, err := auditlog.Read(stored)
	return phone.Uses(read, fingerprint), err
}

// chain verifies the log among records, as a phone does when it starts.
func chain(records map[string][]byte) (Chain, error) {
	entries, end, err := phone.Log(records)
	if broken := new(auditlog.BrokenError); err != nil && !errors.As(err, &broken) {
		return Chain{}, err
	}
	c := Chain{Held: len(entries), First: int(end.First()), Length: int(end.Len()), Head: end.Head().String()}
	if err != nil {
		c.Broken = err.Error()
	}
	return c, nil
}
