package sshconfig

import (
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
	ctx, cancel := context.WithTimeout(ctx, sshPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", "-G", "-F", "/dev/stdin", "kr-setup.invalid")
	cmd.Stdin = bytes.NewReader(config)
	out, err := cmd.Output()
	if err != nil {
		return false, nil, fmt.Errorf("ask ssh -G what its configuration says: %w", err)
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
