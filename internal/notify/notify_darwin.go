package notify

import (
	"context"
	"fmt"
	"os/exec"
)

// This file was never run.

// Desk is Notification Center, by osascript. It cannot replace or remove what it
// has shown.
type Desk struct{}

// Open returns the desk.
func Open(context.Context) (*Desk, error) { return &Desk{}, nil }

// Show shows a new notification. Texts are arguments of the script, never part of
// it. The id is 0.
func (d *Desk) Show(ctx context.Context, _ uint32, title, body string) (uint32, error) {
	cmd := exec.CommandContext(ctx, "/usr/bin/osascript", "-e", "on run texts",
		"-e", "display notification (item 2 of texts) with title (item 1 of texts) subtitle (item 3 of texts)", "-e", "end run",
		"--", appName, body, title)
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("show a notification: %w", err)
	}
	return 0, nil
}

// Remove does nothing.
func (d *Desk) Remove(context.Context, uint32) error { return nil }

// Close does nothing.
func (d *Desk) Close() error { return nil }
