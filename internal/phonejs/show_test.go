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
