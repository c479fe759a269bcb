package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/wire"
)

// The channels' words for people, as their links give them.
const (
	channelRelay     = "relay"
	channelBluetooth = "bluetooth"
	channelSQS       = "sqs"
	channelSNS       = "sns" // only wakes
)

const usualPrefix = "kryptonite-" // of the names of queues

func channelCmd(e *env) *cobra.Command {
	c := &cobra.Command{Use: "channel", Short: "Show and choose the ways to your phone",
		Example: "  $ kr channel add sqs --region eu-central-1\n  $ kr channel list"}
	set := control.SQS{Prefix: usualPrefix}
	var apps []string
	add := &cobra.Command{
		Use:   "add relay URL | bluetooth | sqs | sns",
		Short: "Use a relay, Bluetooth, queues at Amazon SQS, or Amazon SNS to wake phones",
		Long: `relay lets new pairings use a relay, as kr config set relay does. Phones that are paired
without one get it now, and are told.

sqs lets pairings use two queues each at Amazon SQS in your own AWS account, beside the
relay if there is one, else alone. Phones that are paired get theirs now, and are told.
Credentials are found as AWS's tools find them: environment, ~/.aws, SSO. krd looks for
them, so its environment counts: kr daemon restart takes up yours.

Experimental: that a phone without credentials may use such queues is what AWS's
documents say; it was not tried against AWS. docs/aws.md has a check of five minutes.

sns lets krd wake phones by pushes of Apple and Google, at once, also those that are
paired. It takes a native app on the phone, and that app's credentials for pushes as a
platform application in your AWS account, one for each platform; the region is in its
ARN. No such app is shipped yet; kr-phone plays one. Experimental, too.

bluetooth lets pairings, also those that there are, work without any network, on Linux
by BlueZ. This computer can be seen only while it asks. docs/bluetooth.md has more.`,
		Example: "  $ kr channel add bluetooth\n  $ kr channel add sqs --region eu-central-1 --profile me\n" +
			"  $ kr channel add sns --platform-application arn:aws:sns:eu-central-1:123456789012:app/APNS/my-app",
		Args: channelToAdd,
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == channelRelay {
				return runAddRelay(c, e, args[1])
			}
			if args[0] == channelSNS {
				return runAddSNS(c, e, control.SNS{Applications: apps, Profile: set.Profile, Endpoint: set.Endpoint})
			}
			if len(apps) > 0 {
				return onlyFor(channelSNS, "platform-application")
			}
			if args[0] == channelBluetooth {
				return runAddBluetooth(c, e)
			}
			return runChannelAdd(c.Context(), e, set)
		},
	}
	add.Flags().StringArrayVar(&apps, "platform-application", nil, "for sns: ARN of a platform application of APNS, APNS_SANDBOX or GCM; one a platform")
	add.Flags().StringVar(&set.Region, "region", "", "for sqs: AWS region (default the profile's, or AWS_REGION)")
	add.Flags().StringVar(&set.Profile, "profile", "", "profile in ~/.aws/config (default AWS_PROFILE, or default)")
	add.Flags().StringVar(&set.Endpoint, "endpoint", "", "URL of the service, if not AWS's own")
	add.Flags().StringVar(&set.Prefix, "prefix", usualPrefix, "for sqs: what names of queues begin with")
	c.AddCommand(add,
		&cobra.Command{Use: "remove relay | bluetooth | sqs | sns", Short: "Use no relay, Bluetooth, queues or SNS any more, also for phones that are paired", Args: oneChannel(channelRelay, channelBluetooth, channelSQS, channelSNS),
			RunE: func(c *cobra.Command, args []string) error {
				switch args[0] {
				case channelRelay:
					return runRemoveRelay(c.Context(), e)
				case channelBluetooth:
					return runRemoveBluetooth(c.Context(), e)
				case channelSNS:
					return e.krd.SetSNS(c.Context(), control.SNS{})
				}
				return runChannelRemove(c.Context(), e)
			}},
		&cobra.Command{Use: "policy sqs | sns", Short: "Print the IAM policy that krd's AWS user needs", Args: oneChannel(channelSQS, channelSNS),
			RunE: func(c *cobra.Command, args []string) error {
				if args[0] == channelSNS {
					return runPolicySNS(c, e)
				}
				return runChannelPolicy(e)
			}},
		&cobra.Command{Use: "list", Short: "List the channels, and how they do for each phone", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error { return runChannelList(c, e) }},
	)
	return c
}

// oneChannel takes one of these channels.
func oneChannel(of ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(1)(c, args); err != nil {
			return err
		}
		if !slices.Contains(of, args[0]) {
			return &term.Problem{Err: fmt.Errorf("%q is no channel that this is for", args[0]), Code: codeUsage,
				Hints: []string{"there are " + strings.Join(of, ", ")}}
		}
		return nil
	}
}

// channelToAdd takes a channel, and where a relay is.
func channelToAdd(c *cobra.Command, args []string) error {
	if len(args) > 0 && args[0] == channelRelay {
		return cobra.ExactArgs(2)(c, args)
	}
	return oneChannel(channelRelay, channelBluetooth, channelSQS, channelSNS)(c, args)
}

func runChannelAdd(ctx context.Context, e *env, s control.SQS) error {
	wrong := func(err error) error {
		return &term.Problem{Err: err, Code: codeUsage, Hints: []string{"see: kr channel add --help"}}
	}
	if s.Region != "" && !wire.ValidRegion(s.Region) {
		return wrong(fmt.Errorf("%q is no AWS region that a phone can reach", s.Region))
	}
	if !wire.ValidQueuePrefix(s.Prefix) {
		return wrong(fmt.Errorf("%q is no prefix for queues: at most %d of a-z, 0-9 and '-'", s.Prefix, wire.MaxQueuePrefix))
	}
	if u, err := url.Parse(s.Endpoint); s.Endpoint != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil) {
		return wrong(errors.New("the endpoint is no URL as in https://sqs.eu-central-1.amazonaws.com"))
	}
	if err := setSQS(e, &s); err != nil {
		return err
	}
	e.io.Sayf("New pairings use it: kr pair. What the AWS user needs: kr channel policy sqs\n")
	out, err := e.krd.AddSQS(ctx, s)
	return e.sayChanged(out, err, "has queues now; it is told by the channels that it has", "what the IAM user needs: kr channel policy sqs", "the same command goes on from here")
}

func runChannelRemove(ctx context.Context, e *env) error {
	if err := setSQS(e, nil); err != nil {
		return err
	}
	out, err := e.krd.RemoveSQS(ctx)
	return e.sayChanged(out, err, "loses its queues", "give it another channel first: kr channel add relay https://relay.example.com", "and open the phone app, which takes it")
}

// sayChanged says what became of the phones' channels; next is what a person can
// do where that was not what was asked for.
func (e *env) sayChanged(out control.ChangedChannels, err error, changed string, next ...string) error {
	if off := new(control.NotRunningError); errors.As(err, &off) {
		e.io.Sayf("krd is not running. Phones that are paired: kr daemon start, and the same again.\n")
		return nil
	}
	if err != nil {
		return err
	}
	failed := error(nil)
	for _, p := range out.Phones {
		name := term.CleanMax(p.Name, 64)
		switch {
		case p.Problem != "":
			failed = errors.Join(failed, fmt.Errorf("%s: %s", name, term.CleanMax(p.Problem, 300)))
		case p.Changed:
			e.io.Sayf("%s %s.\n", name, changed)
		}
	}
	if failed == nil {
		return nil
	}
	return &term.Problem{Err: failed, Code: codeNoAnswer, Hints: next}
}

func setSQS(e *env, s *control.SQS) error {
	cfg, d, err := e.rawConfig()
	if err != nil {
		return err
	}
	cfg.SQS = s
	return d.WriteJSON(configFile, configVersion, cfg)
}

func runChannelPolicy(e *env) error {
	cfg, err := e.readConfig()
	if err != nil {
		return err
	}
	s := control.SQS{Prefix: usualPrefix}
	if cfg.SQS != nil {
		s = *cfg.SQS
	}
	e.io.Printf("%s\n", sqs.IAMPolicy(first(s.Region, "*"), s.Prefix))
	return nil
}

func runChannelList(c *cobra.Command, e *env) error {
	cfg, err := e.readConfig()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.io.Text(), 0, 0, 2, ' ', 0)
	row(w, channelRelay, first(cfg.Relay, "not set"))
	switch s := cfg.SQS; {
	case s == nil:
		row(w, channelSQS, "not set")
	default:
		row(w, channelSQS, first(s.Region, "the region of AWS's settings")+", experimental")
	}
	row(w, channelBluetooth, bluetoothText(c.Context(), cfg))
	st, err := e.krd.Status(c.Context())
	if err != nil {
		return errors.Join(w.Flush(), err)
	}
	listSNS(w, st.SNS)
	for _, p := range st.Phones {
		row(w, "phone", term.CleanMax(p.Name, 64))
		for _, l := range p.Links {
			row(w, "  "+l.Name, linkText(l))
		}
		if text := snsText(p.SNS); text != "" {
			row(w, "  "+channelSNS, text)
		}
	}
	return w.Flush()
}
