package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	s := newSetup(newCheckup(e))
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
	s = newSetup(newCheckup(e))
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

// TestBlockKeepsItsKeys: where krd does not say which keys there are, as it is down
// or hangs, the block goes on naming those that it names, and kr check ends.
func TestBlockKeepsItsKeys(t *testing.T) {
	home, state := newcomer(t)
	e := inside(state)
	block := e.block()
	block.Keys, block.Own = []string{publicKeys + "/0.pub"}, []string{"id_ed25519"}
	whole := block.Text() + "Host *\n  IdentitiesOnly yes\n"
	sshConfig(t, home, whole, 0o600)
	look := func(name string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		chk := newCheckup(e)
		chk.patience = 50 * time.Millisecond
		if f := lookSSHConfig(ctx, chk)[0]; !strings.HasPrefix(f.text, "HOME is ") || ctx.Err() != nil {
			t.Errorf("%s: %s, %s, %v", name, f.state, f.text, ctx.Err())
		}
	}
	look("down")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(state, control.Socket)) // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	look("hung")
}
