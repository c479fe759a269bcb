package phoneterm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/auditlog"
	"kryptonite/internal/hostauth"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

// nasty are texts that steer a terminal, hide, turn a line around, pass for others or
// do not end.
var nasty = map[string]string{
	"an escape":       "a\x1b[2J\x1b]0;owned\a\x1b[1;1Hb",
	"C1 controls":     "a\u009b2J\u009d0;owned\u009cb\u0085c",
	"raw C1 bytes":    "a\x9b2J\x9d0;owned\x9cb",
	"lines":           "root\r\n  user      admin\n\vAllow? [y/N] \f",
	"backspaces":      "evil\b\b\b\broot\x7f",
	"bidi":            "a\u202egnp.exe\u2066b\u200f\u061c",
	"invisible":       "ro\u200b\u00ad\u2060\ufeff\u3164\ufe0f\U000e0041ot",
	"lookalikes":      "rооt@gіthub.com \u2024\u2044\uff0e",
	"marks":           "a" + strings.Repeat("\u0301", 300),
	"no UTF-8":        "a\xff\xfe\xc0\x80\xed\xa0\x80b",
	"64 KiB":          strings.Repeat("W", 64<<10),
	"64 KiB, escapes": strings.Repeat("\x1b[2J\u202e", 64<<10/7),
	"64 KiB, lines":   strings.Repeat("y\n", 32<<10),
	"JSON":            `","user":"root","x":"` + "\u2028",
}

// raw is the first character of what is shown that steers, hides or is none; what is
// shown may have line ends and tabs of its own.
func raw(shown string) (r rune, found bool) {
	if !utf8.ValidString(shown) {
		return utf8.RuneError, true
	}
	for _, r := range shown {
		if r != '\n' && r != '\t' && (!unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)) {
			return r, true
		}
	}
	return 0, false
}

// TestHostileTexts: in whatever field a computer, a server or a repository puts such a
// text, what kr-phone prints of it is short and has nothing raw.
func TestHostileTexts(t *testing.T) {
	tally := attacktest.New(t, "hostile texts in kr-phone")
	for what, s := range nasty {
		card := phone.Card{Pairing: s, Computer: s, KeyName: s, User: s, Expires: time.Now().Add(time.Minute), NoHostRule: s, NoComputerRule: s,
			Reported: wire.Reported{Program: s, Directory: s, Remote: s, Branch: s, Host: s, Port: 22}, Name: knownhosts.Name(s), KnownAs: []knownhosts.Name{knownhosts.Name(s), "a"}, HostName: knownhosts.Name(s), Called: knownhosts.Name(s),
			Host: hostauth.Host{KeyType: s, Fingerprint: s, Proof: hostauth.Proved, Local: true, Cert: &hostauth.Cert{CA: s, Principals: []string{s}}, Path: []string{s}}}
		signs := card
		signs.User, signs.Namespace, signs.Host = "", s, hostauth.Host{}
		open := card
		open.NoHostRule, open.NoComputerRule, open.Known = "", "", knownhosts.New
		entry := auditlog.Entry{Pairing: s, Computer: s, Decision: auditlog.Decision(s), Reason: s, Key: s, User: s, Host: s, HostKey: s, Proof: s, Rule: s}
		refusal, content := entry, entry
		refusal.User, content.Namespace = "", s
		for field, show := range map[string]func(p *prompter){
			"a card":              func(p *prompter) { p.draw(card) },
			"a card with rules":   func(p *prompter) { p.draw(open) },
			"a card of content":   func(p *prompter) { p.draw(signs) },
			"a card that is over": func(p *prompter) { p.queue = []phone.Card{card}; p.take(phone.Withdraw{Pairing: s, Why: wire.Code(s)}) },
			"content that is over": func(p *prompter) {
				p.queue = []phone.Card{signs}
				p.take(phone.Withdraw{Pairing: s, Why: wire.CodeCancelled})
			},
			"an alarm":            func(p *prompter) { p.take(phone.Alarm{Card: card, Code: wire.CodeHostKey, Reason: s}) },
			"an alarm, forwarded": func(p *prompter) { p.take(phone.Alarm{Card: card, Code: wire.CodeForwarded, Reason: s}) },
			"notes": func(p *prompter) {
				for k := phone.NoteBadLink; k <= phone.NoteLogDamaged; k++ {
					p.take(phone.Note{Pairing: s, Computer: s, Kind: k, Err: fmt.Errorf("%s", s), Rule: s})
				}
			},
			"the log": func(p *prompter) {
				var l auditlog.Log
				must(t, printLog(p.e.io, map[string][]byte{
					phone.LogPrefix + fmt.Sprintf("%020d", 1): l.Append(entry), phone.LogPrefix + fmt.Sprintf("%020d", 2): l.Append(refusal),
					phone.LogPrefix + fmt.Sprintf("%020d", 3): l.Append(content)}, false))
			},
			"the log as JSON": func(p *prompter) {
				raw := entry // as somebody else wrote it
				raw.Seq, raw.Prev = 1, make([]byte, 32)
				b, err := json.Marshal(raw)
				must(t, err)
				must(t, printLog(p.e.io, map[string][]byte{phone.LogPrefix + fmt.Sprintf("%020d", 1): b}, true))
			},
			"a rule": func(p *prompter) {
				for _, scope := range []policy.Scope{policy.Host, policy.Computer, policy.Block} {
					printRule(p.e.io, policy.Rule{ID: s, Scope: scope, Name: s, User: s, HostKey: s}, s, time.Now())
				}
			},
			"a host": func(p *prompter) {
				printPin(p.e.io, knownhosts.Pin{Name: knownhosts.Name(s), KeyType: s, Fingerprint: s, By: s}, "pinned")
			},
			"answers": func(p *prompter) {
				_, err := parseAnswer("h "+s, open)
				p.e.io.Printf("%s\n", term.Clean(fmt.Sprint(err)))
				_, err = parseAnswer("h", card)
				p.e.io.Printf("%v\n", err)
			},
		} {
			var out bytes.Buffer
			show(&prompter{e: &env{io: &term.IO{Out: &out, Err: &out}}})
			r, found := raw(out.String())
			long := out.Len() > 16<<10 && field != "the log as JSON"
			if found || long || out.Len() == 0 {
				tally.Succeeded("%s in %s: %d bytes are shown, with a raw %U: %.200q", what, field, out.Len(), r, out.String())
			} else {
				tally.Rejected()
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// obeys is a runner that takes each event and does nothing but pass it to f.
func obeys(t *testing.T, f func(phone.Event)) *runner {
	r := &runner{events: make(chan posted)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case e := <-r.events:
				f(e.ev)
				e.done <- nil
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return r
}

// TestOneCardAtATime: a computer that asks a thousand times has one card on the
// screen, and the next one is another computer's who asked once.
func TestOneCardAtATime(t *testing.T) {
	var out bytes.Buffer
	p := &prompter{e: &env{io: &term.IO{Out: &out, Err: &out}}}
	ctx, r := t.Context(), obeys(t, func(phone.Event) {})
	p.over = make(chan time.Time)
	ask := func(pairing string, n int) {
		p.take(phone.Ask{Card: phone.Card{Pairing: pairing, Computer: pairing, Request: wire.ID{byte(len(pairing)), byte(n), byte(n >> 8)}, User: fmt.Sprint(n)}})
	}
	for n := range 1000 {
		ask("evil", n)
		ask("evil", n) // a copy
	}
	ask("laptop", 1)
	if len(p.queue) != 1001 {
		t.Errorf("%d cards wait", len(p.queue))
	}
	if out.Len() != 0 {
		t.Errorf("cards are shown that nobody has come to: %q", out.String())
	}
	for i, want := range []string{"evil", "laptop", "evil", "evil"} {
		if got := p.queue[0].Computer; got != want {
			t.Errorf("card %d is of %s, want %s", i, got, want)
		}
		p.head()
		p.answer(ctx, r, "n")
	}
	if got := p.queue[0].User; got != "3" {
		t.Errorf("the order is lost: %s is next", got)
	}
}
