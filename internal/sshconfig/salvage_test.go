package sshconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSalvage: what is left of a block goes, and every line of a person stays.
func TestSalvage(t *testing.T) {
	const agent = "IdentityAgent \"/home/ana/.kr/agent.sock\"\n"
	for _, c := range []struct{ name, config, want string }{
		{"no block", "Host a\n  User b\n", "Host a\n  User b\n"},
		{"a whole one", text + "Host a\n", "Host a\n"},
		{"no end", begin + "\n" + agent + "Host a\n", "Host a\n"},
		{"no end, and keys", begin + "\n" + agent + "IdentityFile \"/home/ana/.kr/keys/0.pub\"\nIdentityFile %d/.ssh/id_rsa\nHost a\n", "Host a\n"},
		{"no begin", agent + end + "\nHost a\n", "Host a\n"},
		{"an end alone", "Host a\n" + end + "\nUser b\n", "Host a\nUser b\n"},
		{"cut in its agent", begin + "\nIdentityAgent \"/home/an", ""},
		{"cut after a word of a person", begin + "\nUser b", "User b"},
		{"begins twice", begin + "\n" + agent + text + "Host a\n", "Host a\n"},
		{"a person's line in it", begin + "\n" + agent + "User b\n" + agent + "Host a\n", "User b\n" + agent + "Host a\n"},
		{"our agent, named by a person", "Host a\n" + agent + "Host c\n" + begin + "\n", "Host a\n" + agent + "Host c\n"},
		{"CRLF", strings.ReplaceAll(begin+"\n"+agent+"Host a\n", "\n", "\r\n"), "Host a\r\n"},
	} {
		if got := block.Salvage([]byte(c.config)); string(got) != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzSalvage: of anything, something is left in which there is no half of a
// block; and it is made of the lines that were there, in their order.
func FuzzSalvage(f *testing.F) {
	for _, s := range []string{"", "Host a\n", text, begin, end, text[:60] + "\nHost a\n", "a\n" + end + "\nb", strings.Repeat(text, 2) + begin} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		got := block.Salvage(config)
		if again, err := block.Remove(got); err != nil || string(again) != string(got) {
			t.Fatalf("%q: Salvage = %q, and of that Remove = %q, %v", config, got, again, err)
		}
		before := strings.SplitAfter(string(config), "\n")
		for line := range strings.Lines(string(got)) {
			i := 0
			for i < len(before) && before[i] != line {
				i++
			}
			if i == len(before) {
				t.Fatalf("%q: Salvage = %q has a line that was not there", config, got)
			}
			before = before[i+1:]
		}
	})
}

// TestAgent asks the real ssh.
func TestAgent(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	odd := Block{Home: "/home/100% ana/.kr", Socket: "agent.sock"}
	for _, c := range []struct{ text, want string }{
		{odd.Text(), "/home/100% ana/.kr/agent.sock"},
		{"IdentityAgent none\n" + odd.Text(), "none"},
		{"Host other\n  IdentityAgent none\n", ""},
	} {
		if err := os.WriteFile(config, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Agent(t.Context(), config); got != c.want || err != nil {
			t.Errorf("of %q: %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	if err := os.WriteFile(config, []byte("Nonsense 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Agent(t.Context(), config); err == nil || !strings.Contains(err.Error(), "line 1: Bad configuration option") {
		t.Errorf("of a file that ssh cannot read: %v", err)
	}
}
