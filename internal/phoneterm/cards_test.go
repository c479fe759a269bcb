package phoneterm

import (
	"bytes"
	"fmt"
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

// TestTrustByHand: the alarm and the answer show the fingerprint; without one, or with
// one that was not refused, nothing is trusted, and what there is is listed with the
// computer that saw it.
func TestTrustByHand(t *testing.T) {
	records := map[string][]byte{}
	for by, fingerprint := range map[string]string{"laptop": "SHA256:one", "desk": "SHA256:two"} {
		records["strange/"+by+"/nas.local"] = fmt.Appendf(nil, `{"v":1,"pairing":%q,"pin":{"name":"nas.local","scope":%q,"key_type":"ssh-ed25519","fingerprint":%q,"by":%q}}`, by, by, fingerprint, by)
	}
	core, err := phone.New(phone.Config{Name: "ana", Version: "test"}, records)
	if err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"nas.local", "nas.local SHA256:three", "nas.local SHA256:"} {
		ev, _, err := trustHost(core, arg)
		if ev != nil || err == nil {
			t.Errorf("trust %s: %+v, %v", arg, ev, err)
			continue
		}
		for _, line := range []string{"trust nas.local SHA256:one (ssh-ed25519, refused at a login from laptop)", "trust nas.local SHA256:two (ssh-ed25519, refused at a login from desk)"} {
			if !strings.Contains(err.Error(), line) {
				t.Errorf("trust %s does not say %q: %v", arg, line, err)
			}
		}
	}
	ev, done, err := trustHost(core, "NAS.local SHA256:two")
	if err != nil || ev != (phone.TrustHost{Name: "nas.local", Scope: "desk", Fingerprint: "SHA256:two"}) || !strings.Contains(done, "SHA256:two") || !strings.Contains(done, "desk") {
		t.Errorf("%+v, %q, %v", ev, done, err)
	}
	card := phone.Card{Computer: "laptop", User: "root", Name: "nas.local", HostName: "nas.local", Known: knownhosts.Mismatch, Host: hostauth.Host{Fingerprint: "SHA256:one"}}
	if out := printed(func(p *prompter) { p.take(phone.Alarm{Card: card, Code: wire.CodeHostKey}) }); !strings.Contains(out, "type: trust nas.local SHA256:one\n") {
		t.Errorf("the alarm says:\n%s", out)
	}
	card.Known = knownhosts.Downgraded
	if out := printed(func(p *prompter) { p.take(phone.Alarm{Card: card, Code: wire.CodeHostKey}) }); strings.Contains(out, "trust") || !strings.Contains(out, "forget nas.local\n") {
		t.Errorf("the alarm of a downgrade says:\n%s", out)
	}
}
