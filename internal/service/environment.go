package service

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Environment is one variable that programs get which no shell starts: those of
// the desktop. It writes no file and runs no command, either.
type Environment struct {
	File    File      // sets the variable at each login
	Enable  []Command // set it for what starts from now on
	Restore func(before string) []Command

	Show  []string                   // a command that prints what programs that start now get
	Value func(output string) string // of the variable, as Show printed it; "": none
}

// SystemdEnvironment is a variable of what a systemd user instance starts. config
// is the user's configuration directory. What other services set while they start
// (systemctl --user set-environment) goes before the file.
//
// References: environment.d(5), systemctl(1).
func SystemdEnvironment(config, name, value string) Environment {
	ctl := func(args ...string) []Command {
		return []Command{{Args: append([]string{"systemctl", "--user"}, args...)}}
	}
	return Environment{
		File: File{filepath.Join(config, "environment.d", "90-kr.conf"),
			"# Written by kr setup; kr uninstall removes it.\n" + name + "=" + strings.ReplaceAll(quotedOnce(value), "$", "$$") + "\n"},
		Enable: ctl("set-environment", name+"="+value),
		Restore: func(before string) []Command {
			if before == "" {
				return ctl("unset-environment", name)
			}
			return ctl("set-environment", name+"="+before)
		},
		Show: SystemdProbe(),
		Value: func(output string) string {
			for line := range strings.Lines(output) {
				if v, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), name+"="); ok {
					return unquoted(v)
				}
			}
			return ""
		},
	}
}

// quotedOnce is one word in double quotes, as shells and environment.d take it.
func quotedOnce(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(s) + `"`
}

// unquoted undoes the quotes that systemctl puts around what a shell would not
// take for one word: $'…' or "…", with backslashes.
func unquoted(s string) string {
	inner, ok := strings.CutPrefix(strings.TrimSuffix(s, "'"), "$'")
	if !ok {
		if inner, ok = strings.CutPrefix(strings.TrimSuffix(s, `"`), `"`); !ok {
			return s
		}
	}
	var out strings.Builder
	for escaped, rest := false, inner; rest != ""; rest = rest[1:] {
		if !escaped && rest[0] == '\\' {
			escaped = true
			continue
		}
		escaped = false
		out.WriteByte(rest[0])
	}
	return out.String()
}

// LaunchdEnvironment is a variable of what launchd starts in the session of the
// user with this home directory: a LaunchAgent sets it at each login.
//
// References: launchd.plist(5), launchctl(1).
func LaunchdEnvironment(home, name, value string) Environment {
	const label = "kryptonite.environment"
	ctl := func(args ...string) []Command { return []Command{{Args: append([]string{"launchctl"}, args...)}} }
	return Environment{
		File: File{filepath.Join(home, "Library", "LaunchAgents", label+".plist"), fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by kr setup; kr uninstall removes it. -->
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>%s</string>
	<key>ProgramArguments</key>
	<array>
		<string>/bin/launchctl</string>
		<string>setenv</string>
		<string>%s</string>
		<string>%s</string>
	</array>
	<key>RunAtLoad</key>
	<true/>
</dict>
</plist>
`, label, text(name), text(value))},
		Enable: ctl("setenv", name, value),
		Restore: func(before string) []Command {
			if before == "" {
				return ctl("unsetenv", name)
			}
			return ctl("setenv", name, before)
		},
		Show:  []string{"launchctl", "getenv", name},
		Value: func(output string) string { return strings.TrimSuffix(output, "\n") },
	}
}
