package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/control"
	"kryptonite/internal/phone"
	"kryptonite/internal/statedir"
)

// krLog is what krd keeps of what it asked.
func (h *House) krLog(t *testing.T) (log control.Log) {
	t.Helper()
	out, err := h.Kr("log", "--json", "-n", "0")
	must(t, err)
	must(t, json.Unmarshal([]byte(out), &log))
	return log
}

// TestLogSurvivesKills: krd is killed right after each login. Its log may lack
// the last one, is never broken, and its watch never cries wolf.
func TestLogSurvivesKills(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	const kills = 8
	lacking := 0
	for n := 1; n <= kills; n++ {
		must(t, h.Login())
		_, err := h.Krd.Stop(syscall.SIGKILL)
		must(t, err)
		must(t, h.StartKrd())
		log := h.krLog(t)
		lacking = n - len(log.Entries)
		if lacking < 0 || n > 1 && len(log.Entries) == 0 {
			t.Fatalf("after %d logins there are %d entries", n, len(log.Entries))
		}
		for i, e := range log.Entries {
			if e.Seq != uint64(i+1) || e.Outcome != control.OutcomeAllowed || e.User != "root" || e.LogHead == "" || e.LogLength < e.Seq {
				t.Fatalf("after %d logins: %+v", n, e)
			}
		}
		if out, err := h.Kr("log", "verify"); err != nil {
			t.Fatalf("after %d logins: %v, %s", n, err, out)
		}
		if out := h.Krd.Output(); strings.Contains(out, "damaged") || strings.Contains(out, "cannot be read") {
			t.Fatalf("after %d logins krd says: %s", n, out)
		}
	}
	t.Logf("%d logins, each followed by kill -9: %d entries are lacking", kills, lacking)
}

// TestDamagedLogOnThePhone: an entry of the journal is another one. The phone
// says so at each start until it is acknowledged, signs, and the computer
// notices.
func TestDamagedLogOnThePhone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	for range 3 {
		must(t, h.Login())
	}
	stop := func() {
		_, err := h.Phones["ana"].Stop(syscall.SIGTERM)
		must(t, err)
	}
	stop()
	dir, err := statedir.Open(filepath.Join(h.PhoneDir, "phone-ana"))
	must(t, err)
	j, records, err := statedir.OpenJournal(dir, "pairings.journal", nil)
	must(t, err)
	key := phone.LogPrefix + "00000000000000000002"
	must(t, j.Commit([]statedir.Op{{Key: key, Value: []byte(strings.Replace(string(records[key]), "root", "ruth", 1))}}))
	must(t, j.Close())

	for _, told := range []bool{true, true, false} {
		must(t, h.RunPhone("ana", "always"))
		must(t, h.Login())
		stop()
		if out := h.Phones["ana"].Output(); strings.Contains(out, "WARNING: this phone's log was damaged: 3 entries") != told {
			t.Errorf("told: %v, want %v: %s", !told, told, out)
		}
		if !told {
			break
		}
		if out, err := h.Kr("status"); err != nil || !strings.Contains(out, "restored from a backup, or entries were removed") {
			t.Errorf("the computer does not notice: %v, %s", err, out)
		}
		if len(h.krLog(t).Entries) == 5 {
			p, err := h.Phone("ana", "log", "acknowledge")
			must(t, err)
			if code, err := p.Wait(); code != 0 || err != nil {
				t.Fatal(code, err, p.Output())
			}
		}
	}
	p, err := h.Phone("ana", "log")
	must(t, err)
	p.Wait()
	if first, _, _ := strings.Cut(p.Output(), "\n"); !strings.Contains(first, "\tdamaged\tlog entry 3: the entry before it was changed; 3 entries were set aside") {
		t.Errorf("the new log begins with %q", first)
	}
	if _, err := os.Stat(dir.Path("pairings.journal")); err != nil {
		t.Error(err)
	}
}
