package cli

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
)

const logLines = 100 // that kr log shows unless told otherwise

type logOptions struct {
	phone  string // name or id; "": all
	n      int    // 0: all
	asJSON bool
}

func logCmd(e *env) *cobra.Command {
	o := logOptions{}
	c := &cobra.Command{
		Use: "log", Short: "Show what was asked of your phones", Args: noArgs,
		Long: `Shows what this computer asked of your phones and what came of it, oldest first.
krd keeps the newest 10,000 requests. At a terminal it is a table; in a pipe,
columns with tabs: time, phone, outcome, kind, user or namespace, host key, key,
seconds it took, reason, LENGTH:HEAD of the phone's own log, and host.

The host is the name that this computer's ssh made of what was typed; nobody proved
it. The host key is the one that the phone was shown.`,
		Example: "  $ kr log\n  $ kr log -n 5 --phone \"Ana's phone\"\n  $ kr log verify",
		RunE:    func(c *cobra.Command, _ []string) error { return runLog(c.Context(), e, o) },
	}
	c.Flags().BoolVar(&o.asJSON, "json", false, "print JSON (schema_version 1)")
	c.Flags().StringVar(&o.phone, "phone", "", "only of this phone, by name or id")
	c.Flags().IntVarP(&o.n, "lines", "n", logLines, "how many, the newest; 0: all")
	c.RegisterFlagCompletionFunc("phone", e.completePhones) // the flag is there
	c.AddCommand(logVerifyCmd(e))
	return c
}

func runLog(ctx context.Context, e *env, o logOptions) error {
	if o.n < 0 {
		return &term.Problem{Err: fmt.Errorf("-n is %d, not a number of requests", o.n), Code: codeUsage}
	}
	log, err := e.krd.Log(ctx, o.phone, o.n)
	if err != nil {
		return err
	}
	if o.asJSON {
		return e.printJSON(log)
	}
	if e.io.OutTTY() {
		return e.showLog(log)
	}
	for _, l := range log.Entries {
		e.io.Printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.3f\t%s\t%s\t%s\n", l.Time.Format(time.RFC3339), cell(l.Phone, 64), cell(string(l.Outcome), 20), cell(string(l.Kind), 20),
			cell(l.User+l.Namespace, 256), cell(l.HostKey, 100), cell(l.Key, 100), float64(l.TookMS)/1000, cell(l.Reason, 200), cell(markOf(l), 100), cell(l.Host, 256))
	}
	return nil
}

// showLog prints a table for people.
func (e *env) showLog(log control.Log) error {
	if len(log.Entries) == 0 {
		e.io.Sayf("Nothing was asked yet.\n")
		return nil
	}
	w := tabwriter.NewWriter(e.io.Text(), 0, 0, 2, ' ', 0)
	row(w, "TIME", "PHONE", "OUTCOME", "TOOK", "WHAT")
	for _, l := range log.Entries {
		row(w, l.Time.Local().Format(time.DateTime), term.CleanMax(l.Phone, 24), string(l.Outcome),
			(time.Duration(l.TookMS) * time.Millisecond).Round(100*time.Millisecond).String(), term.CleanMax(asked(l), 200))
	}
	return w.Flush()
}

// asked says in words what was to be signed, and why it was not.
func asked(l control.LogEntry) string {
	what := "data that is neither a login nor a signature"
	switch l.Kind {
	case control.KindLogin:
		what = "log in as " + l.User
		if l.Host != "" {
			what += " at " + term.CleanMax(l.Host, 64) + " (ssh's word)"
		}
		if l.HostKey != "" {
			what += ", host " + l.HostKey
		}
	case control.KindSignature:
		what = "sign for " + strconv.Quote(l.Namespace)
	}
	if l.Reason != "" {
		what += ": " + l.Reason
	}
	return what
}

// cell is a text for a column; "-" when there is none.
func cell(s string, limit int) string {
	if s == "" {
		return "-"
	}
	return term.CleanMax(s, limit)
}

func markOf(l control.LogEntry) string {
	if l.LogHead == "" {
		return ""
	}
	return fmt.Sprintf("%d:%s", l.LogLength, l.LogHead)
}
