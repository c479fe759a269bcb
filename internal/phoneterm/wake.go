package phoneterm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/phone"
	"kryptonite/internal/term"
	"kryptonite/internal/wake/sns"
	"kryptonite/internal/wire"
)

// awake is how long an app works that a push has started; Apple gives it 30 s.
const awake = 25 * time.Second

const maxBrought = 64 << 10 // bytes of a file

func wakeCmd(e *env) *cobra.Command {
	var approve string
	c := &cobra.Command{
		Use:   "wake FILE",
		Short: "Play an app that a push starts",
		Long: `Stands in for an app that a push of Apple or Google starts. There is no such app yet.

A phone's system gives the app a token for pushes. Here --push-token names a file that
has it in one line, PLATFORM:TOKEN; PLATFORM is APNS, APNS_SANDBOX or GCM. An empty
file takes it back. kr-phone run tells it to the computers. While no kr-phone runs,
they push by Amazon SNS, in their user's AWS account (kr channel add sns).

FILE is what such a push brings to the app: the payload, or of Google's the data, as
JSON. kr-phone wake does what it asks for, as kr-phone run would, for 25 seconds, and
longer while a question is open.`,
		Example: "  $ kr-phone run --push-token token\n  $ kr-phone wake payload.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			mode, err := parseApprove(c, approve)
			if err != nil {
				return err
			}
			return runWake(c.Context(), e, mode, args[0])
		},
	}
	approveFlag(c, &approve)
	return c
}

func runWake(ctx context.Context, e *env, approve phone.Approve, file string) error {
	payload, err := readBounded(file)
	if err != nil {
		return fmt.Errorf("read what the push brought: %w", err)
	}
	frame, err := sns.Frame(payload)
	if err != nil {
		return err
	}
	over := time.NewTimer(awake)
	defer over.Stop()
	return e.work(ctx, approve, frame, over.C)
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBrought))
}

// register tells the core what --push-token says. The token is in a file, as
// arguments are for everyone on the machine to read.
func (e *env) register(ctx context.Context, r *runner) error {
	if e.pushToken == "" {
		return nil
	}
	b, err := readBounded(e.pushToken)
	if err != nil {
		return fmt.Errorf("read the push token: %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	platform, token, _ := strings.Cut(line, ":")
	t := wire.PushToken{Platform: platform, Token: token}
	if line != "" && t.Check() != nil {
		return &term.Problem{Err: errors.New("the file for --push-token does not say PLATFORM:TOKEN"), Code: 2,
			Hints: []string{"PLATFORM is APNS, APNS_SANDBOX or GCM; tokens of the first two are lower-case hex", "see: kr-phone wake --help"}}
	}
	return r.post(ctx, phone.Registered{Platform: platform, Token: token})
}
