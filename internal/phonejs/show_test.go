package phonejs

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/phone"
)

// TestChain: the log among records holds, or it is said where it breaks.
func TestChain(t *testing.T) {
	var log auditlog.Log
	records := map[string]any{"pairing/x": "AAAA"}
	key := func(n int) string { return fmt.Sprintf("%s%020d", phone.LogPrefix, n) }
	for i, d := range []auditlog.Decision{auditlog.Allowed, auditlog.Rejected, auditlog.Expired, auditlog.Allowed} {
		records[key(i+1)] = b64(log.Append(auditlog.Entry{Unix: int64(1_700_000_000 + i), Decision: d, User: "root", Host: "server"}))
	}
	verify := func(change func(map[string]any)) (c Chain) {
		t.Helper()
		changed := maps.Clone(records)
		change(changed)
		text := call(new(Door), "chain", changed)
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("chain = %s, %v", text, err)
		}
		return c
	}
	if c := verify(func(map[string]any) {}); c != (Chain{4, 1, 4, log.Head().String(), ""}) {
		t.Errorf("the whole log: %+v", c)
	}
	if c := verify(func(m map[string]any) { clear(m) }); c != (Chain{Head: auditlog.Head{}.String()}) {
		t.Errorf("no log: %+v", c)
	}
	changed := func(m map[string]any) {
		b, err := base64.StdEncoding.DecodeString(m[key(2)].(string))
		if err != nil {
			t.Fatal(err)
		}
		m[key(2)] = b64([]byte(strings.Replace(string(b), "root", "ROOT", 1)))
	}
	for what, broken := range map[string]func(map[string]any){
		"an entry was changed":    changed,
		"an entry is missing":     func(m map[string]any) { delete(m, key(3)) },
		"an entry is misplaced":   func(m map[string]any) { m[key(9)] = m[key(4)]; delete(m, key(4)) },
		"the first one is gone":   func(m map[string]any) { delete(m, key(1)) },
		"an entry cannot be read": func(m map[string]any) { m[key(4)] = "AAAA" },
	} {
		c := verify(broken)
		if c.Broken == "" {
			t.Errorf("%s: %+v", what, c)
		}
		t.Logf("%s: %+v", what, c)
	}
	if c := verify(changed); c.Held != 2 || c.Length != 2 || !strings.Contains(c.Broken, "log entry 3: the entry before it was changed") {
		t.Errorf("an entry was changed: %+v", c)
	}
}
