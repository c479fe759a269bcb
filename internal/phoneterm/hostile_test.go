package phoneterm

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/hostauth"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

// TestHostileCards: whatever a computer calls itself, its users, hosts, programs
// and directories, no card, alarm, note, rule or question lets through what steers
// a terminal, and nothing adds a line that looks like kr-phone's.
func TestHostileCards(t *testing.T) {
	tally := attacktest.New(t, "escapes and forged lines in what kr-phone shows")
	var out bytes.Buffer
	p := &prompter{e: &env{io: &term.IO{Program: "kr-phone", In: strings.NewReader(""), Out: &out, Err: &out}}}
	said := 0
	show := func(what string, f func()) {
		out.Reset()
		f()
		if strings.Contains(out.String(), "evil") {
			said++
		}
		if bad := attacktest.Steers(out.String()); bad != "" {
			tally.Succeeded("%s: %s", what, bad)
			return
		}
		tally.Rejected()
	}
	for _, yes := range []bool{false, true} {
		for _, without := range []string{"", "Namespace", "Name", "Program", "Host"} {
			evil := func(v any) {
				attacktest.Fill(v, yes, func(field string) string {
					if field == without {
						return ""
					}
					return attacktest.Evil
				})
			}
			var card phone.Card
			evil(&card)
			var alarm phone.Alarm
			evil(&alarm)
			var note phone.Note
			evil(&note)
			note.Err = errors.New(attacktest.Evil)
			var rule policy.Rule
			evil(&rule)
			for _, proof := range []hostauth.Proof{card.Host.Proof, hostauth.Proved, hostauth.Vouched, hostauth.Bound, hostauth.Unknown} {
				card.Host.Proof = proof
				show("card", func() { p.draw(card) })
			}
			for _, code := range []wire.Code{alarm.Code, wire.CodeForwarded, wire.CodeHostKey} {
				alarm.Code = code
				show("alarm", func() { p.take(alarm) })
			}
			for _, kind := range []phone.NoteKind{note.Kind, phone.NoteLive, phone.NoteUnpaired, phone.NoteTold, phone.NoteRefused, phone.NoteSigned, phone.NoteLogDamaged, phone.NoteSkew} {
				note.Kind = kind
				show("note", func() { p.take(note) })
			}
			p.queue = []phone.Card{card}
			show("withdrawn", func() { p.take(phone.Withdraw{Pairing: card.Pairing, Request: card.Request}) })
			show("rule", func() { p.e.io.Printf("%s\n", ruleText(rule, attacktest.Evil, time.Unix(rule.Since, 0))) })
		}
	}
	if said < 100 {
		t.Errorf("only %d outputs had a text from outside", said)
	}
}
