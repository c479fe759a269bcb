package cli

import (
	"os/exec"
	"testing"
)

// TestShellQuoted: a shell takes each for one word, and runs nothing of it.
func TestShellQuoted(t *testing.T) {
	for _, s := range []string{"/home/ana/.kr/agent.sock", "", "a b", `$(echo x)`, "`echo x`", "it's", "''", `"$HOME" \ ${x}`, "a;echo x", "*", "~/x", "a\nb", "#x", "!x", "a&b|c>d"} {
		if out, err := exec.Command("sh", "-c", "printf %s "+shellQuoted(s)).Output(); string(out) != s || err != nil {
			t.Errorf("%q is %s; sh takes it for %q, %v", s, shellQuoted(s), out, err)
		}
	}
}
