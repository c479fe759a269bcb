// Package certstest runs Debian's pebble, a small ACME CA for tests, on
// loopback, where every name is 127.0.0.1.
//
// [Start] returns when it answers. Names that end in ".nowhere" do not exist.
package certstest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/freeport"
)

// Pebble is a running CA.
type Pebble struct {
	Directory string         // URL
	CAFile    string         // PEM: who vouches for Directory
	CA        *x509.CertPool // the same
	HTTPPort  int            // where it asks for the answers to its challenges
	Stop      func()         // and wait; the end of the test does it, too

	manage string
	log    output
}

// output is what a process says, while it says it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

// Orders returns how many orders came in.
func (p *Pebble) Orders() int {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return bytes.Count(p.log.b.Bytes(), []byte("Added order"))
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := freeport.Get()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Start starts a CA whose certificates are valid for so long. Without pebble the
// test is skipped; CI installs it, so it fails there.
func Start(t testing.TB, valid time.Duration) *Pebble {
	t.Helper()
	bin, err := exec.LookPath("pebble")
	if err != nil {
		missing := t.Skip
		if os.Getenv("CI") != "" {
			missing = t.Fatal
		}
		missing("no pebble; Debian: apt-get install pebble")
	}
	dir := t.TempDir()
	p := &Pebble{CAFile: filepath.Join(dir, "ca.pem"), HTTPPort: freePort(t)}
	p.CA = writeIdentity(t, p.CAFile, filepath.Join(dir, "key.pem"))
	listen, manage := at(freePort(t)), at(freePort(t))
	p.Directory, p.manage = "https://"+listen+"/dir", "https://"+manage
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage,
		"certificate": p.CAFile, "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": p.HTTPPort, "tlsPort": freePort(t),
		"certificateValidityPeriod": int(valid / time.Second),
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(t, exec.Command(bin, "-config", file, "-dnsserver", answerNames(t)))
	return p
}

func at(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// run starts cmd and waits until the CA answers.
func (p *Pebble) run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.Stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(p.Stop)
	var err error
	for range 100 {
		if _, err = p.get(t.Context(), p.Directory); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.Stop()
	t.Fatalf("pebble does not answer: %v\n%s", err, &p.log.b)
}

func (p *Pebble) get(ctx context.Context, url string) ([]byte, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.CA}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// Roots returns who vouches for the certificates that this CA makes.
func (p *Pebble) Roots(t testing.TB) *x509.CertPool {
	t.Helper()
	b, err := p.get(t.Context(), p.manage+"/roots/0")
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(b) {
		t.Fatalf("pebble's root: %v", err)
	}
	return roots
}

// writeIdentity makes the certificate of the CA's own https, signed by itself.
func writeIdentity(t testing.TB, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a CA's https"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	for file, b := range map[string][]byte{
		certFile: public,
		keyFile:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	return pool
}

// Buffer is a log that is read while it is written.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to the log.
func (s *Buffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

// String is what was written so far.
func (s *Buffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
