package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
	"kryptonite/internal/wake/sns"
)

// onlyFor is the error of a flag that is for another channel.
func onlyFor(channel, flag string) error {
	return &term.Problem{Err: fmt.Errorf("--%s is for %s", flag, channel), Code: codeUsage, Hints: []string{"see: kr channel add --help"}}
}

func runAddSNS(c *cobra.Command, e *env, s control.SNS) error {
	for _, flag := range []string{"region", "prefix"} {
		if c.Flags().Changed(flag) {
			return onlyFor(channelSQS, flag)
		}
	}
	if len(s.Applications) == 0 {
		return &term.Problem{Err: errors.New("sns needs the ARN of a platform application"), Code: codeUsage,
			Hints: []string{"list them: aws sns list-platform-applications", "see: kr channel add --help"}}
	}
	if err := e.krd.SetSNS(c.Context(), s); err != nil {
		return err
	}
	e.io.Sayf("krd uses it from now on. What the AWS user needs: kr channel policy sns. Try it: kr check --sns\n")
	return nil
}

// runPolicySNS prints the policy for the applications that are set.
func runPolicySNS(c *cobra.Command, e *env) error {
	st, err := e.krd.Status(c.Context())
	if err != nil {
		return err
	}
	if st.SNS == nil {
		return noSNS()
	}
	var apps []sns.Application
	for _, arn := range st.SNS.Applications {
		a, err := sns.ParseApplication(arn)
		if err != nil {
			return err
		}
		apps = append(apps, a)
	}
	e.io.Printf("%s\n", sns.IAMPolicy(apps))
	return nil
}

func noSNS() error {
	return &term.Problem{Err: errors.New("sns is not set up"), Code: codeUsage,
		Hints: []string{"kr channel add sns --platform-application arn:aws:sns:eu-central-1:123456789012:app/APNS/my-app"}}
}

func listSNS(w *tabwriter.Writer, s *control.SNS) {
	if s == nil {
		row(w, channelSNS, "not set")
		return
	}
	for _, arn := range s.Applications {
		row(w, channelSNS, arn+", experimental")
	}
}

// snsText says how it stands with SNS for a phone; "" if there is nothing to say.
func snsText(p control.Push) string {
	switch p.State {
	case control.PushYes:
		return "wakes it by " + term.CleanMax(p.Host, 64)
	case control.PushFailing:
		return "failing: " + term.CleanMax(p.LastError, 200)
	case control.PushGone:
		return "gone: the phone's app takes no pushes any more; open it"
	}
	return ""
}

func runCheckSNS(ctx context.Context, e *env, o checkOptions) error {
	st, err := e.krd.Status(ctx)
	if err != nil {
		return err
	}
	if st.SNS == nil {
		return noSNS()
	}
	out, err := e.krd.CheckSNS(ctx)
	if err != nil {
		return err
	}
	if o.json {
		if err := e.printJSON(struct {
			SchemaVersion int `json:"schema_version"`
			control.SNSCheck
		}{control.SchemaVersion, out}); err != nil {
			return err
		}
	}
	broken := false
	for _, a := range out.Applications {
		if !o.json {
			e.io.Printf("%s\n", term.Clean(a.ARN))
			e.showFacts(a.Facts)
		}
		for _, f := range a.Facts {
			broken = broken || f.Problem != ""
		}
	}
	if !broken {
		e.io.Sayf("That a push arrives, only a phone shows: kr status, after a login with its app closed.\n")
		return nil
	}
	return &term.Problem{Err: errors.New("SNS cannot be used as it is"), Code: codeNoAnswer,
		Hints: []string{"what the IAM user needs: kr channel policy sns", "what an answer means: docs/aws.md"}}
}
