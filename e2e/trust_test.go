package e2e

import (
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// answering is a paired house whose phone asks and is answered by the test.
func answering(t *testing.T) *House {
	t.Helper()
	h, _ := paired(t)
	_, err := h.Phones["ana"].Stop(15)
	must(t, err)
	must(t, h.RunPhone("ana", "ask"))
	return h
}

// answer gives the next question this answer.
func (h *House) answer(t *testing.T, name, line string) {
	t.Helper()
	_, err := h.Phones[name].Await(`(?s)(Allow\?.*){` + strconv.Itoa(h.answered+1) + `}`)
	must(t, err)
	h.answered++
	must(t, h.Phones[name].Type(line))
}

// TestChangedHostKeyIsRefused: on the phone and in ssh's terminal, with what
// was expected and seen; until the person trusts the new key.
func TestChangedHostKeyIsRefused(t *testing.T) {
	t.Parallel()
	h := answering(t)
	s := &Server{Name: "moved"}
	must(t, h.AddServer(s))
	login := func() chan error {
		done := make(chan error, 1)
		go func() { _, err := h.login("moved"); done <- err }()
		return done
	}
	first := login()
	h.answer(t, "ana", "y")
	must(t, <-first)
	if out := h.Phones["ana"].Output(); !strings.Contains(out, "NEW, its key is seen for the first time") {
		t.Errorf("the first login is not shown as one:\n%s", out)
	}
	second := login()
	h.answer(t, "ana", "y")
	must(t, <-second)
	if out := h.Phones["ana"].Output(); !strings.Contains(out, "pinned since") {
		t.Errorf("the second login does not show the pin:\n%s", out)
	}
	must(t, s.stop())
	must(t, h.AddServer(s)) // the same place, another key; the person has mended known_hosts
	screen, err := Start(h.Env, "script", "-qec", "ssh -F "+h.Path("ssh_config")+" root@moved true", "/dev/null")
	must(t, err)
	_, err = screen.Await(`shows the host key SHA256:\S+ \(ssh-ed25519\); pinned on the phone since .* is SHA256:\S+`)
	must(t, err)
	if code, err := screen.Wait(); err != nil || code == 0 {
		t.Errorf("ssh: exit %d, %v", code, err)
	}
	_, err = h.Phones["ana"].Await(`REFUSED: laptop wants to log in as root: \[127\.0\.0\.1\]:\d+ shows the host key SHA256:\S+ \(ssh-ed25519\); pinned`)
	must(t, err)
	line, err := h.Phones["ana"].Await(`this is its key, type: (trust \[127\.0\.0\.1\]:\d+ SHA256:\S+)`)
	must(t, err)
	must(t, h.Phones["ana"].Type(line))
	_, err = h.Phones["ana"].Await(`is trusted, beside the old one`)
	must(t, err)
	third := login()
	h.answer(t, "ana", "y")
	must(t, <-third)
}

// TestLease: one answer for 200 logins at once, and none for what it does not
// cover; revoked, each is asked again.
func TestLease(t *testing.T) { // not parallel: 200 logins at once take all of the machine
	h := answering(t)
	first := make(chan error, 1)
	go func() { first <- h.Login() }()
	h.answer(t, "ana", "h 2h")
	must(t, <-first)
	start := time.Now()
	var logins sync.WaitGroup
	for range 200 {
		logins.Go(func() {
			if err := h.Login(); err != nil {
				t.Error(err)
			}
		})
	}
	logins.Wait()
	t.Logf("200 logins under a rule: %s", time.Since(start).Round(time.Millisecond))
	if n := h.questions("ana"); n != 1 {
		t.Errorf("200 logins under a rule asked %d times", n)
	}
	must(t, h.Phones["ana"].Type("rules"))
	id, err := h.Phones["ana"].Await(`(?m)^(\d+)\tlaptop may log in as root at \[127\.0\.0\.1\]:\d+: 1 h 59 min left$`)
	must(t, err)
	// Another server is not covered.
	must(t, h.AddServer(&Server{Name: "other"}))
	other := make(chan error, 1)
	go func() { _, err := h.login("other"); other <- err }()
	h.answer(t, "ana", "n")
	if <-other == nil {
		t.Error("a rule for one host let another one in")
	}
	must(t, h.Phones["ana"].Type("revoke "+id))
	_, err = h.Phones["ana"].Await(`1 rule ended`)
	must(t, err)
	again := make(chan error, 1)
	go func() { again <- h.Login() }()
	h.answer(t, "ana", "n")
	if <-again == nil {
		t.Error("a login went through that was rejected")
	}
	if n := h.checkLog(t, "ana"); n != 201 {
		t.Errorf("the log has %d allowed logins, want 201", n)
	}
	out, err := exec.Command("sh", "-c", "KR_PHONE_HOME="+h.Path("phone-ana")+" "+h.Bin+"/kr-phone host list").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "proved") {
		t.Errorf("kr-phone host list: %v: %s", err, out)
	}
}
