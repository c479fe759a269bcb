package relayd

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/certs/certstest"
	"kryptonite/internal/mailbox"
)

var testBuilt = Built{
	Version: "v",
	App: fstest.MapFS{
		"index.html":                    {Data: []byte("<p>the app")},
		"phone-0123456789abcdef.wasm":   {Data: []byte("core")},
		"v1-0123456789abcdef.js":        {Data: []byte("script")},
		"healthz-0123456789abcdef.html": {Data: []byte("x")},
	},
	HasApp: true,
}

// get asks origin under the name host, or its own if that is "".
func get(t *testing.T, rt http.RoundTripper, method, url, host string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// TestAppAndAPI: each of them alone or both, and never one at the other's paths.
func TestAppAndAPI(t *testing.T) {
	poll := mailbox.PollPath(mailbox.Address{1})
	type want struct {
		code   int
		policy string // of which kind
	}
	const app, api = "script-src", "sandbox"
	rows := []struct {
		path           string
		both, one, two want // app and API, the app alone, the API alone
	}{
		{"/", want{200, app}, want{200, app}, want{404, api}},
		{"/phone-0123456789abcdef.wasm", want{200, app}, want{200, app}, want{404, api}},
		{"/v1-0123456789abcdef.js", want{200, app}, want{200, app}, want{404, api}},
		{"/nowhere", want{404, app}, want{404, app}, want{404, api}},
		{"//v1/mailboxes", want{404, app}, want{404, app}, want{404, api}},
		{poll, want{405, api}, want{404, app}, want{405, api}},
		{"/v1", want{404, api}, want{404, app}, want{404, api}},
		{"/v1/", want{404, api}, want{404, app}, want{404, api}},
		{"/v1/../index.html", want{404, api}, want{404, app}, want{404, api}},
		{"/healthz", want{200, api}, want{200, app}, want{200, api}},
	}
	for _, mode := range []string{"app,api", "app", "api"} {
		r := start(t, shortDir(t), "--serve", mode)
		for _, row := range rows {
			w := map[string]want{"app,api": row.both, "app": row.one, "api": row.two}[mode]
			resp, body := get(t, http.DefaultTransport, "GET", r.origin+row.path, "")
			policy := resp.Header.Get("Content-Security-Policy")
			if resp.StatusCode != w.code || !strings.Contains(policy, w.policy) {
				t.Errorf("--serve %s: %s = %d %q under %q, want %d, %s", mode, row.path, resp.StatusCode, body, policy, w.code, w.policy)
			}
			if cors := resp.Header.Get("Access-Control-Allow-Origin"); (cors == "*") != (w.policy == api) {
				t.Errorf("--serve %s: %s may be read by %q", mode, row.path, cors)
			}
		}
		r.stop()
	}
}

// TestAppUnderItsNames: the app is there under this machine's names and the
// relay's own, and under no other that leads here.
func TestAppUnderItsNames(t *testing.T) {
	named := []string{"--origin", "https://relay.test", "--origin", "https://app.test:8443"}
	rows := []struct {
		args []string
		host string
		code int
	}{
		{nil, "localhost:8080", 200},
		{nil, "LOCALHOST", 200},
		{nil, "127.0.0.1:1", 200},
		{nil, "[::1]:8080", 200},
		{nil, "relay.test", 421},
		{nil, "localhost.evil.test", 421},
		{nil, "localhost:8080@evil.test", 421},
		{nil, "10.0.0.1:8080", 421},
		{named, "relay.test", 200},
		{named, "Relay.test:443", 200},
		{named, "app.test:8443", 200},
		{named, "localhost:8080", 200},
		{named, "relay.test:80", 421},
		{named, "app.test", 421},
		{named, "relay.test.evil.test", 421},
		{append(named, "--behind-proxy"), "kr-relay:8080", 200}, // the proxy's name for us
	}
	tally := attacktest.New(t, "names that lead to a relay (DNS rebinding)")
	for _, mode := range []string{"app,api", "app"} {
		for _, row := range rows {
			r := start(t, shortDir(t), append([]string{"--serve", mode}, row.args...)...)
			resp, body := get(t, http.DefaultTransport, "GET", r.origin+"/", row.host)
			switch bad := resp.StatusCode != row.code || row.code == 421 && strings.Contains(body, "evil"); {
			case !bad && row.code == 421:
				tally.Rejected()
			case bad && row.code == 421:
				tally.Succeeded("--serve %s %q: Host %s = %d %q, want %d", mode, row.args, row.host, resp.StatusCode, body, row.code)
			case bad:
				t.Errorf("--serve %s %q: Host %s = %d %q, want %d", mode, row.args, row.host, resp.StatusCode, body, row.code)
			}
			r.stop()
		}
	}
}

// TestAppAloneKeepsNothing: no directory, no socket.
func TestAppAloneKeepsNothing(t *testing.T) {
	data := filepath.Join(shortDir(t), "data")
	r := start(t, data, "--serve", "app")
	r.stop()
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the data directory: %v", err)
	}
	if log := r.stderr.String(); !strings.Contains(log, "browsers on this machine") || strings.Contains(log, "read their mail") {
		t.Errorf("log: %s", log)
	}
}

// TestWithoutTheApp: who was built without it says so, once, and serves the page
// that says what to do.
func TestWithoutTheApp(t *testing.T) {
	built := testBuilt
	built.HasApp = false
	for _, row := range []struct {
		serve string
		lines int
	}{{"app,api", 1}, {"api", 0}} {
		ctx, cancel := context.WithCancel(t.Context())
		out, in := io.Pipe()
		var stderr bytes.Buffer
		code := make(chan int, 1)
		go func() {
			code <- Run(ctx, []string{"--listen", "127.0.0.1:0", "--data", shortDir(t), "--serve", row.serve}, built, in, &stderr)
			in.Close()
		}()
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Error(err)
		}
		cancel()
		if c := <-code; c != 0 || strings.Count(stderr.String(), "go run ./web/build") != row.lines {
			t.Errorf("--serve %s = %d, log %s", row.serve, c, &stderr)
		}
	}
}

// TestAppOverTLS: by --domain, browsers are told to come by https only, and the
// app alone has its certificate, too.
func TestAppOverTLS(t *testing.T) {
	p := certstest.Start(t, 30*24*time.Hour)
	r := startDomain(t, shortDir(t), p, "--serve", "app")
	r.wait(t, "certificate obtained")
	resp, body := get(t, r.transport(t, p.Roots(t)), "GET", "https://relay.test/", "")
	if resp.StatusCode != 200 || body != "<p>the app" || resp.Header.Get("Strict-Transport-Security") == "" || resp.ProtoMajor != 2 {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	if resp, _ := get(t, r.transport(t, p.Roots(t)), "GET", "https://relay.test/", "other.test"); resp.StatusCode != 421 {
		t.Errorf("under another name: %s", resp.Status)
	}
}
