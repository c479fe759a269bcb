// Package hostpattern matches names of hosts against lists of patterns, as
// ssh_config(5) does in its section PATTERNS:
//
//	github.com,*.corp,!old.corp
//
// "*" is any number of characters, "?" is one; a pattern with "!" before it takes
// the hosts that it matches out of the list, wherever it stands. Names are compared
// without case. It does no I/O.
package hostpattern

import (
	"fmt"
	"strings"
)

const (
	maxPatterns = 64
	maxPattern  = 255 // bytes; what a name in the DNS can have
)

// List is a list of patterns, in lower case. An empty one matches nothing.
type List []string

// Parse reads patterns with commas between them, and spaces around them. One at
// least must not begin with "!": without such a list matches nothing.
func Parse(s string) (List, error) {
	var l List
	for p := range strings.SplitSeq(s, ",") {
		l = append(l, strings.ToLower(strings.TrimSpace(p)))
	}
	return l, l.Check()
}

// Check says what is wrong with a list that came from elsewhere.
func (l List) Check() error {
	some := false
	for _, p := range l {
		name, not := strings.CutPrefix(p, "!")
		some = some || !not
		if name == "" || len(p) > maxPattern || strings.ContainsFunc(name, outside) {
			return fmt.Errorf("%.80q is no pattern for names of hosts", p)
		}
	}
	switch {
	case len(l) > maxPatterns:
		return fmt.Errorf("%d patterns, up to %d are taken", len(l), maxPatterns)
	case !some:
		return fmt.Errorf("no pattern of %.80q says which hosts are meant", l.String())
	}
	return nil
}

// outside reports whether r is in no name, address, zone or pattern.
func outside(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("*?.-_:%", r)
}

// String is the list as Parse reads it.
func (l List) String() string { return strings.Join(l, ",") }

// Match reports whether the list has a host of this name or address.
func (l List) Match(host string) bool {
	host = strings.ToLower(host)
	found := false
	for _, p := range l {
		name, not := strings.CutPrefix(p, "!")
		if !match(name, host) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// match takes at most len(pattern) * len(s) steps: after a "*" that took too
// little only the last "*" takes more.
func match(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
