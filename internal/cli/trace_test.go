package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/session"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

var allHops = []session.Hop{session.HopAsked, session.HopDescribed, session.HopHello, session.HopAgreed, session.HopSealed, session.HopTaken,
	session.HopNotTaken, session.HopWaking, session.HopWoken, session.HopNotWoken, session.HopAcked, session.HopSlow, session.HopSkew,
	session.HopAnswered, session.HopVerified, session.HopWithdrawn, session.HopEnded, session.HopHanded}

func someTraces(zone *time.Location) control.Traces {
	at := time.Date(2026, 11, 28, 9, 5, 37, 0, zone)
	id := wire.ID{1}
	out := control.Traces{SchemaVersion: control.SchemaVersion, Traces: []control.Trace{
		{Time: at, Pairing: "71e894e856d33f35", Phone: "Ana's phone", Request: &id, Kind: control.KindLogin, User: "root", Host: "server.example",
			Program: "bash > git push > ssh", Outcome: control.OutcomeAllowed, TookMS: 3106.25},
		{Time: at.Add(time.Hour), Pairing: "71e894e856d33f35", Phone: "Ana's \x1b[2Jphone", Kind: control.KindSignature, Namespace: "git\n",
			Outcome: control.OutcomeNoAnswer, Reason: "a \x07reason", TookMS: 30000, Dropped: 7, Steps: []control.TraceStep{
				{AtMS: 0, Hop: "not_taken", Via: "relay\x1b]0;x", Problem: "post to relay: \u202edown"}, {AtMS: 2, Hop: "from the future", Via: "pigeon"}}},
		{Time: at.Add(2 * time.Hour), Phone: "Ana's phone", Kind: control.KindLogin, User: "root"},
		{Time: at.Add(3 * time.Hour), Phone: "Ana's phone", Kind: control.KindOther},
	}}
	for i, hop := range allHops {
		s := control.TraceStep{AtMS: float64(i) * 12.3456, Hop: string(hop)}
		switch hop {
		case session.HopTaken, session.HopNotTaken, session.HopAcked, session.HopAnswered:
			s.Via = "relay"
		case session.HopWoken:
			s.Via = "fcm.googleapis.com, SNS APNS"
		}
		if hop == session.HopAcked || hop == session.HopAnswered {
			s.PhoneTime = at.Add(2 * time.Second)
		}
		out.Traces[0].Steps = append(out.Traces[0].Steps, s)
	}
	return out
}

// TestTraceLooks: in a pipe, for programs, and for people; nothing from outside
// moves a terminal.
func TestTraceLooks(t *testing.T) {
	home := fakeKrd(t, map[string]any{"/v1/trace": someTraces(time.UTC)})
	code, stdout, stderr := kr(t, home, "trace")
	if code != 0 || stderr != "" {
		t.Errorf("exit %d, %s", code, stderr)
	}
	golden(t, "trace.tsv", stdout)
	_, stdout, _ = kr(t, home, "trace", "--json")
	golden(t, "trace.json", stdout)
	var shown bytes.Buffer
	e := &env{io: &term.IO{Out: &shown, Err: &shown}}
	for _, tr := range someTraces(time.Local).Traces {
		e.showTrace(tr)
	}
	golden(t, "trace.txt", shown.String())
	if i := strings.IndexFunc(shown.String(), func(r rune) bool { return r != '\n' && (r < ' ' || r == '\u202e') }); i >= 0 {
		t.Errorf("a control character at %d", i)
	}
	if code, _, stderr := kr(t, home, "trace", "-n", "0"); code != 2 || !strings.Contains(stderr, "-n") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	none := fakeKrd(t, map[string]any{"/v1/trace": control.Traces{}})
	if code, _, stderr := kr(t, none, "trace"); code != 1 || !strings.Contains(stderr, "kr log") {
		t.Errorf("nothing was asked: exit %d, %q", code, stderr)
	}
}

// TestHopsHaveWords: kr says each hop of krd in words, and docs/cli-json.md has
// each hop and each field.
func TestHopsHaveWords(t *testing.T) {
	b, err := os.ReadFile("../../docs/cli-json.md")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{}
	for _, hop := range allHops {
		if hops[string(hop)] == "" {
			t.Errorf("no words for %q", hop)
		}
		words = append(words, string(hop))
	}
	if len(hops) != len(allHops) {
		t.Errorf("words for %d hops, want %d", len(hops), len(allHops))
	}
	traces, err := json.Marshal(someTraces(time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"([a-z_0-9]+)":`).FindAllStringSubmatch(string(traces), -1) {
		words = append(words, m[1])
	}
	_, page, _ := strings.Cut(string(b), "## kr trace --json")
	page, _, _ = strings.Cut(page, "\n## ")
	for _, w := range words {
		if !strings.Contains(page, "`"+w+"`") {
			t.Errorf("docs/cli-json.md says nothing of `%s`", w)
		}
	}
}
