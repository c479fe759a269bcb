package session

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/phone"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// watch is a Witness that keeps what it finds.
type watch struct {
	mu sync.Mutex
	auditlog.Watch
	found []auditlog.Finding
}

func (w *watch) Ask() auditlog.Ticket {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Watch.Ask()
}

func (w *watch) Answer(t auditlog.Ticket, m auditlog.Mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.Watch.Answer(t, m); f != nil {
		w.found = append(w.found, *f)
	}
}

// TestReport: what is left of a request, whatever came of it.
func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		links  memory.Options
		skew   time.Duration
		thumb  func(phone.Card) (bool, bool)
		err    error
		told   bool
		length uint64
	}{
		"allowed":        {told: true, length: 1},
		"rejected":       {thumb: func(phone.Card) (bool, bool) { return false, true }, err: ErrDenied, told: true, length: 1},
		"nobody decides": {thumb: func(phone.Card) (bool, bool) { return false, false }, err: ErrTimeout, told: true}, // by the ack
		"not reached":    {links: memory.Options{AToB: deaf}, err: ErrNoAck},
		"clock, twice":   {skew: time.Hour, told: true, length: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.links, 0, true)
				defer r.close()
				r.mu.Lock()
				r.skew = c.skew
				if c.thumb != nil {
					r.thumb = c.thumb
				}
				r.mu.Unlock()
				report := Report{Told: true, Log: auditlog.Mark{Length: 99}} // of an earlier request
				_, err := r.sign(t.Context(), SignOptions{Report: &report})
				if !errors.Is(err, c.err) {
					t.Fatal(err)
				}
				if report.Request == (wire.ID{}) || report.Told != c.told || report.Log.Length != c.length {
					t.Errorf("report: %+v", report)
				}
				if newest, ok := r.watch.Newest(); ok != c.told || newest != report.Log {
					t.Errorf("the witness saw %s, the report is %s", newest, report.Log)
				}
			})
		})
	}
}

// TestAPhoneFromABackupIsNoticed: by the next request, once; and a phone that
// tells nothing is not watched.
func TestAPhoneFromABackupIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		backup := map[string][]byte{}
		for k, v := range r.stored {
			backup[k] = v
		}
		for range 3 {
			if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		core, err := phone.New(r.cfg, backup)
		if err != nil {
			t.Fatal(err)
		}
		r.mu.Lock()
		r.core = core
		r.mu.Unlock()
		for range 3 {
			if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if len(r.watch.found) != 1 || r.watch.found[0].Kind != auditlog.Shorter || r.watch.found[0].Before.Length != 3 {
			t.Errorf("found: %v", r.watch.found)
		}
		q := &request{s: r.session, report: &Report{}}
		q.saw(&wire.Response{LogLength: 7})
		q.saw(nil)
		if q.report.Told || len(r.watch.found) != 1 {
			t.Error("an answer that tells no log tells one")
		}
	})
}
