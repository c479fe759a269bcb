package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"kryptonite/internal/sshconfig"
	"kryptonite/internal/term"
)

// readSSHConfig reads ~/.ssh/config; rest is what it holds beside the block.
func readSSHConfig(block sshconfig.Block) (file sshconfig.File, rest []byte, err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return file, nil, fmt.Errorf("find the home directory: %w", err)
	}
	if file, err = sshconfig.Read(filepath.Join(home, ".ssh", "config")); err != nil {
		return file, nil, err
	}
	if rest, err = block.Remove(file.Data); err != nil {
		return file, nil, sshConfigProblem(file, err)
	}
	return file, rest, nil
}

// needsSetup reports whether ssh would not offer the key of a phone that has
// just been paired: setup has not been here, or has to name the key.
func (e *env) needsSetup(ctx context.Context) bool {
	file, rest, err := readSSHConfig(e.block())
	if err != nil || len(rest) == len(file.Data) {
		return true
	}
	needs, _, err := sshconfig.NeedsKeys(ctx, rest)
	return needs || err != nil
}

// sshConfigProblem names the file whose markers do not fit.
func sshConfigProblem(file sshconfig.File, err error) error {
	return fmt.Errorf("%s: %w", tilde(file.Path), err)
}

// readOnlyConfig says what a person can do about a file that setup may not write.
func readOnlyConfig(err error, block sshconfig.Block) error {
	r := new(sshconfig.ReadOnlyError)
	if !errors.As(err, &r) {
		return err
	}
	var hints []string
	if r.Err == nil {
		hints = append(hints, "make it writable and try again: chmod u+w "+shellQuoted(r.Path))
	}
	hints = append(hints, "put these lines at its top in the way you manage it:")
	for line := range strings.Lines(block.Text()) {
		hints = append(hints, "  "+strings.TrimSuffix(line, "\n"))
	}
	return &term.Problem{Err: err, Hints: hints}
}

// noteAgent says which agent ssh has asked so far by its configuration, and does
// not ask any more, as the block stands before all that names one: a line of
// this file, one that it includes, or the system's.
func (s *setup) noteAgent(ctx context.Context, file sshconfig.File, rest []byte) {
	agent := ""
	if read := readBySSH(file); read == "" || file.Exists {
		agent, _ = sshconfig.Agent(ctx, read) // what ssh cannot read has no effect
	}
	if agent != "" && agent == s.cfg.Agent {
		return // krd passes its keys on
	}
	where := fmt.Sprintf("a file that %s includes, or the system's,", tilde(file.Path))
	if line := namesAgent(rest); line > 0 {
		where = fmt.Sprintf("line %d of %s", line, tilde(file.Path))
	} else if agent == "" || agent == authSock || agent == s.agentSocket() {
		return
	}
	path := "PATH"
	if filepath.IsAbs(agent) && agent != s.agentSocket() || agent == noAgent {
		path = shellQuoted(agent)
	}
	s.notes = append(s.notes, fmt.Sprintf("%s names an agent (IdentityAgent); ssh uses krd instead, as the block stands before it. "+
		"To offer that agent's keys, too: kr config set agent %s, then what that says.", where, path))
}

// readBySSH is what ssh is to be told (-F) so that it reads this file: "" where
// it does by itself. It goes by the user database, not by HOME.
func readBySSH(file sshconfig.File) string {
	home, _ := os.UserHomeDir()
	if u, err := user.Current(); err != nil || u.HomeDir != home {
		return file.Path
	}
	return ""
}

// namesAgent is the first line, from 1, that names an agent; 0: none does.
func namesAgent(config []byte) int {
	n := 0
	for line := range strings.Lines(string(config)) {
		n++
		if word := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t=\"", r) }); len(word) > 0 && strings.EqualFold(word[0], "identityagent") {
			return n
		}
	}
	return 0
}
