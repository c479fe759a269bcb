package phoneterm

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/hostauth"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/phone"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

// printed is what f prints.
func printed(f func(p *prompter)) string {
	var out bytes.Buffer
	f(&prompter{e: &env{io: &term.IO{Out: &out, Err: &out}}})
	return out.String()
}

// TestForwardedContent: the card and the alarm of what is no login say how it came.
func TestForwardedContent(t *testing.T) {
	card := phone.Card{Computer: "laptop", Namespace: "git", Host: hostauth.Host{Proof: hostauth.Unknown, Path: []string{"SHA256:hop"}}, Expires: time.Now()}
	out := printed(func(p *prompter) { p.draw(card) })
	for _, words := range []string{"may be forwarded", "by way of SHA256:hop"} {
		if !strings.Contains(out, words) {
			t.Errorf("the card does not say %q:\n%s", words, out)
		}
	}
	card.Host = hostauth.Host{Proof: hostauth.Unknown, Local: true}
	if out := printed(func(p *prompter) { p.draw(card) }); strings.Contains(out, "forwarded") {
		t.Errorf("a local one is called forwarded:\n%s", out)
	}
	out = printed(func(p *prompter) {
		p.take(phone.Alarm{Card: card, Code: wire.CodeForwarded, Reason: "it was forwarded through hop"})
	})
	if !strings.Contains(out, `REFUSED: laptop wants a signature for "git": it was forwarded through hop.`) {
		t.Errorf("the alarm says:\n%s", out)
	}
}

// TestAnswersWhatWasShown: request ids are the computers' choice. A card under the
// id of one that was withdrawn, of another computer or the same, is shown before an
// answer is about it, and both are asked about.
func TestAnswersWhatWasShown(t *testing.T) {
	var out bytes.Buffer
	p := &prompter{e: &env{io: &term.IO{Out: &out, Err: &out}}}
	var allowed []string
	r := obeys(t, func(ev phone.Event) { allowed = append(allowed, ev.(phone.Decide).Pairing) })
	ask := func(pairing string) {
		p.take(phone.Ask{Card: phone.Card{Pairing: pairing, Computer: pairing, Request: wire.ID{1}, User: "at-" + pairing}})
	}
	shown := func(pairing string) bool {
		defer out.Reset()
		p.head()
		return strings.Contains(out.String(), "at-"+pairing)
	}
	ask("laptop")
	ask("evil")
	ask("evil") // a copy
	if len(p.queue) != 2 {
		t.Fatalf("%d cards wait, want 2", len(p.queue))
	}
	if !shown("laptop") || shown("laptop") {
		t.Error("the first card is not shown once")
	}
	p.take(phone.Withdraw{Pairing: "laptop", Request: wire.ID{1}})
	p.answer(t.Context(), r, "y") // meant for the laptop's
	if len(allowed) != 0 {
		t.Errorf("allowed unseen: %q", allowed)
	}
	if !shown("evil") {
		t.Error("another computer's card under the same id is not shown")
	}
	p.take(phone.Withdraw{Pairing: "evil", Request: wire.ID{1}})
	ask("evil") // the same id once more
	if !shown("evil") {
		t.Error("a card under an id that was used before is not shown")
	}
	p.answer(t.Context(), r, "y")
	if len(allowed) != 1 || allowed[0] != "evil" {
		t.Errorf("allowed: %q", allowed)
	}
}

// TestNameText: a key that is known leads with its name; what the computer calls it is
// its word, and only a key that is known nowhere is new.
func TestNameText(t *testing.T) {
	fresh := phone.Card{Computer: "laptop", Name: "git.example", HostName: "git.example", Known: knownhosts.New, Host: hostauth.Host{Fingerprint: "SHA256:x", Local: true}}
	renamed := fresh
	renamed.KnownAs, renamed.HostName, renamed.Called = []knownhosts.Name{"prod.example", "web.example"}, "prod.example", "git.example"
	unproved := phone.Card{Computer: "laptop", HostName: "git.example"}
	hearsay := phone.Card{Computer: "laptop", Called: "git.example", Host: fresh.Host}
	for want, card := range map[string]phone.Card{
		"git.example, as laptop says: NEW, its key is seen for the first time":                                 fresh,
		"prod.example, as its key is known here; laptop calls it git.example; its key is known as web.example": renamed,
		"git.example, as laptop says; the phone cannot check it":                                               unproved,
		"laptop calls it git.example": hearsay,
	} {
		if got := nameText(card); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
