package e2e

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// hostPrint is the fingerprint of the host key that a server has now.
func (h *House) hostPrint(t *testing.T, server string) string {
	t.Helper()
	pub, err := os.ReadFile(h.Path(server + ".hostkey.pub"))
	must(t, err)
	key, _, _, _, err := ssh.ParseAuthorizedKey(pub)
	must(t, err)
	return ssh.FingerprintSHA256(key)
}

// refused fails the test unless a login was.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("%s: the login ends with %v", what, err)
	}
}

// TestAppChangedHostKey: a server that shows another key is refused in red, with
// both keys; it is trusted by a second, deliberate step only. Alone: a busy
// machine may not find out the host's name in time, and nothing is pinned.
func TestAppChangedHostKey(t *testing.T) {
	h := newHouse(t)
	p, _ := newAppFor(t, h, true, wrapped...)
	s := &Server{Name: "box"}
	must(t, h.AddServer(s))
	login := func() <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := h.login("box")
			done <- err
		}()
		return done
	}
	done := login()
	p.sees("First time:")
	p.shot("card-first")
	p.tap("Allow once")
	must(t, <-done)
	before := h.hostPrint(t, "box")

	must(t, s.stop())
	must(t, os.Remove(h.Path("known_hosts")))
	must(t, h.AddServer(s))
	after := h.hostPrint(t, "box")
	refused(t, "a changed host key", <-login())
	p.sees("The host key has changed")
	p.sees(before)
	p.sees(after)
	p.shot("host-changed")
	p.tap("Keep refusing")
	must(t, p.Await(`!document.querySelector("dialog")`))
	refused(t, "a host key that stays refused", <-login())

	p.tap("I know why the key changed…")
	p.sees("Trust the new key")
	off, err := Eval[bool](p.Page, `[...document.querySelectorAll("button")].find((b) => b.innerText === "Trust the new key").getAttribute("aria-disabled") === "true"`)
	must(t, err)
	if !off {
		t.Error("a new key can be trusted without the second step")
	}
	p.tap("I compared it, and it is the same.")
	p.shot("host-trust")
	p.tap("Trust the new key")
	must(t, p.Await(`!document.querySelector("dialog")`))
	done = login()
	p.sees("Pinned since")
	p.sees(after)
	p.shot("card-pinned")
	p.tap("Allow once")
	must(t, <-done)
	p.quiet()
}

// TestAppForwarded: what comes over a forwarded agent is refused, until the
// person wants to be asked.
func TestAppForwarded(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, true, wrapped...)
	h := p.h
	must(t, h.AddServer(&Server{Name: "inner"}))
	config, err := os.ReadFile(h.Path("ssh_config"))
	must(t, err)
	must(t, os.WriteFile(h.Path("hop_config"), []byte(strings.ReplaceAll(string(config), "IdentityAgent "+h.Path("kr", "agent.sock"), "IdentityAgent SSH_AUTH_SOCK")), 0o600))
	onward := func() <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := h.run("ssh", "-F", h.Path("ssh_config"), "-A", "root@server", "ssh", "-F", h.Path("hop_config"), "root@inner", "echo", "in")
			done <- err
		}()
		return done
	}
	done := onward()
	p.tap("Allow once")
	refused(t, "forwarded", <-done)
	p.sees("Refused: forwarded")
	p.sees("By way of")
	p.shot("forwarded")
	p.tap("Ask me from now on")
	done = onward()
	p.tap("Allow once")
	p.sees("May be forwarded.")
	p.shot("card-forwarded")
	p.tap("Allow once")
	must(t, <-done)
	p.quiet()
}
