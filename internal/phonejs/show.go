package phonejs

import (
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/phone"
	"kryptonite/internal/wire"
)

// Entry is an entry of the log, for people.
type Entry struct {
	Seq      int
	Unix     time.Time
	Pairing  string
	Computer string
	Request  wire.ID
	Decision auditlog.Decision
	Reason   string

	Key, User, Namespace, Host, HostKey, Proof, Rule string
}

// uses lists where the entries say that the key with this fingerprint was used.
func uses(stored [][]byte, fingerprint string) ([]phone.Use, error) {
	read, _, err := auditlog.Read(stored)
	return phone.Uses(read, fingerprint), err
}

// entries reads stored entries of the log, which must follow each other.
func entries(stored [][]byte) ([]Entry, error) {
	read, _, err := auditlog.Read(stored)
	if err != nil {
		return nil, err
	}
	list := make([]Entry, len(read))
	for i, e := range read {
		list[i] = Entry{int(e.Seq), e.Time(), e.Pairing, e.Computer, e.Request, e.Decision, e.Reason,
			e.Key, e.User, e.Namespace, e.Host, e.HostKey, e.Proof, e.Rule}
	}
	return list, nil
}
