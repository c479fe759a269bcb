package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/peer"
	"kryptonite/internal/sshagent"
)

const (
	noOtherAgent  = "none" // as a setting
	maxAgentConns = 1000   // clients of the agent socket at once
)

// Passing on would come back to us.
var (
	errOwn  = errors.New("it is krd itself")
	errAsks = errors.New("it is the one that asks")

	errStranger = errors.New("it belongs to another user")
)

// otherAgent is the agent that the user had before, at a socket. A nil one is
// that of a user who has none.
type otherAgent struct {
	path, own string // its socket and ours
	log       *slog.Logger
}

// otherAgentPath returns the socket of the other agent: what was set, or else
// what SSH_AUTH_SOCK says; "" if there is none.
func otherAgentPath(set, authSock string) (string, error) {
	switch {
	case set == noOtherAgent:
		return "", nil
	case set != "" && !filepath.IsAbs(set):
		return "", fmt.Errorf("%q is neither an absolute path nor %q", set, noOtherAgent)
	case set == "" && filepath.IsAbs(authSock):
		return authSock, nil
	}
	return set, nil
}

// newOtherAgent returns the agent at path, or nil if that is our own socket,
// which exists.
func newOtherAgent(path, own string, log *slog.Logger) *otherAgent {
	o := &otherAgent{path, own, log}
	if path == "" || o.isOwn() {
		return nil
	}
	return o
}

// isOwn says whether the path leads to our own socket, maybe by a symbolic link
// or another name of it.
func (o *otherAgent) isOwn() bool {
	a, err1 := os.Stat(o.path)
	b, err2 := os.Stat(o.own)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// dial connects to the other agent; client is the process that asks us, or 0.
// What the path means may have changed since the start: it must not lead back to
// krd. Nor to the client, which may be a multiplexer that passes on to krd what
// comes. (Who began to listen is known: with "ssh-agent PROGRAM" that is PROGRAM.)
// Another user may have taken the place of one that has ended.
func (o *otherAgent) dial(ctx context.Context, client int) (net.Conn, error) {
	if o.isOwn() {
		return nil, errOwn
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", o.path)
	if op := new(net.OpError); errors.As(err, &op) {
		return nil, op.Err // without the path
	}
	if err != nil {
		return nil, err
	}
	cred, err := peer.Cred(conn.(*net.UnixConn))
	switch {
	case err != nil:
	case cred.UID != os.Geteuid() && cred.UID != 0: // root's may come from outside of a container
		err = errStranger
	case cred.PID == client && client != 0:
		err = errAsks
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// of is the other agent for one client of ours; krd has none when it is its own
// client, by whatever way it came.
func (o *otherAgent) of(conn *net.UnixConn) *sshagent.Other {
	if o == nil {
		return nil
	}
	c, err := peer.Cred(conn)
	if err != nil || c.PID == os.Getpid() {
		return nil
	}
	return o.forClient(c.PID)
}

func (o *otherAgent) forClient(pid int) *sshagent.Other {
	return &sshagent.Other{Log: o.log, Dial: func(ctx context.Context) (net.Conn, error) { return o.dial(ctx, pid) }}
}

// describe is the other agent as kr sees it, or nil.
func (o *otherAgent) describe(ctx context.Context) *control.OtherAgent {
	if o == nil {
		return nil
	}
	keys, err := o.forClient(0).List(ctx)
	out := &control.OtherAgent{Path: o.path, Reachable: err == nil, Keys: len(keys)}
	if err != nil {
		out.LastError = err.Error()
	}
	return out
}

// slots bounds the clients of the agent socket; one more is hung up on, and
// ssh goes on without an agent.
type slots struct {
	free    chan struct{}
	refused time.Time // when that was last said; only take reads and writes it
	log     *slog.Logger
}

func newSlots(n int, log *slog.Logger) *slots {
	return &slots{free: make(chan struct{}, n), log: log}
}

// take says whether there was a free slot. One goroutine calls it.
func (s *slots) take() bool {
	select {
	case s.free <- struct{}{}:
		return true
	default:
	}
	if time.Since(s.refused) > time.Minute {
		s.refused = time.Now()
		s.log.Warn("too many agent connections; new ones are closed", "open", cap(s.free))
	}
	return false
}

func (s *slots) give() { <-s.free }
