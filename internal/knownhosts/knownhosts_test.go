package knownhosts

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		host   string
		port   int
		want   Name
		shared bool
	}{
		{"github.com", 22, "github.com", true},
		{"GitHub.com.", 22, "github.com", true},
		{"server.example", 2222, "[server.example]:2222", true},
		{"web", 22, "web", false},
		{"nas.local", 22, "nas.local", false},
		{"db.internal", 2200, "[db.internal]:2200", false},
		{"router.home.arpa", 22, "router.home.arpa", false},
		{"10.0.0.5", 22, "10.0.0.5", false},
		{"192.168.1.2", 2222, "[192.168.1.2]:2222", false},
		{"100.64.0.7", 22, "100.64.0.7", false},
		{"127.0.0.1", 22, "127.0.0.1", false},
		{"127.1", 2222, "[127.1]:2222", false}, // as inet_aton(3) takes them
		{"10.0x1", 22, "10.0x1", false},
		{"::ffff:203.0.113.9", 22, "203.0.113.9", true},
		{"203.0.113.9", 22, "203.0.113.9", true},
		{"2001:db8:0:0::1", 22, "2001:db8::1", true},
		{"fe80::1%eth0", 22, "fe80::1%eth0", false},
		{"fd00::1", 2222, "[fd00::1]:2222", false},
		{"", 22, "", false},
		{".", 22, "", false},
		{"a b", 22, "", false},
		{"evil\x1b[2J", 22, "", false},
		{"pаypal.com", 22, "", false}, // a Cyrillic letter
		{"a:b", 22, "", false},
		{"[x]", 22, "", false},
		{"x", 0, "", false},
		{"x", 65536, "", false},
		{strings.Repeat("a", 256), 22, "", false},
	} {
		n := NewName(c.host, c.port)
		if n != c.want || n != "" && n.Shared() != c.shared {
			t.Errorf("NewName(%q, %d) = %q, shared %v; want %q, %v", c.host, c.port, n, n.Shared(), c.want, c.shared)
		}
	}
}

func TestCheck(t *testing.T) {
	b := NewBook()
	pin := func(n Name, pairing, typ, fp string, hostbound bool) (bool, bool) {
		return b.Add(Pin{Name: n, KeyType: typ, Fingerprint: fp, Hostbound: hostbound}, pairing)
	}
	pin("github.com", "laptop", "ed25519", "A", true)
	pin("web", "laptop", "ed25519", "B", false)
	for name, c := range map[string]struct {
		n         Name
		pairing   string
		typ, fp   string
		hostbound bool
		want      Verdict
	}{
		"no name":                         {"", "laptop", "ed25519", "A", true, NoName},
		"never seen":                      {"gitlab.com", "laptop", "ed25519", "A", true, New},
		"the pinned key":                  {"github.com", "laptop", "ed25519", "A", true, Match},
		"from another computer, shared":   {"github.com", "desk", "ed25519", "A", true, Match},
		"another key":                     {"github.com", "desk", "ed25519", "X", true, Mismatch},
		"another type of key":             {"github.com", "desk", "rsa", "X", true, NewType},
		"no longer hostbound":             {"github.com", "laptop", "ed25519", "A", false, Downgraded},
		"never was hostbound":             {"web", "laptop", "ed25519", "B", false, Match},
		"another key for a private name":  {"web", "laptop", "ed25519", "X", true, Mismatch},
		"another computer's private name": {"web", "desk", "ed25519", "X", true, New},
		"another port is another server":  {"[github.com]:2222", "laptop", "ed25519", "X", true, New},
	} {
		if got, _ := b.Check(c.n, c.pairing, c.typ, c.fp, c.hostbound); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if added, hostbound := pin("web", "laptop", "ed25519", "B", true); added || !hostbound {
		t.Error("a hostbound login is not noted")
	}
	if v, _ := b.Check("web", "laptop", "ed25519", "B", false); v != Downgraded {
		t.Error("a downgrade after it is not seen")
	}
	if got := b.Names("desk", "B"); len(got) != 0 {
		t.Errorf("another computer's private name is told: %q", got)
	}
	if got := b.Names("desk", "A"); len(got) != 1 || got[0] != "github.com" {
		t.Errorf("key A is known as %q", got)
	}
	// A second key for a name: both match from then on.
	if added, _ := pin("github.com", "desk", "rsa", "R", false); !added {
		t.Error("a second key is not added")
	}
	if v, pins := b.Check("github.com", "laptop", "rsa", "R", true); v != Match || len(pins) != 2 {
		t.Errorf("the second key: %d, %d pins", v, len(pins))
	}
	if b.Forget("github.com", "") != 2 || b.ForgetScope("laptop") != 1 || len(b.Pins()) != 0 || b.ForgetScope("") != 0 {
		t.Error("forgetting leaves or takes too much")
	}
}

func TestBounds(t *testing.T) {
	b := NewBook()
	for i := range maxKeys + 3 {
		b.Add(Pin{Name: "x.example", KeyType: "t", Fingerprint: string(rune('a' + i))}, "p")
	}
	if n := len(b.Of("x.example", "p")); n != maxKeys {
		t.Errorf("%d keys of one name, %d are allowed", n, maxKeys)
	}
	if added, _ := b.Add(Pin{Fingerprint: "a"}, "p"); added {
		t.Error("a key without a name was pinned")
	}
}

// FuzzNewName: a name is printable, bounded, and the same when it is read again.
func FuzzNewName(f *testing.F) {
	for _, s := range []string{"github.com", "10.0.0.1", "::1", "fe80::1%eth0", "WEB.", "a\x00b", "[::1]"} {
		f.Add(s, 22)
		f.Add(s, 2222)
	}
	f.Fuzz(func(t *testing.T, host string, port int) {
		n := NewName(host, port)
		if n == "" {
			return
		}
		if len(n) > maxHost+8 || strings.ContainsFunc(string(n), func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("NewName(%q) = %q", host, n)
		}
		if again := NewName(n.Host(), port); again != n {
			t.Errorf("%q is read again as %q", n, again)
		}
	})
}
