package phone

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"kryptonite/internal/auditlog"
)

func logKey(seq uint64) string { return fmt.Sprintf("%s%020d", LogPrefix, seq) }

// note writes a decision about rec, which still holds its request, to the log.
func (c *Core) note(now time.Time, rec *reqRecord, d auditlog.Decision, reason string) []Effect {
	p, s := c.pairings[rec.pairing], rec.Request.Sign
	sum := sha256.Sum256(s.Payload)
	e := auditlog.Entry{Unix: now.Unix(), Pairing: p.id, Computer: p.Computer, Request: rec.id,
		Decision: d, Reason: reason, Key: s.Fingerprint, Payload: sum[:]}
	v, _ := c.look(p, rec)
	e.User, e.Namespace, e.Rule, e.Program = v.card.User, v.card.Namespace, rec.Rule, v.card.Reported.Program
	if e.HostKey = v.card.Host.Fingerprint; e.HostKey != "" { // a name without a key is the computer's word
		e.Host = string(v.card.HostName)
	}
	if e.Namespace == "" {
		e.Proof = string(v.card.Host.Proof)
	}
	b := c.log.Append(e)
	effects := []Effect{Store{Key: logKey(c.log.Len()), Value: b}}
	if first := c.log.First(); c.log.Len()-first >= auditlog.Kept {
		effects = append(effects, Store{Key: logKey(first)})
		c.log.Forget(first + 1)
	}
	return effects
}

// Log returns the log among stored records, oldest entry first, and its end. A
// *auditlog.BrokenError says that it is not what was written; the entries before
// that are returned with it.
func Log(records map[string][]byte) ([]auditlog.Entry, auditlog.Log, error) {
	entries, end, err := auditlog.Read(LogBytes(records))
	if err != nil {
		return entries, end, err
	}
	keys := keysWith(records, LogPrefix)
	for i, e := range entries {
		if keys[i] != logKey(e.Seq) {
			return entries[:i], end, &auditlog.BrokenError{Seq: e.Seq, Why: "it is not stored in its place"}
		}
	}
	if end.Cut() {
		return entries, end, &auditlog.BrokenError{Seq: end.First(), Why: "entries before it are missing"}
	}
	return entries, end, nil
}

// LogBytes are the entries of the log as they are stored, oldest first. Nothing is
// verified.
func LogBytes(records map[string][]byte) (stored [][]byte) {
	for _, k := range keysWith(records, LogPrefix) {
		stored = append(stored, records[k])
	}
	return stored
}

// keysWith are the keys with a prefix, sorted.
func keysWith(records map[string][]byte, prefix string) (keys []string) {
	for k := range records {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
