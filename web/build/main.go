// Build builds the web app into web/dist; "go run ./web/build" in the project's
// root. See package webbuild.
package main

import (
	"fmt"
	"os"

	"kryptonite/internal/webbuild"
)

func main() {
	if err := webbuild.Build(".", "web/dist"); err != nil {
		fmt.Fprintln(os.Stderr, "web/build:", err)
		os.Exit(1)
	}
}
