package phoneterm

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/phone"
	"kryptonite/internal/term"
)

func logCmd(e *env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "log",
		Short: "Show what this phone decided",
		Long: `Show what this phone decided, oldest first: when, for which computer, what, and
how far the host was proved. The entries are a chain of hashes; one that was
changed, dropped or reordered is named, and the exit code is 1.`,
		Example: "  $ kr-phone log\n  $ kr-phone log --json",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runLog(e, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func runLog(e *env, asJSON bool) error {
	o, err := openAny()
	if err != nil {
		return err
	}
	defer o.close()
	entries, _, err := phone.Log(o.records)
	for _, entry := range entries {
		if asJSON {
			b, err := json.Marshal(entry)
			if err != nil {
				return fmt.Errorf("print the log: %w", err)
			}
			e.io.Printf("%s\n", b)
			continue
		}
		e.io.Printf("%s\t%s\t%s\t%s\n", entry.Time().Format(time.RFC3339), term.CleanMax(entry.Computer, 64), entry.Decision, term.CleanMax(what(entry), 200))
	}
	if broken := new(auditlog.BrokenError); errors.As(err, &broken) {
		return &term.Problem{Err: fmt.Errorf("the log is not what was written: %w", err),
			Hints: []string{"somebody has changed the files of this phone, or the disk is damaged"}}
	}
	return err
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
