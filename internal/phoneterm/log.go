package phoneterm

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/escape"
	"kryptonite/internal/phone"
	"kryptonite/internal/term"
)

func logCmd(e *env) *cobra.Command {
	var asJSON, aside bool
	c := &cobra.Command{
		Use:   "log",
		Short: "Show what this phone decided",
		Long: `Show what this phone decided, oldest first: when, for which computer, what, and
how far the host was proved. The entries are a chain of hashes; one that was
changed, dropped or reordered is named, and the exit code is 1. It works while
kr-phone runs, too.`,
		Example: "  $ kr-phone log\n  $ kr-phone log --json\n  $ kr-phone log verify",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if aside {
				return runLogAside(e)
			}
			return runLog(e, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line: the bytes that the hashes are of, for kr log verify --file")
	c.Flags().BoolVar(&aside, "aside", false, "print instead what was set aside when the log was damaged, as it was found")
	c.AddCommand(logVerifyCmd(e), logAcknowledgeCmd(e))
	return c
}

func runLog(e *env, asJSON bool) error {
	records, err := viewLog()
	if err != nil {
		return err
	}
	return explainLog(printLog(e.io, records, asJSON))
}

// printLog prints the log's entries, a line each, up to the first that is not what
// was written; the error is that of [phone.Log].
func printLog(io *term.IO, records map[string][]byte, asJSON bool) error {
	entries, _, broken := phone.Log(records)
	stored := phone.LogBytes(records)
	for i, entry := range entries {
		if asJSON {
			io.Printf("%s\n", escape.Text(stored[i])) // as it was written, if we wrote it
			continue
		}
		io.Printf("%s\t%s\t%s\t%s\n", entry.Time().Format(time.RFC3339), term.CleanMax(entry.Computer, 64), term.CleanMax(string(entry.Decision), 20), term.CleanMax(what(entry), 200))
	}
	return broken
}

// explainLog adds to a broken log what it means.
func explainLog(err error) error {
	if broken := new(auditlog.BrokenError); !errors.As(err, &broken) {
		return err
	}
	return &term.Problem{Err: fmt.Errorf("the log is not what was written: %w", err),
		Hints: []string{"somebody has changed the files of this phone, or the disk is damaged",
			"kr-phone run sets it aside, begins a new one, and works on"}}
}

// what says in one line what was asked for.
func what(e auditlog.Entry) string {
	switch {
	case e.Namespace != "":
		return fmt.Sprintf("sign for %q", e.Namespace)
	case e.User == "":
		return e.Reason
	}
	return fmt.Sprintf("log in as %s, host %s (%s)", e.User, e.HostKey, e.Proof)
}
