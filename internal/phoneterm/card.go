package phoneterm

import (
	"fmt"
	"strings"
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/hostauth"
	"kryptonite/internal/phone"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

// describe is a card in one line.
func describe(c phone.Card) string {
	if c.Namespace != "" {
		return fmt.Sprintf("a signature for %q", c.Namespace)
	}
	return fmt.Sprintf("log in as %s", c.User)
}

// draw shows a card and the question.
func (p *prompter) draw(c phone.Card) {
	field := func(name, value string) { p.e.io.Printf("  %-9s %s\n", name, term.CleanMax(value, 200)) }
	p.e.io.Printf("\n%s wants\n", term.CleanMax(c.Computer, 64))
	if c.Namespace != "" {
		field("sign", fmt.Sprintf("content for %q that was not shown to this phone", c.Namespace))
	} else {
		field("user", c.User)
		if name := nameText(c); name != "" {
			p.e.io.Printf("  %-9s %s\n", "name", term.CleanMax(name, 1200)) // five names: what is said of them is not cut off
		}
		field("host", hostText(c.Host))
		field("proof", proofText(c.Host.Proof))
	}
	if !c.Host.Local {
		field("note", "may be forwarded: not surely asked by this computer itself")
	}
	if len(c.Host.Path) > 0 {
		field("by way of", strings.Join(c.Host.Path, ", "))
	}
	if c.Reported.Program != "" {
		field("asked by", reportedText(c.Reported))
	}
	if repo := repositoryText(c.Reported); repo != "" {
		field("for", repo)
	}
	field("key", c.KeyName)
	p.e.io.Printf("%s", question(c, c.Expires.Sub(fault.Now()).Round(time.Second)))
}

func hostText(h hostauth.Host) string {
	switch {
	case h.Fingerprint == "":
		return "unknown"
	case h.Cert != nil:
		return fmt.Sprintf("%s %s, certified by %s", h.KeyType, h.Fingerprint, h.Cert.CA)
	}
	return h.KeyType + " " + h.Fingerprint
}

func reportedText(r wire.Reported) string {
	s := r.Program
	if r.Directory != "" {
		s += " in " + r.Directory
	}
	return s + " (as it says)"
}

// repositoryText is the git repository that is asked for.
func repositoryText(r wire.Reported) string {
	switch {
	case r.Remote == "" && r.Branch == "":
		return ""
	case r.Remote == "":
		return "branch " + r.Branch + " (as it says)"
	case r.Branch == "":
		return r.Remote + " (as it says)"
	}
	return r.Remote + ", branch " + r.Branch + " (as it says)"
}

func proofText(p hostauth.Proof) string {
	switch p {
	case hostauth.Proved:
		return "proved: the host key signed this session and stands in the login"
	case hostauth.Vouched:
		return "vouched: the host key signed this session; the login does not name it"
	case hostauth.Bound:
		return "bound: the login names this host key; it signed nothing yet"
	}
	return "unknown: nothing says which host this is"
}
