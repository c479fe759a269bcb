package service

import (
	"encoding/xml"
	"fmt"
	"path/filepath"
	"strings"
)

// label names the LaunchAgent; it is the file's name, too.
const label = "kryptonite.krd"

// Launchd returns a LaunchAgent of the user with this home directory and uid.
// launchd starts krd at login; krd makes its sockets itself.
//
// launchctl refuses to load what is loaded ("Bootstrap failed: 5") and to unload
// what is not (3), and may return from unloading while krd still ends (36).
func Launchd(home string, uid int, s Spec) Service {
	path := filepath.Join(home, "Library", "LaunchAgents", label+".plist")
	domain := fmt.Sprintf("gui/%d", uid)
	loaded := []string{"launchctl", "print", domain + "/" + label}
	unload := Command{Args: []string{"launchctl", "bootout", domain + "/" + label}, Ends: loaded}
	load := Command{Args: []string{"launchctl", "bootstrap", domain, path}}
	return Service{
		Name:   "LaunchAgent",
		Files:  []File{{path, s.plist()}},
		Check:  loaded,
		Enable: []Command{unload, load},
		Start:  []Command{unload, load}, // loaded and not running: as after krd ended by itself
		Stop:   []Command{unload},
		Remove: []Command{unload},
	}
}

func (s Spec) plist() string {
	var args strings.Builder
	for _, a := range s.args() {
		args.WriteString("\t\t<string>" + text(a) + "</string>\n")
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by kr setup; kr uninstall removes it. -->
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + label + `</string>
	<key>ProgramArguments</key>
	<array>
` + args.String() + `	</array>
	<key>EnvironmentVariables</key>
	<dict>
		<key>KR_HOME</key>
		<string>` + text(s.Home) + `</string>
	</dict>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>Umask</key>
	<integer>63</integer>
	<key>StandardErrorPath</key>
	<string>` + text(s.path(s.Log)) + `</string>
</dict>
</plist>
`
}

func text(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
