package cli

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"kryptonite/internal/sshagent"
	"kryptonite/internal/term"
	"kryptonite/internal/version"
)

// codeNotRunning is that of control.NotRunningError.
const codeNotRunning = 6

// endHung is the next step where krd runs and does not answer.
const endHung = "if it hangs, end it: pgrep -lx krd, then kill -KILL its number"

// lookSettings reads config.json.
func lookSettings(_ context.Context, c *checkup) []fact {
	const name = "settings"
	cfg, err := c.savedConfig()
	if err != nil {
		return one(fact{name: name, state: factFail, text: err.Error(), fix: "kr config list, then kr config set what is missing"})
	}
	for _, s := range settings() {
		if _, err := s.canonical(*s.field(&cfg)); err != nil {
			return one(fact{name: name, state: factFail, text: fmt.Sprintf("the setting %s: %v", s.name, err), fix: "kr config set " + s.name + " " + s.example})
		}
	}
	return okay(name, "they can be read")
}

// lookKrd asks whether krd runs, and whether it is of the same build as kr.
func lookKrd(ctx context.Context, c *checkup) []fact {
	const name = "krd"
	st, err := c.krdStatus(ctx)
	switch {
	case notRunning(err):
		return one(fact{name: name, state: factFail, code: codeNotRunning, text: err.Error(), fix: "kr daemon start",
			did: "started krd", mend: func(ctx context.Context) error { return startDaemon(ctx, c.env) }})
	case err != nil:
		return one(fact{name: name, state: factFail, code: codeNotRunning, text: "krd does not answer: " + err.Error(), fix: "kr daemon logs; " + endHung})
	case st.Version == version.String():
		return okay(name, "krd %s runs, process %d, up %s", st.Version, st.PID, c.now().Sub(st.Started).Round(time.Second))
	}
	f := fact{name: name, state: factWarn, text: fmt.Sprintf("krd %s runs, and this is kr %s", st.Version, version.String()), fix: "kr daemon restart"}
	path, err := findKrd()
	if err != nil {
		f.fix = "put krd of the same build beside kr, then kr daemon restart"
		return one(f)
	}
	if v := programVersion(ctx, path); v != version.String() {
		f.fix = fmt.Sprintf("install a krd of the same build; %s is %s", tilde(path), first(v, "of an unknown version"))
		return one(f)
	}
	f.did, f.mend = "restarted krd, as it was "+st.Version, func(ctx context.Context) error { return restartDaemon(ctx, c.env) }
	return one(f)
}

// programVersion is what a program of ours says of its version.
func programVersion(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	return term.CleanMax(string(bytes.TrimSpace(out)), 64)
}

// lookService looks whether krd will run after the next login, as setup left it.
func lookService(ctx context.Context, c *checkup) []fact {
	const name = "service"
	r, err := c.record()
	if err != nil {
		return one(fact{name: name, state: factFail, text: err.Error(), fix: "kr setup"})
	}
	switch {
	case r.Service == "":
		return warn(name, "kr setup", "krd does not start by itself: kr setup was not run")
	case r.Service == kindBackground && kindHere(ctx) == kindBackground:
		return warn(name, "kr daemon start, after each reboot", "nothing on this system starts krd after a reboot")
	case r.Service == kindBackground:
		return warn(name, "kr setup", "krd does not start by itself, and it could")
	case r.Service == kindSystemd && kindHere(ctx) != kindSystemd:
		return one(fact{name: name, state: factFail, text: "systemctl --user does not answer here", fix: "log in as this user anew (not by su or sudo)"})
	}
	s := newSetup(c)
	if err := s.begin(); err != nil {
		return one(fact{name: name, state: factFail, text: err.Error(), fix: "kr setup"})
	}
	if err := s.planService(ctx, r.Service); err != nil {
		return one(fact{name: name, state: factFail, text: err.Error(), fix: "kr setup"})
	}
	if len(s.steps) == 0 {
		svc, _, _ := c.installed()
		return okay(name, "a %s starts krd", svc.Name)
	}
	return one(fact{name: name, state: factFail, text: "the service is not as kr setup made it; it would " + s.brief(), fix: "kr setup",
		did: "restored the service: " + s.brief(), mend: s.perform})
}

// lookSocket asks for the keys as ssh does.
func lookSocket(ctx context.Context, c *checkup) []fact {
	const name = "socket"
	if _, err := c.krdStatus(ctx); err != nil {
		return nil // as lookKrd says
	}
	path := c.agentSocket()
	restart := func(ctx context.Context) error { return restartDaemon(ctx, c.env) }
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return one(fact{name: name, state: factFail, text: fmt.Sprintf("krd runs, and its socket %s is not there any more", tilde(path)), fix: "kr daemon restart",
			did: "restarted krd, as its socket was gone", mend: restart})
	}
	n, err := agentKeys(ctx, path)
	if err != nil {
		return one(fact{name: name, state: factFail, text: fmt.Sprintf("%s: %v", tilde(path), err), fix: "kr daemon restart",
			did: "restarted krd, as its socket did not answer", mend: restart})
	}
	return okay(name, "%s answers, with %s", tilde(path), count(n, "key"))
}

// agentKeys counts the keys of the agent at a socket.
func agentKeys(ctx context.Context, path string) (int, error) {
	other := sshagent.Other{Dial: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "unix", path) }}
	keys, err := other.List(ctx)
	return len(keys), err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
