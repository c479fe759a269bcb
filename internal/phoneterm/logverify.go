package phoneterm

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/phone"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
)

func logVerifyCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "verify [LENGTH:HEAD ...]",
		Short: "Verify the log, and compare it with what a computer remembers",
		Long: `Verify the chain of the log and print its LENGTH:HEAD, which stands for all of it.
With LENGTH:HEAD of a computer ("kr log verify" and "kr log" show them) say whether
that was this log then. 16 characters of the head are enough to find damage and
mistakes; all 64 leave no doubt. The exit code is 0 for a yes.`,
		Example: "  $ kr-phone log verify\n  $ kr-phone log verify 12:3f2a90c4d1e85b77",
		RunE:    func(_ *cobra.Command, args []string) error { return runLogVerify(e, args) },
	}
}

func runLogVerify(e *env, args []string) error {
	var claims []auditlog.Claim
	for _, a := range args {
		c, err := auditlog.ParseClaim(a)
		if err != nil {
			return &term.Problem{Err: fmt.Errorf("%q is %w", term.CleanMax(a, 100), err), Code: 2, Hints: []string{"see: kr log verify, on the computer"}}
		}
		claims = append(claims, c)
	}
	records, err := viewLog()
	if err != nil {
		return err
	}
	entries, end, err := phone.Log(records)
	if err != nil {
		return explainLog(err)
	}
	if _, unseen := phone.AcknowledgeAside(records); unseen {
		e.io.Sayf("An older log was damaged and is set aside: kr-phone log --aside\n")
	}
	if len(claims) == 0 {
		if end.Len() == 0 {
			e.io.Sayf("The log is empty.\n")
		} else {
			e.io.Sayf("The chain holds: entries %d to %d of %d.\n", end.First(), end.Len(), end.Len())
		}
		e.io.Printf("%s\n", end.Mark())
		return nil
	}
	var worst error
	for i, c := range claims {
		verdict := c.Check(entries, end)
		e.io.Printf("%s: %s\n", term.CleanMax(args[i], 100), verdict.Text(end))
		if verdict != auditlog.Holds && worst == nil {
			worst = verdictProblem(verdict)
		}
	}
	return worst
}

func verdictProblem(v auditlog.Verdict) error {
	p := &term.Problem{Err: errors.New("this phone's log is not the one that the computer saw")}
	switch v {
	case auditlog.Differs:
		p.Hints = []string{"this phone was restored from a backup and used since, or entries were changed", "was it typed right? and is it of this phone?"}
	case auditlog.Missing:
		p.Hints = []string{"this phone was restored from a backup, or entries were removed", "was it typed right? and is it of this phone?"}
	default:
		p.Err = errors.New("whether it was this log cannot be told")
		p.Hints = []string{"take a newer one: kr log verify, on the computer"}
	}
	return p
}

func logAcknowledgeCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "acknowledge",
		Short: "Say that you know of a damaged log",
		Long: `Say that you know that the log was damaged, so that kr-phone run does not tell you
any more. Nothing is deleted: what was set aside stays, and the first entry of the
new log says what happened.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runLogAcknowledge(e) },
	}
}

func runLogAcknowledge(e *env) error {
	o, err := open()
	if err != nil {
		return err
	}
	defer o.close()
	s, ok := phone.AcknowledgeAside(o.records)
	if !ok {
		e.io.Sayf("There is nothing to acknowledge.\n")
		return nil
	}
	return o.journal.Commit([]statedir.Op{{Key: s.Key, Value: s.Value}})
}

// runLogAside prints what was set aside, cleaned, one record a line.
func runLogAside(e *env) error {
	records, err := viewLog()
	if err != nil {
		return err
	}
	for _, b := range phone.Aside(records) {
		e.io.Printf("%s\n", term.CleanMax(string(b), 2000))
	}
	return nil
}

// sayLogDamaged tells the person what must not be missed.
func (e *env) sayLogDamaged(n phone.Note) {
	e.io.Sayf("\nWARNING: this phone's log was damaged: %s.\n"+
		"Somebody has changed the files of this phone, or the disk is damaged. A new log was begun.\n"+
		"Look: kr-phone log, kr-phone log --aside. When you know of it: kr-phone log acknowledge\n\n", term.Clean(n.Err.Error()))
}
