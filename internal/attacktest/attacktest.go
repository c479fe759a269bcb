// Package attacktest counts what attacks come to, in the tests that make them.
// script/attack makes a table of the counts. They are logged, and appended to the file that
// KR_ATTACKS names, if it names one, as lines of what, tries, rejected, harmless and
// succeeded, with tabs between:
//
//	flipped bits of a pairing	53810	53810	0	0
package attacktest

import (
	"fmt"
	"os"
	"testing"
)

// Variable names the file that counts are appended to.
const Variable = "KR_ATTACKS"

// Tally counts the tries of one attack. It is not safe for concurrent use.
type Tally struct {
	t                             testing.TB
	rejected, harmless, succeeded int
}

// New returns the tally of an attack, which is kept when the test is over.
func New(t testing.TB, attack string) *Tally {
	a := &Tally{t: t}
	t.Cleanup(func() {
		tries := a.rejected + a.harmless + a.succeeded
		t.Logf("attack: %s: %d tries, %d rejected, %d harmless, %d succeeded", attack, tries, a.rejected, a.harmless, a.succeeded)
		if path := os.Getenv(Variable); path != "" {
			if err := add(path, fmt.Sprintf("%s\t%d\t%d\t%d\t%d\n", attack, tries, a.rejected, a.harmless, a.succeeded)); err != nil {
				t.Errorf("the count of an attack is not kept: %v", err)
			}
		}
	})
	return a
}

// add appends a line, in one write: tests of many packages do at once.
func add(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line); err != nil {
		f.Close()
		return err
	}
	return f.Close()
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
