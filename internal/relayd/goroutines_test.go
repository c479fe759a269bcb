package relayd

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

const strangerRuns = "STRANGER_RUNS" // arguments of kr-relay, for TestMain

// TestMain: no test leaves a goroutine behind. It is another user's kr-relay where a
// test starts the test's program so.
func TestMain(m *testing.M) {
	args, is := os.LookupEnv(strangerRuns)
	if !is {
		goleak.VerifyTestMain(m)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	os.Exit(Run(ctx, strings.Fields(args), testBuilt, os.Stdout, os.Stderr))
}
