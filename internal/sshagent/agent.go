// Package sshagent speaks the SSH agent protocol on one accepted connection.
//
//	request   uint32 length ‖ byte type ‖ content
//	11 REQUEST_IDENTITIES → 12 IDENTITIES_ANSWER   the keys, at once
//	13 SIGN_REQUEST       → 14 SIGN_RESPONSE       after the phone was asked
//	27 EXTENSION session-bind@openssh.com → 6 SUCCESS, remembered in order
//	anything else         → 5 FAILURE; the connection stays open
//
// A reader of its own notices when ssh goes away: the context of the request
// that waits ends then, and the phone is told. The same bytes asked again with
// the same key on the same connection get the stored answer, refusals too.
// Nothing is shared between connections. A connection that says nothing is
// nothing.
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
	msgFailure           = 5
	msgSuccess           = 6
	msgRequestIdentities = 11
	msgIdentitiesAnswer  = 12
	msgSignRequest       = 13
	msgSignResponse      = 14
	msgExtension         = 27
)

const (
	maxMessage  = 256 << 10 // bytes; what OpenSSH's agent takes
	maxBinds    = 16        // [PROTOCOL.agent] §1
	maxStored   = 64        // answers kept per connection
	maxInFlight = 16        // messages read ahead while one waits
	bindName    = "session-bind@openssh.com"
)

// Key is a public key on offer.
type Key struct {
	Blob    []byte // SSH wire format
	Comment string
}

// Request is one SIGN_REQUEST with what the connection said before.
type Request struct {
	Key   []byte
	Data  []byte
	Flags uint32 // [PROTOCOL.agent] §3.6.1; only RSA keys have any
	Binds []wire.Bind
}

// Backend is what an agent needs of the rest of the program. Its methods are
// safe for concurrent use.
type Backend interface {
	// Keys lists the keys on offer, best first. It never waits.
	Keys() []Key
	// Bound hears of the binds so far after each new one. It never waits.
	Bound(binds []wire.Bind)
	// Sign returns a signature (string format ‖ string blob) over r.Data. When
	// ctx ends nobody waits for it any more.
	Sign(ctx context.Context, r Request) ([]byte, error)
}

// ErrGone is the cause of a connection's end that is nobody's fault: the client
// has left. The context of a request that waits ends with it.
var ErrGone = errors.New("sshagent: the client has gone")

// Serve answers on conn until the client goes away or ctx ends, closes conn
// and waits for its reader. It returns nil when the client just left.
func Serve(ctx context.Context, conn net.Conn, b Backend) error {
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
	c := &connection{backend: b, stored: map[[32]byte][]byte{}}
	for {
		select {
		case msg := <-in:
			if err := write(conn, c.answer(ctx, msg)); err != nil {
				return nil // the client does not listen any more
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
		var length [4]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return ErrGone
		}
		n := binary.BigEndian.Uint32(length[:])
		if n == 0 || n > maxMessage {
			return fmt.Errorf("sshagent: message of %d bytes, 1 to %d are allowed", n, maxMessage)
		}
		msg := make([]byte, n)
		if _, err := io.ReadFull(conn, msg); err != nil {
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
	binds   []wire.Bind
	broken  bool // a bind was malformed or one too many: nothing is signed any more
	stored  map[[32]byte][]byte
}

// answer returns the reply to one message.
func (c *connection) answer(ctx context.Context, msg []byte) []byte {
	switch msg[0] {
	case msgRequestIdentities:
		return c.identities()
	case msgSignRequest:
		return c.sign(ctx, msg)
	case msgExtension:
		return c.extension(msg)
	}
	return []byte{msgFailure}
}

func (c *connection) identities() []byte {
	keys := c.backend.Keys()
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
	id := sha256.Sum256(msg)
	if answer, ok := c.stored[id]; ok {
		return answer
	}
	answer := []byte{msgFailure}
	sig, err := c.backend.Sign(ctx, Request{m.Key, m.Data, m.Flags, c.binds})
	if err == nil {
		answer = ssh.Marshal(struct {
			Signature []byte `sshtype:"14"`
		}{sig})
	}
	if len(c.stored) < maxStored && ctx.Err() == nil {
		c.stored[id] = answer
	}
	return answer
}

// extension remembers a session-bind. It is passed on as it is: the phone
// verifies it. All other extensions are unknown here.
func (c *connection) extension(msg []byte) []byte {
	var m struct {
		Name string `sshtype:"27"`
		Rest []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(msg, &m); err != nil || m.Name != bindName {
		return []byte{msgFailure}
	}
	var b struct {
		HostKey, SessionID, Signature []byte
		Forwarding                    bool
	}
	if err := ssh.Unmarshal(m.Rest, &b); err != nil || len(c.binds) >= maxBinds {
		c.broken = true
		return []byte{msgFailure}
	}
	c.binds = append(c.binds, wire.Bind{HostKey: b.HostKey, SessionID: b.SessionID, Signature: b.Signature, Forwarding: b.Forwarding})
	c.backend.Bound(c.binds)
	return []byte{msgSuccess}
}
