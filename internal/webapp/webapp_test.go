package webapp

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const hash = "0123456789abcdef"

func gz(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// some is an app with each kind of file: as it is, compressed beside it, and
// compressed only. The br ones say so instead of being brotli.
func some(t *testing.T) *Handler {
	t.Helper()
	file := func(b []byte) *fstest.MapFile { return &fstest.MapFile{Data: b} }
	h, err := New(fstest.MapFS{
		"index.html":                 file([]byte("<p>page")),
		"index.html.br":              file([]byte("br page")),
		"index.html.gz":              file(gz(t, "<p>page")),
		"manifest.webmanifest":       file([]byte("{}")),
		"icon-" + hash + ".png":      file([]byte("png")),
		"icon-" + hash + ".svg":      file([]byte("svg")),
		"app-" + hash + ".css":       file([]byte("css")),
		"app-" + hash + ".js.gz":     file(gz(t, "script")),
		"phone-" + hash + ".wasm.gz": file(gz(t, "core")),
		"phone-" + hash + ".wasm.br": file([]byte("br core")),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestServe(t *testing.T) {
	h := some(t)
	const (
		forever = "public, max-age=31536000, immutable"
		again   = "no-cache"
		never   = "no-store"
		text    = "text/plain; charset=utf-8"
		html    = "text/html; charset=utf-8"
	)
	rows := []struct {
		method, path, accept        string
		code                        int
		kind, encoding, cache, body string
	}{
		{"GET", "/", "gzip, deflate, br, zstd", 200, html, "br", again, "br page"},
		{"GET", "/index.html", "br", 200, html, "br", again, "br page"},
		{"GET", "/?x=1", "", 200, html, "", again, "<p>page"},
		{"GET", "/", "gzip", 200, html, "gzip", again, string(gz(t, "<p>page"))},
		{"GET", "/", "br;q=0, gzip", 200, html, "gzip", again, string(gz(t, "<p>page"))},
		{"GET", "/", "BR; Q=0.5", 200, html, "br", again, "br page"},
		{"GET", "/", "br;q=nonsense, gzip;q=0", 200, html, "", again, "<p>page"},
		{"GET", "/", "*", 200, html, "br", again, "br page"},
		{"GET", "/", "*;q=0", 406, text, "", never, "no encoding that you take\n"},
		{"GET", "/", "identity;q=0", 406, text, "", never, "no encoding that you take\n"},
		{"GET", "/", "gzip;q=0, *;q=0, identity", 200, html, "", again, "<p>page"},
		{"GET", "/manifest.webmanifest", "br", 200, "application/manifest+json", "", again, "{}"},
		{"GET", "/phone-" + hash + ".wasm", "br, gzip", 200, "application/wasm", "br", forever, "br core"},
		{"GET", "/phone-" + hash + ".wasm", "gzip", 200, "application/wasm", "gzip", forever, string(gz(t, "core"))},
		{"GET", "/phone-" + hash + ".wasm", "", 200, "application/wasm", "", forever, "core"},
		{"GET", "/app-" + hash + ".js", "br", 200, "text/javascript; charset=utf-8", "", forever, "script"},
		{"GET", "/app-" + hash + ".css", "br", 200, "text/css; charset=utf-8", "", forever, "css"},
		{"GET", "/icon-" + hash + ".png", "br", 200, "image/png", "", forever, "png"},
		{"GET", "/icon-" + hash + ".svg", "br", 200, "image/svg+xml", "", forever, "svg"},
		{"HEAD", "/", "br", 200, html, "br", again, ""},
		{"HEAD", "/phone-" + hash + ".wasm", "", 200, "application/wasm", "", forever, ""},
		{"POST", "/", "", 405, text, "", never, "method not allowed\n"},
		{"OPTIONS", "/", "", 405, text, "", never, "method not allowed\n"},
		{"GET", "/phone-" + hash + ".wasm.br", "", 404, text, "", never, "not found\n"},
		{"GET", "/index.html.gz", "", 404, text, "", never, "not found\n"},
		{"GET", "/phone.wasm", "", 404, text, "", never, "not found\n"},
		{"GET", "//", "", 404, text, "", never, "not found\n"},
		{"GET", "/../index.html", "", 404, text, "", never, "not found\n"},
		{"GET", "/./index.html", "", 404, text, "", never, "not found\n"},
		{"GET", "/v1/mailboxes/x/frames", "", 404, text, "", never, "not found\n"},
		{"POST", "/nowhere", "", 404, text, "", never, "not found\n"},
	}
	for _, r := range rows {
		w := ask(h, r.method, r.path, "Accept-Encoding", r.accept)
		got := w.Header()
		if w.Code != r.code || got.Get("Content-Type") != r.kind || got.Get("Content-Encoding") != r.encoding || got.Get("Cache-Control") != r.cache || w.Body.String() != r.body {
			t.Errorf("%s %s, %q = %d, %v, %q", r.method, r.path, r.accept, w.Code, got, w.Body)
		}
		if r.code == 200 && (got.Get("Vary") != "Accept-Encoding" || got.Get("ETag") == "" || got.Get("Content-Length") == "") {
			t.Errorf("%s %s: %v", r.method, r.path, got)
		}
		wantProtected(t, r.method+" "+r.path, got)
	}
}

// wantProtected: what a page may do is said in every answer, also a failed one.
func wantProtected(t *testing.T, name string, h http.Header) {
	t.Helper()
	for k, v := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": Policy, "Strict-Transport-Security": "",
		"Access-Control-Allow-Origin": "",
	} {
		if h.Get(k) != v {
			t.Errorf("%s: %s is %q", name, k, h.Get(k))
		}
	}
}

// TestPolicy: nothing but what the app needs. A new exception is to be argued
// for here.
func TestPolicy(t *testing.T) {
	want := map[string]string{
		"default-src": "'none'", "script-src": "'self' 'wasm-unsafe-eval'", "style-src": "'self'", "img-src": "'self' data:",
		"connect-src":  "'self' https: wss: http://localhost:* http://127.0.0.1:* ws://localhost:* ws://127.0.0.1:*",
		"manifest-src": "'self'", "worker-src": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'", "form-action": "'none'",
		"require-trusted-types-for": "'script'", "trusted-types": "worker", // for one URL: web/src/worker.ts
	}
	for d := range strings.SplitSeq(Policy, "; ") {
		name, value, _ := strings.Cut(d, " ")
		if want[name] != value {
			t.Errorf("%s is %q, want %q", name, value, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	var own []string
	for p := range strings.SplitSeq(permissions, ", ") {
		switch name, who, _ := strings.Cut(p, "="); who {
		case "(self)":
			own = append(own, name)
		case "()":
		default:
			t.Errorf("%s is for %s", name, who)
		}
	}
	if want := []string{"camera", "publickey-credentials-get", "publickey-credentials-create", "bluetooth"}; !slices.Equal(own, want) {
		t.Errorf("the app may %v, want %v", own, want)
	}
}

func TestStrictTransport(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	some(t).ServeHTTP(w, r)
	if got := w.Header().Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("over TLS it says %q", got)
	}
}

// TestNotModified: a browser that has the same encoding gets no body; one that
// has another one does.
func TestNotModified(t *testing.T) {
	h := some(t)
	tag := func(accept string) string { return ask(h, "GET", "/", "Accept-Encoding", accept).Header().Get("ETag") }
	if tag("br") == tag("gzip") || tag("gzip") == tag("") {
		t.Fatal("two encodings have one ETag")
	}
	rows := []struct {
		have string
		code int
	}{
		{tag("br"), 304}, {"W/" + tag("br"), 304}, {`"x", ` + tag("br"), 304}, {"*", 304},
		{tag("gzip"), 200}, {`"x"`, 200}, {"", 200},
	}
	for _, r := range rows {
		w := ask(h, "GET", "/", "Accept-Encoding", "br", "If-None-Match", r.have)
		if w.Code != r.code || (r.code == 304) != (w.Body.Len() == 0) {
			t.Errorf("If-None-Match %s = %d, %q", r.have, w.Code, w.Body)
		}
		if r.code == 304 && (w.Header().Get("Cache-Control") != "no-cache" || w.Header().Get("ETag") != tag("br") || w.Header().Get("Vary") == "") {
			t.Errorf("304 without what a cache needs: %v", w.Header())
		}
	}
}

// patient is a connection that has a deadline.
type patient struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (p *patient) SetWriteDeadline(at time.Time) error {
	p.deadline = at
	return nil
}

// TestSlowLine: a server's write timeout, which is for short answers, does not
// cut off the core on a slow line.
func TestSlowLine(t *testing.T) {
	w := &patient{ResponseRecorder: httptest.NewRecorder()}
	some(t).ServeHTTP(w, httptest.NewRequest("GET", "/phone-"+hash+".wasm", nil))
	if left := time.Until(w.deadline); left < 3*time.Minute || left > 5*time.Minute {
		t.Errorf("%v are left for a file", left)
	}
}

func TestNew(t *testing.T) {
	rows := []struct {
		name, want string
		files      fstest.MapFS
	}{
		{"nothing", "no index.html", fstest.MapFS{}},
		{"an odd file", "unknown type", fstest.MapFS{"index.html": {}, "core.map": {}}},
		{"a directory", "unknown type", fstest.MapFS{"index.html": {}, "node/x.html": {}}},
		{"no gzip", "index.html", fstest.MapFS{"index.html.gz": {Data: []byte("x")}}},
		{"brotli only", "index.html", fstest.MapFS{"index.html.br": {Data: []byte("x")}}},
	}
	for _, r := range rows {
		if _, err := New(r.files); err == nil || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s: %v, want %q", r.name, err, r.want)
		}
	}
}

// TestOverHTTP: the sizes that are said are those that come.
func TestOverHTTP(t *testing.T) {
	srv := httptest.NewServer(some(t))
	defer srv.Close()
	for _, accept := range []string{"identity", "gzip", "br"} {
		for path := range some(t).bodies {
			req, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept-Encoding", accept)
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || int64(len(b)) != resp.ContentLength || len(b) == 0 {
				t.Errorf("%s by %s: %d of %d bytes, %v", path, accept, len(b), resp.ContentLength, err)
			}
		}
	}
}
