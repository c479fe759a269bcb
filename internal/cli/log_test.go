package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v; it is\n%s", path, err, got)
	}
}

// fakeKrd answers kr in the state directory it returns.
func fakeKrd(t testing.TB, answers map[string]any) (home string) {
	t.Helper()
	home, err := os.MkdirTemp("", "kr") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(home, control.Socket))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(answers[r.URL.Path])
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close(); os.RemoveAll(home) })
	return home
}

func someLog(zone *time.Location) control.Log {
	at := time.Date(2026, 11, 24, 9, 5, 37, 0, zone)
	head := strings.Repeat("3f2a90c4d1e85b77", 4)
	key := "SHA256:tZrF4KR7+dmFespAywmZ2affOb2aOCLSz2AWPSHIrPk"
	return control.Log{SchemaVersion: control.SchemaVersion, Entries: []control.LogEntry{
		{Seq: 41, Time: at, Pairing: "71e894e856d33f35", Phone: "Ana's phone", Request: wire.ID{1}, Kind: control.KindLogin, User: "root", Host: "server.example",
			HostKey: "SHA256:C0iSJ5UXvAYwzgQ2rX5Qd0nZqj6xk3YF0nN7mWl5b3A", Key: key, Outcome: control.OutcomeAllowed, TookMS: 3104, LogLength: 12, LogHead: head},
		{Seq: 42, Time: at.Add(time.Minute), Pairing: "71e894e856d33f35", Phone: "Ana's phone", Request: wire.ID{2}, Kind: control.KindSignature, Namespace: "git",
			Key: key, Outcome: control.OutcomeRejected, TookMS: 900, LogLength: 13, LogHead: head},
		{Seq: 43, Time: at.Add(time.Hour), Pairing: "0011223344556677", Phone: "old \x1b[2J\nphone", Request: wire.ID{3}, Kind: control.KindOther,
			Key: key, Outcome: control.OutcomeRefused, Reason: "the data to sign is neither a login nor an ssh signature", TookMS: 250},
		{Seq: 44, Time: at.Add(2 * time.Hour), Pairing: "71e894e856d33f35", Phone: "Ana's phone", Request: wire.ID{4}, Kind: control.KindLogin, User: "root\u202e", Host: "db\x1b[2J\nexample",
			Key: key, Outcome: control.OutcomeNoAnswer, TookMS: 30000},
	}}
}

// TestLogLooks: in a pipe, for programs, and for people.
func TestLogLooks(t *testing.T) {
	home := fakeKrd(t, map[string]any{"/v1/log": someLog(time.UTC)})
	code, stdout, stderr := kr(t, home, "log")
	if code != 0 || stderr != "" {
		t.Errorf("exit %d, %s", code, stderr)
	}
	golden(t, "log.tsv", stdout)
	_, stdout, _ = kr(t, home, "log", "--json")
	golden(t, "log.json", stdout)
	var table bytes.Buffer
	if err := (&env{io: &term.IO{Out: &table, Err: &table}}).showLog(someLog(time.Local)); err != nil {
		t.Fatal(err)
	}
	golden(t, "log.txt", table.String())
	if code, _, stderr := kr(t, home, "log", "-n", "-1"); code != 2 || !strings.Contains(stderr, "-n") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// TestLogJSONIsDocumented: each field of kr log --json, and of a phone's log in
// kr status --json, stands in docs/cli-json.md, and so does each word.
func TestLogJSONIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/cli-json.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	status, err := json.Marshal(control.PhoneLog{Head: "x", Wrong: []control.LogFinding{{}}})
	if err != nil {
		t.Fatal(err)
	}
	logged, err := json.Marshal(control.Log{More: true, Entries: []control.LogEntry{{User: "x", Host: "x", HostKey: "x", Namespace: "x", Reason: "x", LogHead: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"shorter", "rewritten"}
	for _, o := range []control.Outcome{control.OutcomeAllowed, control.OutcomeRejected, control.OutcomeRefused, control.OutcomeExpired,
		control.OutcomeNoAnswer, control.OutcomeWithdrawn, control.OutcomeSkew, control.OutcomeUnpaired} {
		words = append(words, string(o))
	}
	for _, k := range []control.Kind{control.KindLogin, control.KindSignature, control.KindOther} {
		words = append(words, string(k))
	}
	for _, m := range regexp.MustCompile(`"([a-z_0-9]+)":`).FindAllStringSubmatch(string(status)+string(logged), -1) {
		words = append(words, m[1])
	}
	for _, w := range words {
		if w != "more" && !strings.Contains(page, "`"+w+"`") {
			t.Errorf("docs/cli-json.md says nothing of `%s`", w)
		}
	}
}

func TestLogVerify(t *testing.T) {
	head := strings.Repeat("3f2a90c4d1e85b77", 4)
	finding := control.LogFinding{At: time.Unix(1_795_000_000, 0), Kind: "shorter", Text: "the phone's log is shorter than it was: restored from a backup, or entries were removed (3 entries, 12 before)",
		LengthBefore: 12, Length: 3}
	accepted := finding
	accepted.Accepted = true
	phone := func(name string, l control.PhoneLog) control.Phone {
		return control.Phone{ID: "id-" + name, Name: name, Log: l}
	}
	ana := phone("ana", control.PhoneLog{Length: 12, Head: head})
	for name, c := range map[string]struct {
		phones []control.Phone
		args   []string
		code   int
		want   []string // in stdout or stderr
	}{
		"fine":      {[]control.Phone{ana}, nil, 0, []string{"ana: its log only grew, to 12 entries", "kr-phone log verify 12:" + head}},
		"not told":  {[]control.Phone{phone("bea", control.PhoneLog{})}, nil, 0, []string{"bea: it has not told anything"}},
		"none":      {nil, nil, 3, []string{"kr pair"}},
		"no such":   {[]control.Phone{ana}, []string{"--phone", "bea"}, 3, []string{"bea"}},
		"accepted":  {[]control.Phone{phone("ana", control.PhoneLog{Length: 3, Head: head, Wrong: []control.LogFinding{accepted}})}, nil, 0, []string{"only grew"}},
		"shorter":   {[]control.Phone{ana, phone("bea\x1b", control.PhoneLog{Length: 3, Head: head, Wrong: []control.LogFinding{accepted, finding}})}, nil, 1, []string{"restored from a backup, or entries were removed", "--accept --phone id-bea", "verify 3:"}},
		"of others": {[]control.Phone{ana, phone("bea", control.PhoneLog{Wrong: []control.LogFinding{finding}})}, []string{"--phone", "ANA"}, 0, nil},
		"accept":    {[]control.Phone{ana}, []string{"--accept"}, 0, []string{"1 findings accepted"}},
		"accept?":   {[]control.Phone{ana, ana}, []string{"--accept"}, 2, []string{"--phone"}},
	} {
		home := fakeKrd(t, map[string]any{"/v1/status": control.Status{Phones: c.phones}, "/v1/log/accept": control.LogAccepted{Findings: 1}})
		code, stdout, stderr := kr(t, home, append([]string{"log", "verify"}, c.args...)...)
		if code != c.code {
			t.Errorf("%s: exit %d, want %d: %s%s", name, code, c.code, stdout, stderr)
		}
		for _, w := range c.want {
			if !strings.Contains(stdout+stderr, w) {
				t.Errorf("%s: no %q in %q %q", name, w, stdout, stderr)
			}
		}
		_, status, _ := kr(t, home, "status")
		if said := strings.Contains(status, "see: kr log verify"); said != (name == "shorter" || name == "of others") {
			t.Errorf("%s: kr status says it: %v", name, said)
		}
	}
}

// TestShortHeads: at a terminal the head is short, and a word says so.
func TestShortHeads(t *testing.T) {
	var out bytes.Buffer
	e := &env{io: &term.IO{Out: &out, Err: &out}}
	phones := []control.Phone{{Name: "ana", Log: control.PhoneLog{Length: 12, Head: strings.Repeat("3f2a90c4d1e85b77", 4)}}}
	if err := e.showVerified(phones, false); err != nil || !strings.Contains(out.String(), "verify 12:3f2a90c4d1e85b77   (16 of 64 characters") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// FuzzLog: whatever krd says, nothing of it steers the terminal, and each
// request is one line of as many columns.
func FuzzLog(f *testing.F) {
	seed, err := json.Marshal(someLog(time.UTC))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"entries":[{"phone":"\u001b[2J","host":"\t\u001b","outcome":"\n","kind":"\t","user":"\u202e","log_head":"\u0007"}]}`))
	var log control.Log
	answers := map[string]any{"/v1/log": &log}
	home := fakeKrd(f, answers)
	f.Fuzz(func(t *testing.T, b []byte) {
		log = control.Log{}
		if json.Unmarshal(b, &log) != nil {
			return
		}
		log.More = false
		if _, err := json.Marshal(log); err != nil {
			return // a year that JSON has no words for
		}
		code, stdout, stderr := kr(t, home, "log", "-n", "0")
		var out bytes.Buffer
		if err := (&env{io: &term.IO{Out: &out, Err: &out}}).showLog(log); err != nil {
			t.Fatal(err)
		}
		if code != 0 || strings.Count(stdout, "\n") != len(log.Entries) || strings.Count(stdout, "\t") != 10*len(log.Entries) {
			t.Errorf("exit %d: %q %q", code, stdout, stderr)
		}
		if strings.ContainsFunc(stdout+out.String(), func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }) {
			t.Errorf("shown: %q %q", stdout, out.String())
		}
	})
}
