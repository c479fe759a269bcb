package sshconfig

import (
	"errors"

	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const sshPatience = 5 * time.Second

// NeedsKeys asks ssh whether config makes it offer named keys only
// (IdentitiesOnly): then the agent's keys are used only where they are named,
// too. config is without the block. own are the keys of ssh's own that it looks
// for by itself, names in ~/.ssh.
//
// Otherwise no keys should be named: where any is, ssh no longer looks for those
// of its own, and offers the named ones to every host before the ones that a
// Host chose.
func NeedsKeys(ctx context.Context, config []byte) (needs bool, own []string, err error) {
	out, err := ask(ctx, config, "-F", "/dev/stdin")
	if err != nil {
		return false, nil, err
	}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "identitiesonly":
			needs = value == "yes"
		case "identityfile":
			if name, ours := strings.CutPrefix(value, "~/.ssh/id_"); ours && !strings.ContainsAny(name, "/ \"%") {
				own = append(own, "id_"+name)
			}
		}
	}
	return needs, own, nil
}

// Agent asks ssh which agent it uses for a host of no special kind: the path of
// its socket, or "" where the configuration names none. config is the file that
// it reads; with "" it reads those that it always reads.
func Agent(ctx context.Context, config string) (string, error) {
	var args []string
	if config != "" {
		args = []string{"-F", config}
	}
	out, err := ask(ctx, nil, args...)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "identityagent "); ok {
			return path, nil
		}
	}
	return "", nil
}

// ask returns what ssh -G prints. An error holds ssh's own words.
func ask(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, sshPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", append(append([]string{"-G"}, args...), "kr-setup.invalid")...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) && len(exit.Stderr) > 0 {
		first, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return nil, fmt.Errorf("ask ssh -G what its configuration says: %s", strings.TrimSpace(first))
	}
	if err != nil {
		return nil, fmt.Errorf("ask ssh -G what its configuration says: %w", err)
	}
	return out, nil
}
