package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
)

type traceOptions struct {
	n      int
	asJSON bool
}

func traceCmd(e *env) *cobra.Command {
	o := traceOptions{}
	c := &cobra.Command{
		Use: "trace", Short: "Show the way of the last request, hop by hop, in milliseconds", Args: noArgs,
		Long: `Shows where the last request was and when, from ssh's question to ssh's answer, in
milliseconds; also of one that failed, or that still waits. krd keeps the newest
32 requests, in memory. The phone's own times are whole seconds of its clock. In
a pipe, columns with tabs: time of the request, milliseconds, hop, channel or push
service, the phone's time, problem.`,
		Example: "  $ kr trace\n  $ kr trace -n 3 --json",
		RunE:    func(c *cobra.Command, _ []string) error { return runTrace(c.Context(), e, o) },
	}
	c.Flags().BoolVar(&o.asJSON, "json", false, "print JSON (schema_version 1)")
	c.Flags().IntVarP(&o.n, "requests", "n", 1, "how many requests, the newest")
	return c
}

func runTrace(ctx context.Context, e *env, o traceOptions) error {
	if o.n < 1 {
		return &term.Problem{Err: fmt.Errorf("-n is %d, not a number of requests", o.n), Code: codeUsage}
	}
	out, err := e.krd.Traces(ctx, o.n)
	switch {
	case err != nil:
		return err
	case o.asJSON:
		return e.printJSON(out)
	case len(out.Traces) == 0:
		return &term.Problem{Err: errors.New("krd has asked no phone since it started"), Hints: []string{"what it asked before: kr log"}}
	}
	for i, t := range out.Traces {
		if !e.io.OutTTY() {
			e.listTrace(t)
			continue
		}
		if i > 0 {
			e.io.Printf("\n")
		}
		e.showTrace(t)
	}
	return nil
}

func (e *env) listTrace(t control.Trace) {
	for _, s := range t.Steps {
		phone := ""
		if !s.PhoneTime.IsZero() {
			phone = s.PhoneTime.Format(time.RFC3339)
		}
		e.io.Printf("%s\t%.3f\t%s\t%s\t%s\t%s\n", t.Time.Format(time.RFC3339), s.AtMS, cell(s.Hop, 20), cell(s.Via, 64), cell(phone, 40), cell(s.Problem, 256))
	}
}

func (e *env) showTrace(t control.Trace) {
	e.io.Printf("%s, asked of %s at %s: %s\n", term.CleanMax(traced(t), 120), term.CleanMax(t.Phone, 64), t.Time.Local().Format(time.TimeOnly), term.CleanMax(came(t), 300))
	if t.Program != "" {
		e.io.Printf("by %s\n", term.CleanMax(t.Program, 256))
	}
	for _, s := range t.Steps {
		e.io.Printf("%10.1f ms  %s\n", s.AtMS, term.CleanMax(stepText(s), 400))
	}
	if t.Dropped > 0 {
		e.io.Printf("%13s  and %d more copies\n", "", t.Dropped)
	}
}

// traced says what was asked.
func traced(t control.Trace) string {
	switch {
	case t.Kind == control.KindSignature:
		return fmt.Sprintf("A signature for %q", t.Namespace)
	case t.Kind == control.KindLogin && t.Host != "":
		return t.User + "@" + t.Host
	case t.Kind == control.KindLogin:
		return "A login as " + t.User
	}
	return "Data that is neither a login nor a signature"
}

// came says what came of it.
func came(t control.Trace) string {
	switch {
	case t.Outcome == "":
		return "still waits"
	case t.Reason != "":
		return fmt.Sprintf("%s after %.1f ms (%s)", t.Outcome, t.TookMS, term.CleanMax(t.Reason, 200))
	}
	return fmt.Sprintf("%s after %.1f ms", t.Outcome, t.TookMS)
}

// hops are the hops in words; %s is the channel.
var hops = map[string]string{
	"asked":       "ssh asks for a signature",
	"described":   "who asks is known, and the host if ssh tells it",
	"hello":       "keys for today are to be agreed with the phone first",
	"agreed":      "they are",
	"sealed":      "sealed; a copy goes out on all channels",
	"taken":       "%s has it",
	"not_taken":   "%s does not have it",
	"waking":      "the phone has not acknowledged it: it is woken",
	"woken":       "%s has the push",
	"not_woken":   "no push",
	"acked":       "the phone has it, says %s",
	"slow":        "no acknowledgement for 5 s",
	"skew":        "the clocks differ; asked again with the phone's time",
	"answered":    "the phone has decided, says %s",
	"verified":    "its signature holds",
	"withdrawing": "nobody waits any more; the phone is told",
	"ended":       "no signature",
	"handed":      "ssh has its answer",
}

// stepText says a hop in words. krd may be newer and know others.
func stepText(s control.TraceStep) string {
	text, known := hops[s.Hop]
	switch {
	case !known:
		text = s.Hop + " " + s.Via
	case s.Via != "":
		text = fmt.Sprintf(text, s.Via)
	}
	if !s.PhoneTime.IsZero() {
		text += "; its clock: " + s.PhoneTime.Local().Format(time.TimeOnly)
	}
	if s.Problem != "" {
		text += ": " + s.Problem
	}
	return text
}
