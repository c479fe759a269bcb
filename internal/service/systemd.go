package service

import (
	"fmt"
	"path/filepath"
	"strings"
)

// SystemdProbe returns a command that succeeds where a systemd user instance
// answers.
func SystemdProbe() []string { return []string{"systemctl", "--user", "show-environment"} }

// Systemd returns a systemd user service with socket activation. config is the
// user's configuration directory, ~/.config as a rule.
func Systemd(config string, s Spec) Service {
	dir := filepath.Join(config, "systemd", "user")
	units := []string{"krd.socket", "krd.service"}
	ctl := func(args ...string) []string { return append([]string{"systemctl", "--user"}, args...) }
	run := func(verb string) Command { return Command{Args: ctl(append(strings.Fields(verb), units...)...)} }
	reload := Command{Args: ctl("daemon-reload")}
	return Service{
		Name: "systemd user service",
		Files: []File{
			{filepath.Join(dir, units[0]), s.socketUnit()},
			{filepath.Join(dir, units[1]), s.serviceUnit()},
		},
		Check: ctl(append([]string{"is-enabled", "--quiet"}, units...)...),
		// A socket that runs without its new unit would not be made anew: stop.
		Enable: []Command{reload, run("stop"), run("enable --now")},
		Start:  []Command{reload, run("start")},
		Stop:   []Command{run("stop")},
		Remove: []Command{run("disable --now")},
		Forget: []Command{reload},
	}
}

func (s Spec) socketUnit() string {
	var listen strings.Builder
	for _, name := range s.Sockets {
		fmt.Fprintf(&listen, "ListenStream=%s\n", percents(s.path(name)))
	}
	return `# Written by kr setup; kr uninstall removes it.
[Unit]
Description=Sockets of krd, the SSH agent that asks your phone

[Socket]
` + listen.String() + `SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`
}

func (s Spec) serviceUnit() string {
	var cmd []string
	for i, a := range s.args() {
		if i > 0 { // the program is not searched for variables
			a = strings.ReplaceAll(a, "$", "$$")
		}
		cmd = append(cmd, quoted(a))
	}
	return `# Written by kr setup; kr uninstall removes it.
[Unit]
Description=krd, the SSH agent that asks your phone
Requires=krd.socket
After=krd.socket

[Service]
ExecStart=` + strings.Join(cmd, " ") + `
Environment=` + quoted("KR_HOME="+s.Home) + `
StandardOutput=null
StandardError=append:` + percents(s.path(s.Log)) + `
UMask=0077
Restart=on-failure

[Install]
WantedBy=default.target
`
}

// percents keeps systemd from reading specifiers in a path.
func percents(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// quoted is one word of a unit's line.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(s) + `"`
}
