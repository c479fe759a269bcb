package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/auditlog"
	"kryptonite/internal/control"
	"kryptonite/internal/term"
)

// exported is a log of n entries as a phone gives it away, and its marks by length.
// The names in it are hostile.
func exported(n int) (lines [][]byte, marks []auditlog.Mark) {
	var l auditlog.Log
	marks = []auditlog.Mark{l.Mark()}
	for i := range n {
		lines = append(lines, l.Append(auditlog.Entry{Unix: int64(i), Computer: "laptop\x1b[2J\u009b\u202e\n\ufe0f", Decision: auditlog.Allowed, User: "root"}))
		marks = append(marks, l.Mark())
	}
	return lines, marks
}

func onDisk(t *testing.T, lines [][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log.jsonl")
	if err := os.WriteFile(path, append(bytes.Join(lines, []byte("\n")), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLogVerifyFile(t *testing.T) {
	lines, marks := exported(5)
	other := marks[3]
	other.Head[0] ^= 1
	told := func(name string, m auditlog.Mark) control.Phone {
		return control.Phone{ID: "id-" + name[:3], Name: name, Log: control.PhoneLog{Length: m.Length, Head: m.Head.String()}}
	}
	ana, bea := told("ana", marks[3]), told("bea\x1b", other)
	late := told("late", auditlog.Mark{Length: 9, Head: other.Head})
	doubted := told("doubt", marks[5]) // of it krd remembers what it saw after it shrank
	doubted.Log.Wrong = []control.LogFinding{{At: time.Unix(1, 0), Kind: "shorter", Text: "the phone's log is shorter than it was"}}
	headless := doubted
	headless.Log.Length, headless.Log.Head = 0, ""
	var huge auditlog.Log
	longest := huge.Append(auditlog.Entry{Computer: strings.Repeat("\u202e", 1000), Reason: strings.Repeat("<", 1000), User: strings.Repeat("\x01", 1000), Host: strings.Repeat("\xff", 1000), Program: strings.Repeat("<", 1000)})
	var long auditlog.Log
	var full [][]byte
	for range auditlog.Kept + 1 {
		full = append(full, long.Append(auditlog.Entry{}))
	}
	for name, c := range map[string]struct {
		lines  [][]byte
		phones []control.Phone
		args   []string
		code   int
		want   []string // in stdout or stderr
	}{
		"hers":         {lines, []control.Phone{ana}, nil, 0, []string{"the chain holds: entries 1 to 5", marks[5].String(), "ana, as this computer saw it last, at 3 entries: yes", "entries 4 to 5 are newer than that"}},
		"in doubt":     {lines, []control.Phone{doubted}, nil, 1, []string{"shorter than it was", "kr log verify --accept --phone id-dou"}},
		"rewritten":    {lines, []control.Phone{headless}, nil, 1, []string{"shorter than it was", "not the one that was seen before"}},
		"one in doubt": {lines, []control.Phone{doubted, ana}, nil, 0, []string{"shorter than it was", "ana, as"}},
		"longest":      {[][]byte{longest}, nil, nil, 0, []string{"the chain holds: entries 1 to 1"}},
		"of two":       {lines, []control.Phone{bea, ana}, nil, 0, []string{"ana, as"}},
		"only bea":     {lines, []control.Phone{ana, bea}, []string{"--phone", "id-bea"}, 1, []string{"no, the log was another then", "not shown to be the log"}},
		"of another":   {lines, []control.Phone{bea}, nil, 1, []string{"no, the log was another then"}},
		"too old":      {lines, []control.Phone{late}, nil, 1, []string{"no, this log has 5 entries only", "export it again"}},
		"not told":     {lines, []control.Phone{{Name: "new"}}, nil, 1, []string{"new: it has not told anything"}},
		"nobody":       {lines, nil, nil, 0, []string{"the chain holds", "compared with nothing"}},
		"no such":      {lines, []control.Phone{ana}, []string{"--phone", "bea"}, 3, []string{"kr status"}},
		"claim":        {lines, nil, []string{marks[2].Short(), marks[5].String()}, 0, []string{marks[2].Short() + ": yes", marks[5].String() + ": yes"}},
		"old claim":    {lines, nil, []string{marks[4].Short(), marks[2].Short()}, 0, []string{"entry 5 is newer than that"}},
		"two ways":     {lines, []control.Phone{ana}, []string{marks[2].Short(), "--phone", "ana"}, 2, []string{"leave one of the two out"}},
		"false claim":  {lines, []control.Phone{ana}, []string{marks[2].Short(), other.Short()}, 1, []string{other.Short() + ": no, the log was another then", "typed right"}},
		"no claim":     {lines, nil, []string{"3"}, 2, []string{"LENGTH:HEAD"}},
		"changed":      {slices.Concat(lines[:2], [][]byte{bytes.Replace(lines[2], []byte("root"), []byte("toor"), 1)}, lines[3:]), []control.Phone{ana}, nil, 1, []string{"log entry 4", "export it again"}},
		"dropped":      {slices.Concat(lines[:2], lines[3:]), []control.Phone{ana}, nil, 1, []string{"log entry 3", "export it again"}},
		"beheaded":     {lines[2:], []control.Phone{ana}, nil, 1, []string{"entries before it are missing"}},
		"forgotten":    {full[1:], nil, []string{"1:" + strings.Repeat("0", 16)}, 1, []string{"entries 2 to 10001", "no, the log was another then"}},
		"too many":     {full, nil, nil, 1, []string{"more than the 10000 entries"}},
		"empty":        {nil, []control.Phone{ana}, nil, 1, []string{"no log of a phone", "kr-phone log --json"}},
		"another file": {[][]byte{[]byte("Host *")}, []control.Phone{ana}, nil, 1, []string{"no log of a phone", "kr-phone log --json"}},
		"one line":     {[][]byte{bytes.Repeat([]byte("x"), auditlog.MaxEntry+1)}, []control.Phone{ana}, nil, 1, []string{"line 1 is longer than any entry"}},
	} {
		home := fakeKrd(t, map[string]any{"/v1/status": control.Status{Phones: c.phones}})
		code, stdout, stderr := kr(t, home, append([]string{"log", "verify", "--file", onDisk(t, c.lines)}, c.args...)...)
		if code != c.code || strings.ContainsAny(stdout+stderr, "\x1b\u009b\u202e") {
			t.Errorf("%s: exit %d, want %d: %q %q", name, code, c.code, stdout, stderr)
		}
		for _, w := range c.want {
			if !strings.Contains(stdout+stderr, w) {
				t.Errorf("%s: no %q in %q %q", name, w, stdout, stderr)
			}
		}
	}
	home := fakeKrd(t, map[string]any{"/v1/status": control.Status{Phones: []control.Phone{ana}}})
	for want, args := range map[string][]string{
		"no such file": {"--file", filepath.Join(t.TempDir(), "no")},
		"accept":       {"--file", onDisk(t, lines), "--accept"},
		"full":         {"--file", onDisk(t, lines), "--full"},
		"12:aaaa":      {"12:aaaa"},
	} {
		if code, _, stderr := kr(t, home, append([]string{"log", "verify"}, args...)...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit %d, %q; want %q in it", args, code, stderr, want)
		}
	}
}

// TestChangedLogFiles: one bit of each byte of a file is turned. krd, which remembers
// its end, or the chain notices each.
func TestChangedLogFiles(t *testing.T) {
	lines, marks := exported(4)
	phones := []control.Phone{{Name: "ana", Log: control.PhoneLog{Length: 4, Head: marks[4].Head.String()}}}
	tally := attacktest.New(t, "exported logs with one bit changed")
	file := bytes.Join(lines, []byte("\n"))
	for i := range file {
		b := bytes.Clone(file)
		b[i] ^= 1
		e := &env{io: &term.IO{Out: io.Discard, Err: io.Discard, In: bytes.NewReader(b)}}
		entries, end, err := e.readLog("-")
		if err == nil {
			err = e.sayWhoseLog(phones, entries, end)
		}
		if err == nil {
			tally.Succeeded("byte %d: the log was taken for the phone's", i)
			continue
		}
		tally.Rejected()
	}
}

// FuzzLogFile: what a file holds is verified or refused, and steers no terminal.
func FuzzLogFile(f *testing.F) {
	lines, marks := exported(2)
	f.Add(bytes.Join(lines, []byte("\n")), marks[1].Short())
	f.Add([]byte(`{"seq":1,"computer":"`+"\x1b[2J"+`"}`), "1:\x1b[2J")
	f.Add([]byte("{}\n\n"), "0:0000000000000000")
	f.Fuzz(func(t *testing.T, file []byte, claim string) {
		var out bytes.Buffer
		e := &env{io: &term.IO{Out: &out, Err: &out, In: bytes.NewReader(file)}}
		err := runLogFile(context.Background(), e, verifyOptions{file: "-"}, []string{claim})
		if text := out.String() + fmt.Sprint(err); strings.ContainsAny(text, "\x1b\u009b\u202e\r") {
			t.Errorf("shown: %q", text)
		}
	})
}
