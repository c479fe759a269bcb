package relayd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kryptonite/internal/certs/certstest"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport/relay"
)

// domainRelay is kr-relay --domain relay.test.
type domainRelay struct {
	https, http string // addresses
	stderr      *certstest.Buffer
	stop        func() // and wait
	began       time.Time
}

func startDomain(t *testing.T, data string, p *certstest.Pebble, more ...string) *domainRelay {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	r := &domainRelay{stderr: &certstest.Buffer{}, began: time.Now()}
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, append([]string{"--domain", "Relay.test", "--data", data, "--log-level", "debug",
			"--listen", "127.0.0.1:0", "--listen-http", "127.0.0.1:" + strconv.Itoa(p.HTTPPort),
			"--acme-directory", p.Directory, "--acme-ca", p.CAFile, "--acme-email", "ana@relay.test"}, more...), testBuilt, in, r.stderr)
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	r.stop = sync.OnceFunc(func() {
		cancel()
		if c := <-code; c != 0 {
			t.Errorf("exit code %d, stderr %s", c, r.stderr)
		}
	})
	t.Cleanup(r.stop)
	f := strings.Fields(line)
	if err != nil || len(f) != 7 || f[6] != "https://relay.test" {
		t.Fatalf("first line %q, %v, stderr %s", line, err, r.stderr)
	}
	r.https, r.http = f[2], f[4]
	return r
}

// wait waits for a line of the log.
func (r *domainRelay) wait(t *testing.T, text string) {
	t.Helper()
	for range 600 {
		if strings.Contains(r.stderr.String(), text) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the log never said %q: %s", text, r.stderr)
}

// transport reaches relay.test.
func (r *domainRelay) transport(t *testing.T, roots *x509.CertPool) *http.Transport {
	rt := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, map[string]string{"relay.test:443": r.https, "relay.test:80": r.http}[addr])
		},
	}
	t.Cleanup(rt.CloseIdleConnections)
	return rt
}

// handshake returns the certificate that name is shown.
func (r *domainRelay) handshake(t *testing.T, name string, limit uint16) (*x509.Certificate, error) {
	t.Helper()
	raw, err := net.Dial("tcp", r.https)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn := tls.Client(raw, &tls.Config{ServerName: name, InsecureSkipVerify: true, MaxVersion: limit, MinVersion: tls.VersionTLS10})
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates[0], nil
}

// watched counts answers by their protocol; without upgrades if blocked.
type watched struct {
	http.RoundTripper
	blocked bool

	mu   sync.Mutex
	seen map[string]int
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.blocked && r.Header.Get("Upgrade") != "" {
		return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Request: r}, nil
	}
	resp, err := w.RoundTripper.RoundTrip(r)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen[resp.Proto+" "+strconv.Itoa(resp.StatusCode)]++
	}
	return resp, err
}

// exchange posts a frame to a new mailbox and reads it.
func exchange(t *testing.T, origin string, rt http.RoundTripper) {
	t.Helper()
	c, err := relay.NewClient(origin, relay.Options{RoundTripper: rt})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	key, err := mailbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Open(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got string
	var posting sync.WaitGroup
	posting.Go(func() {
		time.Sleep(300 * time.Millisecond) // the reader waits
		if err := c.Post(t.Context(), key.Address(), []byte("hello")); err != nil {
			t.Error(err)
		}
	})
	_ = c.Receive(ctx, key, func(frame []byte) error {
		got = string(frame)
		cancel()
		return nil
	})
	posting.Wait()
	if got != "hello" {
		t.Errorf("received %q", got)
	}
}

// A relay with a name and nothing else gets a certificate, serves WebSockets,
// polls and posts over it, and keeps it.
func TestDomain(t *testing.T) {
	p := certstest.Start(t, 30*24*time.Hour)
	data := shortDir(t)
	r := startDomain(t, data, p)
	r.wait(t, "certificate obtained")
	t.Logf("first certificate after %v", time.Since(r.began).Round(time.Millisecond))
	rt := r.transport(t, p.Roots(t))

	live := &watched{RoundTripper: rt, seen: map[string]int{}}
	exchange(t, "https://relay.test", live)
	if live.seen["HTTP/1.1 101"] != 1 || live.seen["HTTP/2.0 202"] != 1 {
		t.Errorf("by WebSocket: %v", live.seen)
	}
	polled := &watched{RoundTripper: rt, blocked: true, seen: map[string]int{}}
	exchange(t, "https://relay.test", polled)
	if polled.seen["HTTP/2.0 200"] < 2 || polled.seen["HTTP/2.0 202"] != 1 {
		t.Errorf("by polls: %v", polled.seen)
	}

	first, err := r.handshake(t, "RELAY.test", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "other.test", "www.relay.test", "127.0.0.1"} {
		if c, err := r.handshake(t, name, 0); err == nil {
			t.Errorf("%q is shown the certificate of %v", name, c.DNSNames)
		} else if !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := r.handshake(t, "relay.test", tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is taken")
	}
	r.stop()
	for line := range strings.Lines(r.stderr.String()) {
		if strings.Contains(line, "TLS handshake error") && !strings.Contains(line, "level=DEBUG") {
			t.Errorf("strangers fill the log: %s", line)
		}
	}
	wantPrivate(t, filepath.Join(data, certsName))

	// Again, with the same data: no second order, also when the CA is down.
	for _, down := range []bool{false, true} {
		if down {
			p.Stop()
		}
		r = startDomain(t, data, p)
		again, err := r.handshake(t, "relay.test", 0)
		if err != nil || again.SerialNumber.Cmp(first.SerialNumber) != 0 {
			t.Errorf("CA down %v: another certificate, %v", down, err)
		}
		r.stop()
	}
	if n := p.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func wantPrivate(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s is %v, want %v", path, info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil || files != 2 {
		t.Errorf("%d files below %s, want the account and a certificate: %v", files, dir, err)
	}
}

// Without a CA the relay is up, shows nobody anything, and says what is wrong.
func TestDomainWithoutItsCA(t *testing.T) {
	p := certstest.Start(t, time.Hour)
	p.Stop()
	r := startDomain(t, shortDir(t), p)
	r.wait(t, "no certificate yet")
	if log := r.stderr.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "cannot be reached") || !strings.Contains(log, "again=") {
		t.Errorf("log: %s", log)
	}
	if _, err := r.handshake(t, "relay.test", 0); err == nil {
		t.Error("a handshake without a certificate")
	}
	resp, err := r.transport(t, nil).RoundTrip(must(http.NewRequestWithContext(t.Context(), "GET", "http://relay.test/x?y", nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusPermanentRedirect || resp.Header.Get("Location") != "https://relay.test/" || len(body) > 0 {
		t.Errorf("plain http: %s, Location %q, body %q, %v", resp.Status, resp.Header.Get("Location"), body, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestDomainCommandLine(t *testing.T) {
	taken := must(net.Listen("tcp", "127.0.0.1:0"))
	defer taken.Close()
	dir := t.TempDir()
	rows := []struct {
		args, stderr string
		code         int
	}{
		{"--domain https://relay.test", "without https://", 2},
		{"--domain relay.test:444", "without https://", 2},
		{"--domain localhost", "whole name", 2},
		{"--domain 192.0.2.1", "whole name", 2},
		{"--domain *.relay.test", "want a name", 2},
		{"--acme-email ana@relay.test", "for --domain", 2},
		{"--behind-proxy", "--origin https://relay.example.com", 2},
		{"--behind-proxy --domain relay.test --listen-http :0", "without --behind-proxy", 2},
		{"--domain relay.test --acme-directory http://ca.test", "no ACME directory", 1},
		{"--domain relay.test --acme-ca " + filepath.Join(dir, "none"), "--acme-ca", 1},
		{"--domain relay.test --listen " + taken.Addr().String(), "Another program has that port", 1},
		{"--domain relay.test --listen 127.0.0.1:0 --listen-http " + taken.Addr().String(), "--listen-http", 1},
	}
	for _, row := range rows {
		var out, errs bytes.Buffer
		code := Run(t.Context(), append(strings.Fields(row.args), "--data", dir), testBuilt, &out, &errs)
		if code != row.code || !strings.Contains(errs.String(), row.stderr) || out.Len() > 0 {
			t.Errorf("kr-relay %s = %d, %q, %q; want %d, %q", row.args, code, &out, &errs, row.code, row.stderr)
		}
	}
}

// What flags mean together.
func TestArrange(t *testing.T) {
	rows := []struct {
		args, listen, plain, origins string
		trust                        bool
		domains                      int
	}{
		{"", "127.0.0.1:8080", "", "", false, 0},
		{"--domain a.test --domain B.test", ":443", ":80", "https://a.test https://b.test", false, 2},
		{"--domain a.test --origin https://a.test --listen :8443", ":8443", ":80", "https://a.test", false, 1},
		{"--behind-proxy --origin https://a.test", "127.0.0.1:8080", "", "https://a.test", true, 0},
		{"--behind-proxy --domain a.test", "127.0.0.1:8080", "", "https://a.test", true, 0},
		{"--trust-proxy", "127.0.0.1:8080", "", "", true, 0},
	}
	for _, row := range rows {
		o, err := parse(strings.Fields(row.args))
		if err != nil {
			t.Errorf("%s: %v", row.args, err)
			continue
		}
		if o.listen != row.listen || o.front.listenHTTP != row.plain || strings.Join(o.origins, " ") != row.origins || o.trustProxy != row.trust || len(o.front.domains) != row.domains {
			t.Errorf("%q gives %+v", row.args, o)
		}
	}
}

func TestPortNotPermitted(t *testing.T) {
	err := listenError(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}, "--listen")
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "setcap cap_net_bind_service=+ep /") || !strings.Contains(err.Error(), "--behind-proxy") {
		t.Errorf("listenError = %v", err)
	}
}
