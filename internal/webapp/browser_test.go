package webapp

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// probe tries what the app does, and what nobody shall do to it, and writes into
// the page what happened.
const probe = `
const out = {};
const refused = new Set();
document.addEventListener("securitypolicyviolation", (e) => refused.add(e.effectiveDirective));
const tried = async (name, f) => {
  try { out[name] = String(await f()); } catch (err) { out[name] = err.name; }
};
await tried("wasm", async () => (await WebAssembly.compileStreaming(fetch("/phone-0123456789abcdef.wasm"))) instanceof WebAssembly.Module);
await tried("style", () => getComputedStyle(document.body).color);
await tried("inline style", () => getComputedStyle(document.getElementById("inline")).color);
await tried("inline script", () => window.ran ?? "did not run");
await tried("eval", () => (0, eval)("1"));
await tried("innerHTML", () => { document.body.innerHTML = "<i>"; return "done"; });
await tried("policy", () => { trustedTypes.createPolicy("x", {}); return "made"; });
await tried("own policy", () => { trustedTypes.createPolicy("worker", {}); return "made"; });
await tried("own policy again", () => { trustedTypes.createPolicy("worker", {}); return "made"; });
await tried("http", () => fetch("http://relay.invalid/").then(() => "answered"));
await tried("image", () => new Promise((done) => {
  const i = new Image();
  i.onload = () => done("shown");
  i.onerror = () => done("not shown");
  i.src = "https://relay.invalid/x.png";
}));
await tried("camera", () => document.featurePolicy?.allowsFeature("camera"));
await tried("passkeys", () => document.featurePolicy?.allowsFeature("publickey-credentials-get"));
await tried("geolocation", () => document.featurePolicy?.allowsFeature("geolocation"));
const s = document.createElement("p");
s.setAttribute("style", "color: red");
await tried("form", () => { const f = document.createElement("form"); f.action = "/"; document.body.append(f); f.submit(); });
await tried("worker", () => { new Worker("/a-0123456789abcdef.js"); return "made"; });
await tried("frame", () => { const f = document.createElement("iframe"); f.src = "/"; document.body.append(f); });
await new Promise((done) => setTimeout(done, 300));
out.refused = [...refused].sort().join(" ");
await tried("opener", () => crossOriginIsolated || document.referrer || "none");
const p = document.createElement("pre");
p.id = "out";
p.textContent = JSON.stringify(out);
document.body.append(p);
`

// TestInABrowser: a browser lets a page under these headers do what the app does,
// and nothing else.
func TestInABrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("Chromium is missing (Debian: chromium): ", err)
	}
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	h, err := New(fstest.MapFS{
		"index.html": file(`<!doctype html><link rel=stylesheet href=/a-0123456789abcdef.css><script>window.ran = "ran"</script>` +
			`<script type=module src=/a-0123456789abcdef.js></script><body><p id=inline style="color: rgb(9, 9, 9)">`),
		"a-0123456789abcdef.js":       file(probe),
		"a-0123456789abcdef.css":      file("body { color: rgb(1, 2, 3) }"),
		"phone-0123456789abcdef.wasm": file("\x00asm\x01\x00\x00\x00"),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	profile, err := os.MkdirTemp("", "webapp")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile) // not t.TempDir: its last processes may still write
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"--headless", "--disable-gpu", "--user-data-dir=" + profile, "--virtual-time-budget=10000", "--dump-dom", srv.URL + "/"}
	if os.Getuid() == 0 { // as in a container
		args = append([]string{"--no-sandbox"}, args...)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, chromium, args...)
	cmd.Stderr = &stderr
	dom, err := cmd.Output()
	m := regexp.MustCompile(`(?s)<pre id="out">(.*?)</pre>`).FindSubmatch(dom)
	if err != nil || m == nil {
		t.Fatalf("%v: %s\n%s", err, dom, &stderr)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"wasm": "true", "style": "rgb(1, 2, 3)", "inline style": "rgb(1, 2, 3)", "inline script": "did not run", "eval": "EvalError",
		"innerHTML": "TypeError", "policy": "TypeError", "own policy": "made", "own policy again": "TypeError", "http": "TypeError", "image": "not shown", "worker": "TypeError",
		"refused": "connect-src form-action frame-src img-src require-trusted-types-for style-src-attr trusted-types",
		"camera":  "true", "passkeys": "true", "geolocation": "false", "opener": "none",
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: %q, want %q", name, got[name], w)
		}
	}
	if strings.Contains(string(dom), "<i>") {
		t.Error("innerHTML was set")
	}
}
