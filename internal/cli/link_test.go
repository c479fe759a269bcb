package cli

import (
	"strings"
	"testing"
	"time"

	"kryptonite/internal/control"
)

// TestLinkText: people see what a channel is now, what failed last, when it last
// worked, and how fast.
func TestLinkText(t *testing.T) {
	at := time.Now().Add(-5 * time.Minute)
	for want, l := range map[string]control.Link{
		"not connected":                         {},
		"connected":                             {Connected: true},
		"connected by WebSocket":                {Connected: true, Mode: "WebSocket"},
		"not connected: connection refused":     {LastError: "connection refused"},
		"connected by long poll: queue is full": {Connected: true, Mode: "long poll", LastError: "queue is full"},
		"connected by long poll, the phone has not taken it yet":              {Connected: true, Mode: "long poll", Untold: true},
		"not connected: no route; worked 5 minutes ago, a frame took 12.3 ms": {LastError: "no route", LastOK: at, TookMS: 12.34},
	} {
		if got := linkText(l); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := linkText(control.Link{LastError: "no \x1b[2Jroute"}); strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
	if n := len(linkText(control.Link{LastError: strings.Repeat("x", 5000)})); n > 300 {
		t.Errorf("%d characters", n)
	}
}
