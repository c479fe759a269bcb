package cli

import (
	"context"
	"errors"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
)

func runCheckSQS(ctx context.Context, e *env, o checkOptions) error {
	cfg, err := e.readConfig()
	if err != nil {
		return err
	}
	if cfg.SQS == nil {
		return &term.Problem{Err: errors.New("sqs is not set up"), Code: codeUsage, Hints: []string{"kr channel add sqs --region eu-central-1"}}
	}
	if !o.json {
		e.io.Sayf("krd tries queues in your AWS account; it takes a minute or two …\n")
	}
	out, err := e.krd.CheckSQS(ctx, *cfg.SQS)
	if err != nil {
		return err
	}
	broken := ""
	for _, f := range out.Facts {
		broken = first(broken, f.Problem)
	}
	if o.json {
		err = e.printJSON(struct {
			SchemaVersion int `json:"schema_version"`
			control.SQSCheck
		}{control.SchemaVersion, out})
	} else {
		e.showFacts(out.Facts)
	}
	if err != nil || broken == "" {
		return err
	}
	return &term.Problem{Err: errors.New("SQS cannot be used as it is"), Code: codeNoAnswer,
		Hints: []string{"what the IAM user needs: kr channel policy sqs", "what an answer means: docs/aws.md"}}
}

func (e *env) showFacts(facts []control.Fact) {
	for _, f := range facts {
		if f.Problem == "" {
			e.io.Printf("ok    %s\n", term.Clean(f.What))
		} else {
			e.io.Printf("fail  %s: %s\n", term.Clean(f.What), term.CleanMax(f.Problem, 300))
		}
	}
}
