package relay_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	relayserver "kryptonite/internal/relay"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport/relay"
)

// proxyOrigin is a relay whose name only the proxy knows.
const proxyOrigin = "https://relay-behind-proxy.example.com"

// connectProxy is an HTTP proxy that asks for a password, knows one host, and
// passes bytes (CONNECT).
type connectProxy struct {
	to string // address of the relay

	mu       sync.Mutex
	connects int
	refused  int
}

func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allowed := r.Header.Get("Proxy-Authorization") == "Basic "+base64.StdEncoding.EncodeToString([]byte("ana:secret"))
	p.mu.Lock()
	if allowed {
		p.connects++
	} else {
		p.refused++
	}
	p.mu.Unlock()
	switch {
	case !allowed:
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	case r.Method != http.MethodConnect || "https://"+r.Host != proxyOrigin+":443":
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	_, _ = io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n")
	var upward sync.WaitGroup
	upward.Go(func() { _, _ = io.Copy(up, buf); _ = up.Close() })
	_, _ = io.Copy(down, up)
	_ = down.Close()
	upward.Wait()
}

func (p *connectProxy) seen() (connects, refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connects, p.refused
}

// TestProxyFromEnvironment runs a child process with nothing but HTTPS_PROXY and
// SSL_CERT_FILE: the client's own transport must take both.
func TestProxyFromEnvironment(t *testing.T) {
	r := relaytest.New(t, func(c *relayserver.Config) { c.Origins = []string{proxyOrigin} })
	server := r.Server()
	for mode, box := range map[string]middlebox{
		"WebSocket": func(http.ResponseWriter, *http.Request) bool { return true },
		"long poll": noWebSocket["forbids it"],
	} {
		t.Run(mode, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if box(w, req) {
					server.ServeHTTP(w, req)
				}
			}))
			srv.EnableHTTP2 = true // as a TLS proxy before a relay would: polls go over it
			srv.StartTLS()
			defer srv.Close()
			proxy := &connectProxy{to: srv.Listener.Addr().String()}
			front := httptest.NewServer(proxy)
			defer front.Close()
			cert := filepath.Join(t.TempDir(), "cert.pem")
			if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
				t.Fatal(err)
			}
			child := func(proxyURL string) string {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyChild$", "-test.v")
				cmd.Env = append(cleanEnv(), "KR_TEST_PROXY_CHILD="+mode, "HTTPS_PROXY="+proxyURL, "SSL_CERT_FILE="+cert)
				out, err := cmd.CombinedOutput()
				return fmt.Sprintf("%s%v", out, err)
			}
			addr := front.Listener.Addr().String()
			if out := child("http://ana:secret@" + addr); !strings.HasSuffix(out, "PASS\n<nil>") || !strings.Contains(out, "received by "+mode) {
				t.Errorf("behind a proxy:\n%s", out)
			}
			if connects, refused := proxy.seen(); connects == 0 || refused > 0 {
				t.Errorf("the proxy passed %d connections and refused %d", connects, refused)
			}
			// Without a password the error says what the proxy said, and no secret.
			if out := child("http://ana:wrong@" + addr); !strings.Contains(out, "Proxy Authentication Required") || strings.Contains(out, "wrong") {
				t.Errorf("with a wrong password:\n%s", out)
			}
			// And without the proxy there is no such host.
			if out := child(""); strings.HasSuffix(out, "PASS\n<nil>") {
				t.Errorf("without a proxy:\n%s", out)
			}
		})
	}
}

// cleanEnv is the environment without anybody's proxies.
func cleanEnv() (env []string) {
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); !strings.HasSuffix(strings.ToUpper(name), "_PROXY") && name != "REQUEST_METHOD" {
			env = append(env, e)
		}
	}
	return env
}

// TestProxyChild is the child's part: open, receive what it posts, delete.
func TestProxyChild(t *testing.T) {
	mode := os.Getenv("KR_TEST_PROXY_CHILD")
	if mode == "" {
		t.Skip("is run by TestProxyFromEnvironment")
	}
	up := make(chan mailbox.Address, 10)
	c := newClient(t, proxyOrigin, relay.Options{RetryFor: time.Second, OnConnect: func(a mailbox.Address) { up <- a }})
	key := openKey(t, c)
	l := c.Link(key, key.Address())
	frames := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var receiving sync.WaitGroup
	receiving.Go(func() { _ = l.Receive(ctx, func(f []byte) error { frames <- string(f); return nil }) })
	defer receiving.Wait()
	defer cancel()
	get(t, up, "connection")
	if err := l.Send(t.Context(), []byte("through the proxy")); err != nil {
		t.Fatal(err)
	}
	if got := get(t, frames, "frame"); got != "through the proxy" {
		t.Errorf("received %q", got)
	}
	if s := l.Status(); s.Mode != mode {
		t.Errorf("Status = %+v", s)
	}
	t.Logf("received by %s", l.Status().Mode)
	if err := c.Delete(t.Context(), key); err != nil {
		t.Error(err)
	}
}
