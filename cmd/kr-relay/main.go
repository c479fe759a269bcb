// Kr-relay keeps sealed mail between computers and phones. See package relayd.
package main

import (
	"os"

	"kryptonite/internal/relayd"
	"kryptonite/internal/version"
)

func main() {
	os.Exit(relayd.Main(os.Args[1:], version.String(), os.Stdout, os.Stderr))
}
