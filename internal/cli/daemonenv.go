package cli

import "strings"

// lasting is what krd gets of env: that of a session, as a service manager would
// give it, and what is for krd. krd outlives the terminal that starts it, and runs
// ssh and others for all later ones: what a directory, a build or a repository's
// hook has set there (GIT_DIR, LD_PRELOAD, GODEBUG, …) is none of theirs.
func lasting(env []string) (out []string) {
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if isLasting(name) {
			out = append(out, v)
		}
	}
	return out
}

func isLasting(name string) bool {
	switch name {
	case "HOME", "USER", "LOGNAME", "SHELL", "PATH", "TMPDIR", "TZ", "LANG", "LANGUAGE", "SSH_AUTH_SOCK",
		"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SSL_CERT_FILE", "SSL_CERT_DIR":
		return true
	}
	switch strings.ToUpper(name) {
	case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY":
		return true
	}
	for _, prefix := range []string{"KR_", "AWS_", "XDG_", "DBUS_", "LC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
