package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of Reported. [kr-protocol] §4.1.
const (
	maxHost     = 255 // bytes
	maxReported = 256 // bytes of Program, Directory, Remote and Branch
)

// Reported is what the computer says and nobody can check. It never holds
// other arguments, option values, environment or other places where people put
// secrets.
type Reported struct {
	Program   string `json:"program,omitempty"`   // what asked, outermost first: "bash > git push > ssh"
	Directory string `json:"directory,omitempty"` // where it works

	// Remote and Branch are of the git repository that git asks for: host and path
	// of the one at the other end, without user or password ("github.com/ana/shop"),
	// and the branch that is checked out here.
	Remote string `json:"remote,omitempty"`
	Branch string `json:"branch,omitempty"`

	// Host is the host that the person meant, as ssh itself resolves what was
	// typed: its HostName, or its HostKeyAlias when HostKeyAlias is true. Lower
	// case; "" when it is not known.
	Host         string `json:"host,omitempty"`
	Port         int    `json:"port,omitempty"`
	HostKeyAlias bool   `json:"host_key_alias,omitempty"`
}

// Checked returns r without the fields that break a rule of [kr-protocol]
// §4.1. Both sides use it: what is left is short and has no character that
// could disturb a screen.
func (r Reported) Checked() Reported {
	for _, s := range []*string{&r.Program, &r.Directory, &r.Remote, &r.Branch} {
		if !plain(*s) {
			*s = ""
		}
	}
	if !ValidHost(r.Host) || r.Port < 1 || r.Port > 65535 {
		r.Host, r.Port, r.HostKeyAlias = "", 0, false
	}
	return r
}

// ValidHost reports whether s can be a host name, an address or a HostKeyAlias
// in lower case: letters, digits and . - _ : [ ] %, 1 to 255 bytes.
func ValidHost(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(".-_:[]%", c) < 0 {
			return false
		}
	}
	return true
}

// plain reports whether s is short and printable.
func plain(s string) bool {
	return len(s) <= maxReported && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
