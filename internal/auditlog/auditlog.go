// Package auditlog is the phone's record of what was decided: entries in a
// chain of hashes, so that a changed, dropped, reordered or cut entry is found.
//
// An entry is stored as the bytes that [Log.Append] returned, which are JSON, with all
// that steers a terminal as \uXXXX, so that the same bytes can be shown:
//
//	{"seq":7,"unix_seconds":1795000000,"computer":"laptop","decision":"allowed",
//	 "user":"root","host_key":"SHA256:…","proof":"proved",…,"prev":"<32 bytes>"}
//
// The hash of an entry is SHA-256("kryptonite log v1" ‖ its bytes); prev is the
// hash of the entry before it, 32 zero bytes in the first. The hash of the last
// entry is the head: it stands for the whole log. Old entries may be forgotten
// from the front; what is left still verifies.
//
// Head and length are a [Mark]. The phone tells it to a computer with each
// answer; a [Watch] is what the computer makes of them, and a [Claim] is how a
// person asks the phone about one.
//
// It does no I/O and reads no clock. References: [kr-protocol] docs/protocol.md §4.7.
package auditlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"kryptonite/internal/escape"
	"kryptonite/internal/wire"
)

const (
	// Kept is how many entries a phone keeps, the newest: years of logins, some megabytes.
	Kept = 10_000

	// MaxEntry is the size in bytes of the longest entry. Twice Kept of them, as after
	// damage, are less than a phone's disk holds.
	MaxEntry = 3072
)

// Decision is what became of a request.
type Decision string

// The decisions. A request gets one, when it is made.
const (
	Allowed  Decision = "allowed"  // a person, or a script's --approve always, said yes
	Rejected Decision = "rejected" // a person, or --approve never, said no
	Refused  Decision = "refused"  // never signed, whoever asks; Reason says why
	Expired  Decision = "expired"  // nobody decided in time

	// Damaged is no decision: the log before this entry was not what had been
	// written and was set aside; Reason says what was found.
	Damaged Decision = "damaged"
)

// Entry is one decision. Texts may hold any characters that the computer or
// the signed bytes held: clean them before they are shown.
type Entry struct {
	Seq      uint64   `json:"seq"` // 1, 2, 3 …
	Unix     int64    `json:"unix_seconds"`
	Pairing  string   `json:"pairing"`
	Computer string   `json:"computer"`
	Request  wire.ID  `json:"request_id"`
	Decision Decision `json:"decision"`
	Reason   string   `json:"reason,omitempty"`

	Key       string `json:"key"`                 // fingerprint of the SSH key that was asked for
	User      string `json:"user,omitempty"`      // of a login
	Namespace string `json:"namespace,omitempty"` // of an SSHSIG signature
	Host      string `json:"host,omitempty"`      // name, as reported or pinned
	HostKey   string `json:"host_key,omitempty"`  // fingerprint
	Proof     string `json:"proof,omitempty"`     // how far the host was proved
	Program   string `json:"program,omitempty"`   // that asked, as the computer reported it
	Rule      string `json:"rule,omitempty"`      // that decided it, or that was given with it
	Payload   []byte `json:"payload_sha256"`      // of the bytes to be signed

	Prev []byte `json:"prev"` // hash of the entry before, 32 bytes
}

// Time is when it was decided.
func (e Entry) Time() time.Time { return time.Unix(e.Unix, 0) }

// Log is the end of a log: where the next entry goes. The zero Log is empty.
type Log struct {
	first uint64 // Seq of the oldest entry that is kept, 0 when there is none
	len   uint64 // Seq of the newest, which is how many were ever written
	head  Head
}

// Len is how many entries were ever written.
func (l *Log) Len() uint64 { return l.len }

// First is the Seq of the oldest entry that is kept; 0 when there is none.
func (l *Log) First() uint64 { return l.first }

// Head is the hash of the newest entry; zeros when there is none.
func (l *Log) Head() Head { return l.head }

// Mark is length and head.
func (l *Log) Mark() Mark { return Mark{l.len, l.head} }

// Append sets Seq and Prev of e, and returns the bytes to store. Texts that are too
// long end in "…".
func (l *Log) Append(e Entry) []byte {
	for _, text := range []*string{&e.Computer, &e.Reason, &e.User, &e.Namespace, &e.Host, &e.Program} {
		*text = shortened(*text, 300)
	}
	for _, text := range []*string{&e.Pairing, &e.Key, &e.HostKey, &e.Proof, &e.Rule} {
		*text = shortened(*text, 100)
	}
	e.Seq, e.Prev = l.len+1, l.head[:]
	b, err := json.Marshal(e)
	if err != nil {
		panic("auditlog: bug: an entry does not encode: " + err.Error())
	}
	b = escape.Text(b)
	l.next(e.Seq, b)
	return b
}

// shortened is s, as long as it takes no more than most bytes in an entry, or its
// beginning.
func shortened(s string, most int) string {
	for i, size := 0, 0; i < len(s); {
		_, n := utf8.DecodeRuneInString(s[i:])
		b, _ := json.Marshal(s[i : i+n]) // a string
		if size += len(escape.Text(b)) - len(`""`); size > most {
			return s[:i] + "…"
		}
		i += n
	}
	return s
}

// Cut reports whether entries are missing before the oldest one, though fewer than
// [Kept] are there.
func (l *Log) Cut() bool { return l.first > 1 && l.len-l.first+1 < Kept }

// Forget says that the entries before seq are not kept any more.
func (l *Log) Forget(seq uint64) { l.first = min(seq, l.len) }

func (l *Log) next(seq uint64, b []byte) {
	if l.first == 0 {
		l.first = seq
	}
	l.len, l.head = seq, hash(b)
}

func hash(b []byte) Head {
	return sha256.Sum256(append([]byte("kryptonite log v1"), b...))
}

// BrokenError is a log that is not what was written.
type BrokenError struct {
	Seq uint64 // the entry at which it was noticed
	Why string
}

func (e *BrokenError) Error() string { return fmt.Sprintf("log entry %d: %s", e.Seq, e.Why) }

// Read goes through stored entries, oldest first, and returns them with the
// end of the log. The first *BrokenError ends it; the entries before are
// returned with it. Whether the end itself was cut off only somebody who
// remembers an older head can tell.
func Read(stored [][]byte) ([]Entry, Log, error) {
	var l Log
	var out []Entry
	for i, b := range stored {
		seq := l.len + 1
		var e Entry
		if err := json.Unmarshal(b, &e); err != nil {
			return out, l, &BrokenError{seq, "it cannot be read"}
		}
		if i == 0 {
			seq = e.Seq // older ones were forgotten
			copy(l.head[:], e.Prev)
		}
		switch {
		case e.Seq != seq || seq == 0:
			return out, l, &BrokenError{seq, fmt.Sprintf("entry %d stands in its place", e.Seq)}
		case len(e.Prev) != sha256.Size || !bytes.Equal(e.Prev, l.head[:]):
			return out, l, &BrokenError{seq, "the entry before it was changed"}
		case seq == 1 && l.head != Head{}:
			return out, l, &BrokenError{seq, "something was written before it"}
		}
		l.next(seq, b)
		out = append(out, e)
	}
	return out, l, nil
}
