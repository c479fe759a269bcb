package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// prompts is how often a's one passkey has been used.
func (a *Authenticator) prompts(t *testing.T) int {
	t.Helper()
	held, err := a.Credentials()
	must(t, err)
	if len(held) != 1 {
		t.Fatalf("the authenticator holds %d passkeys, want 1", len(held))
	}
	return int(held[0].SignCount)
}

// goesOn fails unless a login succeeds that nobody answers.
func (p *tab) goesOn(why string) {
	p.t.Helper()
	if err := p.h.Login(); err != nil {
		p.t.Fatalf("%s: %v", why, err)
	}
}

// allowFor logs in and allows it for longer, by a button of a part of the choices.
func (p *tab) allowFor(part, text string, closed bool) {
	p.t.Helper()
	done := p.login()
	for p.sees("asks to log in"); p.shows("server without a name"); p.sees("asks to log in") {
		p.tap("Reject") // a busy machine did not find the name in time, and without one there is no rule
		<-done
		done = p.login()
	}
	p.tap("Allow for…")
	if closed {
		p.tap("Also while this app is closed")
	}
	p.tapIn(part, text)
	must(p.t, <-done)
}

const (
	forHost     = "[aria-labelledby=rule-host]"
	forComputer = "[aria-labelledby=rule-computer]"
)

// rejects logs in, is asked and rejects.
func (p *tab) rejects() {
	p.t.Helper()
	done := p.login()
	p.tap("Reject")
	if <-done == nil {
		p.t.Error("a rejected login went through")
	}
}

// TestAppLease: what was allowed for an hour or for ten logins goes on without a
// question and without a passkey prompt, as long as Home says so.
func TestAppLease(t *testing.T) {
	t.Parallel()
	p, a := newApp(t, true, wrapped...)
	p.allowFor(forHost, "1 h", false)
	must(t, a.Present(false)) // whoever prompts now waits for ever
	used := a.prompts(t)
	for range 2 {
		p.goesOn("under a rule for this host")
	}
	p.sees("Goes on without asking")
	p.sees(fmt.Sprintf("root@[127.0.0.1]:%d", p.h.Port))
	p.sees(" left")
	p.tap("Revoke")
	must(t, p.Await(`!document.body.innerText.includes("Goes on without asking")`))
	p.rejects()

	must(t, a.Present(true))
	p.allowFor(forHost, "10 logins", false)
	if n := a.prompts(t); n != used+1 {
		t.Errorf("a rule that ended left the key open: %d prompts, want %d", n, used+1)
	}
	must(t, a.Present(false))
	for left := 10; left > 0; left-- {
		p.sees(fmt.Sprintf("%d login", left))
		p.goesOn(fmt.Sprintf("with %d logins left", left))
	}
	must(t, p.Await(`!document.body.innerText.includes("Goes on without asking")`))
	p.rejects()
	p.quiet()
}

// TestAppLeaseForComputer: a rule for a computer holds for all its logins at
// servers that are pinned, and others are asked about.
func TestAppLeaseForComputer(t *testing.T) {
	t.Parallel()
	p, a := newApp(t, true, wrapped...)
	must(t, p.h.AddServer(&Server{Name: "second"}))
	second := func() <-chan error {
		done := make(chan error, 1)
		go func() {
			out, err := p.h.login("second")
			if err == nil && out != "in\n" {
				err = fmt.Errorf("ssh said %q", out)
			}
			done <- err
		}()
		return done
	}
	done := p.login()
	p.tap("Allow once") // pins it
	must(t, <-done)
	p.allowFor(forComputer, "1 h", false)
	must(t, a.Present(false))
	p.goesOn("under a rule for this computer")
	p.sees("laptop: all known servers")

	done = second()
	p.sees("First time:")
	p.tap("Allow once") // the key is open
	must(t, <-done)
	must(t, <-second())
	p.tap("Revoke")
	must(t, p.Await(`!document.body.innerText.includes("Goes on without asking")`))
	p.rejects()
	p.quiet()
}

// TestAppLeaseContinued: when the page was closed during a rule, its key is
// locked. The next login waits for a tap and one prompt, for all that wait.
func TestAppLeaseContinued(t *testing.T) {
	t.Parallel()
	p, a := newApp(t, true, wrapped...)
	p.allowFor(forHost, "1 h", false)
	used := a.prompts(t)
	must(t, p.Reload())

	done := p.login()
	p.sees("Continue?")
	p.tap("Not now")
	if err := <-done; err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a login that was not continued ends with %v", err)
	}
	_, err := p.h.Krd.Await(`approved=false.*the phone refused: not continued on the phone`)
	must(t, err)
	if p.shows("Continue?") {
		t.Error("a request that was not continued is still there")
	}

	// Two wait, in any order; one tap and one prompt open the key for both.
	both := []<-chan error{p.login(), p.login()}
	p.sees("Continue?")
	must(t, p.Await(`document.querySelectorAll("main .row span.digits").length === 2`))
	if n := a.prompts(t); n != used {
		t.Errorf("%d prompts before a tap", n-used)
	}
	p.tap("Continue")
	for _, done := range both {
		must(t, <-done)
	}
	if n := a.prompts(t); n != used+1 {
		t.Errorf("%d prompts for two requests, want 1", n-used)
	}
	must(t, a.Present(false))
	p.goesOn("after the key was unlocked")
	if p.shows("Continue?") {
		t.Error("a login asks to continue although the key is open")
	}
	p.quiet()
}

// TestAppLeaseClosed: with the opt-in, a page that was closed and opened again
// goes on without a tap, unless the computer has lost its half; then one tap
// wraps the key anew.
func TestAppLeaseClosed(t *testing.T) {
	t.Parallel()
	p, a := newApp(t, true, wrapped...)
	// For a request that began before a token can have arrived nothing is wrapped
	// anew, and that is 100 s: make the rule two minutes ago.
	_, err := Eval[any](p.Page, `(() => { const now = Date.now; Date.now = () => now() - 120_000; return null })()`)
	must(t, err)
	p.allowFor(forHost, "1 h", true)
	must(t, a.Present(false))
	used := a.prompts(t)
	app := localhost(p.h)
	must(t, p.Open("about:blank"))

	next, err := p.browser.Page() // without any authenticator
	must(t, err)
	q := openApp(t, p.h, next, app)
	q.sees("also while the app is closed")
	for range 2 {
		q.goesOn("with both halves")
	}
	q.quiet()
	q.Close()

	_, err = p.h.Krd.Stop(syscall.SIGTERM)
	must(t, err)
	must(t, p.h.StartKrd()) // forgets its half
	must(t, p.Open(app))
	p.sees("also while the app is closed")
	done := p.login()
	p.sees("Continue?")
	must(t, a.Present(true))
	p.tap("Continue")
	must(t, <-done)
	if n := a.prompts(t); n != used+1 {
		t.Errorf("%d prompts to continue, want 1", n-used)
	}
	must(t, a.Present(false))
	must(t, p.Reload())
	p.sees("also while the app is closed")
	p.goesOn("after the key was wrapped anew")
	p.tap("Revoke")
	must(t, p.Await(`!document.body.innerText.includes("Goes on without asking")`))
	p.rejects()
	p.quiet()
}
