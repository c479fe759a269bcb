package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/webbuild"

	_ "kryptonite/internal/phonejs" // in the WebAssembly, see TestMain
)

// webPhone is the web phone in Node, without a page.
type webPhone struct {
	*Proc
	asked, took int // how often, until now
}

// buildWeb builds the web phone, and returns where.
func buildWeb(t *testing.T) (dist string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("Node is missing (Debian: nodejs): ", err)
	}
	root, err := moduleRoot()
	must(t, err)
	dist = t.TempDir()
	must(t, webbuild.Build(root, dist))
	return dist
}

// startWebPhone starts the phone with this name, with more environment, and
// waits until it is ready.
func startWebPhone(t *testing.T, h *House, dist, name string, env ...string) *webPhone {
	t.Helper()
	p, err := Start(append(slices.Clip(h.Env), env...), "node", dist+"/node/phone.mjs", dist+"/phone.wasm", h.Path("web-"+name), name)
	must(t, err)
	t.Cleanup(func() { p.Stop(syscall.SIGKILL) })
	line, err := p.Await(`\{"type":"Ready".*`)
	must(t, err)
	var ready struct{ Core, All float64 }
	must(t, json.Unmarshal([]byte(line), &ready))
	t.Logf("the core is ready in %.0f ms, the phone in %.0f ms", ready.Core, ready.All)
	return &webPhone{Proc: p}
}

// again is a pattern that matches with the nth match of another.
func again(pattern string, n int) string {
	return `(?s)` + strings.Repeat(pattern+`.*`, n-1) + pattern
}

// card waits for the next card, which names the user of the login.
func (p *webPhone) card(t *testing.T) {
	t.Helper()
	p.asked++
	_, err := p.Await(again(`"user":"root"[^\n]*"type":"Ask"`, p.asked))
	must(t, err)
}

// answer types an answer and waits until it is at the relay.
func (p *webPhone) answer(t *testing.T, line string) {
	t.Helper()
	must(t, p.Type(line))
	p.took++
	said, err := p.Await(again(`"type":"Took","stored":[0-9.]+,"sent":[0-9.]+`, p.took))
	must(t, err)
	t.Log(line + said[strings.LastIndex(said, `"type":"Took"`):])
}

// login logs in while the phone gives an answer.
func (p *webPhone) login(t *testing.T, h *House, answer string) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- h.Login() }()
	p.card(t)
	p.answer(t, answer)
	return <-done
}

// pair pairs the phone, as two people with good eyes do.
func (p *webPhone) pair(t *testing.T, h *House) {
	t.Helper()
	offer, err := h.OfferPairing()
	must(t, err)
	must(t, p.Type(offer.Link))
	words, err := offer.Kr.Await(`(?m)^words: ([A-Z]+ [A-Z]+)$`)
	must(t, err)
	shown, err := p.Await(`"type":"ShowWords","words":"([A-Z]+ [A-Z]+)"`)
	must(t, err)
	if words != shown {
		t.Fatalf("kr shows %q, the phone %q", words, shown)
	}
	must(t, p.Type("yes"))
	must(t, offer.Kr.Type(shown))
	if code, err := offer.Kr.Wait(); code != 0 || err != nil {
		t.Fatalf("kr pair: exit %d, %v\n%s", code, err, offer.Kr.Output())
	}
	_, err = p.Await(`"kind":"Paired"`)
	must(t, err)
}

// TestWebPhone: the phone core in WebAssembly, with TypeScript around it, pairs,
// signs, rejects, and goes on from its store after it was killed with a card open.
func TestWebPhone(t *testing.T) {
	t.Parallel()
	dist := buildWeb(t)
	h := newHouse(t)
	begin(t, h)
	p := startWebPhone(t, h, dist, "pixel")
	p.pair(t, h)
	must(t, h.StartSshd())

	for range 3 {
		must(t, p.login(t, h, "allow"))
	}
	if err := p.login(t, h, "reject"); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a rejected login ends with %v", err)
	}

	// Killed with a card open: the next run shows it again, and its answer counts.
	done := make(chan error, 1)
	go func() { done <- h.Login() }()
	p.card(t)
	_, err := p.Stop(syscall.SIGKILL)
	must(t, err)
	p = startWebPhone(t, h, dist, "pixel")
	if _, err := p.Await(`"name":"laptop".*"live":true|"live":true.*"name":"laptop"`); err != nil {
		t.Error(err)
	}
	p.card(t)
	p.answer(t, "allow")
	must(t, <-done)
	must(t, p.login(t, h, "allow"))

	if code, err := p.Stop(syscall.SIGTERM); code != 0 || err != nil {
		t.Errorf("the phone ends with %d, %v:\n%s", code, err, p.Output())
	}
	if out := p.Output(); strings.Contains(out, `"type":"Log"`) {
		t.Errorf("the phone complains:\n%s", out)
	}
	if _, err := h.Kr("unpair", "pixel", "--yes"); err != nil {
		t.Error(fmt.Errorf("unpair: %w", err))
	}
}
