// Package upload puts a public SSH key where forges and clouds keep them: by the
// service's own program, if the person has signed in with it, or by its HTTP API
// with a token. What differs between services is a table ([Services]); nothing
// here knows one of them by name.
//
// Both ways first list what is there: a key that is there is not added again, unless
// it is there for signatures only; and a program that cannot list has nobody signed
// in, or lacks the right.
//
// A token goes into one header of requests to the https origins in the service's
// row, and nowhere else: no redirect is followed, and a [Token] does not print. Programs
// get the public key in a file, and no token from here.
package upload

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
)

// Key is what is put there.
type Key struct {
	Line  string // as in authorized_keys; its comment may be missing
	Type  string // as in authorized_keys
	Title string // what a person will know it by in the service's list
}

// blob is the key itself, which no service changes.
func (k Key) blob() string {
	if f := strings.Fields(k.Line); len(f) > 1 {
		return f[1]
	}
	return k.Line
}

// in reports whether the key is somewhere in that of what a service, or its program,
// lists which counts.
func (k Key) in(list []byte, counts func([]byte) []byte) bool {
	if counts != nil {
		list = counts(list)
	}
	return strings.Contains(strings.ReplaceAll(string(list), `\/`, "/"), k.blob())
}

// Outcome is what came of it.
type Outcome string

// The outcomes.
const (
	Added Outcome = "added"
	There Outcome = "there" // it was there already
)

// Token is a secret of a service. It does not print.
type Token string

// String hides it.
func (Token) String() string { return "[redacted]" }

// GoString hides it.
func (Token) GoString() string { return "[redacted]" }

// LogValue hides it.
func (Token) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText hides it.
func (Token) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Refuses says why the service does not take keys of this type, as far as that is
// known; "" if it may.
func (s Service) Refuses(keyType string) string { return s.refused[keyType] }

// Needs is what the token must be allowed, for people.
func (s Service) Needs() string { return s.api.right }

// Variables are the environment variables that a token is taken from.
func (s Service) Variables() []string {
	var out []string
	for _, v := range s.api.env {
		for name := range strings.SplitSeq(v, "+") {
			out = append(out, strings.TrimSuffix(name, "?"))
		}
	}
	return out
}

// Token is what the environment holds for the API; "" if nothing.
func (s Service) Token(getenv func(string) string) Token {
	for _, v := range s.api.env {
		var values []string
		for part := range strings.SplitSeq(v, "+") {
			name, may := strings.CutSuffix(part, "?")
			value := strings.TrimSpace(getenv(name))
			if value == "" && !may {
				values = nil
				break
			}
			values = append(values, value)
		}
		if len(values) > 0 {
			return Token(strings.Join(values, "\n"))
		}
	}
	return ""
}

// OneToken reports whether a person can type what the API takes.
func (s Service) OneToken() bool { return s.api.base != "" && !strings.Contains(s.api.env[0], "+") }

// Host is the server, or the region, that is meant: what was said, or what the
// environment says, or the usual one; "" if that is left to the program.
func (s Service) Host(said string, getenv func(string) string) (string, error) {
	host := said
	for _, v := range s.Where.env {
		if host == "" {
			host = getenv(v)
		}
	}
	if host == "" {
		host = s.Where.Def
	}
	switch {
	case said != "" && s.Where.form == "":
		return "", fmt.Errorf("%s is at one place only: %q says nothing", s.Title, said)
	case host == "" && s.Where.Must:
		return "", fmt.Errorf("%s needs the name of your server", s.Title)
	case host != "" && s.Where.form != "" && !regexp.MustCompile(s.Where.form).MatchString(host):
		return "", fmt.Errorf("%.80q is no %s of %s", host, strings.ToLower(s.Where.What), s.Title)
	}
	return host, nil
}

// PageAt is the page to paste a key at.
func (s Service) PageAt(host string) string { return strings.ReplaceAll(s.Page, "{host}", host) }

// Login is what a person types to sign in with the service's program, and the
// program's name; "" if it has none.
func (s Service) Login(host string) (program, command string) {
	return s.tool.name, strings.ReplaceAll(s.tool.login, "{host}", host)
}

// values are what {names} in the table stand for.
func (s Service) values(k Key, host string) *strings.Replacer {
	title := k.Title
	if s.ascii {
		title = strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '-'
			}
			return r
		}, strings.ReplaceAll(title, "’", "'"))
	}
	return strings.NewReplacer("{host}", host, "{key}", k.Line, "{key64}", base64.StdEncoding.EncodeToString([]byte(k.Line)), "{title}", title)
}

// base is the API's origin and path.
func (s Service) base(host string) (*url.URL, error) {
	base := s.api.base
	for end, other := range s.api.bases {
		if strings.HasSuffix(host, end) {
			base = other
		}
	}
	if strings.Contains(base, "{host}") && host == "" {
		return nil, fmt.Errorf("the API of %s needs a %s", s.Title, strings.ToLower(s.Where.What))
	}
	return url.Parse(strings.ReplaceAll(base, "{host}", host))
}
