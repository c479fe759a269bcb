package e2e

import (
	"crypto/rand"
	"flag"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/internal/sshwire"
)

var manyLogins = flag.Int("logins", 200, "how many signatures TestNothingPilesUp asks for")

// TestNothingPilesUp: after 200 signatures, each on a connection of its own, krd,
// the phone and the relay have as many descriptors and goroutines as after five.
func TestNothingPilesUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.RunPhone("ana", "always"))
	procs := func() map[string]*Proc {
		return map[string]*Proc{"krd": h.Krd, "kr-relay": h.Relay, "kr-phone": h.Phones["ana"]}
	}
	// goroutines ends all three: their last words tell how many they had.
	goroutines := func() map[string]int {
		n := map[string]int{}
		for name, p := range procs() {
			_, err := p.Stop(syscall.SIGQUIT)
			must(t, err)
			n[name] = len(regexp.MustCompile(`(?m)^goroutine \d+ .*\[`).FindAllString(p.Output(), -1))
		}
		return n
	}
	few := func() map[string]int {
		h.sign(t, 5)
		fds := map[string]int{}
		for name, p := range procs() {
			fds[name] = descriptors(t, p)
		}
		return fds
	}
	few()
	before := goroutines()
	must(t, h.StartRelay())
	must(t, h.StartKrd())
	must(t, h.RunPhone("ana", "always"))
	fds := few()
	h.sign(t, *manyLogins)
	for name, p := range procs() {
		until(t, name+" has no more descriptors than before", func() bool { return descriptors(t, p) <= fds[name]+2 })
	}
	after := goroutines()
	for name, n := range before {
		t.Logf("%s: %d descriptors; %d goroutines after 5, %d after %d", name, fds[name], n, after[name], *manyLogins)
		if n < 5 || after[name] > n+10 {
			t.Errorf("%s: %d goroutines after 5 signatures, %d after %d", name, n, after[name], *manyLogins)
		}
	}
}

// descriptors is how many a program has open.
func descriptors(t *testing.T, p *Proc) int {
	t.Helper()
	open, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "fd"))
	must(t, err)
	return len(open)
}

// sign asks the agent for n signatures for logins, as ssh does: each by a
// connection of its own.
func (h *House) sign(t *testing.T, n int) {
	t.Helper()
	for range n {
		conn, err := net.DialTimeout("unix", h.Path("kr", "agent.sock"), time.Minute)
		must(t, err)
		a := agent.NewClient(conn)
		keys, err := a.List()
		must(t, err)
		if len(keys) != 1 {
			t.Fatalf("%d keys", len(keys))
		}
		pub, err := ssh.ParsePublicKey(keys[0].Blob)
		must(t, err)
		session := make([]byte, 32)
		rand.Read(session)
		login := sshwire.Userauth{SessionID: session, User: h.user, Method: sshwire.MethodPublicKey, Algorithm: pub.Type(), PublicKey: pub.Marshal()}.Marshal()
		sig, err := a.Sign(pub, login)
		must(t, err)
		must(t, pub.Verify(login, sig))
		conn.Close()
	}
}
