package e2e

import (
	"testing"
)

// TestSecondScannerLoses: someone else scans the same code a moment later. The
// first phone pairs as if nothing were; the second is told what it may mean.
func TestSecondScannerLoses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(t, err)
	_, err = h.Kr("daemon", "start")
	must(t, err)
	p, err := h.BeginPairing("ana")
	must(t, err)
	must(t, p.Words())
	must(t, h.InitPhone("mallory"))
	second, err := h.Phone("mallory", "pair")
	must(t, err)
	must(t, second.Type(p.Link))
	_, err = second.Await(`Someone else may have scanned the code`)
	must(t, err)
	must(t, p.Kr.Type(p.PhoneWord))
	must(t, p.Phone.Type(p.KrWords))
	code, err := p.Kr.Wait()
	must(t, err)
	if code != 0 {
		t.Fatalf("kr pair: exit %d\n%s", code, p.Kr.Output())
	}
	out, err := h.Kr("me")
	must(t, err)
	if len(out) == 0 || out[len(out)-4:] != "ana\n" {
		t.Errorf("kr me = %q, want ana's key only", out)
	}
	code, err = second.Stop(2)
	must(t, err)
	if code != 130 {
		t.Errorf("kr-phone pair after Ctrl-C: exit %d, want 130", code)
	}
}
