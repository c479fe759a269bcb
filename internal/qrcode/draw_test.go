package qrcode

import (
	"strings"
	"testing"
)

// TestDraw: a square with the three finders in its corners.
func TestDraw(t *testing.T) {
	rows, err := Draw("ssh-ed25519 AAAA")
	if err != nil {
		t.Fatal(err)
	}
	n := len(rows)
	for _, r := range rows {
		if len(r) != n {
			t.Fatalf("%d rows, one of %d", n, len(r))
		}
	}
	finder := "#######"
	if !strings.HasPrefix(rows[0], finder) || !strings.HasSuffix(rows[0], finder) || !strings.HasPrefix(rows[n-1], finder) {
		t.Errorf("no finders: %q", rows)
	}
	if _, err := Draw(strings.Repeat("x", 4000)); err == nil {
		t.Error("4,000 bytes fit into a QR code")
	}
}
