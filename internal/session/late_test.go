package session

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// TestClockOfALateAnswer: what lay in a mailbox while the computer slept says little of
// the phone's clock, and that it was there then.
func TestClockOfALateAnswer(t *testing.T) {
	const hour = time.Hour
	sent := time.Unix(1_795_000_000, 0)
	for name, c := range map[string]struct {
		knew, made, read time.Duration // since sent, made by the phone's clock
		offset, heard    time.Duration // heard since sent, by ours
	}{
		"at once":                           {0, 3600 * time.Second, time.Second, hour - time.Second, time.Second},
		"at once, as known":                 {hour, hour, time.Second, hour, 0},
		"hours later":                       {0, hour, 9 * hour, 0, hour},
		"hours later, of a clock ahead":     {0, 20 * hour, 9 * hour, 11 * hour, 9 * hour},
		"hours later, of a clock behind":    {0, -20 * hour, 9 * hour, -20 * hour, 0},
		"the clock here was set back since": {0, time.Second, -hour, hour + time.Second, -hour},
	} {
		s := &Session{offset: c.knew, cfg: Config{Now: func() time.Time { return sent.Add(c.read) }}}
		r := &wire.Response{Unix: sent.Add(c.made).Unix()}
		s.setOffset(r, sent)
		s.hear(r)
		if s.offset != c.offset || s.heard.Sub(sent) != c.heard {
			t.Errorf("%s: the phone's clock is ahead by %v, heard at %v; want %v, %v", name, s.offset, s.heard.Sub(sent), c.offset, c.heard)
		}
	}
}

// TestLateAck: the phone acks a hello while the computer sleeps. That is no word of its
// clock, nor that it is there now; the next request goes through at the first try.
func TestLateAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slept := time.Duration(0)
		r := newRig(t, memory.Options{AToB: deaf}, 0, false)
		defer r.close()
		synctest.Wait()
		r.session.mu.Lock()
		r.session.cfg.Now = func() time.Time { return time.Now().Add(slept) }
		hello := r.session.hello.frame
		r.session.missed = time.Now().Add(time.Minute)
		r.session.mu.Unlock()
		ack := r.sent(phone.Frame{Pairing: r.id, Data: hello})
		slept = 9 * time.Hour
		if err := r.session.receive("memory", ack); err != nil {
			t.Fatal(err)
		}
		if st := r.session.Status(); st.Offset != 0 || time.Now().Sub(st.Heard) > time.Second || time.Now().Before(st.Heard) || !st.Away {
			t.Errorf("nine hours later: %+v", st)
		}
	})
}

// TestAgeOfAnEpoch: it grows old while the computer sleeps, and monotonic clocks do not.
func TestAgeOfAnEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Session{cfg: Config{Now: time.Now}}
		e := s.newEpoch(sealbox.Epoch{})
		time.Sleep(3 * time.Hour)
		for slept, want := range map[time.Duration]time.Duration{0: 3 * time.Hour, 21 * time.Hour: 24 * time.Hour, -9 * time.Hour: 3 * time.Hour} {
			if got := e.age(time.Now().Add(slept).Round(0)); got != want {
				t.Errorf("with %v that no clock ran: %v, want %v", slept, got, want)
			}
		}
		s.epochs = []epoch{e}
		var msg wire.Request
		s.cfg.Now = func() time.Time { return time.Now().Add(21 * time.Hour) }
		if err := s.renew(&msg); err != nil || msg.EphemeralC == nil {
			t.Errorf("no new epoch after a night's sleep: %v", err)
		}
	})
}

// gone is a link whose mailbox somebody deletes while it is received.
type gone struct {
	*memory.Link
	deleted chan struct{}
}

var errDeleted = errors.New("it was deleted")

func (g gone) Receive(ctx context.Context, _ func([]byte) error) error {
	select {
	case <-g.deleted:
		return errDeleted
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// TestLinkIsGoneAtOnce: what is behind a link that was given up may be deleted before
// its receiver was told to end; the session goes on. Behind one that is there, it ends.
func TestLinkIsGoneAtOnce(t *testing.T) {
	for name, given := range map[string]bool{"given up": true, "in use": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, _ := memory.New(memory.Options{})
				other, _ := memory.New(memory.Options{})
				link := gone{near, make(chan struct{})}
				own, _ := sealbox.NewKey()
				theirs, _ := sealbox.NewKey()
				s, err := New(Config{Own: own, Phone: theirs.Public(), Links: []transport.Link{link, other}, Version: "test",
					Log: slog.New(slog.DiscardHandler), Unpaired: func() error { return nil }})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- s.Run(ctx) }()
				synctest.Wait()
				if given {
					s.mu.Lock() // SetLinks, before anybody noticed
					s.links = []transport.Link{other}
					s.mu.Unlock()
				}
				close(link.deleted)
				synctest.Wait()
				select {
				case err := <-done:
					if given || !errors.Is(err, errDeleted) {
						t.Errorf("the session has ended: %v", err)
					}
				default:
					if !given {
						t.Error("the session goes on")
					}
				}
				stop()
				synctest.Wait()
			})
		})
	}
}

// TestUnpairWaitsForItsFirstCopy: while the phone's farewell is being made durable, no
// other link's copy of it is said to be taken; if that fails, the next copy tries.
func TestUnpairWaitsForItsFirstCopy(t *testing.T) {
	r := newRig(t, memory.Options{}, 0, true)
	defer r.close()
	calls := 0
	full := errors.New("the disk is full")
	r.session.cfg.Unpaired = func() error {
		if r.session.leaveMu.TryLock() {
			r.session.leaveMu.Unlock()
			t.Error("a copy by another link would be taken meanwhile")
		}
		if calls++; calls == 1 {
			return full
		}
		return nil
	}
	farewell := &wire.Notice{K: wire.Protocol, Unpair: &wire.Unpair{}}
	for i, want := range []error{full, nil, nil} {
		if err := r.session.notice(farewell); !errors.Is(err, want) {
			t.Errorf("copy %d: %v, want %v", i+1, err, want)
		}
	}
	if calls != 2 {
		t.Errorf("made durable %d times, want 2", calls)
	}
}
