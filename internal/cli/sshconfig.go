package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	hints := []string{"make it writable and try again: chmod u+w " + shellQuoted(r.Path),
		"or put these lines at its top in the way you manage it:"}
	for line := range strings.Lines(block.Text()) {
		hints = append(hints, "  "+strings.TrimSuffix(line, "\n"))
	}
	return &term.Problem{Err: err, Hints: hints}
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
