package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"kryptonite/internal/certs/certstest"
)

// keeper returns one for p that hears its challenges, and its log.
func keeper(t *testing.T, p *certstest.Pebble, cfg Config) (*Keeper, *certstest.Buffer) {
	t.Helper()
	log := &certstest.Buffer{}
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	cfg.Directory, cfg.Roots = p.Directory, p.CA
	if cfg.Path == "" {
		cfg.Path = t.TempDir()
	}
	k, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Addr: "127.0.0.1:" + strconv.Itoa(p.HTTPPort), Handler: k}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.ListenAndServe() })
	t.Cleanup(func() {
		srv.Close()
		serving.Wait()
	})
	return k, log
}

// run runs k until the test ends or stop is called.
func run(t *testing.T, k *Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("it never came to this: " + what)
}

func leaf(t *testing.T, k *Keeper, name string) *x509.Certificate {
	t.Helper()
	c, err := k.Certificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		return nil
	}
	return c.Leaf
}

// A certificate is renewed while it is served; when the CA is gone, the old one
// is served on, also beyond its end, and the log says so.
func TestRenewal(t *testing.T) {
	t.Parallel()
	p := certstest.Start(t, 15*time.Second)
	k, log := keeper(t, p, Config{Domains: []string{"relay.test"}})
	run(t, k)
	eventually(t, "a certificate", func() bool { return leaf(t, k, "relay.test") != nil })
	first := leaf(t, k, "relay.test")
	eventually(t, "a renewal", func() bool { return leaf(t, k, "relay.test").SerialNumber.Cmp(first.SerialNumber) != 0 })
	if left := time.Until(first.NotAfter); left > 6*time.Second {
		t.Errorf("renewed with %v left of 15 s", left)
	}
	second := leaf(t, k, "relay.test")
	if bytes.Equal(first.RawSubjectPublicKeyInfo, second.RawSubjectPublicKeyInfo) {
		t.Error("the key stayed the same")
	}
	if log := log.String(); strings.Contains(log, "WARN") {
		t.Errorf("log: %s", log)
	}
	p.Stop()
	eventually(t, "a warning", func() bool { return strings.Contains(log.String(), "certificate not renewed") })
	if log := log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "expires="+second.NotAfter.UTC().Format(time.DateOnly)) {
		t.Errorf("log: %s", log)
	}
	if c := leaf(t, k, "relay.test"); c == nil || c.SerialNumber.Cmp(second.SerialNumber) != 0 {
		t.Error("what was there is not served")
	}
}

// One name that does not exist does not keep the other from its certificate.
func TestNameThatLeadsNowhere(t *testing.T) {
	t.Parallel()
	p := certstest.Start(t, time.Hour)
	k, log := keeper(t, p, Config{Domains: []string{"relay.nowhere", "relay.test"}})
	run(t, k)
	eventually(t, "a certificate", func() bool { return leaf(t, k, "relay.test") != nil })
	if leaf(t, k, "relay.nowhere") != nil {
		t.Error("a certificate for a name that does not exist")
	}
	if log := log.String(); !strings.Contains(log, "the CA refuses") || !strings.Contains(log, "hint=") {
		t.Errorf("log: %s", log)
	}
}

// Another program has port 80, or the name leads to another machine.
func TestAnotherServerAnswers(t *testing.T) {
	t.Parallel()
	p := certstest.Start(t, time.Hour)
	log := &certstest.Buffer{}
	k, err := New(Config{Domains: []string{"relay.test"}, Path: t.TempDir(), Directory: p.Directory, Roots: p.CA, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, k) // nobody listens
	eventually(t, "a warning", func() bool { return strings.Contains(log.String(), "no certificate yet") })
	stop()
	if !strings.Contains(log.String(), "port 80 must reach this kr-relay") {
		t.Errorf("log: %s", log)
	}
}

// A clock that is far ahead does not make it ask for one certificate after the
// other.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	p := certstest.Start(t, 24*time.Hour)
	k, log := keeper(t, p, Config{Domains: []string{"relay.test"}, Now: func() time.Time { return time.Now().Add(20 * time.Hour) }})
	run(t, k)
	eventually(t, "a warning", func() bool { return strings.Contains(log.String(), "set the clock") })
	time.Sleep(300 * time.Millisecond)
	if n := p.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	if leaf(t, k, "relay.test") == nil {
		t.Error("the certificate is not served")
	}
}

// A certificate that the disk does not take is served all the same, is not asked
// for again, and is stored as soon as there is room.
func TestCertificateOnAFullDisk(t *testing.T) {
	t.Parallel()
	p := certstest.Start(t, 24*time.Hour)
	dir := t.TempDir()
	var mu sync.Mutex
	ahead := time.Duration(0)
	k, log := keeper(t, p, Config{Domains: []string{"relay.test"}, Path: dir, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}})
	file := filepath.Join(dir, k.sub+"relay.test.pem")
	if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o700); err != nil { // as a full disk: no file gets there
		t.Fatal(err)
	}
	var tr try
	for try := range 3 {
		next := k.attend(t.Context(), "relay.test", &tr)
		if leaf(t, k, "relay.test") == nil {
			t.Fatalf("the certificate is not served: %s", log)
		}
		if n := p.Orders(); n != 1 || tr.failures != try+1 {
			t.Errorf("try %d: %d orders, want 1, and %d failures", try, n, tr.failures)
		}
		if again := k.attend(t.Context(), "relay.test", &tr); !again.Equal(next) || tr.failures != try+1 {
			t.Errorf("within the pause: %d failures, again at %v, want %v", tr.failures, again, next)
		}
		mu.Lock()
		ahead = time.Until(next) + time.Second
		mu.Unlock()
	}
	if log := log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "not stored") || !strings.Contains(log, "--data") {
		t.Errorf("log: %s", log)
	}
	if err := os.RemoveAll(file); err != nil {
		t.Fatal(err)
	}
	_, renew := k.expires("relay.test")
	if at := k.attend(t.Context(), "relay.test", &tr); !at.Equal(renew) || tr.failures != 0 || p.Orders() != 1 {
		t.Errorf("with room again: %+v, next at %v, %d orders", tr, at, p.Orders())
	}
	again, err := New(Config{Domains: []string{"relay.test"}, Path: dir, Directory: p.Directory})
	if err != nil || leaf(t, again, "relay.test") == nil {
		t.Errorf("after a restart: no certificate, %v", err)
	}
}

// Certificates and accounts belong to one CA, and damaged ones are set aside.
func TestFiles(t *testing.T) {
	t.Parallel()
	p := certstest.Start(t, time.Hour)
	dir := t.TempDir()
	k, _ := keeper(t, p, Config{Domains: []string{"relay.test"}, Path: dir})
	stop := run(t, k)
	eventually(t, "a certificate", func() bool { return leaf(t, k, "relay.test") != nil })
	stop()
	other, err := New(Config{Domains: []string{"relay.test"}, Path: dir, Directory: "https://ca.test/dir"})
	if err != nil || leaf(t, other, "relay.test") != nil {
		t.Errorf("another CA's certificate is served, %v", err)
	}
	file := filepath.Join(dir, k.sub+"relay.test.pem")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{nil, whole[:len(whole)/2], []byte("no PEM"), bytes.Replace(whole, []byte("A"), []byte("B"), 1)} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := New(Config{Domains: []string{"relay.test"}, Path: dir, Directory: p.Directory})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); leaf(t, k, "relay.test") == nil && err == nil {
			t.Errorf("a damaged file is neither served nor set aside")
		}
	}
	if aside, _ := filepath.Glob(file + ".damaged-*"); len(aside) == 0 {
		t.Error("nothing was set aside")
	}
}

// The first failure is a warning, what goes on is one again a day later, and
// another reason at once. Pauses grow.
func TestFailuresAreSaidDaily(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	log := &certstest.Buffer{}
	k, err := New(Config{Domains: []string{"a.test"}, Path: t.TempDir(), Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	var tr try
	var pauses []time.Duration
	down := errors.New("down")
	began := now
	inHour, warnings := 0, 0
	for now.Sub(began) < 49*time.Hour {
		if now.Sub(began) < time.Hour {
			inHour++
		}
		k.failed("a.test", &tr, down)
		pauses = append(pauses, tr.next.Sub(now))
		now = tr.next
	}
	if warnings = strings.Count(log.String(), "level=WARN"); warnings != 3 {
		t.Errorf("%d warnings in two days, want 3", warnings)
	}
	if inHour > 5 || pauses[0] != time.Minute || pauses[len(pauses)-1] != 6*time.Hour {
		t.Errorf("%d tries in the first hour, pauses %v", inHour, pauses)
	}
	k.failed("a.test", &tr, errors.New("something else"))
	if n := strings.Count(log.String(), "level=WARN"); n != warnings+1 {
		t.Error("another reason is no warning")
	}
}

// Another name's turn does not shorten this one's pause.
func TestPauseIsKept(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	k, err := New(Config{Domains: []string{"a.test"}, Path: t.TempDir(), Directory: "https://127.0.0.1:1/dir", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	var tr try
	first := k.attend(t.Context(), "a.test", &tr)
	now = now.Add(30 * time.Second)
	if at := k.attend(t.Context(), "a.test", &tr); tr.failures != 1 || !at.Equal(first) {
		t.Errorf("within the pause: %d failures, again at %v, want 1, %v", tr.failures, at, first)
	}
	now = first
	if k.attend(t.Context(), "a.test", &tr); tr.failures != 2 {
		t.Errorf("after the pause: %d failures, want 2", tr.failures)
	}
}

func TestExplain(t *testing.T) {
	refused := func(kind, words string) error {
		return &acme.AuthorizationError{Errors: []error{&acme.Error{ProblemType: problemPrefix + kind, Detail: words}}}
	}
	limit := &acme.Error{ProblemType: problemPrefix + "rateLimited", Detail: "too many certificates", Header: http.Header{"Retry-After": {"7200"}}}
	rows := []struct {
		err        error
		what, hint string
		pause      time.Duration
	}{
		{refused("dns", "NXDOMAIN looking up A for a.test"), "the CA refuses: NXDOMAIN looking up A for a.test", "A or AAAA record", time.Minute},
		{refused("connection", "timeout"), "timeout", "a.test must lead to this machine", time.Minute},
		{refused("unauthorized", "404"), "404", "another server answered", time.Minute},
		{refused("caa", "x"), "x", "CAA", time.Minute},
		{limit, "too many certificates", "wait", 2 * time.Hour},
		{&acme.OrderError{Problem: limit}, "too many certificates", "wait", 2 * time.Hour},
		{&acme.OrderError{}, "order", "--acme-directory", time.Minute},
		{refused("new", "evil \x1b[31m\u202e\n words"), "refuses: evil [31m words", "CA's words", time.Minute},
		{refused("new", strings.Repeat("x", 10_000)), "…", "", time.Minute},
		{x509.UnknownAuthorityError{}, "unknown authority", "--acme-ca", time.Minute},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, "open x", "--data", time.Minute},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "write x", "free some space", time.Minute},
		{context.DeadlineExceeded, "deadline", "cannot be reached", time.Minute},
	}
	for _, row := range rows {
		what, hint := explain(row.err, "a.test")
		if !strings.Contains(what, row.what) || !strings.Contains(hint, row.hint) || len(what) > 5*maxWords || strings.ContainsAny(what, "\x1b\n\u202e") {
			t.Errorf("explain(%v) = %q, %q", row.err, what, hint)
		}
		if d := pause(0, row.err); d != row.pause {
			t.Errorf("pause after %v = %v, want %v", row.err, d, row.pause)
		}
	}
}

// Plain HTTP answers challenges of its own names, sends to https, and says
// nothing else.
func TestPlainHTTP(t *testing.T) {
	k, err := New(Config{Domains: []string{"a.test", "b.test"}, Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	k.setToken(token{"a.test", "/.well-known/acme-challenge/tok"}, "tok.print")
	rows := []struct {
		method, host, path string
		code               int
		location, body     string
	}{
		{"GET", "a.test", "/.well-known/acme-challenge/tok", 200, "", "tok.print"},
		{"GET", "A.test:80", "/.well-known/acme-challenge/tok", 200, "", "tok.print"},
		{"GET", "b.test", "/.well-known/acme-challenge/tok", 404, "", ""},
		{"GET", "evil.test", "/.well-known/acme-challenge/tok", 404, "", ""},
		{"GET", "a.test", "/.well-known/acme-challenge/other", 404, "", ""},
		{"GET", "a.test", "/<script>?q=<b>", 308, "https://a.test/", ""},
		{"HEAD", "b.test:8080", "/", 308, "https://b.test/", ""},
		{"GET", "evil.test", "/", 404, "", ""},
		{"GET", "", "/", 404, "", ""},
		{"GET", "127.0.0.1", "/", 404, "", ""},
		{"POST", "a.test", "/v1/mailboxes/x/frames", 404, "", ""},
		{"OPTIONS", "a.test", "/", 404, "", ""},
	}
	for _, row := range rows {
		r := httptest.NewRequest(row.method, "/", nil)
		r.URL.Path, r.Host = row.path, row.host
		w := httptest.NewRecorder()
		k.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Result().Body)
		h := w.Result().Header
		if w.Code != row.code || h.Get("Location") != row.location || string(body) != row.body || h.Get("Content-Type") != "application/octet-stream" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s%s = %d, %v, %q", row.method, row.host, row.path, w.Code, h, body)
		}
	}
	k.setToken(token{"a.test", "/.well-known/acme-challenge/tok"}, "")
	if len(k.tokens) != 0 {
		t.Error("a token stays")
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{Domains: []string{"a.test"}},
		{Path: t.TempDir()},
		{Domains: []string{"a.test"}, Path: t.TempDir(), Directory: "http://ca.test"},
		{Domains: []string{"a.test"}, Path: t.TempDir(), Directory: "https://"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("New(%+v) = nil", cfg)
		}
	}
}
