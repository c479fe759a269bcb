package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
)

// lookAuthSock looks which agent this terminal's programs find that do not read
// ssh's configuration, and whether its keys go through krd.
func lookAuthSock(ctx context.Context, c *checkup) []fact {
	const name = "auth_sock"
	sock := os.Getenv(authSock)
	switch {
	case sock == "":
		return okay(name, "%s is not set here; ssh finds krd by its configuration", authSock)
	case sameFile(sock, c.agentSocket()):
		return okay(name, "%s leads to krd", authSock)
	case !filepath.IsAbs(sock):
		return warn(name, "unset "+authSock, "%s is %q, no absolute path", authSock, sock)
	}
	if _, err := agentKeys(ctx, sock); err != nil {
		return warn(name, "unset "+authSock, "%s is %s, where no agent answers: %v", authSock, sock, err)
	}
	st, err := c.krdStatus(ctx)
	if err == nil && (st.OtherAgent == nil || !sameFile(sock, st.OtherAgent.Path)) {
		return warn(name, "kr config set agent "+shellQuoted(sock)+", if it lasts longer than this terminal; then what that says",
			"%s is another agent, %s, and its keys do not come through krd", authSock, sock)
	}
	return okay(name, "%s is another agent, %s; its keys come through krd", authSock, sock)
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return a == b || err1 == nil && err2 == nil && os.SameFile(x, y)
}

// lookOtherAgent asks krd how the agent is whose keys it passes on.
func lookOtherAgent(ctx context.Context, c *checkup) []fact {
	const name = "other_agent"
	st, err := c.krdStatus(ctx)
	if err != nil || st.OtherAgent == nil {
		return nil
	}
	if o := st.OtherAgent; !o.Reachable {
		return warn(name, "start that agent; or kr config set agent none, then what that says", "%s: %s", o.Path, otherText(o))
	}
	return okay(name, "%s: %s, which come through krd", st.OtherAgent.Path, otherText(st.OtherAgent))
}

// lookEnvironment looks which agent programs of the desktop find, where setup has
// seen to that.
func lookEnvironment(ctx context.Context, c *checkup) []fact {
	const name = "environment"
	r, err := c.record()
	if err != nil {
		return nil // as lookService says
	}
	v, ok, err := c.environment(r.Service)
	if err != nil || !ok || !slices.Contains(r.Beside, v.File.Path) {
		return nil
	}
	s := newSetup(c)
	if err := s.begin(); err != nil {
		return nil
	}
	s.shown = c.shownSock(ctx, r.Service)
	if b, err := os.ReadFile(v.File.Path); err == nil && string(b) == v.File.Content && s.shown == c.agentSocket() {
		return okay(name, "programs of the desktop find krd by %s", authSock)
	}
	text := "programs of the desktop do not find krd"
	if s.shown != "" {
		text = "programs of the desktop find another agent, " + s.shown + ", and not krd"
	}
	if !s.mayTakeEnvironment() {
		return warn(name, "kr setup, which sees to both", "%s", text)
	}
	if err := s.planEnvironment(r.Service); err != nil {
		return one(fact{name: name, state: factFail, text: err.Error(), fix: "kr setup"})
	}
	return one(fact{name: name, state: factWarn, text: text + "; if it is so after each login, something else sets " + authSock, fix: "kr setup",
		did: "let programs of the desktop find krd: " + s.brief(), mend: s.perform})
}
