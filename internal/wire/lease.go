package wire

import (
	"slices"

	"kryptonite/internal/sealbox"
)

// Limits of leases in a message. [kr-protocol] §4.11.
const (
	MaxLeaseTokens = 8  // in a sign_request
	MaxLeasesOver  = 64 // in a notice: as many as a pairing has rules
	maxRuleID      = 20 // digits
)

// LeaseToken is T, the computer's half of what opens the key under a rule while
// the phone's app is closed. It is worth nothing without the phone's half. The
// computer keeps it in memory only, the phone not at all; it never prints.
type LeaseToken struct {
	Rule  string        `json:"rule"` // its id: decimal digits
	Token sealbox.Key32 `json:"token"`
	Until int64         `json:"until_unix_seconds,omitempty"` // in the phone's clock; only in a response
}

func (t LeaseToken) fits() bool { return isRuleID(t.Rule) && t.Token != (sealbox.Key32{}) }

// leasesFit reports whether all that m says of leases keeps to its limits.
func (m Message) leasesFit() bool {
	switch {
	case m.Request != nil && m.Request.Sign != nil:
		all := m.Request.Sign.LeaseTokens
		return len(all) <= MaxLeaseTokens && !slices.ContainsFunc(all, func(t LeaseToken) bool { return !t.fits() })
	case m.Response != nil && m.Response.Sign != nil && m.Response.Sign.LeaseToken != (LeaseToken{}):
		return m.Response.Sign.LeaseToken.fits()
	case m.Notice != nil:
		over := m.Notice.LeasesOver
		return len(over) <= MaxLeasesOver && !slices.ContainsFunc(over, func(id string) bool { return !isRuleID(id) })
	}
	return true
}

func isRuleID(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= maxRuleID
}
