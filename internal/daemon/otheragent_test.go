package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh/agent"

	"kryptonite/internal/control"
	"kryptonite/internal/peer"
)

func TestOtherAgentPath(t *testing.T) {
	for _, c := range []struct {
		set, env, want string
		bad            bool
	}{
		{"", "", "", false}, {"", "/run/a", "/run/a", false}, {"/run/b", "/run/a", "/run/b", false}, {"none", "/run/a", "", false},
		{"", "relative", "", false}, {"relative", "", "", true},
	} {
		if got, err := otherAgentPath(c.set, c.env); (err != nil) != c.bad || !c.bad && got != c.want {
			t.Errorf("otherAgentPath(%q, %q) = %q, %v", c.set, c.env, got, err)
		}
	}
}

// sockets makes a short directory with a socket of krd's that listens.
func sockets(t *testing.T) (dir, own string, l *net.UnixListener) {
	t.Helper()
	dir, err := os.MkdirTemp("", "kr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	own = filepath.Join(dir, control.AgentSocket)
	if l, err = peer.Listen(own); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return dir, own, l
}

// TestKrdIsNotItsOwnOtherAgent: by its path, by a link, by another name, and by
// a link that is bent later.
func TestKrdIsNotItsOwnOtherAgent(t *testing.T) {
	dir, own, _ := sockets(t)
	link, hard := filepath.Join(dir, "l"), filepath.Join(dir, "h")
	if err := errors.Join(os.Symlink(own, link), os.Link(own, hard)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", own, link, hard, filepath.Join(dir, ".", "x", "..", control.AgentSocket)} {
		if o := newOtherAgent(path, own, nil); o != nil {
			t.Errorf("%q is another agent", path)
		}
	}
	bent := filepath.Join(dir, "b")
	o := newOtherAgent(bent, own, slog.New(slog.DiscardHandler))
	if st := o.describe(t.Context()); st == nil || st.Reachable || st.Path != bent || st.LastError == "" {
		t.Errorf("an absent agent is described as %+v", st)
	}
	if err := os.Symlink(own, bent); err != nil {
		t.Fatal(err)
	}
	if _, err := o.dial(t.Context(), 0); !errors.Is(err, errOwn) {
		t.Errorf("a link to ourselves: %v", err)
	}
}

// TestClientIsNotAskedBack: a multiplexer that is our client and our other agent
// would come back to us for ever; and krd as its own client has no other.
func TestClientIsNotAskedBack(t *testing.T) {
	dir, own, _ := sockets(t)
	path := filepath.Join(dir, "o")
	l, err := peer.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := newOtherAgent(path, own, slog.New(slog.DiscardHandler))
	conn, err := o.dial(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	accepted, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if _, err := o.dial(t.Context(), os.Getpid()); !errors.Is(err, errAsks) {
		t.Errorf("the one that asks is asked back: %v", err)
	}
	if o.of(accepted) != nil {
		t.Error("krd as its own client has another agent")
	}
}

// serve runs d's agent socket until the test ends.
func serve(t *testing.T, d *Daemon) (path string) {
	t.Helper()
	_, path, l := sockets(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.serveAgent(ctx, peer.NewListener(l)) }()
	t.Cleanup(func() { cancel(); <-done })
	return path
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestManyAgentClients: idle ones, such that say half a message, and one that
// wants something; the thousand-and-first is hung up on, and there is room again
// when one leaves.
func TestManyAgentClients(t *testing.T) {
	path := serve(t, newDaemon(t))
	var idle []net.Conn
	for i := range maxAgentConns {
		c := dial(t, path)
		if i%2 == 0 {
			c.Write([]byte{0, 0, 0, 5, 13})
		}
		idle = append(idle, c)
	}
	last := idle[len(idle)-1]
	if _, err := agent.NewClient(last).List(); err != nil {
		t.Error("the last one:", err)
	}
	more := dial(t, path)
	more.SetDeadline(time.Now().Add(20 * time.Second))
	if n, err := more.Read(make([]byte, 1)); err == nil || n != 0 || os.IsTimeout(err) {
		t.Errorf("one too many: %d bytes, %v", n, err)
	}
	idle[0].Close()
	for start := time.Now(); ; {
		_, err := agent.NewClient(dial(t, path)).List()
		if err == nil {
			break
		}
		if time.Since(start) > 20*time.Second {
			t.Fatal("no room after one left:", err)
		}
	}
}

// TestNothingFromAnEmptyConnection: ssh -A opens one to see whether we are here.
func TestNothingFromAnEmptyConnection(t *testing.T) {
	path := serve(t, newDaemon(t))
	for range 50 {
		dial(t, path).Close()
	}
	if keys, err := agent.NewClient(dial(t, path)).List(); err != nil || len(keys) != 0 {
		t.Errorf("List = %v, %v", keys, err)
	}
}

// TestAgentSocketFails: if nobody can be accepted any more, krd ends, and does not wait
// for those that are there.
func TestAgentSocketFails(t *testing.T) {
	_, path, l := sockets(t)
	done := make(chan error, 1)
	go func() { done <- newDaemon(t).serveAgent(t.Context(), peer.NewListener(l)) }()
	c := dial(t, path)
	c.Write([]byte{0, 0, 0, 1, 11}) // what are the keys?
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	l.Close()
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(time.Minute):
		t.Fatal("krd waits for a client that does not leave")
	}
}
