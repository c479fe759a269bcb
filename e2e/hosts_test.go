package e2e

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// paired is a house with a relay, krd, a paired phone that a person watches,
// and the host "server".
func paired(t *testing.T) (*House, *ledger) {
	t.Helper()
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	l := &ledger{}
	must(t, h.runWatched("ana", l))
	return h, l
}

// run runs a program in the house and returns what it said.
func (h *House) run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = h.Env, h.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return string(out), nil
}

// login logs in to a host of ssh_config.
func (h *House) login(host string, more ...string) (string, error) {
	args := append([]string{"-F", h.Path("ssh_config")}, more...)
	return h.run("ssh", append(args, "root@"+host, "echo", "in")...)
}

// questions is how often the phone has asked.
func (h *House) questions(name string) int {
	return strings.Count(h.Phones[name].Output(), "Allow? [y/N]")
}

// TestEveryHostKey: a server with each kind of host key, and with a host
// certificate, is proved by real ssh and sshd.
func TestEveryHostKey(t *testing.T) {
	t.Parallel()
	h, l := paired(t)
	for _, s := range []*Server{
		{Name: "ed25519"}, {Name: "ecdsa", KeyType: "ecdsa"}, {Name: "rsa", KeyType: "rsa"},
		{Name: "certified", Cert: true}, {Name: "certified-rsa", KeyType: "rsa", Cert: true},
	} {
		must(t, h.AddServer(s))
		before := len(h.Phones["ana"].Output())
		_, err := h.login(s.Name)
		must(t, err)
		card := h.Phones["ana"].Output()[before:]
		pub, err := os.ReadFile(h.Path(s.Name + ".hostkey.pub"))
		must(t, err)
		key, _, _, _, err := ssh.ParseAuthorizedKey(pub)
		must(t, err)
		for _, want := range []string{key.Type() + " " + ssh.FingerprintSHA256(key), "proved: "} {
			if !strings.Contains(card, want) {
				t.Errorf("%s: the card does not say %q:\n%s", s.Name, want, card)
			}
		}
		if s.Cert != strings.Contains(card, "certified by SHA256:") {
			t.Errorf("%s: certificate %v, and the card says:\n%s", s.Name, s.Cert, card)
		}
	}
	h.Sshd = h.servers[len(h.servers)-1]
	l.check(t, h)
}

// TestServerWithoutHostbound: an ssh server that does not know hostbound
// logins (x/crypto's): its host is vouched for by the session bind.
func TestServerWithoutHostbound(t *testing.T) {
	t.Parallel()
	h, _ := paired(t)
	_, hostKey, err := ed25519.GenerateKey(nil)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(hostKey)
	must(t, err)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		me, err := h.Kr("me")
		if err != nil || !strings.Contains(me, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))) {
			return nil, fmt.Errorf("not ana's key")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serveEcho(conn, config)
		}
	}()
	t.Cleanup(func() { l.Close(); <-served })
	port := l.Addr().(*net.TCPAddr).Port
	must(t, h.Append("known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", port, ssh.MarshalAuthorizedKey(signer.PublicKey()))))
	must(t, h.Append("ssh_config", fmt.Sprintf("Host plain\n  HostName 127.0.0.1\n  Port %d\n  UserKnownHostsFile %s\n  IdentityAgent %s\n",
		port, h.Path("known_hosts"), h.Path("kr", "agent.sock"))))
	_, err = h.login("plain")
	must(t, err)
	if out := h.Phones["ana"].Output(); !strings.Contains(out, "vouched: ") || !strings.Contains(out, ssh.FingerprintSHA256(signer.PublicKey())) {
		t.Errorf("the card:\n%s", out)
	}
}

// serveEcho runs one connection: it answers each command with "in".
func serveEcho(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, chans, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range chans {
		ch, reqs, err := c.Accept()
		if err != nil {
			return
		}
		for r := range reqs {
			r.Reply(r.Type == "exec", nil)
			if r.Type == "exec" {
				io.WriteString(ch, "in\n")
				ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{0}))
				ch.Close()
			}
		}
	}
}

// TestJumps: ProxyJump asks for each of its two logins, both local; what a hop
// asks for over a forwarded agent is refused with the way it came, until the
// person wants to be asked.
func TestJumps(t *testing.T) {
	t.Parallel()
	h, _ := paired(t)
	must(t, h.AddServer(&Server{Name: "inner"}))
	must(t, h.AddServer(&Server{Name: "behind", Config: "  ProxyJump root@server\n"}))
	_, err := h.login("behind")
	must(t, err)
	if n := h.questions("ana"); n != 2 {
		t.Errorf("ProxyJump asked %d times, want 2", n)
	}
	if out := h.Phones["ana"].Output(); strings.Contains(out, "may be forwarded") {
		t.Errorf("a jump counts as forwarded:\n%s", out)
	}
	// On the hop there is only the forwarded agent.
	inner, err := os.ReadFile(h.Path("ssh_config"))
	must(t, err)
	must(t, os.WriteFile(h.Path("hop_config"), []byte(strings.ReplaceAll(string(inner), "IdentityAgent "+h.Path("kr", "agent.sock"), "IdentityAgent SSH_AUTH_SOCK")), 0o600))
	onward := []string{"-F", h.Path("ssh_config"), "-A", "root@server", "ssh", "-F", h.Path("hop_config"), "root@inner", "echo", "in"}
	if out, err := h.run("ssh", onward...); err == nil {
		t.Errorf("a forwarded login went through: %s", out)
	}
	refused, err := h.Phones["ana"].Await(`REFUSED: laptop wants to log in as root: (it was forwarded through .*)\.\n`)
	must(t, err)
	pub, err := os.ReadFile(h.Path("server.hostkey.pub"))
	must(t, err)
	key, _, _, _, err := ssh.ParseAuthorizedKey(pub)
	must(t, err)
	if !strings.Contains(refused, ssh.FingerprintSHA256(key)) && !strings.Contains(refused, "127.0.0.1") {
		t.Errorf("the way is not shown: %s", refused)
	}
	must(t, h.Phones["ana"].Type("forward laptop"))
	_, err = h.Phones["ana"].Await(`You will be asked about what laptop forwards`)
	must(t, err)
	if _, err := h.run("ssh", onward...); err != nil {
		t.Error("after the person wanted to be asked:", err)
	}
	if out := h.Phones["ana"].Output(); !strings.Contains(out, "may be forwarded") {
		t.Error("the card does not say that it may be forwarded")
	}
}

// TestDailyTools: git, scp, sftp, rsync and a shared connection, as people use
// them: each asks once, and a shared connection once for all.
func TestDailyTools(t *testing.T) {
	t.Parallel()
	h, _ := paired(t)
	ssh := "ssh -F " + h.Path("ssh_config")
	must(t, os.WriteFile(h.Path("file"), []byte("content\n"), 0o600))
	h.Env = append(h.Env, "GIT_SSH_COMMAND="+ssh, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example")
	sh := func(script string) {
		t.Helper()
		if _, err := h.run("sh", "-ec", script); err != nil {
			t.Error(err)
		}
	}
	sh("git init -q --bare repo.git && git clone -q root@server:" + h.Path("repo.git") + " work 2>/dev/null && cd work && git commit -q --allow-empty -m one && git push -q origin HEAD")
	sh("scp -q -F " + h.Path("ssh_config") + " file root@server:" + h.Path("by-scp"))
	sh("echo 'put file " + h.Path("by-sftp") + "' | sftp -q -F " + h.Path("ssh_config") + " -b - root@server")
	sh("rsync -e '" + ssh + "' file root@server:" + h.Path("by-rsync"))
	for _, name := range []string{"by-scp", "by-sftp", "by-rsync"} {
		if b, err := os.ReadFile(h.Path(name)); err != nil || string(b) != "content\n" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if n := h.questions("ana"); n != 5 {
		t.Errorf("clone, push, scp, sftp and rsync asked %d times, want 5", n)
	}
	control := h.Path("cm")
	for range 3 {
		if _, err := h.login("server", "-o", "ControlMaster=auto", "-o", "ControlPath="+control, "-o", "ControlPersist=30"); err != nil {
			t.Error(err)
		}
	}
	h.run("ssh", "-F", h.Path("ssh_config"), "-o", "ControlPath="+control, "-O", "exit", "root@server")
	if n := h.questions("ana"); n != 6 {
		t.Errorf("three logins over one connection asked %d times, want once", n-5)
	}
	if left, _ := filepath.Glob(control + "*"); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

// stop ends a server.
func (s *Server) stop() error {
	_, err := s.proc.Stop(syscall.SIGTERM)
	return err
}
