package phoneterm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/phone"
	"kryptonite/internal/statedir"
)

// logged is a phone with n log entries.
func logged(t *testing.T, n int) (home, passphrase string, marks []auditlog.Mark) {
	t.Helper()
	home, passphrase, _ = newHome(t)
	var ops []statedir.Op
	var l auditlog.Log
	marks = append(marks, l.Mark())
	for i := range n {
		b := l.Append(auditlog.Entry{Unix: 1_795_000_000, Computer: "laptop\x1b[2J\u009b", User: fmt.Sprint("user", i), Decision: auditlog.Allowed, Proof: "proved"})
		ops = append(ops, statedir.Op{Key: fmt.Sprintf("%s%020d", phone.LogPrefix, l.Len()), Value: b})
		marks = append(marks, l.Mark())
	}
	commit(t, home, ops...)
	return home, passphrase, marks
}

func commit(t *testing.T, home string, ops ...statedir.Op) {
	t.Helper()
	dir, err := statedir.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := statedir.OpenJournal(dir, journalFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Commit(ops), j.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestLogWhileItRuns: the commands that only read work while another kr-phone
// holds the lock, and leave every byte as it is, with a torn tail, too.
func TestLogWhileItRuns(t *testing.T) {
	home, _, marks := logged(t, 3)
	dir, err := statedir.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := dir.Lock(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Unlock() })
	path := filepath.Join(home, journalFile)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte{0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"user2":           {"log"},
		`"seq":3`:         {"log", "--json"},
		marks[3].String(): {"log", "verify"},
		"yes":             {"log", "verify", marks[2].Short()},
		"ssh-ed25519":     {"key"},
		"":                {"list"},
	} {
		code, stdout, stderr := krPhone(t, home, args...)
		if code != 0 || !strings.Contains(stdout, want) || strings.Contains(stdout, "\x1b") {
			t.Errorf("%q: exit %d, %q, %q", args, code, stdout, stderr)
		}
	}
	_, exported, _ := krPhone(t, home, "log", "--json")
	if _, end, err := auditlog.Read(bytes.Split([]byte(strings.TrimSuffix(exported, "\n")), []byte("\n"))); err != nil || end.Mark() != marks[3] || strings.Contains(exported, "\u009b") {
		t.Errorf("log --json is not the log as it is hashed: ends in %v, %v: %q", end.Mark(), err, exported)
	}
	for _, args := range [][]string{{"log", "acknowledge"}, {"unpair", "x"}} {
		if code, _, stderr := krPhone(t, home, args...); code == 0 || !strings.Contains(stderr, "another terminal") {
			t.Errorf("%q: exit %d, %q", args, code, stderr)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the journal was changed: %v", err)
	}
}

func TestLogVerify(t *testing.T) {
	home, _, marks := logged(t, 3)
	other := marks[2]
	other.Head[0] ^= 1
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"own chain": {nil, 0, []string{marks[3].String(), "entries 1 to 3 of 3"}},
		"all":       {[]string{marks[0].String(), marks[1].String(), marks[3].Short()}, 0, []string{"yes"}},
		"another":   {[]string{marks[3].Short(), other.Short()}, 1, []string{"yes", "no, the log was another then", "restored from a backup"}},
		"longer":    {[]string{auditlog.Mark{Length: 4}.Short()}, 1, []string{"no, this log has 3 entries only", "restored from a backup, or entries were removed"}},
		"none":      {[]string{"3"}, 2, []string{"LENGTH:HEAD"}},
		"short":     {[]string{"3:0123"}, 2, []string{"16"}},
	} {
		code, stdout, stderr := krPhone(t, home, append([]string{"log", "verify"}, c.args...)...)
		if code != c.code {
			t.Errorf("%s: exit %d, want %d: %q %q", name, code, c.code, stdout, stderr)
		}
		for _, w := range c.want {
			if !strings.Contains(stdout+stderr, w) {
				t.Errorf("%s: no %q in %q %q", name, w, stdout, stderr)
			}
		}
	}
}

// TestForgottenEntry: of what is not kept any more nothing can be told.
func TestForgottenEntry(t *testing.T) {
	const kept = 10_000
	home, _, marks := logged(t, kept+3)
	var ops []statedir.Op
	for i := range 3 {
		ops = append(ops, statedir.Op{Key: fmt.Sprintf("%s%020d", phone.LogPrefix, i+1)})
	}
	commit(t, home, ops...)
	if code, stdout, stderr := krPhone(t, home, "log", "verify", marks[2].String()); code != 1 ||
		!strings.Contains(stdout, "that entry is not kept any more; the oldest is 4") || !strings.Contains(stderr, "kr log verify") {
		t.Errorf("exit %d, %q %q", code, stdout, stderr)
	}
	if code, stdout, _ := krPhone(t, home, "log", "verify", marks[3].Short(), marks[kept].Short()); code != 0 {
		t.Errorf("exit %d, %q", code, stdout)
	}
}

// TestDamagedLogIsShownAndAcknowledged: kr-phone log names the entry; after a
// run has set it aside, --aside shows it, and acknowledge ends the telling.
func TestDamagedLogIsShownAndAcknowledged(t *testing.T) {
	home, _, _ := logged(t, 3)
	commit(t, home, statedir.Op{Key: fmt.Sprintf("%s%020d", phone.LogPrefix, 2), Value: []byte("{\x1b}")})
	for _, args := range [][]string{{"log"}, {"log", "verify"}} {
		if code, _, stderr := krPhone(t, home, args...); code != 1 || !strings.Contains(stderr, "log entry 2") || !strings.Contains(stderr, "kr-phone run sets it aside") {
			t.Errorf("%q: exit %d, %q", args, code, stderr)
		}
	}
	if code, _, stderr := krPhone(t, home, "list"); code != 0 {
		t.Errorf("list: %s", stderr)
	}
	// "pair" starts the core, as "run" does; its link is none.
	if code, _, stderr := krPhone(t, home, "pair"); code == 0 || strings.Contains(stderr, "log") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	commit(t, home, statedir.Op{Key: "aside/00000000000000000007/2", Value: []byte("{\x1b}")})
	if code, stdout, _ := krPhone(t, home, "log", "--aside"); code != 0 || !strings.HasPrefix(stdout, "{") || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit %d, %q", code, stdout)
	}
	for _, want := range []string{"", "nothing to acknowledge"} {
		if code, _, stderr := krPhone(t, home, "log", "acknowledge"); code != 0 || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, %q", code, stderr)
		}
	}
}

// TestLogWithoutAKey: it says what is missing; with a damaged key the log is
// there all the same.
func TestLogWithoutAKey(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "phone")
	if code, _, stderr := krPhone(t, empty, "log"); code == 0 || !strings.Contains(stderr, "kr-phone init") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	home, _, _ := logged(t, 1)
	if err := os.WriteFile(filepath.Join(home, keyFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := krPhone(t, home, "log"); code != 0 || !strings.Contains(stdout, "user0") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}
