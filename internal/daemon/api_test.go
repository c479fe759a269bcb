package daemon

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/control"
	"kryptonite/internal/statedir"
)

func newDaemon(t testing.TB) *Daemon {
	t.Helper()
	dir, err := statedir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Daemon{cfg: Config{Dir: dir, Version: "test", Log: slog.New(slog.DiscardHandler)}, phones: map[string]*phone{}}
}

func request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, "http://krd"+path, strings.NewReader(body))
	r.Host = "krd"
	return r
}

// TestNoWebPageDrivesKrd: what a browser sends is refused, whatever it asks.
func TestNoWebPageDrivesKrd(t *testing.T) {
	d := newDaemon(t)
	tally := attacktest.New(t, "web pages and DNS rebinding, at krd")
	for name, change := range map[string]func(*http.Request){
		"origin":    func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"referer":   func(r *http.Request) { r.Header.Set("Referer", "https://evil.example/") },
		"rebinding": func(r *http.Request) { r.Host = "evil.example" },
	} {
		for _, path := range []string{"/v1/status", "/v1/stop", "/v1/pair", "/v1/unpair"} {
			r := request("POST", path, "{}")
			change(r)
			w := httptest.NewRecorder()
			d.api().ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				tally.Succeeded("%s with %s: %d, want 403", path, name, w.Code)
				continue
			}
			tally.Rejected()
		}
	}
}

func TestBadRequestsGetAnError(t *testing.T) {
	d := newDaemon(t)
	for name, c := range map[string]struct {
		path, body string
		code       control.Code
	}{
		"not json":        {"/v1/pair", "{", control.CodeBadRequest},
		"http elsewhere":  {"/v1/pair", `{"relay":"http://example.com","app":"http://example.com"}`, control.CodeBadRequest},
		"no such phone":   {"/v1/unpair", `{"phone":"x"}`, control.CodeNoSuch},
		"no pairing runs": {"/v1/pair/answer", `{"words":"CABLE FOX","same":true}`, control.CodeBadRequest},
		"too large":       {"/v1/unpair", `{"phone":"` + strings.Repeat("x", maxRequest) + `"}`, control.CodeBadRequest},
	} {
		w := httptest.NewRecorder()
		d.api().ServeHTTP(w, request("POST", c.path, c.body))
		e := new(control.Error)
		if err := json.Unmarshal(w.Body.Bytes(), e); err != nil || w.Code < 400 || e.Code != c.code || e.Text == "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestStatusIsStable(t *testing.T) {
	w := httptest.NewRecorder()
	newDaemon(t).api().ServeHTTP(w, request("GET", "/v1/status", ""))
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"schema_version", "version", "pid", "started", "agent_socket", "phones"} {
		if _, ok := got[field]; !ok {
			t.Errorf("no field %q in %s", field, w.Body)
		}
	}
}
