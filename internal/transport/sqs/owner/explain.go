package owner

import (
	"context"

	"kryptonite/internal/awsuser"
	"kryptonite/internal/transport/sqs"
)

// explain turns an error of the SDK into one of sqs.Caller's, or what it means
// for a person (package awsuser), without AWS's text. nil stays nil.
func explain(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	answer, err := awsuser.Read(ctx, op, err)
	if answer == nil {
		return err
	}
	said := sqs.NewError(op, answer.Code, answer.Status)
	return answer.Explain(said.Action(), said)
}
