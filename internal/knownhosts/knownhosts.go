// Package knownhosts is what the phone knows of servers: which host key a name
// had when a person allowed a login to it.
//
//	github.com           SHA256:…  ed25519, pinned by "laptop" on 12 May, proved
//	[10.0.0.5]:2222      SHA256:…  only for logins from "laptop"
//
// A name is what ssh resolved (HostName, or HostKeyAlias) and the port, never
// an alias that somebody typed. It is the computer's word: what makes a pin
// worth something is that the key was shown to a person and, from then on, may
// not change. Names that mean the same everywhere are shared by all computers;
// names that do not (unqualified, .local and the like, private addresses) belong
// to the computer that reported them.
//
// It does no I/O and reads no clock. References: [kr-protocol] docs/protocol.md §4.8.
package knownhosts

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	maxHost = 255 // bytes of a host name, [RFC 1035] §2.3.4
	maxKeys = 8   // pinned for one name
	maxPins = 4096
)

// Name is a server as known_hosts writes it: "host", or "[host]:port" when the
// port is not 22. "" is no name.
type Name string

// NewName returns the name of a host and port as a computer reported them, or
// "" for what cannot be the name of a host.
func NewName(host string, port int) Name {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || strings.HasSuffix(host, ".") || len(host) > maxHost || port < 1 || port > 65535 || strings.ContainsFunc(host, notInName) {
		return ""
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String() // one way to write it
	} else if strings.ContainsAny(host, ":%") {
		return ""
	}
	if port == 22 {
		return Name(host)
	}
	return Name("[" + host + "]:" + strconv.Itoa(port))
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-._:%", r))
}

// Host is the name without the port.
func (n Name) Host() string {
	if rest, ok := strings.CutPrefix(string(n), "["); ok {
		host, _, _ := strings.Cut(rest, "]")
		return host
	}
	return string(n)
}

// privateTLDs are the ends of names that are not the same everywhere: [RFC 6762],
// [RFC 8375], [RFC 6761], ICANN's .internal, and what home routers use.
var privateTLDs = []string{".local", ".localhost", ".localdomain", ".home.arpa", ".internal", ".lan", ".home", ".corp", ".intranet", ".test"}

// Shared reports whether the name means the same server for all computers.
func (n Name) Shared() bool {
	host := n.Host()
	if ip, err := netip.ParseAddr(host); err == nil {
		shared := netip.MustParsePrefix("100.64.0.0/10") // [RFC 6598], carriers and VPNs
		return !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsUnspecified() && !shared.Contains(ip)
	}
	dot := strings.LastIndexByte(host, '.')
	if dot < 0 || dot+1 < len(host) && host[dot+1] >= '0' && host[dot+1] <= '9' {
		return false // no top-level domain begins with a digit: it is a short form of an address, as "10.1" is of 10.0.0.1
	}
	return !slices.ContainsFunc(privateTLDs, func(end string) bool { return strings.HasSuffix(host, end) })
}

// Pin is one host key of one name.
type Pin struct {
	Name        Name   `json:"name"`
	Scope       string `json:"scope,omitempty"` // id of the pairing it is for; "" for all
	KeyType     string `json:"key_type"`
	Fingerprint string `json:"fingerprint"`
	Unix        int64  `json:"pinned_unix_seconds"`
	By          string `json:"by"`        // the computer's name at that time
	Proof       string `json:"proof"`     // how the key was proved then
	Hostbound   bool   `json:"hostbound"` // a hostbound login was seen: a plain one is a downgrade
}

// Verdict is what the pins say of a key.
type Verdict int

// The verdicts.
const (
	NoName     Verdict = iota // there is no name to look up
	New                       // nothing is pinned for this name
	Match                     // this key is
	Mismatch                  // other keys are, and this one is not
	NewType                   // the same, and none of them is of this type
	Downgraded                // this key is, but its logins used to be hostbound
)

// Book is all pins. It is not safe for concurrent use.
type Book struct{ pins []Pin }

// NewBook returns an empty book.
func NewBook() *Book { return &Book{} }

// Restore puts a pin back that was there in an earlier run.
func (b *Book) Restore(p Pin) { b.pins = append(b.pins, p) }

// Pins lists the pins, by name.
func (b *Book) Pins() []Pin {
	all := make([]*Pin, len(b.pins)) // pointers: in a browser, each type that is sorted costs 4 KB
	for i := range b.pins {
		all[i] = &b.pins[i]
	}
	slices.SortFunc(all, func(x, y *Pin) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Scope, y.Scope), cmp.Compare(x.Unix, y.Unix), cmp.Compare(x.Fingerprint, y.Fingerprint))
	})
	out := make([]Pin, len(all))
	for i, p := range all {
		out[i] = *p
	}
	return out
}

// scope is the Scope that pins of a name have when pairing reports it.
func scope(n Name, pairing string) string {
	if n.Shared() {
		return ""
	}
	return pairing
}

// Of returns the pins of a name as pairing sees it.
func (b *Book) Of(n Name, pairing string) (out []Pin) {
	for _, p := range b.Pins() {
		if p.Name == n && p.Scope == scope(n, pairing) {
			out = append(out, p)
		}
	}
	return out
}

// Check looks a host key up. hostbound says that the signed bytes name the key.
func (b *Book) Check(n Name, pairing, keyType, fingerprint string, hostbound bool) (Verdict, []Pin) {
	if n == "" {
		return NoName, nil
	}
	pins := b.Of(n, pairing)
	if len(pins) == 0 {
		return New, nil
	}
	sameType := false
	for _, p := range pins {
		if p.Fingerprint == fingerprint {
			if p.Hostbound && !hostbound {
				return Downgraded, pins
			}
			return Match, pins
		}
		sameType = sameType || p.KeyType == keyType
	}
	if !sameType {
		return NewType, pins
	}
	return Mismatch, pins
}

// Hostbound reports whether a hostbound login to a key was seen, under any name.
func (b *Book) Hostbound(pairing, fingerprint string) bool {
	return slices.ContainsFunc(b.pins, func(p Pin) bool {
		return p.Fingerprint == fingerprint && p.Hostbound && (p.Scope == "" || p.Scope == pairing)
	})
}

// Names lists the names, as pairing sees them, for which a key is pinned: what
// the phone knows a server by, whatever the computer says.
func (b *Book) Names(pairing, fingerprint string) (out []Name) {
	for _, p := range b.Pins() {
		if p.Fingerprint == fingerprint && (p.Scope == "" || p.Scope == pairing) {
			out = append(out, p.Name)
		}
	}
	return out
}

// Add pins a key for a name as pairing sees it. It reports false when there is
// no name, or no room, or it is pinned already; then only Hostbound may have
// become true, which hostbound reports.
func (b *Book) Add(p Pin, pairing string) (added, hostbound bool) {
	if p.Name == "" || p.Fingerprint == "" {
		return false, false
	}
	p.Scope = scope(p.Name, pairing)
	for i, old := range b.pins {
		if old.Name != p.Name || old.Scope != p.Scope {
			continue
		}
		if old.Fingerprint == p.Fingerprint {
			hostbound = p.Hostbound && !old.Hostbound
			b.pins[i].Hostbound = old.Hostbound || p.Hostbound
			return false, hostbound
		}
	}
	if !b.Room(p.Name, pairing) {
		return false, false
	}
	b.pins = append(b.pins, p)
	return true, false
}

// Room reports whether one more key can be pinned for a name as pairing sees it.
func (b *Book) Room(n Name, pairing string) bool {
	return len(b.pins) < maxPins && len(b.Of(n, pairing)) < maxKeys
}

// Forget removes all pins of a name, in one scope or in all ("*").
func (b *Book) Forget(n Name, scope string) (gone int) {
	before := len(b.pins)
	b.pins = slices.DeleteFunc(b.pins, func(p Pin) bool { return p.Name == n && (scope == "*" || p.Scope == scope) })
	return before - len(b.pins)
}

// ForgetScope removes the pins that only one pairing had.
func (b *Book) ForgetScope(pairing string) (gone int) {
	before := len(b.pins)
	b.pins = slices.DeleteFunc(b.pins, func(p Pin) bool { return p.Scope == pairing && pairing != "" })
	return before - len(b.pins)
}
