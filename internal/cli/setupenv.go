package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"kryptonite/internal/service"
)

// authSock is the variable by which programs find an agent that do not read
// ssh's configuration.
const authSock = "SSH_AUTH_SOCK"

// environment is that of the user's session, where this kind of system has one
// that can be set.
func (e *env) environment(kind serviceKind) (v service.Environment, ok bool, err error) {
	switch kind {
	case kindSystemd:
		config, err := os.UserConfigDir()
		if err != nil {
			return v, false, fmt.Errorf("find the directory of the session's environment: %w", err)
		}
		return service.SystemdEnvironment(config, authSock, e.agentSocket()), true, nil
	case kindLaunchd:
		home, err := os.UserHomeDir()
		if err != nil {
			return v, false, fmt.Errorf("find the directory of the session's environment: %w", err)
		}
		return service.LaunchdEnvironment(home, authSock, e.agentSocket()), true, nil
	}
	return v, false, nil
}

// shownSock is the agent that programs which the session starts now would find,
// or "".
func (e *env) shownSock(ctx context.Context, kind serviceKind) string {
	v, ok, err := e.environment(kind)
	if !ok || err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, v.Show[0], v.Show[1:]...).Output()
	if err != nil {
		return ""
	}
	return v.Value(string(out))
}

// planEnvironment lets programs of the desktop find krd, unless keys of an agent
// that they have now would be lost by that: krd passes on those of one agent, at
// a path that lasts.
func (s *setup) planEnvironment(kind serviceKind) error {
	v, ok, err := s.environment(kind)
	if !ok || err != nil {
		return err
	}
	if !s.mayTakeEnvironment() {
		if steps := s.endEnvironment(v, s.had, s.shown); len(steps) > 0 {
			s.steps = append(s.steps, steps...)
			s.now.AuthSock = ""
			s.now.Beside = slices.DeleteFunc(s.now.Beside, func(path string) bool { return path == v.File.Path })
		}
		return nil
	}
	write, err := s.files([]service.File{v.File}, s.had.Beside)
	if err != nil {
		return err
	}
	s.beside(v.File.Path)
	s.steps = append(s.steps, write...)
	if s.shown != s.agentSocket() {
		s.now.AuthSock = s.shown
		s.steps = append(s.steps, commands(v.Enable)...)
	}
	return nil
}

// mayTakeEnvironment says whether nobody loses keys, and nobody minds.
func (s *setup) mayTakeEnvironment() bool {
	if s.cfg.Environment == noEnvironment {
		return false
	}
	lost := slices.DeleteFunc(s.agents(), func(sock string) bool { return sock == s.cfg.Agent || s.forwarded(sock) })
	if len(lost) == 0 || s.cfg.Agent == noAgent {
		return true
	}
	s.notes = append(s.notes, fmt.Sprintf("programs of the desktop that do not read ssh's configuration go on with the agent that they have (%s). "+
		"To let them find krd: kr config set agent PATH, of an agent that krd can pass on, or none; then kr setup.", lost[0]))
	return false
}

// endEnvironment takes back what planEnvironment did: programs find what they
// found before. Where something else has set the variable since (shown), that
// stays.
func (e *env) endEnvironment(v service.Environment, had record, shown string) (steps []step) {
	path := v.File.Path
	if !slices.Contains(had.Beside, path) {
		return nil
	}
	if exists(path) {
		steps = append(steps, step{"remove " + tilde(path), func(context.Context) error { return remove(path) }})
	}
	if shown == e.agentSocket() {
		steps = append(steps, commands(v.Restore(had.AuthSock))...)
	}
	return steps
}

// beside notes a file that setup wrote beside those of the service.
func (s *setup) beside(path string) {
	if !slices.Contains(s.now.Beside, path) {
		s.now.Beside = append(s.now.Beside, path)
	}
}
