package cli

import (
	"context"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
)

// noAWS refuses the flags that are for channels of AWS.
func noAWS(c *cobra.Command) error {
	for _, flag := range []string{"region", "profile", "endpoint", "prefix"} {
		if c.Flags().Changed(flag) {
			return onlyFor(channelSQS, flag)
		}
	}
	if c.Flags().Changed("platform-application") {
		return onlyFor(channelSNS, "platform-application")
	}
	return nil
}

func runAddRelay(c *cobra.Command, e *env, origin string) error {
	if err := noAWS(c); err != nil {
		return err
	}
	if err := runConfigSet(e, channelRelay, origin); err != nil {
		return err
	}
	out, err := e.krd.AddRelay(c.Context(), control.Relay{Origin: origin})
	return e.sayChanged(out, err, "has a mailbox there now; it is told by the channels that it has",
		"one that has another relay: kr channel remove relay first, once it has SQS", "the same command goes on from here")
}

func runRemoveRelay(ctx context.Context, e *env) error {
	if err := runConfigSet(e, channelRelay, ""); err != nil {
		return err
	}
	out, err := e.krd.RemoveRelay(ctx)
	return e.sayChanged(out, err, "loses its mailbox", "give it another channel first: kr channel add sqs", "and open the phone app, which takes it")
}
