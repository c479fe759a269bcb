package statedir

import (
	"strings"
	"testing"
)

func TestHome(t *testing.T) {
	const refused = ""
	for _, c := range []struct{ home, variable, want string }{
		{"/home/ana", "", "/home/ana/.kr"},
		{"/home/ana", "/srv/kr $(x) 'y' 50%", "/srv/kr $(x) 'y' 50%"},
		{"", "/srv/kr", "/srv/kr"},
		{"", "", refused},
		{"/home/ana", "kr", refused},
		{"/home/ana", ".", refused},
		{"/home/ana", "/srv/kr\nExecStartPre=/bin/x", refused},
		{"/home/ana", "/srv/\x1b]0;x\a", refused},
		{"/home/ana", "/srv/\u009b2J", refused},
		{"/home/ana", "/srv/\xff", refused},
		{".", "", refused},
		{"clone", "/srv/kr", refused},
		{"/home/ana\r", "/srv/kr", refused},
	} {
		t.Setenv("HOME", c.home)
		t.Setenv("KR_HOME", c.variable)
		got, err := Home("KR_HOME", ".kr")
		if got != c.want || (err == nil) == (c.want == refused) {
			t.Errorf("HOME=%q KR_HOME=%q: %q, %v; want %q", c.home, c.variable, got, err, c.want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b\u009b") {
			t.Errorf("the error repeats control characters: %q", err)
		}
	}
}
