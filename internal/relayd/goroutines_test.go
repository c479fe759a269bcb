package relayd

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

const strangerRuns = "STRANGER_RUNS" // arguments of kr-relay, or "play SOCKET FILE", for TestMain

// TestMain: no test leaves a goroutine behind. It is another user's kr-relay where a
// test starts the test's program so.
func TestMain(m *testing.M) {
	args, is := os.LookupEnv(strangerRuns)
	if !is {
		goleak.VerifyTestMain(m)
		return
	}
	if a := strings.Fields(args); a[0] == "play" {
		fmt.Printf("error: %v\n", strangerPlays(a[1], a[2]))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	os.Exit(Run(ctx, strings.Fields(args), testBuilt, os.Stdout, os.Stderr))
}

// strangerPlays sends a file to whoever connects first, as a relay sends its store.
func strangerPlays(socket, file string) error {
	sent, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	if _, err = conn.Write(sent); err != nil {
		return err
	}
	return conn.Close()
}
