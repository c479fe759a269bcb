package fauxqs

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// TestConfined: what npm brings has no network, nor what is started like it; the
// same without confinement has one.
func TestConfined(t *testing.T) {
	_, pid := start(t)
	devices, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", pid))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(devices)), "\n"); len(lines) != 3 || !strings.HasPrefix(strings.TrimSpace(lines[2]), "lo:") {
		t.Errorf("fauxqs has more than a loopback:\n%s", devices)
	}

	var asked atomic.Int32
	here := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer here.Close()
	knock := []string{"-e", `fetch(process.argv[1]).then(() => console.log("reached"), (e) => console.log(e.cause.code))`, here.URL}
	_, out := confined(t, knock...)
	if said, err := io.ReadAll(out); err != nil || strings.TrimSpace(string(said)) == "reached" || asked.Load() != 0 {
		t.Errorf("confined, it says %q, %v", said, err)
	}
	if said, err := exec.Command(node(t), knock...).Output(); err != nil || string(said) != "reached\n" || asked.Load() != 1 {
		t.Errorf("not confined, it says %q, %v", said, err)
	}
}
