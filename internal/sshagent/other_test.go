package sshagent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// another is the user's other agent: what reply returns, and a record of what
// each of its connections was told. A nil reply hangs.
type another struct {
	reply func(conn int, msg []byte) []byte

	mu   sync.Mutex
	told [][][]byte // by connection
	open sync.WaitGroup
}

func (a *another) other() *Other {
	return &Other{Log: slog.New(slog.DiscardHandler), Dial: func(context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		a.mu.Lock()
		n := len(a.told)
		a.told = append(a.told, nil)
		a.mu.Unlock()
		a.open.Go(func() { a.serve(n, server) })
		return client, nil
	}}
}

func (a *another) serve(n int, conn net.Conn) {
	defer conn.Close()
	for {
		msg, err := readMessage(conn)
		if err != nil {
			return
		}
		a.mu.Lock()
		a.told[n] = append(a.told[n], msg)
		a.mu.Unlock()
		reply := a.reply(n, msg)
		if reply == nil {
			readMessage(conn) // hangs until it is hung up on
			return
		}
		if write(conn, reply) != nil {
			return
		}
	}
}

// keyring is x/crypto's agent as the other one, with these keys.
func keyring(t testing.TB, keys ...any) (agent.ExtendedAgent, *Other) {
	t.Helper()
	ring := agent.NewKeyring().(agent.ExtendedAgent)
	for i, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k, Comment: fmt.Sprint("other ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	return ring, &Other{Log: slog.New(slog.DiscardHandler), Dial: func(context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		go func() { agent.ServeAgent(ring, server); server.Close() }()
		return client, nil
	}}
}

func connectWith(t testing.TB, b Backend, o *Other) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); Serve(context.Background(), server, b, o) }()
	t.Cleanup(func() { client.Close(); <-done })
	return client
}

// oneKey makes a backend refuse keys that are not its own.
type oneKey struct{ *backend }

func (b oneKey) Sign(ctx context.Context, r Request) ([]byte, error) {
	if !bytes.Equal(r.Key, b.key.PublicKey().Marshal()) {
		return nil, fmt.Errorf("key of nobody: %w", ErrNoKey)
	}
	return b.backend.Sign(ctx, r)
}

// TestOtherAgentsKeysWork: they are listed after ours, sign with the flags asked
// for, and are added, removed, locked and unlocked; ours are not touched.
func TestOtherAgentsKeysWork(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edKey := mustEd25519(t)
	ring, o := keyring(t, rsaKey)
	b := oneKey{newBackend(t)}
	c := agent.NewClient(connectWith(t, b, o))
	list := func() string {
		t.Helper()
		keys, err := c.List()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, k := range keys {
			names = append(names, k.Comment)
		}
		return strings.Join(names, ",")
	}
	if got := list(); got != "ana,other 0" {
		t.Errorf("listed: %s", got)
	}
	pub, _ := ssh.NewPublicKey(&rsaKey.PublicKey)
	for flags, want := range map[agent.SignatureFlags]string{
		0: ssh.KeyAlgoRSA, agent.SignatureFlagRsaSha256: ssh.KeyAlgoRSASHA256, agent.SignatureFlagRsaSha512: ssh.KeyAlgoRSASHA512,
	} {
		sig, err := c.SignWithFlags(pub, []byte("data"), flags)
		if err != nil || sig.Format != want || pub.Verify([]byte("data"), sig) != nil {
			t.Errorf("flags %d: %+v, %v, want %s", flags, sig, err, want)
		}
	}
	if err := c.Add(agent.AddedKey{PrivateKey: edKey, Comment: "added"}); err != nil || list() != "ana,other 0,added" {
		t.Errorf("add: %v, then %s", err, list())
	}
	if err := c.Add(agent.AddedKey{PrivateKey: edKey, Comment: "again", LifetimeSecs: 60}); err != nil {
		t.Errorf("add with a constraint: %v", err)
	}
	if err := c.Remove(pub); err != nil || strings.Contains(list(), "other 0") {
		t.Errorf("remove: %v, then %s", err, list())
	}
	if err := c.Lock([]byte("x")); err != nil || list() != "ana" {
		t.Errorf("lock: %v, then %s; ours stay", err, list())
	}
	if _, err := c.Sign(b.key.PublicKey(), []byte("data")); err != nil {
		t.Error("ours sign while the other agent is locked:", err)
	}
	if err := c.Unlock([]byte("x")); err != nil {
		t.Error("unlock:", err)
	}
	if err := c.RemoveAll(); err != nil || list() != "ana" {
		t.Errorf("remove all: %v, then %s", err, list())
	}
	if keys, _ := ring.List(); len(keys) != 0 {
		t.Errorf("the other agent still has %v", keys)
	}
	if err := c.Remove(b.key.PublicKey()); err == nil {
		t.Error("our key was removed")
	}
	if n := len(b.asked); n != 1 {
		t.Errorf("the phone was asked %d times, want once", n)
	}
}

// TestBindsGoFirst: before anything is asked of it, each connection to the other
// agent is told all binds in order, as they came; later ones are told once.
func TestBindsGoFirst(t *testing.T) {
	a := &another{reply: func(_ int, msg []byte) []byte {
		switch msg[0] {
		case msgRequestIdentities:
			return []byte{msgIdentitiesAnswer, 0, 0, 0, 0}
		case msgLock:
			return nil
		case msgExtension:
			return []byte{msgFailure} // an agent that knows no binds
		}
		return []byte{msgSignResponse, 0, 0, 0, 0}
	}}
	b := oneKey{newBackend(t)}
	conn := connectWith(t, b, a.other())
	foreign := ssh.Marshal(struct {
		Key   []byte `sshtype:"13"`
		Data  []byte
		Flags uint32
	}{[]byte("foreign"), []byte("data"), 4})
	exchange(t, conn, bind(1))
	exchange(t, conn, bind(2))
	exchange(t, conn, []byte{msgRequestIdentities})
	exchange(t, conn, bind(3))
	for range 2 {
		if got := exchange(t, conn, foreign); got[0] != msgSignResponse {
			t.Fatal("sign:", got)
		}
	}
	want := [][]byte{bind(1), bind(2), {msgRequestIdentities}, bind(3), foreign, foreign}
	if !slices.EqualFunc(a.told[0], want, bytes.Equal) || len(a.told) != 1 {
		t.Errorf("told: %q on %d connections\nwant: %q", a.told[0], len(a.told), want)
	}
	// Another client has a connection of its own, without these binds.
	exchange(t, connectWith(t, b, a.other()), foreign)
	if !slices.EqualFunc(a.told[1], [][]byte{foreign}, bytes.Equal) {
		t.Errorf("the second client's: %q", a.told[1])
	}
	// After a bind that cannot be told, the other agent is out of it.
	exchange(t, conn, bind(1)[:30])
	if got := exchange(t, conn, foreign); got[0] != msgFailure || len(a.told[0]) != len(want) {
		t.Errorf("after a malformed bind: %v", got)
	}
	if got := exchange(t, conn, []byte{msgRequestIdentities}); got[0] != msgIdentitiesAnswer || got[4] != 1 {
		t.Errorf("after a malformed bind the list is %v", got)
	}
}

// TestHungOtherAgent: a list takes 200 ms and has our keys; a signature waits
// for as long as the client does, and what comes late answers nothing else.
func TestHungOtherAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &another{reply: func(_ int, msg []byte) []byte {
			if msg[0] == msgRemoveAll {
				return []byte{msgSuccess}
			}
			return nil
		}}
		client, server := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- Serve(t.Context(), server, oneKey{newBackend(t)}, a.other()) }()
		for range 3 {
			start := time.Now()
			if got := exchange(t, client, []byte{msgRequestIdentities}); got[0] != msgIdentitiesAnswer || got[4] != 1 {
				t.Errorf("list: %v", got)
			}
			if took := time.Since(start); took > listLimit {
				t.Errorf("the list took %s", took)
			}
		}
		if got := exchange(t, client, []byte{msgRemoveAll}); got[0] != msgSuccess {
			t.Errorf("after that: %v", got)
		}
		start := time.Now()
		go func() { time.Sleep(time.Hour); client.Close() }()
		write(client, []byte{msgSignRequest, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'd', 0, 0, 0, 0})
		if err := <-done; err != nil || time.Since(start) != time.Hour {
			t.Errorf("Serve = %v after %s", err, time.Since(start))
		}
		a.open.Wait() // all its connections were closed
	})
}

// TestOtherAgentThatAnswersNonsense, or is not there: our list is as ever, and
// what is for it fails.
func TestOtherAgentThatAnswersNonsense(t *testing.T) {
	s, _ := ssh.NewSignerFromKey(mustEd25519(t))
	blob := s.PublicKey().Marshal()
	good := ssh.Marshal(struct {
		N       uint32 `sshtype:"12"`
		Blob    []byte
		Comment string
	}{1, blob, "other"})
	gone := &Other{Log: slog.New(slog.DiscardHandler), Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("no such file") }}
	others := map[string]*Other{"absent": gone}
	for name, reply := range map[string][]byte{
		"failure": {msgFailure}, "success": {msgSuccess}, "cut": good[:len(good)-1], "more": append(slices.Clone(good), 0), "no number": {msgIdentitiesAnswer, 0, 0},
		"more keys than sent": {msgIdentitiesAnswer, 0, 0, 0, 1}, "a million keys": {msgIdentitiesAnswer, 0, 0x10, 0, 0}, "too large": make([]byte, maxMessage+1),
	} {
		others[name] = (&another{reply: func(int, []byte) []byte { return reply }}).other()
	}
	for name, o := range others {
		c := agent.NewClient(connectWith(t, oneKey{newBackend(t)}, o))
		if keys, err := c.List(); err != nil || len(keys) != 1 {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
		if name == "success" {
			continue // what it says to a remove is passed on
		}
		if err := c.RemoveAll(); err == nil {
			t.Errorf("%s: remove all: success", name)
		}
		if _, err := c.Sign(s.PublicKey(), []byte("x")); err == nil {
			t.Errorf("%s: a signature", name)
		}
	}
	keys, err := (&another{reply: func(int, []byte) []byte { return good }}).other().List(t.Context())
	if err != nil || len(keys) != 1 || !bytes.Equal(keys[0].Blob, blob) || keys[0].Comment != "other" {
		t.Errorf("List = %v, %v", keys, err)
	}
	if _, err := gone.List(t.Context()); err == nil {
		t.Error("an absent agent lists")
	}
}

// TestOrderOfKeys: three of ours, the other agent's, the rest of ours, those that
// are away (-), but one of these among a server's six tries; each once.
func TestOrderOfKeys(t *testing.T) {
	keys := func(s string) (out []Key) {
		for _, f := range strings.Fields(s) {
			name, away := strings.CutPrefix(f, "-")
			out = append(out, Key{[]byte(name), name, away})
		}
		return out
	}
	for _, c := range []struct{ own, other, want string }{
		{"", "", ""}, {"a", "", "a"}, {"", "x y", "x y"}, {"a b", "x", "a b x"},
		{"a b c", "x", "a b c x"}, {"a b c d e", "x y", "a b c x y d e"},
		{"a b c d e", "e a x x", "a b c e x d"},
		{"-a", "", "a"}, {"-a b", "", "b a"}, {"-a", "x y", "x y a"}, {"a -b", "x", "a x b"},
		{"-a -b", "x y z w v u", "x y z w a v u b"}, {"a b c -d e", "x y", "a b c x d y e"},
		{"a b c -d -e", "x", "a b c x d e"}, {"a b -d c e", "", "a b c e d"}, {"a b c -d e f", "", "a b c e d f"},
	} {
		var got []string
		for _, k := range offer(keys(c.own), keys(c.other)) {
			got = append(got, k.Comment)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("offer(%s; %s) = %s, want %s", c.own, c.other, got, c.want)
		}
	}
	var many []Key
	for i := range maxKeys + 10 {
		many = append(many, Key{Blob: binary.BigEndian.AppendUint32(nil, uint32(i))})
	}
	if got := offer(keys("a b c d"), many); len(got) != maxKeys || got[0].Comment != "a" {
		t.Errorf("%d keys are offered", len(got))
	}
	large := []Key{{Blob: make([]byte, maxMessage/2)}, {Blob: make([]byte, maxMessage/2+1)}}
	if got := offer(keys("a"), large); len(got) != 2 {
		t.Errorf("%d keys are offered of more than fit", len(got))
	}
}

// TestNoLibraryOverAForwardedAgent: what OpenSSH's agent refuses on a connection
// that was bound does not even get there.
func TestNoLibraryOverAForwardedAgent(t *testing.T) {
	a := &another{reply: func(int, []byte) []byte { return []byte{msgSuccess} }}
	conn := connectWith(t, oneKey{newBackend(t)}, a.other())
	driver := func(names ...string) []byte {
		out := []byte{msgAddConstrained, 1, 2, 3}
		for _, n := range names {
			out = append(append(out, 255), ssh.Marshal(struct{ Ext, Name string }{"sk-provider@openssh.com", n})...)
		}
		return out
	}
	cases := map[string]struct {
		msg   []byte
		bound byte // the answer after a bind
	}{
		"pkcs11": {[]byte{msgAddSmartcard, 0}, msgFailure}, "pkcs11, constrained": {[]byte{msgAddSmartcardConstrained, 0}, msgFailure},
		"driver": {driver("/tmp/evil.so"), msgFailure}, "two drivers": {driver("internal", "/tmp/evil.so"), msgFailure}, "ours": {driver("internal"), msgSuccess},
		"add": {[]byte{msgAdd, 0}, msgSuccess}, "add, constrained": {[]byte{msgAddConstrained, 0}, msgSuccess}, "remove": {[]byte{msgRemove}, msgSuccess},
		"remove all": {[]byte{msgRemoveAll}, msgSuccess}, "remove pkcs11": {[]byte{msgRemoveSmartcard}, msgSuccess},
		"lock": {[]byte{msgLock}, msgSuccess}, "unlock": {[]byte{msgUnlock}, msgSuccess},
	}
	for name, c := range cases {
		if got := exchange(t, conn, c.msg); got[0] != msgSuccess {
			t.Errorf("%s: %v", name, got)
		}
	}
	exchange(t, conn, bind(1))
	for name, c := range cases {
		if got := exchange(t, conn, c.msg); got[0] != c.bound {
			t.Errorf("%s after a bind: %v, want %d", name, got, c.bound)
		}
	}
	for _, m := range a.told[0][len(cases):] {
		if loadsLibrary(m) {
			t.Errorf("the other agent was told %q after a bind", m)
		}
	}
}

// TestNothingAfterABadBind: the other agent would take a connection whose binds
// were not all told for one that is not forwarded.
func TestNothingAfterABadBind(t *testing.T) {
	a := &another{reply: func(int, []byte) []byte { return []byte{msgSuccess} }}
	conn := connectWith(t, oneKey{newBackend(t)}, a.other())
	exchange(t, conn, []byte{msgLock})
	malformed := bind(2)
	if got := exchange(t, conn, malformed[:len(malformed)-1]); got[0] != msgFailure {
		t.Errorf("a malformed bind: %v", got)
	}
	before := len(a.told[0])
	for _, msg := range [][]byte{{msgUnlock}, {msgRemoveAll}, {msgRequestIdentities}, signMessage(newBackend(t), "data")} {
		if got := exchange(t, conn, msg); got[0] != msgFailure && got[0] != msgIdentitiesAnswer {
			t.Errorf("type %d after it: %v", msg[0], got)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.told) != 1 || len(a.told[0]) != before {
		t.Errorf("the other agent was told %q", a.told)
	}
}

// FuzzIdentities: what another agent lists is read or refused, and made again
// it is the same.
func FuzzIdentities(f *testing.F) {
	f.Add([]byte{12, 0, 0, 0, 0})
	f.Add([]byte{12, 0, 0, 0, 1, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 'c'})
	f.Add([]byte{12, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1})
	f.Add([]byte{5})
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) == 0 {
			return // readMessage returns none
		}
		keys, err := parseIdentities(msg)
		if err != nil {
			return
		}
		again := binary.BigEndian.AppendUint32([]byte{msgIdentitiesAnswer}, uint32(len(keys)))
		for _, k := range keys {
			again = append(again, ssh.Marshal(struct{ Blob, Comment string }{string(k.Blob), k.Comment})...)
		}
		if !bytes.Equal(msg, again) {
			t.Errorf("parseIdentities(%x) = %v", msg, keys)
		}
	})
}

func mustEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
