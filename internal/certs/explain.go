package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/crypto/acme"
)

const (
	maxWords      = 400 // characters of what a CA says
	problemPrefix = "urn:ietf:params:acme:error:"
)

// explain returns what went wrong, in the CA's cleaned words if it said so, and
// what to do about it.
func explain(err error, domain string) (what, hint string) {
	p := problem(err)
	if p == nil {
		return clean(err.Error()), hintFor(err)
	}
	what = "the CA refuses: " + clean(p.Detail)
	for _, s := range p.Subproblems {
		what += "; " + clean(s.Detail)
	}
	switch strings.TrimPrefix(strings.ToLower(p.ProblemType), problemPrefix) {
	case "dns":
		return what, "the name needs an A or AAAA record with this machine's public address"
	case "connection", "tls":
		return what, domain + " must lead to this machine (A or AAAA record), and port 80 must reach this kr-relay from the internet: look at DNS, firewall and router"
	case "unauthorized", "incorrectresponse":
		return what, "another server answered at port 80 of " + domain + ": does the name have this machine's address, and no other?"
	case "ratelimited":
		return what, "the CA's limit: nothing to do but wait; keep --data, so that certificates are not asked for again"
	case "caa":
		return what, "a CAA record of the name forbids this CA"
	case "rejectedidentifier":
		return what, "this CA makes no certificate for this name"
	case "invalidcontact", "unsupportedcontact":
		return what, "look at --acme-email"
	case "externalaccountrequired":
		return what, "this CA wants an account made by hand, which kr-relay cannot use; choose another with --acme-directory"
	}
	return what, "see the CA's words"
}

// hintFor is for failures that no CA spoke about.
func hintFor(err error) string {
	var authority x509.UnknownAuthorityError
	var op *net.OpError
	var dns *net.DNSError
	var file *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk with the directory of --data is full: free some space"
	case errors.As(err, &file):
		return "look at the directory of --data"
	case errors.As(err, &authority):
		return "the CA's own certificate is not trusted here: name its root with --acme-ca"
	case errors.Is(err, errClock):
		return "set the clock"
	case errors.As(err, &dns), errors.As(err, &op), errors.Is(err, context.DeadlineExceeded):
		return "the CA cannot be reached from here; nothing to do if that passes"
	}
	return "look at --acme-directory"
}

// problem returns what the CA said, or nil.
func problem(err error) *acme.Error {
	var p *acme.Error
	if errors.As(err, &p) {
		return p
	}
	var z *acme.AuthorizationError
	if errors.As(err, &z) {
		for _, e := range z.Errors {
			if errors.As(e, &p) {
				return p
			}
		}
	}
	var o *acme.OrderError
	if errors.As(err, &o) {
		return o.Problem
	}
	return nil
}

// retryAfter returns how long the CA asks to wait, or 0.
func retryAfter(err error) time.Duration {
	if p := problem(err); p != nil {
		d, _ := acme.RateLimit(p)
		return d
	}
	return 0
}

// clean returns s on one line, without what steers a terminal, and not longer
// than maxWords.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxWords {
		s = string(r[:maxWords]) + "…"
	}
	return s
}
