// Package fauxqs starts npm's fauxqs for tests: an SQS that others wrote, as a
// second opinion beside sqstest, with which our two ends might share a
// misunderstanding. It enforces neither policies nor signatures.
//
// It needs a newer Node than Debian 12 has. Both come by this directory's lock
// file: npm ci --ignore-scripts.
package fauxqs

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Region is one that it knows.
const Region = "us-east-1"

// Start returns the endpoint of a new one, on loopback, that ends with the test.
// Where it is not installed, the test is skipped, or fails in CI.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Dir(here)
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	node := filepath.Join(dir, "node_modules", "node-"+runtime.GOOS+"-"+arch, "bin", "node")
	if _, err := os.Stat(node); err != nil && os.Getenv("CI") == "" {
		t.Skip("fauxqs is not installed: cd internal/transport/sqs/fauxqs && npm ci --ignore-scripts")
	}
	cmd := exec.Command(node, "--no-warnings", filepath.Join(dir, "serve.mjs"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://127.0.0.1:") {
		t.Fatalf("fauxqs said %q: %v", line, err)
	}
	return strings.TrimSpace(line)
}
