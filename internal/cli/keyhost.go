package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/authorize"
	"kryptonite/internal/backoff"
	"kryptonite/internal/control"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/term"
)

func keyAddHostCmd(e *env) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "add-host [USER@]HOST [-- SSH-OPTION...]", Short: "Put a key into authorized_keys on a server, and log in with it",
		Long: `Logs in with your own ssh, by whatever works there now (another key, a password), and
appends the public key to ~/.ssh/authorized_keys, if it is not there. Then it logs in once
more, with this key only: your phone asks. At last it says what your ssh lacks, if it
would not offer the key there by itself. What stands after -- goes to ssh.`,
		Example: "  $ kr key add-host root@server.example\n  $ kr key add-host --key work ana@server -- -p 2222 -i ~/.ssh/old",
		Args: func(c *cobra.Command, args []string) error {
			n := c.ArgsLenAtDash()
			if n < 0 {
				n = len(args)
			}
			return cobra.ExactArgs(1)(c, args[:n])
		},
		RunE: func(c *cobra.Command, args []string) error {
			return runAddHost(c.Context(), e, authorize.Host{Dest: args[0], Options: args[1:]}, name)
		},
	}
	keyFlag(c, &name)
	return c
}

func runAddHost(ctx context.Context, e *env, h authorize.Host, name string) error {
	if err := h.Check(); err != nil {
		return &term.Problem{Err: err, Code: codeUsage, Hints: []string{"like this: kr key add-host root@server.example"}}
	}
	k, st, err := e.key(ctx, name)
	if err != nil {
		return err
	}
	log, err := e.krd.Log(ctx, "", 1)
	if err != nil {
		return err
	}
	dest := term.CleanMax(h.Dest, 128)
	out, err := authorize.Add(ctx, h, k.AuthorizedKey, e.io.Err)
	if err != nil {
		return addHostProblem(err, dest, k)
	}
	if out == authorize.There {
		e.io.Sayf("The key is in ~/.ssh/authorized_keys at %s already.\n", dest)
	} else {
		e.io.Sayf("The key is in ~/.ssh/authorized_keys at %s now.\n", dest)
	}
	e.io.Sayf("Now a login there with this key only: allow it on %s.\n", term.CleanMax(k.Phone, 64))
	if err := authorize.Prove(ctx, h, k.AuthorizedKey, k.Fingerprint, st.AgentSocket); err != nil {
		return e.proofProblem(ctx, err, k, lastSeq(log))
	}
	e.fromNowOn(ctx, h.WithoutKeys(), k, st.AgentSocket)
	return nil
}

// fromNowOn says how the person logs in with k, which has just been proved to work,
// or what their own ssh lacks for it.
func (e *env) fromNowOn(ctx context.Context, h authorize.Host, k phoneKey, socket string) {
	var words []string
	for _, o := range append(h.Options, h.Dest) {
		words = append(words, shellQuoted(term.CleanMax(o, 256)))
	}
	command := "ssh " + strings.Join(words, " ")
	lack, err := authorize.Plain(ctx, h, k.AuthorizedKey, socket, e.getenv)
	switch {
	case err != nil:
		e.io.Sayf("It logs in. Whether your ssh offers the key by itself is not known: %s\n", term.CleanMax(err.Error(), 300))
		return
	case lack == authorize.Lack{}:
		e.io.Sayf("It logs in. From now on: %s\n", command)
		return
	}
	e.io.Sayf("It logs in, but your ssh does not offer the key there by itself yet.\n")
	if lack.Agent {
		e.io.Sayf("It does not ask krd. Run kr setup, or put this into its configuration, above other lines of this kind:\n\n  IdentityAgent %s\n\n", quotedSSH(socket))
	}
	if lack.Name {
		line := strings.Fields(k.AuthorizedKey)
		file := "~/.ssh/kr-" + keyFileName(k.Fingerprint) + ".pub"
		e.io.Sayf("It offers keys that are named, only (IdentitiesOnly). Name this one for the host in its configuration:\n\n"+
			"  $ echo '%s %s' >%s\n\n  IdentityFile %s\n\n", term.Clean(line[0]), term.Clean(line[1]), file, file)
	}
	e.io.Sayf("Then: %s\n", command)
}

// quotedSSH is a path as a value of ssh's configuration.
func quotedSSH(path string) string { return `"` + strings.ReplaceAll(path, "%", "%%") + `"` }

// keyFileName is part of a fingerprint that can be part of a file's name.
func keyFileName(fingerprint string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.TrimPrefix(fingerprint, "SHA256:"))
	return plain[:min(len(plain), 8)]
}

func lastSeq(log control.Log) uint64 {
	if n := len(log.Entries); n > 0 {
		return log.Entries[n-1].Seq
	}
	return 0
}

// addHostProblem says what can be done where the key could not be added.
func addHostProblem(err error, dest string, k phoneKey) error {
	byHand := "or put this line at the end of ~/.ssh/authorized_keys there: " + k.AuthorizedKey
	switch {
	case errors.Is(err, authorize.ErrLogin):
		return &term.Problem{Err: fmt.Errorf("%w at %s by anything that is there now", err, dest), Hints: []string{"what does this say? ssh " + dest, byHand}}
	case errors.Is(err, authorize.ErrShell):
		return &term.Problem{Err: err, Hints: []string{"is it a forge? kr key add-to --help", byHand}}
	}
	return err
}

// proofProblem says why the key did not log in, as far as krd knows. Entries of its
// log after the one numbered since are of this login; they come a moment later.
func (e *env) proofProblem(ctx context.Context, err error, k phoneKey, since uint64) error {
	other := errors.Is(err, authorize.ErrOtherKey)
	if !other && !errors.Is(err, authorize.ErrRefused) {
		return err
	}
	for range 5 {
		log, logErr := e.krd.Log(ctx, "", 20)
		if logErr != nil {
			return errors.Join(err, logErr)
		}
		for i := len(log.Entries) - 1; i >= 0 && log.Entries[i].Seq > since; i-- {
			l := log.Entries[i]
			if l.Key != k.Fingerprint || l.Kind != control.KindLogin {
				continue
			}
			switch l.Outcome {
			case control.OutcomeRejected:
				return &term.Problem{Err: errors.New("the key is there; the login with it was declined on the phone"), Code: codeDeclined}
			case control.OutcomeNoAnswer, control.OutcomeExpired:
				return &term.Problem{Err: errors.New("the key is there; the phone did not answer to the login with it"), Code: codeNoAnswer, Hints: []string{"is it online? kr status"}}
			case control.OutcomeAllowed:
				return &term.Problem{Err: fmt.Errorf("the phone signed, and yet: %w", err), Hints: []string{"the server's log says why"}}
			}
			return &term.Problem{Err: fmt.Errorf("the key is there; the login with it was not signed: %s", strings.TrimSpace(string(l.Outcome)+" "+l.Reason))}
		}
		if backoff.Sleep(ctx, 200*time.Millisecond) != nil {
			return context.Cause(ctx)
		}
	}
	hints := whyNotAsked(k)
	if other {
		hints = append([]string{"your ssh configuration, or -i, has another key for this host, and the server took that"}, hints...)
	}
	return &term.Problem{Err: err, Hints: hints}
}

// whyNotAsked are reasons for which a phone was never asked for a key that is in
// authorized_keys.
func whyNotAsked(k phoneKey) []string {
	switch {
	case len(k.Hosts) > 0:
		return []string{"the key is limited to some hosts: kr key list; for all: kr key limit " + k.Fingerprint + " --none"}
	case k.Type == sshwire.KeyPasskey:
		return []string{"it is a passkey: logins with it need ssh 10.3 here and sshd 8.4 there"}
	}
	return []string{"the phone was not asked: the server does not take the key. Which files does sshd read there? sshd -T | grep -i authorizedkeysfile",
		"are the home directory and ~/.ssh there writable by others? then sshd reads nothing in them"}
}
