package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/internal/sshwire"
)

// passkeyClient is an ssh in Go that passes on what an agent has signed, as
// OpenSSH does from 10.3 on.
func passkeyClient(h *House) (string, error) {
	conn, err := net.Dial("unix", h.Path("kr", "agent.sock"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	known, err := os.ReadFile(h.Path("server.hostkey.pub"))
	if err != nil {
		return "", err
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey(known)
	if err != nil {
		return "", err
	}
	c, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.Port), &ssh.ClientConfig{User: "root",
		Auth:            []ssh.AuthMethod{ssh.PublicKeysCallback(agent.NewClient(conn).Signers)},
		HostKeyCallback: ssh.FixedHostKey(hostKey)})
	if err != nil {
		return "", err
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		return "", err
	}
	out, err := s.Output("echo in")
	return string(out), err
}

// whileAsked does something that asks the phone, which answers the card that
// says this.
func (p *webPhone) whileAsked(t *testing.T, card, answer string, do func() (string, error)) (string, error) {
	t.Helper()
	type result struct {
		out string
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := do()
		done <- result{out, err}
	}()
	before := strings.Count(p.Output(), card)
	_, err := p.Await(again(card+`[^\n]*"type":"Ask"`, before+1))
	must(t, err)
	p.answer(t, answer)
	r := <-done
	return r.out, r.err
}

// TestPasskey: a passkey logs in to stock sshd by a client that passes its
// signature on; Debian's ssh does not, so it is not offered one and goes on with
// other keys; and ssh-keygen and git sign with it, whatever their version.
func TestPasskey(t *testing.T) {
	t.Parallel()
	dist, h := buildWeb(t), newHouse(t)
	begin(t, h)
	p := startWebPhone(t, h, dist, "pixel", "KIND=passkey")
	p.pair(t, h)
	must(t, h.StartSshd())
	me, err := h.Kr("me")
	must(t, err)
	line, note, _ := strings.Cut(me, "\n")
	if !strings.HasPrefix(line, sshwire.KeyPasskey+" ") || !strings.HasSuffix(line, " pixel") || !strings.Contains(note, "is a passkey. Logins with it need ssh 10.3") {
		t.Fatalf("kr me says %q", me)
	}
	must(t, os.WriteFile(h.Path("authorized_keys"), []byte(line+"\n"), 0o600))
	status, err := h.Kr("status")
	must(t, err)
	if !strings.Contains(status, "a passkey: logins need ssh 10.3") {
		t.Errorf("kr status says:\n%s", status)
	}

	for range 2 {
		out, err := p.whileAsked(t, `"user":"root"`, "allow", func() (string, error) { return passkeyClient(h) })
		if err != nil || out != "in\n" {
			t.Errorf("a client that passes it on: %q, %v", out, err)
		}
	}
	if out, err := p.whileAsked(t, `"user":"root"`, "reject", func() (string, error) { return passkeyClient(h) }); err == nil {
		t.Errorf("a rejected login ends with %q", out)
	}

	// The phone with a good server rule: it wants verification, which is in the flags.
	must(t, os.WriteFile(h.Path("authorized_keys"), []byte("verify-required "+line+"\n"), 0o600))
	if out, err := p.whileAsked(t, `"user":"root"`, "allow", func() (string, error) { return passkeyClient(h) }); err != nil || out != "in\n" {
		t.Errorf("a server that wants verification: %q, %v", out, err)
	}

	before := strings.Count(p.Output(), `"type":"Ask"`)
	if err := h.Login(); err == nil || !strings.Contains(err.Error(), "Permission denied (publickey)") || strings.Contains(err.Error(), "signing failed") {
		t.Errorf("Debian's ssh: %v", err)
	}
	if _, err := h.Krd.Await(`passkeys are not offered to this client.*ssh is OpenSSH 9\.\d+, and passes them on from 10\.3`); err != nil {
		t.Error(err)
	}
	must(t, keygen("-t", "ed25519", "-f", h.Path("own")))
	own, err := os.ReadFile(h.Path("own.pub"))
	must(t, err)
	must(t, h.Append("authorized_keys", string(own)))
	if out, err := h.login("server", "-i", h.Path("own")); err != nil || out != "in\n" {
		t.Errorf("Debian's ssh with another key: %q, %v", out, err)
	}
	if n := strings.Count(p.Output(), `"type":"Ask"`); n != before {
		t.Errorf("Debian's ssh asked the phone %d times", n-before)
	}
	if out, err := h.run("ssh-add", "-l"); err != nil || !strings.Contains(out, "(ECDSA-SK)") {
		t.Errorf("ssh-add -l: %s, %v", out, err)
	}

	must(t, os.WriteFile(h.Path("key.pub"), []byte(line+"\n"), 0o600))
	must(t, os.WriteFile(h.Path("allowed"), []byte("ana "+line+"\n"), 0o600))
	must(t, os.WriteFile(h.Path("letter"), []byte("dear Bo\n"), 0o600))
	_, err = p.whileAsked(t, `"namespace":"file"`, "allow", func() (string, error) {
		return h.run("ssh-keygen", "-Y", "sign", "-f", h.Path("key.pub"), "-n", "file", h.Path("letter"))
	})
	must(t, err)
	sh := func(command string) (string, error) { return h.run("sh", "-c", "cd "+h.Dir+" && "+command) }
	verify := "ssh-keygen -Y verify -f allowed -I ana -n file -s letter.sig < letter"
	if out, err := sh(verify); err != nil || !strings.Contains(out, `Good "file" signature for ana with ECDSA-SK key`) {
		t.Errorf("%s: %s, %v", verify, out, err)
	}
	must(t, h.Append("letter", "P.S."))
	if out, err := sh(verify); err == nil {
		t.Errorf("a changed letter: %s", out)
	}
	git := "git -C repo -c gpg.format=ssh -c user.signingkey=" + h.Path("key.pub") + " -c gpg.ssh.allowedSignersFile=" + h.Path("allowed") + " -c user.name=ana -c user.email=ana "
	_, err = p.whileAsked(t, `"namespace":"git"`, "allow", func() (string, error) {
		return sh("git init -q repo && " + git + "commit -q --allow-empty -S -m x")
	})
	must(t, err)
	if out, err := sh(git + "verify-commit HEAD"); err != nil || !strings.Contains(out, `Good "git" signature for ana with ECDSA-SK key`) {
		t.Errorf("git verify-commit: %s, %v", out, err)
	}
	if out := p.Output(); strings.Contains(out, `"type":"Log"`) {
		t.Errorf("the phone complains:\n%s", out)
	}
}
