package hostpattern

import (
	"path"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		list, yes, no string
	}{
		{"github.com", "github.com GitHub.Com", "github.com.evil.example xgithub.com github.co"},
		{"*.corp", "a.corp a.b.corp .corp", "corp a.corp.example"},
		{"github.com, *.corp", "github.com x.corp", "example.com"},
		{"*.corp,!old.corp", "new.corp", "old.corp"},
		{"!old.corp,*.corp", "new.corp", "old.corp"},
		{"192.168.0.?", "192.168.0.7", "192.168.0.17 192.168.0."},
		{"fe80::*%eth0", "fe80::1%eth0", "fe80::1%eth1"},
		{"*", "anything 1", ""},
		{"a*b*c", "abc axxbxxc abbbc ababcc", "ab acb abcd"},
	} {
		l, err := Parse(c.list)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.list, err)
		}
		for _, h := range strings.Fields(c.yes) {
			if !l.Match(h) {
				t.Errorf("%q does not match %q", c.list, h)
			}
		}
		for _, h := range strings.Fields(c.no) {
			if l.Match(h) {
				t.Errorf("%q matches %q", c.list, h)
			}
		}
		if again, err := Parse(l.String()); err != nil || again.String() != l.String() {
			t.Errorf("%q is read again as %q, %v", c.list, again, err)
		}
	}
	if (List)(nil).Match("x") || (List)(nil).Match("") {
		t.Error("an empty list matches")
	}
}

func TestNoPatterns(t *testing.T) {
	for _, s := range []string{"", ",", "a,,b", "!", "!a", "a b", "user@host", "a/b", "a\x1b[m", "ä.example", strings.Repeat("a", 256), strings.Repeat("a,", 64) + "a"} {
		if l, err := Parse(s); err == nil {
			t.Errorf("Parse(%.20q) = %q", s, l)
		}
	}
}

// FuzzMatch: as path.Match says for the patterns that mean the same there.
func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*a*a*a*a*a*b", strings.Repeat("a", 60))
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if strings.ContainsAny(pattern, `[\/`) || strings.Contains(s, "/") || strings.ContainsFunc(pattern+s, func(r rune) bool { return r > 126 }) {
			return
		}
		want, err := path.Match(pattern, s)
		if got := match(pattern, s); err == nil && got != want {
			t.Errorf("match(%q, %q) = %v", pattern, s, got)
		}
	})
}
