package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"kryptonite/internal/appcheck"
	"kryptonite/internal/term"
)

type checkOptions struct {
	app, sqs, sns, fix, json bool
	url                      string // of the app; "": the configured one
}

func checkCmd(e *env) *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check [--fix] | --app [URL] | --sqs | --sns",
		Short: "Say what works and what does not, and mend it",
		Long: `Looks at everything that a login needs and prints a line for each: ok, warn or fail,
what was seen, and what to type. With --fix it mends what it can: it starts krd or
restarts an old one, closes files to others, and restores what kr setup made. It
makes nothing that kr setup has not made before. Bug reports want these lines.

The exit code is 0 if nothing fails; else that of the first thing that does, as
kr exit-codes says: 6 if krd does not run, 3 without a phone, 4 if a phone has locked
this computer, 5 if a server did not answer, otherwise 1.

With --app it fetches every file of the phone app from the address where your phone opens it,
and compares it with the SHA-256 that is built into this kr. Without URL that is
the configured app, or the relay. Kr and app must come from the same build. It says
what the server served to this computer, now: a server can serve other files to
others, and no check from outside shows that.

With --sqs krd makes two queues in your AWS account, uses them as this computer and as
a phone without credentials, and deletes them. It says which right is missing, or
that your account does not allow it. It takes a minute or two.

With --sns it makes, for each platform application, an endpoint of no device, publishes
to it, and deletes it.`,
		Example: "  $ kr check\n  $ kr check --fix\n  $ kr check --app https://relay.example.com --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.url = first(args...)
			ones := map[*bool]func() error{
				&o.app: func() error { return runCheckApp(c.Context(), e, o, appcheck.Transport()) },
				&o.sqs: func() error { return runCheckSQS(c.Context(), e, o) },
				&o.sns: func() error { return runCheckSNS(c.Context(), e, o) },
			}
			maps.DeleteFunc(ones, func(chosen *bool, _ func() error) bool { return !*chosen })
			switch {
			case o.url != "" && !o.app, o.fix && len(ones) > 0, len(ones) > 1:
			case len(ones) == 0:
				return runCheck(c.Context(), e, o)
			default:
				return slices.Collect(maps.Values(ones))[0]()
			}
			return &term.Problem{Err: errors.New("say one thing to check"), Code: codeUsage,
				Hints: []string{"everything: kr check", "the phone app: kr check --app [URL]", "Amazon SQS: kr check --sqs", "Amazon SNS: kr check --sns"}}
		},
	}
	c.Flags().BoolVar(&o.fix, "fix", false, "mend what can be mended")
	c.Flags().BoolVar(&o.app, "app", false, "check the phone app, every file")
	c.Flags().BoolVar(&o.sqs, "sqs", false, "check that Amazon SQS can be used")
	c.Flags().BoolVar(&o.sns, "sns", false, "check that Amazon SNS can be used")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON (schema_version 1)")
	return c
}

func runCheck(ctx context.Context, e *env, o checkOptions) error {
	if err := notForAnother("kr check"); err != nil {
		return err
	}
	home, err := filepath.Abs(e.home)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	e.home = home
	c := newCheckup(e)
	each := c.show
	if o.json {
		each = func(fact) {}
	}
	facts, err := c.run(ctx, looks(), o.fix, each)
	if err != nil {
		return err
	}
	if o.json {
		if err := e.printJSON(jsonFacts(facts)); err != nil {
			return err
		}
	}
	return result(facts, o.fix)
}
