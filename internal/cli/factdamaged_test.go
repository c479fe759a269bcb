package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/statedir"
)

// TestCheckDamaged: what was set aside is named until it is gone, whatever file of
// krd's it was.
func TestCheckDamaged(t *testing.T) {
	home := filepath.Join(t.TempDir(), "kr")
	dir, err := statedir.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	c := newCheckup(&env{home: home})
	if got := lookDamaged(t.Context(), c); len(got) != 0 {
		t.Errorf("nothing is damaged: %v", got)
	}
	for _, name := range []string{"limits.json", "pairings/a.json", "pairings/b.json"} {
		if err := dir.WriteFile(name, []byte("{")); err != nil {
			t.Fatal(err)
		}
		if err := dir.ReadJSON(name, 1, new(struct{})); err == nil {
			t.Fatal("read")
		}
	}
	got := lookDamaged(t.Context(), c)
	if len(got) != 2 {
		t.Fatalf("%v", got)
	}
	for i, want := range []struct{ text, fix string }{
		{"and 1 more; that phone is not paired", "kr pair, and then rm "},
		{"limits.json.damaged-", "kr key limit, and then rm "},
	} {
		if f := got[i]; f.state != factWarn || !strings.Contains(f.text, want.text) || !strings.HasPrefix(f.fix, want.fix) {
			t.Errorf("%+v, want %+v", f, want)
		}
	}
	all, err := filepath.Glob(filepath.Join(home, "*.damaged-*"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := os.Remove(all[0]); err != nil {
		t.Fatal(err)
	}
	if got := lookDamaged(t.Context(), c); len(got) != 1 {
		t.Errorf("one was removed: %v", got)
	}
}

// TestSetAside: each file of krd's state that can be damaged has a sentence.
func TestSetAside(t *testing.T) {
	for _, name := range append(stateNames[:], recordFile) {
		if strings.HasSuffix(name, ".sock") || strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".log") || strings.Contains(name, "*") {
			continue
		}
		found := false
		for _, s := range setAside {
			found = found || strings.TrimSuffix(s.file, "/") == name
		}
		if !found {
			t.Errorf("kr check does not know what it means that %s was damaged", name)
		}
	}
}
