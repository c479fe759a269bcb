package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAppDemo: script/demo with a browser as the phone shows one login, ends by
// itself, and leaves nothing.
func TestAppDemo(t *testing.T) {
	t.Parallel()
	browses(t)
	root, err := moduleRoot()
	must(t, err)
	temp, err := os.MkdirTemp("", "kr")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(temp) })
	demo, err := Start(append(os.Environ(), "TMPDIR="+temp, "BROWSER=true"), filepath.Join(root, "script", "demo"), "--phone", "browser")
	must(t, err)
	t.Cleanup(func() { demo.Stop(syscall.SIGTERM) })
	link, err := demo.Await(`(?m)^(HTTP://LOCALHOST:\S+#\S+)$`)
	must(t, err)
	page, err := newBrowser(t, newProfile(t)).Page()
	must(t, err)
	_, err = page.Authenticator(true)
	must(t, err)
	p := openApp(t, nil, page, link)
	p.tap("Make a protected key")
	p.sees("Pair with this computer?")
	p.tap("Pair")
	words, err := demo.Await(`words: ([A-Z]+ [A-Z]+)\n`)
	must(t, err)
	p.sees("Does the computer show the same words?")
	for _, word := range strings.Fields(words) {
		p.sees(word)
	}
	p.tap("Pair")
	must(t, demo.Type(words))
	p.sees("Proved.")
	p.shot("demo-card")
	p.tap("Allow once")
	if code, err := demo.Wait(); code != 0 || err != nil {
		t.Fatalf("script/demo: exit %d, %v\n%s", code, err, demo.Output())
	}
	if out := demo.Output(); !strings.Contains(out, "hello from") || !strings.Contains(out, "Done: ssh logged in with a key that only the phone has.") {
		t.Errorf("script/demo says:\n%s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "kr-demo.*")); len(left) != 0 {
		t.Errorf("script/demo leaves %q", left)
	}
}
