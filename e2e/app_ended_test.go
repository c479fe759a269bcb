package e2e

import (
	"syscall"
	"testing"
)

// TestAppWithdrawn: ssh is ended while its card is open, and a card is answered
// after its time: both say so, and nothing is signed.
func TestAppWithdrawn(t *testing.T) {
	t.Parallel()
	p, _ := newApp(t, true, wrapped...)
	ssh, err := Start(p.h.Env, "ssh", "-F", p.h.Path("ssh_config"), "root@server", "echo", "in")
	must(t, err)
	p.sees("Proved.")
	_, err = ssh.Stop(syscall.SIGINT)
	must(t, err)
	p.sees("Withdrawn")
	p.sees("Nothing was signed.")
	p.shot("withdrawn")
	p.tap("Close")
	must(t, p.Await(`!document.querySelector("dialog")`))

	done := p.login()
	p.sees("Proved.")
	_, err = Eval[any](p.Page, `{ const now = Date.now; Date.now = () => now() + 600_000; } null`)
	must(t, err)
	p.tap("Allow once")
	p.sees("Too late")
	p.shot("too-late")
	refused(t, "too late", <-done)
	if p.shows("approved in") {
		t.Error("what came too late is said to be approved")
	}
	p.quiet()
}

// TestAppAlike: three logins at once are one question. Alone: on a machine that
// is busy, what krd finds out about each may differ, and they are not alike.
func TestAppAlike(t *testing.T) {
	p, _ := newApp(t, true, wrapped...)
	logins := []<-chan error{p.login(), p.login(), p.login()}
	p.sees("3 requests alike")
	// One that has been counted for less than half a second would be asked again.
	must(t, p.Await(`(globalThis.counted ??= performance.now()) + 600 < performance.now()`))
	p.shot("card-alike")
	p.tap("Allow all 3")
	for _, done := range logins {
		must(t, <-done)
	}
	p.quiet()
}
