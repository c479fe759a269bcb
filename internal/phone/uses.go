package phone

import (
	"time"

	"kryptonite/internal/auditlog"
)

// Use is where a key was allowed to log in, or, with a Namespace, what it was
// allowed to sign.
type Use struct {
	User      string
	Host      string // its name; "" if the phone knew none
	HostKey   string // fingerprint
	Namespace string
	Last      time.Time
}

// Uses lists where the log's entries say that the key with this fingerprint
// was allowed to be used, the latest first: those are the places that trust it,
// as far back as the log goes.
func Uses(entries []auditlog.Entry, key string) []Use {
	var out []Use
	seen := map[Use]bool{}
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		at := Use{User: e.User, Host: e.Host, HostKey: e.HostKey, Namespace: e.Namespace}
		if e.Key != key || e.Decision != auditlog.Allowed || seen[at] {
			continue
		}
		seen[at] = true
		at.Last = e.Time()
		out = append(out, at)
	}
	return out
}
