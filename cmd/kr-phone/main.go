// Kr-phone is the phone in a terminal. See package phoneterm.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"kryptonite/internal/coredump"
	"kryptonite/internal/phoneterm"
	"kryptonite/internal/term"
)

func main() {
	if err := coredump.Off(); err != nil {
		fmt.Fprintln(os.Stderr, "kr-phone:", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	os.Exit(phoneterm.Main(ctx, os.Args[1:], term.System("kr-phone")))
}
