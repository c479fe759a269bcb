package daemon

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"kryptonite/internal/asker"
	"kryptonite/internal/session"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/waitline"
	"kryptonite/internal/wire"
)

// TestWhoseTerminal: a forwarded request never reaches the terminal, nor the
// arguments, of the ssh that it came through.
func TestWhoseTerminal(t *testing.T) {
	own, fwd := wire.Bind{}, wire.Bind{Forwarding: true}
	notSSH := &agentConn{asker: asker.At(os.Getpid())}
	for name, c := range map[string]struct {
		binds      []wire.Bind
		host, line bool
	}{
		"a login":             {[]wire.Bind{own}, true, true},
		"forwarded":           {[]wire.Bind{fwd, own}, false, false},
		"forwarded, old ssh":  {[]wire.Bind{fwd}, false, false},
		"forwarded later":     {[]wire.Bind{own, fwd}, false, false},
		"a file is signed":    {nil, false, true},
		"forwarded over many": {[]wire.Bind{fwd, fwd, own}, false, false},
	} {
		if local(c.binds) != c.host || notSSH.ownTerminal(c.binds) != c.line {
			t.Errorf("%s: host %v, line %v", name, local(c.binds), notSSH.ownTerminal(c.binds))
		}
	}
}

// TestOldSSHMayForward: an ssh without binds may be one that forwards, and the
// terminal that of another machine's user.
func TestOldSSHMayForward(t *testing.T) {
	cmd := exec.Command("ssh", "-F", "none", "-o", "ProxyCommand=sleep 60", "host")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal("ssh is missing (Debian: openssh-client): ", err)
	}
	defer cmd.Wait()
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	a := &agentConn{asker: asker.At(cmd.Process.Pid)}
	if !a.asker.IsSSH() || a.ownTerminal(nil) || !a.ownTerminal([]wire.Bind{{}}) {
		t.Errorf("ssh %v, own terminal %v without binds, %v with one", a.asker.IsSSH(), a.ownTerminal(nil), a.ownTerminal([]wire.Bind{{}}))
	}
}

// paper is a terminal that keeps what is written.
type paper struct{ strings.Builder }

func (*paper) Name() string { return "paper" }
func (*paper) Width() int   { return 80 }
func (*paper) Dumb() bool   { return false }
func (*paper) Ready() bool  { return true }

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""}, // at once
		{session.ErrDenied, "declined on the phone"},
		{session.ErrNoAck, "the phone did not answer"},
		{session.ErrTimeout, "nobody decided on the phone in time"},
		{fmt.Errorf("sign: %w", &session.RefusedError{Reason: "server showed another host key\x1b]0;x\a"}), "sign: the phone refused: server showed another host key\ufffd]0;x\ufffd"},
		{sshagent.ErrGone, ""},
		{ErrStopped, "krd has ended"},
		{context.Canceled, "krd has ended"},
	} {
		var p paper
		tell(new(waitline.Board).Start(&p, waitline.Text{}, time.Minute), c.err)
		want := c.want
		if want != "" {
			want = "\r\x1b[K" + want + "\r\n"
		}
		if p.String() != want {
			t.Errorf("%v: %q, want %q", c.err, p.String(), want)
		}
	}
}

func TestWhatWaits(t *testing.T) {
	login := sshwire.Userauth{SessionID: make([]byte, 32), User: "root", Method: "publickey", Algorithm: "ssh-ed25519", PublicKey: sshwire.Ed25519Blob(make([]byte, 32))}.Marshal()
	file := sshwire.SSHSIG{Namespace: "git", Hash: "sha512", Digest: make([]byte, 64)}.Marshal()
	for _, c := range []struct{ got, want string }{
		{whatWaits(login, "server.example"), "root@server.example"},
		{whatWaits(login, ""), "a login as root"},
		{whatWaits(file, ""), `a signature for "git"`},
		{whatWaits([]byte("x"), "server.example"), "a request"},
		{possessive("Ana"), "Ana's phone"},
		{possessive("Ana's iPhone"), "Ana's iPhone"},
		{possessive("Ana’s Pixel"), "Ana’s Pixel"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
