package e2e

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/internal/attacktest"
)

const evil = "<img src=x onerror=pwned=1>\u202egnp.exe\x1b[2J\u2066\"'&"

// harmless fails the test if the screen shows anything that acts, hides or
// leaves the page.
func (p *tab) harmless(what string) {
	p.t.Helper()
	_, err := Eval[any](p.Page, galleryChecks+`; Promise.all(document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime !== Infinity).map((a) => a.finished.catch(() => null))).then(() => null)`)
	must(p.t, err)
	faults, err := Eval[[]string](p.Page, "faults()")
	must(p.t, err)
	for _, f := range faults {
		p.t.Errorf("%s: %s", what, f)
	}
}

// asUser asks krd for a signature that logs in as somebody, as a program on the
// computer may that has no server at all.
func asUser(h *House, user string) error {
	conn, err := net.Dial("unix", h.Path("kr", "agent.sock"))
	if err != nil {
		return err
	}
	defer conn.Close()
	a := agent.NewClient(conn)
	var session [32]byte // another each time: a reject holds for all of a session
	rand.Read(session[:])
	keys, err := a.List()
	if err != nil || len(keys) == 0 {
		return fmt.Errorf("no keys: %w", err)
	}
	_, err = a.Sign(keys[0], ssh.Marshal(struct {
		Session       []byte
		Type          byte
		User, Service string
		Method        string
		Signed        bool
		Algorithm     string
		Key           []byte
	}{session[:], 50, user, "ssh-connection", "publickey", true, ssh.KeyAlgoED25519, keys[0].Marshal()}))
	return err
}

// TestAppHostileNames: what a computer calls itself, its users, programs and
// directories is text, whatever it holds; and a page of another origin gets nothing.
func TestAppHostileNames(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.Name = evil
	p, _ := newAppFor(t, h, true, wrapped...)
	p.sees("<img src=x")
	p.harmless("home")
	p.tap("Computers")
	p.harmless("computers")

	for _, user := range []string{evil, strings.Repeat("<b>\u202e", 170), strings.Repeat("<b>\u202e", 1<<16/6), strings.Repeat("W", 1<<16)} {
		done := make(chan error, 1)
		go func() { done <- asUser(h, user) }()
		select {
		case err := <-done:
			if err == nil {
				t.Error("a signature came without a card")
			}
			t.Logf("a user name of %d bytes: krd says %v", len(user), err)
			continue
		case err := <-p.seen("asks to log in"):
			must(t, err)
		}
		p.harmless("card")
		p.shot(fmt.Sprintf("hostile-user-%d", len(user)))
		p.tap("Reject")
		if err := <-done; err == nil {
			t.Error("a rejected signature was made")
		}
		must(t, p.Await(`!document.querySelector("dialog")`))
	}

	// A program, a directory and a namespace.
	me, err := h.Kr("me")
	must(t, err)
	must(t, os.WriteFile(h.Path("key.pub"), []byte(me), 0o600))
	dir := h.Path(strings.ReplaceAll(evil, "/", ""))
	must(t, os.Mkdir(dir, 0o700))
	program := dir + "/ssh-keygen " + evil
	must(t, os.Symlink("/usr/bin/ssh-keygen", program))
	for _, namespace := range []string{evil, strings.Repeat("\u202e<i>", 1<<14)} {
		done := make(chan error, 1)
		go func() {
			_, err := h.run("sh", "-c", `cd "$1" && echo letter | "$2" -Y sign -f "$3" -n "$4"; exit`, "sh "+evil, dir, program, h.Path("key.pub"), namespace)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil {
				t.Error("a signature came without a card")
			}
			t.Logf("a namespace of %d bytes: %v", len(namespace), err)
			continue
		case err := <-p.seen("asks for a signature"):
			must(t, err)
		}
		p.harmless("signature")
		p.shot(fmt.Sprintf("hostile-namespace-%d", len(namespace)))
		p.tap("Reject")
		if err := <-done; err == nil {
			t.Error("a rejected signature was made")
		}
		must(t, p.Await(`!document.querySelector("dialog")`))
	}
	p.tap("Activity")
	p.harmless("activity")
	p.shot("hostile-activity")
	if bad, err := Eval[bool](p.Page, `"pwned" in globalThis`); err != nil || bad {
		t.Errorf("a name was executed: %v, %v", bad, err)
	}
	p.foreignPage(attacktest.New(t, "a page of another origin, at the app"))
	p.quiet()
}

// seen is sees beside something else.
func (p *tab) seen(text string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- p.Await(fmt.Sprintf("document.body.innerText.includes(%q)", text)) }()
	return done
}

// TestAppUnpair: each side can end the pairing, and the other one says so.
func TestAppUnpair(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, true, wrapped...)
	h := p.h
	p.tap("Computers")
	must(t, p.Await(`document.querySelector("main .row")`))
	_, err := Tapped[any](p.Page, `document.querySelector("main .row").click(); null`)
	must(t, err)
	p.sees("Paired since")
	p.shot("computer")
	p.tap("Unpair")
	p.sees("From now on it can ask for nothing")
	p.shot("unpair")
	must(t, p.Await(`document.querySelector("dialog footer .danger")?.getAttribute("aria-disabled") !== "true"`))
	p.tap("Unpair")
	p.sees("No computer is paired.")
	status := ""
	for end := time.Now().Add(patience); !strings.Contains(status, "no phone"); {
		if time.Now().After(end) {
			t.Fatalf("krd still has the pairing:\n%s", status)
		}
		status, _ = h.Kr("status")
	}

	offer, err := h.OfferPairing()
	must(t, err)
	p.tap("I have a link")
	p.types("#link", offer.Link)
	p.tap("Open the link")
	p.pair(offer)
	p.sees("last heard")
	_, err = h.Kr("unpair", "Linux browser", "--yes")
	must(t, err)
	p.sees("No computer is paired.")
	p.sees("laptop is not paired any more.")
	p.shot("unpaired-there")
	p.quiet()
}
