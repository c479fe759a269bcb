package phonejs

import (
	"encoding/json"
	"strings"
	"testing"

	"kryptonite/internal/auditlog"
)

// TestEntries: stored entries are shown; ones that do not follow each other are
// refused.
func TestEntries(t *testing.T) {
	var log auditlog.Log
	var stored []any
	for i, d := range []auditlog.Decision{auditlog.Allowed, auditlog.Rejected, auditlog.Expired} {
		stored = append(stored, b64(log.Append(auditlog.Entry{Unix: int64(1_700_000_000 + i), Decision: d, User: "root", Host: "server"})))
	}
	var raw []map[string]any
	text := call(new(Door), "entries", stored[1:])
	if err := json.Unmarshal([]byte(text), &raw); err != nil || len(raw) != 2 {
		t.Fatalf("entries = %s, %v", text, err)
	}
	if e := raw[0]; e["seq"] != 2.0 || e["unix"] != 1_700_000_001_000.0 || e["decision"] != "rejected" || e["user"] != "root" {
		t.Errorf("the second entry is %v", e)
	}
	if got, err := entries(nil); err != nil || len(got) != 0 {
		t.Errorf("no entries = %v, %v", got, err)
	}
	if text := call(new(Door), "entries", []any{stored[0], stored[2]}); !strings.Contains(text, "Refused") {
		t.Errorf("a gap = %s", text)
	}
}

// TestQR: a square with the three finders in its corners.
func TestQR(t *testing.T) {
	rows, err := qrCode("ssh-ed25519 AAAA")
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
	if _, err := qrCode(strings.Repeat("x", 4000)); err == nil {
		t.Error("4,000 bytes fit into a QR code")
	}
}
