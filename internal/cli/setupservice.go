package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kryptonite/internal/service"
	"kryptonite/internal/term"
)

func (s *setup) planService(ctx context.Context, kind serviceKind) error {
	krd, err := findKrd()
	if err == nil {
		krd, err = filepath.Abs(krd)
	}
	if err != nil {
		return err
	}
	svc, _, err := s.service(kind, krd, s.cfg.Agent)
	if err != nil {
		return err
	}
	making := len(s.steps) // directories come before krd ends, and do no harm
	write, err := s.files(svc.Files, s.had.Files)
	if err != nil {
		return err
	}
	s.now.Files = nil
	for _, f := range svc.Files {
		s.now.Files = append(s.now.Files, f.Path)
	}
	if len(write) == 0 && s.had.Service == kind && runCommand(ctx, svc.Check) == nil {
		return nil
	}
	if st, err := s.status(ctx); err == nil {
		s.steps = slices.Insert(s.steps, making, step{fmt.Sprintf("stop krd (process %d), so that the service starts it", st.PID),
			func(ctx context.Context) error { return endDaemon(ctx, s.env) }})
	}
	s.steps = append(append(s.steps, write...), commands(svc.Enable)...)
	s.add("wait until krd answers", s.awaitService)
	return nil
}

// planStart starts krd if nothing else in the plan does.
func (s *setup) planStart(ctx context.Context) {
	if _, err := s.status(ctx); err != nil {
		s.add("start krd", func(ctx context.Context) error { return startDaemon(ctx, s.env) })
	}
}

// files returns the steps that write those files which are not as they should
// be, and plans their directories. had are files that an earlier setup made:
// no others are overwritten.
func (s *setup) files(files []service.File, had []string) (write []step, err error) {
	for _, f := range files {
		old, err := os.ReadFile(f.Path)
		switch {
		case err == nil && string(old) == f.Content:
			continue
		case err == nil && !slices.Contains(had, f.Path):
			return nil, &term.Problem{Err: fmt.Errorf("%s is there already: %w", f.Path, errNotOurs),
				Hints: []string{"if nobody needs it, remove it, and try again: kr setup"}}
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("look at what kr setup makes: %w", err)
		}
		if err := ours(filepath.Dir(f.Path)); err != nil {
			return nil, err
		}
		s.make(filepath.Dir(f.Path))
		write = append(write, step{"write " + tilde(f.Path) + ":\n" + f.Content, func(context.Context) error {
			if err := os.WriteFile(f.Path, []byte(f.Content), 0o644); err != nil {
				return fmt.Errorf("set up: %w", err)
			}
			return nil
		}})
	}
	return write, nil
}

// planAgent keeps the keys of the agent that this terminal has, or the session: a
// service does not see the terminal's environment.
func (s *setup) planAgent() {
	if s.cfg.Agent != "" {
		return
	}
	for _, sock := range s.agents() {
		if strings.Contains(sock, launchdSockets) {
			continue // its path is another one after each login, and launchd tells krd, too
		}
		if _, err := parseAgent(sock); err != nil {
			s.notes = append(s.notes, "the keys of the agent of SSH_AUTH_SOCK are not offered beside the phone's: "+err.Error())
			continue
		}
		if s.passing(sock) {
			s.notes = append(s.notes, "the agent of this terminal ("+sock+") lasts as long as the terminal; its keys are not offered beside the phone's. For another one: kr config set agent PATH.")
			continue
		}
		s.cfg.Agent = sock
		s.add("set agent to "+sock+", so that the keys of the agent that you have go on working", func(context.Context) error {
			cfg, d, err := s.rawConfig()
			if err != nil {
				return err
			}
			cfg.Agent = sock
			return d.WriteJSON(configFile, configVersion, cfg)
		})
		return
	}
}

// passing reports whether an agent's socket is not there any more once the
// terminal is gone: ssh-agent and sshd make theirs in the directory of temporary
// files, and OpenSSH 10.1 and newer in ~/.ssh/agent; and of one that came with a
// login from elsewhere nobody knows, unless the session here has it, too.
func (s *setup) passing(sock string) bool {
	dirs := []string{os.TempDir(), "/tmp"}
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ".ssh", "agent"))
	}
	for _, dir := range dirs {
		if strings.HasPrefix(filepath.Clean(sock), filepath.Clean(dir)+"/") {
			return true
		}
	}
	return s.forwarded(sock)
}

// forwarded reports whether an agent may be that of another computer, from which
// somebody has logged in: it is this terminal's, and none of the session's.
func (s *setup) forwarded(sock string) bool {
	return os.Getenv("SSH_CONNECTION") != "" && sock != s.shown
}

// launchdSockets is part of the paths of sockets that macOS makes at login, that
// of its own ssh-agent among them.
const launchdSockets = "/com.apple.launchd."

// agents are the other agents that are in use here: that of this terminal, and
// that of the session.
func (s *setup) agents() (out []string) {
	for _, sock := range []string{os.Getenv(authSock), s.shown} {
		if filepath.IsAbs(sock) && sock != s.agentSocket() && !slices.Contains(out, sock) {
			out = append(out, sock)
		}
	}
	return out
}

// brief is the steps in one line.
func (s *setup) brief() string {
	var out []string
	for _, st := range s.steps {
		text, _, _ := strings.Cut(st.text, "\n")
		out = append(out, strings.TrimSuffix(text, ":"))
	}
	return strings.Join(out, ", ")
}

// perform makes all steps, in their order, after uninstall has been told.
func (s *setup) perform(ctx context.Context) error {
	if !s.now.equal(s.had) {
		if err := s.writeRecord(s.now); err != nil {
			return err
		}
	}
	for _, st := range s.steps {
		if err := st.do(ctx); err != nil {
			return err
		}
	}
	return nil
}
