package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"kryptonite/internal/control"
	"kryptonite/internal/escape"
	"kryptonite/internal/notify"
	"kryptonite/internal/peer"
	"kryptonite/internal/statedir"
	"kryptonite/internal/subprocess"
	"kryptonite/internal/term"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/waitline"
)

const usageText = `krd asks your phone when ssh wants a signature. kr starts it; you need not.

Usage:
  krd [--log-level LEVEL] [--other-agent PATH]

State, sockets and pairings are in ~/.kr, or in the directory that KR_HOME
names. krd stays in the foreground and logs to stderr; end it with Ctrl-C. It
takes the sockets that systemd passes (kr setup writes the units), or makes them.

While a request waits for the phone, a line in ssh's terminal says so, or, where
there is none, a notification on the desktop. KR_QUIET=1, for ssh or for krd, turns
both off. KR_BLUETOOTH_ADAPTER (hci1) chooses an adapter.

Flags:
  --log-level LEVEL   debug, info, warn or error (default info)
  --other-agent PATH  the agent whose keys work, too: its socket, or none
                      (default what SSH_AUTH_SOCK says)
  --version           print the version

Example:
  $ krd --log-level debug
`

// Main is the program krd. It returns the exit code.
func Main(ctx context.Context, args []string, version string, io *term.IO) int {
	fs := flag.NewFlagSet("krd", flag.ContinueOnError)
	fs.SetOutput(io.Err)
	fs.Usage = func() { fmt.Fprint(io.Err, usageText) }
	level := fs.String("log-level", "info", "")
	agent := fs.String("other-agent", "", "")
	showVersion := fs.Bool("version", false, "")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0:
		return io.Fail(&term.Problem{Err: fmt.Errorf("krd takes no arguments, and there is %.80q", fs.Arg(0)), Code: 2, Hints: []string{"see: krd --help"}})
	}
	if *showVersion {
		io.Printf("%s\n", version)
		return 0
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(*level)); err != nil {
		return io.Fail(&term.Problem{Err: fmt.Errorf("unknown log level %q", *level), Code: 2, Hints: []string{"see: krd --help"}})
	}
	other, err := otherAgentPath(*agent, os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return io.Fail(&term.Problem{Err: fmt.Errorf("the other agent: %w", err), Code: 2, Hints: []string{"see: krd --help"}})
	}
	log := slog.New(slog.NewTextHandler(escape.Writer(io.Err), &slog.HandlerOptions{Level: l}))
	if err := subprocess.FixPath(); err != nil {
		return io.Fail(err)
	}
	home, err := statedir.Home(control.HomeVariable, control.HomeName)
	if err != nil {
		return io.Fail(err)
	}
	dir, err := statedir.Open(home)
	if err != nil {
		return io.Fail(err)
	}
	passed, err := peer.Passed()
	if err != nil {
		return io.Fail(err)
	}
	return io.Fail(Run(ctx, Config{Dir: dir, Version: version, Log: log, OtherAgent: other, Passed: passed,
		Desktop: func(ctx context.Context) (waitline.Desk, error) { return notify.Open(ctx) }, Adapter: os.Getenv(bluez.AdapterVariable)}, func() { io.Printf("ready\n") }))
}
