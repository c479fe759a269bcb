package control

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"kryptonite/internal/wire"
)

const maxLogPages = 256 // replies that a client puts together: all that krd keeps, and more

// Log is what krd asked and what came of it, oldest first.
type Log struct {
	SchemaVersion int        `json:"schema_version"`
	Entries       []LogEntry `json:"entries"`
	More          bool       `json:"more,omitempty"` // older ones were asked for and did not fit
}

// LogEntry is one request. Texts may hold any characters: clean them before
// they are shown.
type LogEntry struct {
	Seq     uint64    `json:"seq"` // 1, 2, 3 …
	Time    time.Time `json:"time"`
	Pairing string    `json:"pairing"`
	Phone   string    `json:"phone"` // its name then
	Request wire.ID   `json:"request_id"`
	Kind    Kind      `json:"kind"`

	User      string `json:"user,omitempty"`      // of a login
	Host      string `json:"host,omitempty"`      // of a login: as ssh here resolved what was typed, which nobody proved; "": not known, or kept by an older krd
	HostKey   string `json:"host_key,omitempty"`  // fingerprint, where the login names it
	Namespace string `json:"namespace,omitempty"` // of a signature
	Key       string `json:"key"`                 // fingerprint of the SSH key

	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"` // in the phone's words
	TookMS  int64   `json:"took_ms"`

	LogLength uint64 `json:"log_length"`         // of the phone's log, as its last answer told it
	LogHead   string `json:"log_head,omitempty"` // hex; none: the phone did not tell
}

// Kind is what was to be signed.
type Kind string

// The kinds.
const (
	KindLogin     Kind = "login"
	KindSignature Kind = "signature" // ssh-keygen -Y, git
	KindOther     Kind = "other"
)

// Outcome is what came of a request.
type Outcome string

// The outcomes.
const (
	OutcomeAllowed   Outcome = "allowed"
	OutcomeRejected  Outcome = "rejected"  // the person said no
	OutcomeRefused   Outcome = "refused"   // the phone never signs this, or its signature did not hold
	OutcomeExpired   Outcome = "expired"   // nobody decided in time
	OutcomeNoAnswer  Outcome = "no answer" // the phone was not reached
	OutcomeWithdrawn Outcome = "withdrawn" // ssh went away first
	OutcomeSkew      Outcome = "skew"      // the clocks do not agree
	OutcomeUnpaired  Outcome = "unpaired"  // the pairing ended meanwhile
)

// PhoneLog is what krd knows of the log that a phone keeps.
type PhoneLog struct {
	Length uint64       `json:"length"`
	Head   string       `json:"head,omitempty"` // hex; none: the phone did not tell yet
	Wrong  []LogFinding `json:"wrong"`
}

// LogFinding is a log that is not the one that krd had seen before, grown.
type LogFinding struct {
	At           time.Time `json:"at"`
	Kind         string    `json:"kind"` // shorter, rewritten
	Text         string    `json:"text"` // for people
	LengthBefore uint64    `json:"length_before"`
	HeadBefore   string    `json:"head_before"`
	Length       uint64    `json:"length"`
	Head         string    `json:"head"`
	Accepted     bool      `json:"accepted"` // a person knows why
}

// Open are the findings that nobody has accepted.
func (l PhoneLog) Open() (out []LogFinding) {
	for _, f := range l.Wrong {
		if !f.Accepted {
			out = append(out, f)
		}
	}
	return out
}

// AcceptLog takes what was found of a phone's log for known.
type AcceptLog struct {
	Phone string `json:"phone"` // name or id
}

// LogAccepted is how much was accepted.
type LogAccepted struct {
	Findings int `json:"findings"`
}

// Log returns the newest n entries (0: all) of one phone, by name or id, or of
// all phones (""). It asks as often as replies are bounded.
func (c *Client) Log(ctx context.Context, phone string, n int) (Log, error) {
	all := Log{SchemaVersion: SchemaVersion, Entries: []LogEntry{}}
	q, before := url.Values{"phone": {phone}}, uint64(math.MaxUint64)
	for range maxLogPages {
		if n > 0 {
			q.Set("n", strconv.Itoa(n-len(all.Entries)))
		}
		var page Log
		if err := c.call(ctx, http.MethodGet, "/v1/log?"+q.Encode(), nil, &page); err != nil {
			return all, err
		}
		all.Entries = slices.Insert(all.Entries, 0, page.Entries...) // never nil
		if !page.More || len(page.Entries) == 0 || n > 0 && len(all.Entries) >= n || page.Entries[0].Seq >= before {
			break
		}
		before = page.Entries[0].Seq
		q.Set("before", strconv.FormatUint(before, 10))
	}
	return all, nil
}

// AcceptLog takes what was found of a phone's log for known.
func (c *Client) AcceptLog(ctx context.Context, phone string) (LogAccepted, error) {
	var out LogAccepted
	return out, c.call(ctx, http.MethodPost, "/v1/log/accept", AcceptLog{phone}, &out)
}
