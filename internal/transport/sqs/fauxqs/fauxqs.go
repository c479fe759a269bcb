// Package fauxqs starts npm's fauxqs for tests: an SQS that others wrote, as a
// second opinion beside sqstest, with which our two ends might share a
// misunderstanding. It enforces neither policies nor signatures.
//
// What npm brings runs in a network namespace of its own, which has no network:
// the one way in is a unix socket, by which this package hands it requests. That
// takes Linux, and user namespaces or root.
//
// It needs a newer Node than Debian 12 has. Both come by this directory's lock
// file: npm ci --ignore-scripts.
package fauxqs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Region is one that it knows.
const Region = "us-east-1"

// Start returns the endpoint of a new one, on loopback, that ends with the test.
// Where it is not installed, or cannot be confined, the test is skipped, or fails
// in CI.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	endpoint, _ = start(t)
	return endpoint
}

// start is Start, and tells the process.
func start(t testing.TB) (endpoint string, pid int) {
	t.Helper()
	dir, err := os.MkdirTemp("", "fauxqs") // a short path, as sockets need one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "http")
	// What still waits for an answer when the process ends, gets one.
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { // with the client's Host, of which queues' URLs are made
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "fauxqs"
		},
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	t.Cleanup(proxy.Close)

	cmd, out := confined(t, "--no-warnings", filepath.Join(here(), "serve.mjs"), socket)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("fauxqs said %q: %v", line, err)
	}
	return proxy.URL, cmd.Process.Pid
}

// confined starts Node where it has no network, until the test ends, and returns
// its output.
func confined(t testing.TB, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	path, why := node(t), errors.ErrUnsupported
	for _, attr := range confinements() {
		cmd := exec.Command(path, args...)
		cmd.Stderr, cmd.SysProcAttr = os.Stderr, attr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if why = cmd.Start(); why == nil {
			t.Cleanup(func() {
				cmd.Process.Kill()
				cmd.Wait()
			})
			return cmd, out
		}
	}
	missing(t, "what npm brings cannot be kept from the network, and is not started: "+why.Error())
	return nil, nil
}

func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// node is the Node that can run it.
func node(t testing.TB) string {
	t.Helper()
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	path := filepath.Join(here(), "node_modules", "node-"+runtime.GOOS+"-"+arch, "bin", "node")
	if _, err := os.Stat(path); err != nil {
		missing(t, "fauxqs is not installed: cd internal/transport/sqs/fauxqs && npm ci --ignore-scripts")
	}
	return path
}

// missing skips a test, but not in CI.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
