package mailbox

import (
	"fmt"
	"strconv"
	"strings"
)

// maxOrigin bounds an origin, in bytes: a DNS name has at most 253, see
// [RFC 1035] §2.3.4.
const maxOrigin = 300

// CanonicalOrigin returns s as scheme://host[:port]: lower-case, without the
// scheme's default port. The scheme is https, or http for localhost, 127.0.0.1
// and [::1]. One trailing slash is dropped; a path, user, query or fragment, or
// anything that is not ASCII, is an error (write international names in their
// xn-- form).
func CanonicalOrigin(s string) (string, error) {
	fail := func(why string) (string, error) {
		return "", fmt.Errorf("mailbox: origin %q: %s", s, why)
	}
	if len(s) > maxOrigin {
		return "", fmt.Errorf("mailbox: origin has %d bytes, at most %d are allowed", len(s), maxOrigin)
	}
	scheme, rest, ok := strings.Cut(lowerASCII(s), "://")
	if !ok || scheme != "https" && scheme != "http" {
		return fail("want https://host[:port]")
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#@\\") {
		return fail("want a host and a port only")
	}

	host, port := rest, ""
	if inside, after, found := strings.Cut(rest, "]"); found || strings.HasPrefix(rest, "[") {
		if !strings.HasPrefix(inside, "[") || !found {
			return fail("bad brackets")
		}
		host = inside + "]"
		if !validIPv6(inside[1:]) {
			return fail("bad IPv6 address")
		}
		if after != "" {
			if after, ok = strings.CutPrefix(after, ":"); !ok || after == "" {
				return fail("bad port")
			}
			port = after
		}
	} else if i := strings.IndexByte(rest, ':'); i >= 0 {
		host, port = rest[:i], rest[i+1:]
		if port == "" {
			return fail("bad port")
		}
	}
	if !strings.HasPrefix(host, "[") && !validName(host) {
		return fail("bad host name")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port != strconv.FormatUint(n, 10) {
			return fail("bad port")
		}
	}
	if scheme == "http" && !LoopbackHost(host) {
		return fail("http is only for localhost, 127.0.0.1 and [::1]; use https")
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	if port != "" {
		host += ":" + port
	}
	return scheme + "://" + host, nil
}

// LoopbackHost reports whether host (without port, IPv6 in brackets) is one of
// the three names for which http is allowed.
func LoopbackHost(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "[::1]"
}

// lowerASCII leaves everything but A-Z alone: Unicode has letters that become
// ASCII when lowered (the Kelvin sign), and those must stay an error.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func validName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// validIPv6 is deliberately coarse (hex digits and at least two colons): the
// text is only compared, never dialled by this package.
func validIPv6(s string) bool {
	if len(s) < 2 || len(s) > 45 || strings.Count(s, ":") < 2 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef:.") == ""
}
