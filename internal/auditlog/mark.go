package auditlog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Head is the hash of an entry, 32 bytes; as text it is hex.
type Head [sha256.Size]byte

// String is the head in 64 hex characters.
func (h Head) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes hex.
func (h Head) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Head) UnmarshalText(t []byte) error {
	b, err := hex.DecodeString(string(t))
	if err != nil || len(b) != len(h) {
		return errors.New("auditlog: a head has 64 hex characters")
	}
	*h = Head(b)
	return nil
}

// Mark stands for a whole log: how many entries were ever written, and the hash
// of the newest. As text it is LENGTH:HEAD.
type Mark struct {
	Length uint64 `json:"length"`
	Head   Head   `json:"head"`
}

const shortHead = 16 // hex characters of a head that a Claim needs: 64 bits

// MarkOf is the mark that a response carries; ok is false when it has none, or
// none that a log can have.
func MarkOf(length uint64, head []byte) (m Mark, ok bool) {
	if len(head) != len(m.Head) {
		return Mark{}, false
	}
	m = Mark{length, Head(head)}
	return m, (length == 0) == (m.Head == Head{})
}

// String is LENGTH:HEAD, in full.
func (m Mark) String() string { return fmt.Sprintf("%d:%s", m.Length, m.Head) }

// Short is LENGTH:HEAD with the first 16 hex characters of the head. They show
// damage and mistakes; who can try 2^64 hashes could make a log that fits them.
func (m Mark) Short() string { return fmt.Sprintf("%d:%s", m.Length, m.Head.String()[:shortHead]) }

// Claim is a mark that somebody remembers, perhaps with the beginning of the
// head only.
type Claim struct {
	Length uint64
	head   string // 16 to 64 hex characters
}

// ParseClaim reads LENGTH:HEAD with 16 to 64 characters of the head.
func ParseClaim(s string) (Claim, error) {
	length, head, ok := strings.Cut(strings.TrimSpace(s), ":")
	head = strings.ToLower(head)
	n, err := strconv.ParseUint(length, 10, 63)
	hexOnly := strings.Trim(head, "0123456789abcdef") == ""
	if !ok || err != nil || !hexOnly || len(head) < shortHead || len(head) > 2*sha256.Size {
		return Claim{}, fmt.Errorf("not LENGTH:HEAD, a number and %d to %d hex characters", shortHead, 2*sha256.Size)
	}
	return Claim{n, head}, nil
}

// Verdict is what a log says to a Claim.
type Verdict int

// The verdicts.
const (
	Holds     Verdict = iota // that was the log then
	Differs                  // the entry is there, and another
	Missing                  // the log is shorter
	Forgotten                // the entry is not kept any more
)

// Text says the verdict of a log that ends at end, to people.
func (v Verdict) Text(end Log) string {
	switch v {
	case Holds:
		return "yes, that was this log"
	case Differs:
		return "no, the log was another then"
	case Missing:
		return fmt.Sprintf("no, this log has %d entries only", end.Len())
	}
	return fmt.Sprintf("that entry is not kept any more; the oldest is %d", end.First())
}

// Check looks the claim up in a log as Read returned it.
func (c Claim) Check(entries []Entry, end Log) Verdict {
	m := end.Mark()
	switch {
	case c.Length > m.Length:
		return Missing
	case c.Length < m.Length:
		// The next entry holds the head; that of the oldest one the head of
		// the one that was forgotten last.
		i, found := slices.BinarySearchFunc(entries, c.Length+1, func(e Entry, seq uint64) int { return cmp.Compare(e.Seq, seq) })
		if !found {
			return Forgotten
		}
		m = Mark{c.Length, Head(entries[i].Prev)}
	}
	if strings.HasPrefix(m.Head.String(), c.head) {
		return Holds
	}
	return Differs
}
