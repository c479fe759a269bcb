package appcheck

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"kryptonite/internal/webapp"
)

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

const script = "app-0123456789abcdef.js"

// TestSame: what webapp serves, in whatever encoding, is what was built.
func TestSame(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	io.WriteString(w, "script")
	w.Close()
	app, err := webapp.New(fstest.MapFS{"index.html": {Data: []byte("page")}, script + ".gz": {Data: z.Bytes()}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(app)
	defer srv.Close()
	files, err := Check(t.Context(), Transport(), srv.URL, map[string]string{"index.html": hash("page"), script: hash("script")})
	if err != nil || len(files) != 2 || files[0].Path != script || files[0].State != Same || files[1].State != Same || files[1].Got != hash("page") {
		t.Errorf("%+v, %v", files, err)
	}
}

func TestStates(t *testing.T) {
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") }))
	defer far.Close()
	rows := []struct {
		name    string
		state   State
		problem string
		serve   http.HandlerFunc
	}{
		{"same", Same, "", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") }},
		{"other", Different, "", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "pagE") }},
		{"longer", Different, "", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page\n") }},
		{"empty", Different, "", func(w http.ResponseWriter, r *http.Request) {}},
		{"missing", Missing, "", http.NotFound},
		{"redirect to the same", Unread, "redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, far.URL, http.StatusFound) }},
		{"failing", Unread, "status 500", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "\x1b[2J", 500) }},
		{"too large", Different, "more than 8 MiB", func(w http.ResponseWriter, r *http.Request) {
			w.Write(bytes.Repeat([]byte("page"), 4<<20))
		}},
		{"large when expanded", Different, "more than 8 MiB", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, MaxFile+2))
			z.Close()
		}},
		{"cut off", Unread, "EOF", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "page")
		}},
	}
	for _, r := range rows {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/good.css" {
				io.WriteString(w, "good")
				return
			}
			if req.URL.Path != "/" || req.URL.Fragment != "" || req.URL.RawQuery != "" {
				t.Errorf("%s: asked for %s", r.name, req.URL)
			}
			r.serve(w, req)
		}))
		files, err := Check(t.Context(), Transport(), srv.URL, map[string]string{"index.html": hash("page"), "good.css": hash("good")})
		srv.Close()
		if err != nil || len(files) != 2 || files[0].State != Same {
			t.Errorf("%s: %+v, %v", r.name, files, err)
			continue
		}
		f := files[1]
		if f.State != r.state || !strings.Contains(f.Problem, r.problem) || (r.problem == "") != (f.Problem == "") || strings.ContainsRune(f.Problem, '\x1b') {
			t.Errorf("%s: %+v, want %s, %q", r.name, f, r.state, r.problem)
		}
	}
}

// TestNobodyThere: an origin that does not answer is an error, not ten files
// that differ.
func TestNobodyThere(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	if files, err := Check(t.Context(), Transport(), srv.URL, map[string]string{"index.html": hash("page")}); err == nil {
		t.Errorf("%+v", files)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, Transport(), srv.URL, map[string]string{"index.html": hash("page")}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
