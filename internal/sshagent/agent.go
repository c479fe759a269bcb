// Package sshagent speaks the SSH agent protocol on one accepted connection.
//
//	request   uint32 length ‖ byte type ‖ content
//	11 REQUEST_IDENTITIES → 12 IDENTITIES_ANSWER   three of our keys, those of
//	                        the other agent, which has 200 ms, the rest of ours,
//	                        those that are Away
//	13 SIGN_REQUEST       → 14 SIGN_RESPONSE       after the phone was asked;
//	                        for a key that is not ours, what the other agent says
//	27 EXTENSION session-bind@openssh.com → 6 SUCCESS, remembered in order
//	27 EXTENSION query    → 29 EXTENSION_RESPONSE  the names of these two
//	17 to 26: add, remove, lock, unlock → what the other agent says
//	anything else         → 5 FAILURE; the connection stays open
//
// The other agent is the one that the user had before. Each client has a
// connection of its own to it, on which the client's binds are repeated first,
// so that the other agent's own rules (destination constraints) hold. It may be
// slow, hung or dead: then it has no keys, and what is for it fails. Without one,
// the answer to 17 to 26 is FAILURE.
//
// Our own keys cannot be added, removed or locked here: "ssh-add -D" and
// "ssh-add -x" are about the other agent's keys only. The phone asks each time.
//
// A reader of its own notices when ssh goes away: the context of the request
// that waits ends then, and the phone is told. The same bytes asked again with
// the same key after the same binds on the same connection get the stored
// answer, refusals too; that of a request that nobody waited for to the end is
// not stored, nor is anything of the other agent. Nothing is shared between
// connections. A connection that says nothing is nothing.
//
// References: [PROTOCOL.agent] draft-ietf-sshm-ssh-agent (RFC 9987) and
// OpenSSH PROTOCOL.agent §1.
package sshagent

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/ssh"

	"kryptonite/internal/wire"
)

// Message types. [PROTOCOL.agent] §6.1.
const (
	msgFailure                 = 5
	msgSuccess                 = 6
	msgRequestIdentities       = 11
	msgIdentitiesAnswer        = 12
	msgSignRequest             = 13
	msgSignResponse            = 14
	msgAdd                     = 17
	msgRemove                  = 18
	msgRemoveAll               = 19
	msgAddSmartcard            = 20
	msgRemoveSmartcard         = 21
	msgLock                    = 22
	msgUnlock                  = 23
	msgAddConstrained          = 25
	msgAddSmartcardConstrained = 26
	msgExtension               = 27
	msgExtensionResponse       = 29
)

const (
	maxMessage  = 256 << 10 // bytes; what OpenSSH's agent takes
	maxBinds    = 16        // [PROTOCOL.agent] §1
	maxStored   = 64        // answers kept per connection
	maxInFlight = 16        // messages read ahead while one waits
	bindName    = "session-bind@openssh.com"
	queryName   = "query"
)

// Key is a public key on offer.
type Key struct {
	Blob    []byte // SSH wire format
	Comment string
	Away    bool // of our own: whoever has it did not answer last time
}

// Request is one SIGN_REQUEST with what the connection said before.
type Request struct {
	Key   []byte
	Data  []byte
	Flags uint32 // [PROTOCOL.agent] §3.6.1; only RSA keys have any
	Binds []wire.Bind

	Others bool // the client was offered keys of the other agent, too
}

// Backend is what an agent needs of the rest of the program. Its methods are
// safe for concurrent use.
type Backend interface {
	// Keys lists the keys on offer to this client, best first. It never waits for
	// a phone; a second at most to find out what the client can use.
	Keys() []Key
	// Bound hears of the binds so far after each new one. It never waits.
	Bound(binds []wire.Bind)
	// Sign returns a signature (string format ‖ string blob) over r.Data. When
	// ctx ends nobody waits for it any more. Of a key that is not the backend's
	// it returns ErrNoKey.
	Sign(ctx context.Context, r Request) ([]byte, error)
	// Answered hears that the client's connection has taken the answer to a
	// request to sign, of whatever key, whatever it was. It never waits.
	Answered()
}

var (
	// ErrGone is the cause of a connection's end that is nobody's fault: the
	// client has left. The context of a request that waits ends with it.
	ErrGone = errors.New("sshagent: the client has gone")
	// ErrNoKey is returned by a Backend that does not have the key.
	ErrNoKey = errors.New("nobody here has this key")

	errLength = fmt.Errorf("1 to %d are allowed", maxMessage)
)

// Serve answers on conn until the client goes away or ctx ends, closes conn
// and waits for its reader. It returns nil when the client just left. other is
// nil when the user has no other agent.
func Serve(ctx context.Context, conn net.Conn, b Backend, other *Other) error {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	in := make(chan []byte, maxInFlight)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(read(ctx, conn, in))
	}()
	defer func() {
		cancel(ErrGone)
		conn.Close()
		<-done
	}()
	c := newConnection(b, other)
	defer c.up.close()
	for {
		select {
		case msg := <-in:
			if err := write(conn, c.answer(ctx, msg)); err != nil {
				return nil // the client does not listen any more
			}
			if msg[0] == msgSignRequest {
				b.Answered()
			}
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, ErrGone) {
				return cause
			}
			return nil
		}
	}
}

// read passes messages on until the client goes away.
func read(ctx context.Context, conn io.Reader, in chan<- []byte) error {
	for {
		msg, err := readMessage(conn)
		if errors.Is(err, errLength) {
			return err
		}
		if err != nil {
			return ErrGone
		}
		select {
		case in <- msg:
		case <-ctx.Done():
			return ErrGone
		}
	}
}

func write(conn io.Writer, msg []byte) error {
	_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...))
	return err
}

// connection is what one client has said so far.
type connection struct {
	backend Backend
	up      upstream // its other is nil when there is none
	binds   []wire.Bind
	raw     [][]byte // the messages of the binds
	broken  bool     // a bind was malformed or one too many: nothing is signed any more
	others  bool     // the last list had keys of the other agent
	stored  map[[32]byte][]byte
}

func newConnection(b Backend, other *Other) *connection {
	return &connection{backend: b, up: upstream{other: other}, stored: map[[32]byte][]byte{}}
}

// answer returns the reply to one message.
func (c *connection) answer(ctx context.Context, msg []byte) []byte {
	switch msg[0] {
	case msgRequestIdentities:
		return c.identities(ctx)
	case msgSignRequest:
		return c.sign(ctx, msg)
	case msgExtension:
		return c.extension(msg)
	case msgAdd, msgRemove, msgRemoveAll, msgAddSmartcard, msgRemoveSmartcard, msgLock, msgUnlock, msgAddConstrained, msgAddSmartcardConstrained:
		if len(c.binds) == 0 || !loadsLibrary(msg) {
			return c.pass(ctx, msg)
		}
	}
	return []byte{msgFailure}
}

// hasOther says whether the other agent may be asked: not after a bind that it
// cannot be told.
func (c *connection) hasOther() bool { return c.up.other != nil && !c.broken }

// pass lets the other agent answer.
func (c *connection) pass(ctx context.Context, msg []byte) []byte {
	if !c.hasOther() {
		return []byte{msgFailure}
	}
	reply, err := c.up.ask(ctx, c.raw, msg)
	if err != nil {
		c.up.other.Log.Debug("the other agent did not answer", "type", msg[0], "err", err)
		return []byte{msgFailure}
	}
	return reply
}

func (c *connection) identities(ctx context.Context) []byte {
	var others []Key
	if c.hasOther() {
		var err error
		if others, err = c.up.list(ctx, c.raw); err != nil {
			c.up.other.Log.Debug("the other agent's keys are left out", "err", err)
		}
	}
	c.others = len(others) > 0
	keys := offer(c.backend.Keys(), others)
	out := binary.BigEndian.AppendUint32([]byte{msgIdentitiesAnswer}, uint32(len(keys)))
	for _, k := range keys {
		out = append(out, ssh.Marshal(struct{ Blob, Comment string }{string(k.Blob), k.Comment})...)
	}
	return out
}

func (c *connection) sign(ctx context.Context, msg []byte) []byte {
	var m struct {
		Key   []byte `sshtype:"13"`
		Data  []byte
		Flags uint32
	}
	if err := ssh.Unmarshal(msg, &m); err != nil || c.broken {
		return []byte{msgFailure}
	}
	id := sha256.Sum256(append(msg[:len(msg):len(msg)], byte(len(c.binds))))
	if answer, ok := c.stored[id]; ok {
		return answer
	}
	answer := []byte{msgFailure}
	sig, err := c.backend.Sign(ctx, Request{m.Key, m.Data, m.Flags, c.binds, c.others})
	if errors.Is(err, ErrNoKey) {
		return c.pass(ctx, msg)
	}
	if err == nil {
		answer = ssh.Marshal(struct {
			Signature []byte `sshtype:"14"`
		}{sig})
	}
	if len(c.stored) < maxStored && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		c.stored[id] = answer
	}
	return answer
}

// extension remembers a session-bind. It is passed on as it is: the phone
// verifies it, and so does the other agent. Other extensions are unknown here,
// also those of the other agent.
func (c *connection) extension(msg []byte) []byte {
	var m struct {
		Name string `sshtype:"27"`
		Rest []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(msg, &m); err != nil {
		return []byte{msgFailure}
	}
	switch m.Name {
	case bindName:
		return c.bind(msg, m.Rest)
	case queryName: // [PROTOCOL.agent] §3.8.1
		return ssh.Marshal(struct {
			Query       string `sshtype:"29"`
			Names, More string
		}{queryName, queryName, bindName})
	}
	return []byte{msgFailure}
}

func (c *connection) bind(msg, content []byte) []byte {
	var b struct {
		HostKey, SessionID, Signature []byte
		Forwarding                    bool
	}
	if err := ssh.Unmarshal(content, &b); err != nil || len(c.binds) >= maxBinds {
		c.broken = true
		return []byte{msgFailure}
	}
	c.binds = append(c.binds, wire.Bind{HostKey: b.HostKey, SessionID: b.SessionID, Signature: b.Signature, Forwarding: b.Forwarding})
	c.raw = append(c.raw, msg)
	c.backend.Bound(c.binds)
	return []byte{msgSuccess}
}
