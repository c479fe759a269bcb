// Build builds the web app into web/dist; "go run ./web/build" in the project's
// root. A kr-relay that is built afterwards has it. See package webbuild.
package main

import (
	"fmt"
	"os"

	"kryptonite/internal/webbuild"
)

func main() {
	if err := webbuild.Release(".", "web/dist"); err != nil {
		fmt.Fprintln(os.Stderr, "web/build:", err)
		os.Exit(1)
	}
}
