// Kr pairs phones and manages krd. See package cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"kryptonite/internal/cli"
	"kryptonite/internal/term"
	"kryptonite/web"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	os.Exit(cli.Main(ctx, os.Args[1:], term.System("kr"), web.Hashes))
}
