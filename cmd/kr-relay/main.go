// Kr-relay keeps sealed mail between computers and phones, and serves the phone
// app. See package relayd.
package main

import (
	"os"

	"kryptonite/internal/relayd"
	"kryptonite/internal/version"
	"kryptonite/web"
)

func main() {
	app, built := web.App()
	os.Exit(relayd.Main(os.Args[1:], relayd.Built{Version: version.String(), App: app, HasApp: built}, os.Stdout, os.Stderr))
}
