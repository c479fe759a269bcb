// Krd is the SSH agent that asks a phone. See package daemon.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"kryptonite/internal/coredump"
	"kryptonite/internal/daemon"
	"kryptonite/internal/term"
	"kryptonite/internal/version"
)

func main() {
	if err := coredump.Off(); err != nil {
		fmt.Fprintln(os.Stderr, "krd:", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	os.Exit(daemon.Main(ctx, os.Args[1:], version.String(), term.System("krd")))
}
