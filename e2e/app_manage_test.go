package e2e

import (
	"strings"
	"time"
)

// krSays waits until kr status says text, or does not.
func (p *tab) krSays(text string, yes bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out, err := p.h.Kr("status")
		must(p.t, err)
		if strings.Contains(out, text) == yes {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("kr status does not get to %q: %v, but says\n%s", text, yes, out)
		}
	}
}

// manages locks the computer because of a request, unlocks and renames it on its
// page, and goes through the page of its only key to that key's end.
func (p *tab) manages() {
	p.t.Helper()
	done := p.login()
	p.tap("More")
	p.shot("card-not-me")
	p.tap("Not me: lock laptop")
	if err := <-done; err == nil || !strings.Contains(err.Error(), "Permission denied") {
		p.t.Errorf("not me: the login ends with %v", err)
	}
	p.sees("Computer locked")
	p.tapIn("dialog", "Close")
	p.krSays("it locked this computer", true)
	if err := <-p.login(); err == nil || p.shows("asks to log in") {
		p.t.Errorf("a locked computer's login ends with %v, or is shown", err)
	}

	p.tapIn("nav", "Computers")
	p.tap("laptop\nlocked: all that it asks is refused")
	p.tap("Unlock…")
	p.sees("Unlock laptop?")
	p.tapIn("dialog", "Unlock")
	p.sees("Not me: lock it")
	p.krSays("it locked this computer", false)
	p.types("#name", "old one")
	p.tap("Save")
	p.sees("Name saved")
	done = p.login()
	p.sees("old one asks to log in")
	p.tap("Allow once")
	must(p.t, <-done)

	p.tap("Back")
	p.tapIn("nav", "Home")
	p.tap("Manage")
	p.sees("root@")
	p.types("#name", "work key")
	p.tap("Save")
	p.krSays("work key", true)
	p.shot("key")
	p.tap("Delete this key")
	p.sees("old one loses it, and sees no other key.")
	p.tap("I have another way in, or need none.")
	p.shot("key-delete")
	p.tap("Delete for good")
	p.sees("Your SSH keys, on this phone")
	p.krSays("work key", false)
}
