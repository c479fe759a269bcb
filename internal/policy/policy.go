// Package policy decides which requests a person has decided already.
//
// A person answers a card once, or with a [Grant] that holds for a while:
//
//	this host       the same user at the same pinned host key, by the same SSH
//	                key, from the same computer; for a time, for a count, or both
//	this computer   any user at any pinned host that is proved, by the same SSH
//	                key; for a time
//	block           everything from this computer is rejected; for a time
//
// With Closed the phone may sign under the rule while its app is closed, where it
// otherwise needs the person to unlock the key again. [kr-protocol] §4.11.
//
// What the person has not seen is never granted: a host that is new, not
// proved, or whose key has changed; a request that may be forwarded; content
// that is not a login. [Facts.Excluded] says why.
//
// It is pure: time is an argument. References: [kr-protocol] docs/protocol.md §4.9.
package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"kryptonite/internal/hostauth"
)

// Scope is what a grant covers.
type Scope string

// The scopes. The zero Scope is a decision for one request only.
const (
	Once     Scope = ""
	Host     Scope = "host"
	Computer Scope = "computer"
	Block    Scope = "block"
)

// Limits of grants.
const (
	MaxTime  = 24 * time.Hour
	MinTime  = time.Minute
	MaxCount = 10_000
	MaxRules = 64 // per computer
)

// Grant is what a person adds to an answer.
type Grant struct {
	Scope  Scope
	For    time.Duration // MinTime to MaxTime
	Count  int           // how many requests at most; 0: any number
	Closed bool          // it also works while the phone's app is closed; for Host and Computer
}

// Check reports what is wrong with a grant.
func (g Grant) Check() error {
	switch {
	case g.Closed && g.Scope != Host && g.Scope != Computer:
		return errors.New("only what a rule allows can work while the app is closed")
	case g.Scope == Once:
		return nil
	case g.Scope != Host && g.Scope != Computer && g.Scope != Block:
		return fmt.Errorf("there is no scope %q", g.Scope)
	case g.For < MinTime || g.For > MaxTime:
		return fmt.Errorf("a rule holds for %s to %s", MinTime, MaxTime)
	case g.Count < 0 || g.Count > MaxCount || g.Count > 0 && g.Scope == Block:
		return errors.New("a rule counts from 1 to 10000 logins, and a block does not count")
	}
	return nil
}

// Facts are what the phone itself knows of a request.
type Facts struct {
	Pairing string
	Key     string // fingerprint of the SSH key
	Login   bool   // a userauth request
	User    string
	HostKey string         // fingerprint
	Proof   hostauth.Proof // how the host key is proved
	Local   bool           // not forwarded
	Pinned  bool           // this host key is pinned under some name, and no pin contradicts
}

// Excluded says why no grant of this scope may cover the request, or "".
func (f Facts) Excluded(s Scope) string {
	switch {
	case s == Block:
		return ""
	case !f.Login:
		return "its content was not shown to this phone"
	case !f.Local:
		return "it may be forwarded"
	case f.Proof != hostauth.Proved && f.Proof != hostauth.Vouched:
		return "the host is not proved"
	case s == Computer && f.Proof != hostauth.Proved:
		return "the host is vouched for only"
	case !f.Pinned:
		return "the host is not pinned"
	}
	return ""
}

// Rule is a grant at work.
type Rule struct {
	ID      string `json:"id"`
	Scope   Scope  `json:"scope"`
	Pairing string `json:"pairing"`
	Key     string `json:"key,omitempty"`
	User    string `json:"user,omitempty"`     // for Host
	HostKey string `json:"host_key,omitempty"` // for Host
	Name    string `json:"name,omitempty"`     // of the host, for people
	Since   int64  `json:"since_unix_seconds"`
	Until   int64  `json:"until_unix_seconds"`
	Left    int    `json:"left,omitempty"`    // requests that it still allows, when Counted
	Counted bool   `json:"counted,omitempty"` // Left counts
	Closed  bool   `json:"closed,omitempty"`  // the person wants it to work while the app is closed
}

// NewRule makes the rule of a grant out of the request that it was given with.
// It refuses what Excluded or Check refuse.
func NewRule(id string, now time.Time, g Grant, f Facts, name string) (Rule, error) {
	if err := g.Check(); err != nil {
		return Rule{}, err
	}
	if g.Scope == Once {
		return Rule{}, errors.New("one request needs no rule")
	}
	if why := f.Excluded(g.Scope); why != "" {
		return Rule{}, errors.New(why)
	}
	r := Rule{ID: id, Scope: g.Scope, Pairing: f.Pairing, Since: now.Unix(), Until: now.Add(g.For).Unix(), Left: g.Count, Counted: g.Count > 0, Closed: g.Closed}
	if g.Scope != Block {
		r.Key = f.Key
	}
	if g.Scope == Host {
		r.User, r.HostKey, r.Name = f.User, f.HostKey, name
	}
	return r, nil
}

// Over reports whether the rule holds no more. A clock that was set back to
// before the rule ends it, unless it is a block.
func (r Rule) Over(now time.Time) bool {
	back := now.Unix() < r.Since && r.Scope != Block
	return now.Unix() >= r.Until || back || r.Counted && r.Left <= 0
}

// covers reports whether the rule decides the request.
func (r Rule) covers(now time.Time, f Facts) bool {
	if r.Over(now) || r.Pairing != f.Pairing || f.Excluded(r.Scope) != "" {
		return false
	}
	switch r.Scope {
	case Block:
		return true
	case Computer:
		return r.Key == f.Key
	case Host:
		return r.Key == f.Key && r.User == f.User && r.HostKey == f.HostKey
	}
	return false
}

// Verdict is what the rules say of a request.
type Verdict int

// The verdicts.
const (
	Ask   Verdict = iota // nobody has decided it
	Allow                // by the rule that Decide returns
	Deny                 // by a block
)

// Decide looks for a rule that covers the request. A block wins; of several
// that allow it, one without a count does, so that counts are not used up where
// it would do; then one that needs nobody to unlock the key; then the narrowest
// and shortest.
func Decide(now time.Time, rules []Rule, f Facts) (Verdict, Rule) {
	var fit []Rule
	for _, r := range rules {
		if r.covers(now, f) {
			if r.Scope == Block {
				return Deny, r
			}
			fit = append(fit, r)
		}
	}
	if len(fit) == 0 {
		return Ask, Rule{}
	}
	return Allow, slices.MinFunc(fit, func(a, b Rule) int {
		return cmp.Or(order(a.Counted, b.Counted), order(!a.Closed, !b.Closed), order(a.Scope != Host, b.Scope != Host), cmp.Compare(a.Until, b.Until), cmp.Compare(a.ID, b.ID))
	})
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
