// Package attacktest counts what attacks come to, in the tests that make them.
// script/attack collects the counts in a table:
//
//	attack: flipped bits of a pairing: tries=53810 rejected=53810 harmless=0 succeeded=0
package attacktest

import "testing"

// Tally counts the tries of one attack. It is not safe for concurrent use.
type Tally struct {
	t                             testing.TB
	rejected, harmless, succeeded int
}

// New returns the tally of an attack, which is logged when the test is over.
func New(t testing.TB, attack string) *Tally {
	a := &Tally{t: t}
	t.Cleanup(func() {
		t.Logf("attack: %s: tries=%d rejected=%d harmless=%d succeeded=%d",
			attack, a.rejected+a.harmless+a.succeeded, a.rejected, a.harmless, a.succeeded)
	})
	return a
}

// Rejected counts a try that was noticed, and dropped or refused.
func (a *Tally) Rejected() { a.rejected++ }

// Harmless counts a try that went through without getting what it was for, such
// as a repeat that gets the same answer, or a lie that the person is shown.
func (a *Tally) Harmless() { a.harmless++ }

// Succeeded counts a try that got what it was for, and fails the test.
func (a *Tally) Succeeded(format string, args ...any) {
	a.t.Helper()
	a.succeeded++
	a.t.Errorf(format, args...)
}
