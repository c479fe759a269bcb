// Package authorize puts a public key into an account's authorized_keys on a
// server, and tries whether it logs in. Both by the person's own ssh, with its
// configuration and whatever works there now: other keys, a password, jump hosts.
//
//	Add    ssh OPTIONS DEST, which runs a few lines of POSIX sh there
//	Prove  ssh -v OPTIONS DEST true, with that key and no other way in
//	Plain  ssh -G OPTIONS DEST: whether it would offer that key by itself
//
// The key goes to the server on standard input, so that nothing in it is code.
// ~/.ssh becomes 0700 and authorized_keys 0600 where they are made; what is there
// keeps its mode, its links and every byte. A key that is there is not added again;
// one that is commented out is not there.
//
// References: sshd(8) AUTHORIZED_KEYS; ssh(1); measured with OpenSSH 9.2.
package authorize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"kryptonite/internal/subprocess"
)

// Host is where a person logs in, as they type it after "ssh".
type Host struct {
	Dest    string   // [user@]host, or an ssh:// URL
	Options []string // before it
}

// Check refuses what would not be a destination to ssh.
func (h Host) Check() error {
	if h.Dest == "" || strings.HasPrefix(h.Dest, "-") || strings.ContainsAny(h.Dest, " \t\r\n") {
		return fmt.Errorf("%.80q is no [user@]host", h.Dest)
	}
	return nil
}

// Outcome is what Add found.
type Outcome string

// The outcomes.
const (
	Added Outcome = "added"
	There Outcome = "there" // the key was there already
)

// script is one line, without ' and !, as login shells are not all alike: it is an
// argument of sh. A file that does not end in a line end gets one first.
const script = `set -f; umask 077; cd || exit 1; IFS= read -r line || exit 1; f=.ssh/authorized_keys; mkdir -p .ssh || exit 1; set -- $line; ` +
	`if [ -f $f ] && sed "s/^[[:space:]]*#.*//" $f | grep -qF -e "$2"; then echo "kr-key: there"; exit 0; fi; ` +
	`if [ -s $f ] && [ -n "$(tail -c 1 $f)" ]; then echo >>$f || exit 1; fi; ` +
	`printf "%s\n" "$line" >>$f || exit 1; ` +
	`if command -v restorecon >/dev/null 2>&1; then restorecon -F .ssh $f >/dev/null 2>&1; fi; echo "kr-key: added"`

var answer = regexp.MustCompile(`(?m)^kr-key: (added|there)\r?$`)

const maxOutput = 1 << 20 // bytes of what ssh or the server say

var (
	// ErrLogin is an ssh that did not get in, by whatever is there now.
	ErrLogin = errors.New("ssh did not get in")
	// ErrShell is a server that let us in and did not do it: it says why on stderr,
	// or runs no shell.
	ErrShell = errors.New("the server did not write to ~/.ssh/authorized_keys")
	// ErrRefused is a server that does not let the key in.
	ErrRefused = errors.New("the key did not log in")
	// ErrOtherKey is a login, but not by the key; or an ssh that does not say by which.
	ErrOtherKey = errors.New("ssh got in, but not by this key")
)

// always are the options of every ssh here: one command, nothing forwarded, no
// terminal there.
func always() []string {
	return []string{"-T", "-a", "-x", "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes", "-o", "ControlMaster=no"}
}

// Add puts line, as in authorized_keys, into the account's file. What ssh asks, it
// asks at the terminal; what it and the server say goes to stderr.
func Add(ctx context.Context, h Host, line string, stderr io.Writer) (Outcome, error) {
	if err := h.Check(); err != nil {
		return "", err
	}
	if strings.ContainsAny(line, "\r\n") || len(strings.Fields(line)) < 2 {
		return "", errors.New("the public key is not one line of type and key")
	}
	args := append(append(always(), h.Options...), "--", h.Dest, "sh -c '"+script+"'")
	cmd := exec.CommandContext(ctx, "ssh", args...)
	cmd.Stdin = strings.NewReader(line + "\n")
	out := subprocess.Output{Max: maxOutput}
	cmd.Stdout, cmd.Stderr = &out, stderr
	err := run(ctx, cmd)
	if m := answer.FindSubmatch(out.Bytes()); err == nil && m != nil {
		return Outcome(m[1]), nil
	}
	exit := new(exec.ExitError)
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 255:
		return "", ErrLogin
	case err == nil || errors.As(err, &exit):
		return "", ErrShell
	}
	return "", fmt.Errorf("run ssh: %w", err)
}

// Prove logs in with the key of line alone, which the agent at socket has. ssh asks
// nothing. It returns ErrRefused or ErrOtherKey when the key did not log in, with
// what ssh said.
func Prove(ctx context.Context, h Host, line, fingerprint, socket string) error {
	if err := h.Check(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kr-key-")
	if err != nil {
		return fmt.Errorf("write the public key for ssh: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "key.pub")
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the public key for ssh: %w", err)
	}
	args := append(always(), "-o", "ControlPath=none", "-o", "BatchMode=yes", "-o", "PreferredAuthentications=publickey",
		"-o", "IdentitiesOnly=yes", "-o", "IdentityFile="+quoted(file), "-o", "IdentityAgent="+quoted(socket))
	args = append(append(args, h.Options...), "-v", "--", h.Dest, "true")
	cmd := exec.CommandContext(ctx, "ssh", args...)
	said := subprocess.Output{Max: maxOutput}
	cmd.Stderr = &said
	err = run(ctx, cmd)
	exit := new(exec.ExitError)
	in, by := loggedIn(said.Bytes())
	switch {
	case err != nil && !errors.As(err, &exit):
		return fmt.Errorf("run ssh: %w", err)
	case !in:
		return fmt.Errorf("%w: %s", ErrRefused, lastWords(said.Bytes()))
	case by != fingerprint:
		return ErrOtherKey // a file that the configuration names for this host
	}
	return nil
}

// run ends ssh gently: it puts the terminal back.
func run(ctx context.Context, cmd *exec.Cmd) error {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

var (
	accepted = regexp.MustCompile(`^debug1: Server accepts key: .* (SHA256:[A-Za-z0-9+/]{43})( |$)`)
	entered  = regexp.MustCompile(`^Authenticated to .* using "([a-z-]+)"`)
)

// loggedIn finds in ssh's -v whether it got in, and by which key; "" if by none. A
// jump host's ssh says the same before.
func loggedIn(said []byte) (in bool, fingerprint string) {
	for line := range strings.Lines(string(said)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "debug1: Authentications that can continue:") {
			in, fingerprint = false, ""
		}
		if m := accepted.FindStringSubmatch(line); m != nil {
			fingerprint = m[1]
		}
		if m := entered.FindStringSubmatch(line); m != nil {
			if in = true; m[1] != "publickey" {
				fingerprint = ""
			}
		}
	}
	return in, fingerprint
}

// lastWords are ssh's own last words, without those that -v adds.
func lastWords(said []byte) string {
	last := "ssh said nothing"
	for line := range strings.Lines(string(said)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "debug1:") && !strings.HasPrefix(line, "OpenSSH_") && !strings.HasPrefix(line, "Authenticated to ") {
			last = line
		}
	}
	return last
}

// quoted is a file's name as a value of ssh's configuration.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, "%", "%%") + `"` }
