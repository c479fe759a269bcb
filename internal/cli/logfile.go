package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/control"
	"kryptonite/internal/term"
)

// runLogFile verifies a log that a phone gave away as a file, "-" for standard input,
// and compares it with claims, or with what krd remembers.
func runLogFile(ctx context.Context, e *env, o verifyOptions, args []string) error {
	var claims []auditlog.Claim
	for _, a := range args {
		c, err := auditlog.ParseClaim(a)
		if err != nil {
			return &term.Problem{Err: fmt.Errorf("%q is %w", term.CleanMax(a, 100), err), Code: codeUsage, Hints: []string{"on the computer whose phone it is: kr log verify"}}
		}
		claims = append(claims, c)
	}
	if len(claims) > 0 && o.phone != "" {
		return &term.Problem{Err: errors.New("the log is compared with LENGTH:HEAD, or with a phone's that this computer saw"), Code: codeUsage, Hints: []string{"leave one of the two out"}}
	}
	entries, end, err := e.readLog(o.file)
	if err != nil {
		return err
	}
	e.io.Printf("the chain holds: entries %d to %d\n%s\n", end.First(), end.Len(), end.Mark())
	if len(claims) > 0 {
		return e.sayClaims(args, claims, entries, end)
	}
	phones, err := e.phonesCalled(ctx, o.phone)
	switch {
	case err != nil:
		return err
	case len(phones) == 0:
		e.io.Sayf("No phone is paired with this computer, so the log was compared with nothing.\nTo compare it with what you know of it, add LENGTH:HEAD.\n")
		return nil
	}
	return e.sayWhoseLog(phones, entries, end)
}

// readLog reads and verifies what kr-phone log --json and Export write.
func (e *env) readLog(path string) ([]auditlog.Entry, auditlog.Log, error) {
	fail := func(err error, hints ...string) ([]auditlog.Entry, auditlog.Log, error) {
		return nil, auditlog.Log{}, &term.Problem{Err: err, Hints: hints}
	}
	in := e.io.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, auditlog.Log{}, fmt.Errorf("read the log: %w", err)
		}
		defer f.Close()
		in = f
	}
	const how = "a log is what Export in the phone's Log wrote, or: kr-phone log --json > FILE"
	var stored [][]byte
	lines := bufio.NewScanner(in)
	for lines.Buffer(nil, auditlog.MaxEntry+1); lines.Scan(); {
		if stored = append(stored, bytes.Clone(lines.Bytes())); len(stored) > auditlog.Kept {
			return fail(fmt.Errorf("read the log: it has more than the %d entries that a phone keeps", auditlog.Kept), how)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fail(fmt.Errorf("read the log: line %d is longer than any entry", len(stored)+1), how)
	} else if err != nil {
		return nil, auditlog.Log{}, fmt.Errorf("read the log: %w", err)
	}
	entries, end, err := auditlog.Read(stored)
	switch {
	case err != nil && len(entries) == 0:
		return fail(fmt.Errorf("this is no log of a phone: %w", err), how)
	case err == nil && len(entries) == 0:
		return fail(errors.New("there are no entries in it"), how)
	case err == nil && end.Cut():
		err = &auditlog.BrokenError{Seq: end.First(), Why: "entries before it are missing"}
	}
	if err != nil {
		return fail(fmt.Errorf("the log is not what was written: %w", err),
			"export it again; if it is the same, somebody has changed it, or the phone's disk is damaged")
	}
	return entries, end, nil
}

// sayClaims says for each of args, which are claims, whether this was the log then.
func (e *env) sayClaims(args []string, claims []auditlog.Claim, entries []auditlog.Entry, end auditlog.Log) error {
	var worst error
	vouched := uint64(0)
	for i, c := range claims {
		v := c.Check(entries, end)
		if v == auditlog.Holds {
			vouched = max(vouched, c.Length)
		}
		e.io.Printf("%s: %s\n", term.CleanMax(args[i], 100), v.Text(end))
		if v != auditlog.Holds && worst == nil {
			worst = &term.Problem{Err: errors.New("this is not the log that LENGTH:HEAD stands for, or it cannot be told"),
				Hints: []string{"was it typed right? and is it of that phone?"}}
		}
	}
	e.sayVouched(vouched, end)
	return worst
}

// sayVouched says which entries came after those that somebody remembers: who has the
// file can write them.
func (e *env) sayVouched(n uint64, end auditlog.Log) {
	switch {
	case n == 0 || n == end.Len():
	case n+1 == end.Len():
		e.io.Printf("entry %d is newer than that: only the chain vouches for it\n", end.Len())
	default:
		e.io.Printf("entries %d to %d are newer than that: only the chain vouches for them\n", n+1, end.Len())
	}
}

// sayWhoseLog says of which phone it is, by what krd remembers of each; of none of
// them, how it differs from each.
func (e *env) sayWhoseLog(phones []control.Phone, entries []auditlog.Entry, end auditlog.Log) error {
	var others []string
	var wrong error
	found, vouched := false, uint64(0)
	for _, p := range phones {
		if len(p.Log.Open()) > 0 { // what this computer saw is in doubt itself
			if err := e.showVerified([]control.Phone{p}, true); err != nil {
				wrong = err
			}
			continue
		}
		name := term.CleanMax(p.Name, 64)
		c, err := auditlog.ParseClaim(fmt.Sprintf("%d:%s", p.Log.Length, p.Log.Head))
		if err != nil || c.Length == 0 {
			others = append(others, name+": it has not told anything of its log yet")
			continue
		}
		v := c.Check(entries, end)
		text := fmt.Sprintf("%s, as this computer saw it last, at %d entries: %s", name, c.Length, v.Text(end))
		if v != auditlog.Holds {
			others = append(others, text)
			continue
		}
		found, vouched = true, max(vouched, c.Length)
		e.io.Printf("%s\n", text)
	}
	switch {
	case found:
		e.sayVouched(vouched, end)
		return nil
	case wrong != nil:
		return wrong
	}
	e.io.Printf("%s\n", strings.Join(others, "\n"))
	return &term.Problem{Err: errors.New("the file is not shown to be the log of a phone of yours"),
		Hints: []string{"it may be older than what this computer saw since: export it again",
			"whether a phone's log only grew: kr log verify"}}
}
