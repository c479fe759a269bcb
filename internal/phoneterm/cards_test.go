package phoneterm

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/hostauth"
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
