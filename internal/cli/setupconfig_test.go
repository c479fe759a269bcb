package cli

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/control"
	"kryptonite/internal/peer"
	"kryptonite/internal/sshconfig"
	"kryptonite/internal/term"
)

// inside is the env that kr has where nothing is said to anybody.
func inside(state string) *env {
	return &env{io: &term.IO{Out: io.Discard, Err: io.Discard}, home: state,
		krd: control.NewClient(filepath.Join(state, control.Socket), peer.SameUser)}
}

// TestEditWhileKrAsks: what a person writes into ssh's configuration while kr
// waits for an answer stays, and kr says so.
func TestEditWhileKrAsks(t *testing.T) {
	home, state := newcomer(t)
	e := inside(state)
	path := sshConfig(t, home, "Host a\n", 0o600)
	s := &setup{env: e}
	if err := s.planConfig(t.Context(), s.block()); err != nil {
		t.Fatal(err)
	}
	sshConfig(t, home, "Host a\nHost b\n", 0o600)
	if err := s.perform(t.Context()); !errors.As(err, new(*sshconfig.ChangedError)) {
		t.Errorf("setup: %v", err)
	}
	if got := read(t, path); got != "Host a\nHost b\n" {
		t.Errorf("the configuration is %q", got)
	}
	s = &setup{env: e}
	if err := errors.Join(s.planConfig(t.Context(), s.block()), s.perform(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); !strings.HasSuffix(got, "# END kr setup\nHost a\nHost b\n") {
		t.Errorf("the second time it is %q", got)
	}

	u := &uninstall{env: e}
	if err := u.planConfig(); err != nil {
		t.Fatal(err)
	}
	sshConfig(t, home, read(t, path)+"Host c\n", 0o600)
	if err := u.steps[0].do(t.Context()); !errors.As(err, new(*sshconfig.ChangedError)) {
		t.Errorf("uninstall: %v", err)
	}
	if got := read(t, path); !strings.HasSuffix(got, "# END kr setup\nHost a\nHost b\nHost c\n") {
		t.Errorf("uninstall leaves %q", got)
	}
}
