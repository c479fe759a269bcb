package sshagent

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	listLimit = 200 * time.Millisecond // for the other agent's whole part of a list
	tries     = 6                      // what servers allow: MaxAuthTries of sshd_config(5)
	keysFirst = 3                      // own keys before the other agent's
	maxKeys   = 2048                   // what OpenSSH's clients take in one list
)

// Other is the agent that the user has beside this one.
type Other struct {
	// Dial connects to it, or says why that cannot be.
	Dial func(context.Context) (net.Conn, error)
	Log  *slog.Logger // what fails goes there, at level debug
}

// List returns its keys, on a connection of its own, within 200 ms.
func (o *Other) List(ctx context.Context) ([]Key, error) {
	u := &upstream{other: o}
	defer u.close()
	return u.list(ctx, nil)
}

// upstream is one client's own connection to the other agent. It is made when
// it is first needed, and made anew after anything went wrong with it.
type upstream struct {
	other *Other
	conn  net.Conn // or nil
	bound int      // how many of the client's binds it has been told
}

// ask passes msg on, after the binds that conn has not been told yet, and
// returns the reply as it is. It waits until ctx ends. What the other agent says
// to a bind does not matter here: it keeps that for its own rules.
func (u *upstream) ask(ctx context.Context, binds [][]byte, msg []byte) (reply []byte, err error) {
	if u.conn == nil {
		if u.conn, err = u.other.Dial(ctx); err != nil {
			u.conn = nil
			return nil, err
		}
		u.bound = 0
	}
	conn := u.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	for _, m := range append(binds[u.bound:len(binds):len(binds)], msg) {
		if err = write(conn, m); err == nil {
			reply, err = readMessage(conn)
		}
		if err != nil {
			break
		}
	}
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		u.close() // a late reply would be taken for that to the next question
		return nil, err
	}
	u.bound = len(binds)
	return reply, nil
}

// list returns the other agent's keys, which may depend on the binds.
func (u *upstream) list(ctx context.Context, binds [][]byte) ([]Key, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listLimit, fmt.Errorf("no list of keys within %s", listLimit))
	defer cancel()
	reply, err := u.ask(ctx, binds, []byte{msgRequestIdentities})
	if err != nil {
		return nil, err
	}
	return parseIdentities(reply)
}

func (u *upstream) close() {
	if u.conn != nil {
		u.conn.Close()
		u.conn = nil
	}
}

// readMessage returns the next message, of 1 byte to 256 KiB, without its
// length; errLength, or what the reader says.
func readMessage(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 || n > maxMessage {
		return nil, fmt.Errorf("sshagent: message of %d bytes, %w", n, errLength)
	}
	msg := make([]byte, n)
	_, err := io.ReadFull(r, msg)
	return msg, err
}

// parseIdentities reads an IDENTITIES_ANSWER. [PROTOCOL.agent] §3.5.
func parseIdentities(msg []byte) ([]Key, error) {
	if len(msg) < 5 || msg[0] != msgIdentitiesAnswer {
		return nil, fmt.Errorf("answer of type %d with %d bytes to a question for keys", msg[0], len(msg))
	}
	n, rest := binary.BigEndian.Uint32(msg[1:]), msg[5:]
	if n > maxKeys {
		return nil, fmt.Errorf("%d keys, up to %d are taken", n, maxKeys)
	}
	var keys []Key
	for range n {
		var k struct {
			Blob    []byte
			Comment string
			Rest    []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(rest, &k); err != nil {
			return nil, errors.New("list of keys that is cut off")
		}
		keys, rest = append(keys, Key{Blob: k.Blob, Comment: k.Comment}), k.Rest
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes after the last key", len(rest))
	}
	return keys, nil
}

// offer is the order in which a client hears of keys: three of our own, the
// other agent's, the rest of our own, those that are away. The first that is away
// comes no later than a server's last try but one: otherwise it might never be
// asked again. Each is there once, under its first name. What no client would take
// is left off, from the end.
func offer(own, other []Key) []Key {
	var here, away []Key
	for _, k := range own {
		if k.Away {
			away = append(away, k)
		} else {
			here = append(here, k)
		}
	}
	first := min(keysFirst, len(here))
	rest := slices.Concat(here[:first], other, here[first:])
	at, one := min(tries-2, len(rest)), min(1, len(away))
	all := slices.Concat(rest[:at], away[:one], rest[at:], away[one:])
	seen := map[string]bool{}
	size, out := 5, all[:0]
	for _, k := range all {
		size += 8 + len(k.Blob) + len(k.Comment)
		if size > maxMessage || len(out) == maxKeys {
			break
		}
		if !seen[string(k.Blob)] {
			seen[string(k.Blob)] = true
			out = append(out, k)
		}
	}
	return out
}

// loadsLibrary says whether msg makes an agent load a shared library: a PKCS#11
// module, or the driver of an authenticator. OpenSSH's agent refuses both on a
// connection that was bound to a session (CVE-2023-38408).
func loadsLibrary(msg []byte) bool {
	const driver, internal = "\xff\x00\x00\x00\x17sk-provider@openssh.com", "\x00\x00\x00\x08internal"
	switch msg[0] {
	case msgAddSmartcard, msgAddSmartcardConstrained:
		return true
	case msgAddConstrained:
		return bytes.Count(msg, []byte(driver)) != bytes.Count(msg, []byte(driver+internal))
	}
	return false
}
