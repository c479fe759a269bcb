package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
)

type verifyOptions struct {
	phone  string // name or id; "": all
	full   bool
	accept bool
	file   string // an exported log instead; "": none
}

func logVerifyCmd(e *env) *cobra.Command {
	o := verifyOptions{}
	c := &cobra.Command{
		Use: "verify [--file FILE [LENGTH:HEAD ...]]", Short: "Say whether your phones' logs only grew, or verify one in a file",
		Args: func(c *cobra.Command, args []string) error {
			if o.file == "" {
				return noArgs(c, args)
			}
			return nil
		},
		Long: `Each answer of a phone tells length and head of the log that it keeps: how many
entries there ever were, and a hash that stands for all of them. krd remembers
them. This says for each phone whether its log only grew, and what to type on
the phone to compare the two logs. The exit code is 1 if one shrank or changed.

A phone that was restored from a backup looks like that, too. If you know why,
--accept it; krd goes on from there.

With --file it verifies a log that a phone gave away (Export in the app's Log, or
kr-phone log --json): that no entry was changed or dropped, and that it is the log
that LENGTH:HEAD stands for; without that, the one that krd has seen. Of entries
that came later it can say only that they are in the chain.`,
		Example: "  $ kr log verify\n  $ kr log verify --phone \"Ana's phone\" --accept\n  $ kr log verify --file kryptonite-log-2026-11-29.jsonl",
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("file") {
				return runLogFile(c.Context(), e, o, args)
			}
			return runLogVerify(c.Context(), e, o)
		},
	}
	c.Flags().StringVar(&o.file, "file", "", "verify the log in this file; -: standard input")
	c.Flags().StringVar(&o.phone, "phone", "", "only this phone, by name or id")
	c.Flags().BoolVar(&o.full, "full", false, "show all 64 characters of the head, not the first 16")
	c.Flags().BoolVar(&o.accept, "accept", false, "say that you know why; needs --phone if there are several")
	c.MarkFlagsMutuallyExclusive("file", "accept")
	c.MarkFlagsMutuallyExclusive("file", "full")
	return c
}

func runLogVerify(ctx context.Context, e *env, o verifyOptions) error {
	phones, err := e.phonesCalled(ctx, o.phone)
	switch {
	case err != nil:
		return err
	case len(phones) == 0:
		return notPaired()
	case o.accept:
		return e.acceptLog(ctx, phones)
	}
	return e.showVerified(phones, o.full || !e.io.OutTTY())
}

// phonesCalled are the phones with this name or id, at least one; all, or none, for "".
func (e *env) phonesCalled(ctx context.Context, name string) ([]control.Phone, error) {
	st, err := e.krd.Status(ctx)
	if err != nil || name == "" {
		return st.Phones, err
	}
	phones := slices.DeleteFunc(st.Phones, func(p control.Phone) bool { return p.ID != name && !strings.EqualFold(p.Name, name) })
	if len(phones) == 0 {
		return nil, &term.Problem{Err: fmt.Errorf("no paired phone is called %q", name), Code: codeNotPaired, Hints: []string{"list the phones: kr status"}}
	}
	return phones, nil
}

// showVerified prints what is known of each phone's log. A finding that nobody
// accepted makes it an error.
func (e *env) showVerified(phones []control.Phone, full bool) error {
	wrong := ""
	for _, p := range phones {
		name, l := term.CleanMax(p.Name, 64), p.Log
		for _, f := range l.Open() {
			e.io.Printf("%s: %s: %s\n", name, f.At.Local().Format(time.DateTime), term.CleanMax(f.Text, 300))
			wrong = p.ID
		}
		switch {
		case l.Head == "" && len(l.Open()) > 0:
			continue
		case l.Head == "":
			e.io.Printf("%s: it has not told anything of its log yet\n", name)
			continue
		case len(l.Open()) == 0:
			e.io.Printf("%s: its log only grew, to %d entries\n", name, l.Length)
		}
		head, word := l.Head, ""
		if short := 16; !full && len(head) > short {
			head, word = head[:short], "   (16 of 64 characters of the head; all: --full)"
		}
		e.io.Printf("  compare on the phone: kr-phone log verify %d:%s%s\n", l.Length, term.Clean(head), word)
	}
	if wrong != "" {
		return &term.Problem{Err: errors.New("a phone's log is not the one that was seen before, grown"),
			Hints: []string{"on the phone: kr-phone log, and kr-phone log verify",
				"if the phone was restored, or you know why otherwise: kr log verify --accept --phone " + wrong}}
	}
	return nil
}

func (e *env) acceptLog(ctx context.Context, phones []control.Phone) error {
	if len(phones) > 1 {
		return &term.Problem{Err: errors.New("several phones are paired; say which one"), Code: codeUsage, Hints: []string{"add --phone NAME"}}
	}
	out, err := e.krd.AcceptLog(ctx, phones[0].ID)
	if err != nil {
		return err
	}
	e.io.Sayf("%s: %d findings accepted; from here on its log has to grow again.\n", term.CleanMax(phones[0].Name, 64), out.Findings)
	return nil
}

// logText is the row of kr status for a phone whose log is not in order; ""
// otherwise.
func logText(l control.PhoneLog) string {
	open := l.Open()
	if len(open) == 0 {
		return ""
	}
	return term.CleanMax(open[len(open)-1].Text, 300) + "; see: kr log verify"
}
