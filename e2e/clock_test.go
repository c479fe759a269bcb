package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestClocks: computer and phone disagree about the time, by little and by
// much, from pairing on, and a clock that is set back while all run. The login
// always goes through, by one question.
func TestClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ phone, krd string }{
		{"3m", "0s"}, {"-3m", "0s"}, {"20m", "0s"}, {"-20m", "0s"}, {"24h", "0s"}, {"-24h", "0s"},
		{"0s", "20m"}, {"0s", "-24h"}, {"24h", "-24h"},
	} {
		t.Run("phone "+c.phone+", krd "+c.krd, func(t *testing.T) {
			t.Parallel()
			h := newFaultyHouse(t)
			clocks := map[string]string{"phone": h.Path("clock-phone"), "krd": h.Path("clock-krd")}
			set := func(whose, off string) { // at once: the programs read it all the time
				must(t, os.WriteFile(clocks[whose]+".new", []byte(off), 0o600))
				must(t, os.Rename(clocks[whose]+".new", clocks[whose]))
			}
			set("phone", c.phone)
			set("krd", c.krd)
			must(t, h.StartRelay())
			_, err := h.Kr("config", "set", "relay", h.Origin)
			must(t, err)
			must(t, h.StartKrd("KR_CLOCK="+clocks["krd"]))
			h.Env = append(h.Env, "KR_CLOCK="+clocks["phone"]) // of all phones started from here on
			must(t, h.Pair("ana"))
			must(t, h.StartSshd())
			l := &ledger{}
			must(t, h.runWatched("ana", l))
			questions := func(want int) {
				t.Helper()
				if err := h.Login(); err != nil {
					t.Fatalf("login %d: %v\nphone:\n%s\nkrd:\n%s", want, err, h.Phones["ana"].Output(), h.Krd.Output())
				}
				if n := strings.Count(h.Phones["ana"].Output(), "Allow?"); n != want {
					t.Errorf("after %d logins %d questions were asked", want, n)
				}
			}
			questions(1)
			// A clock that jumps ahead: krd is told the time, once, and asks again.
			set("phone", "240h")
			questions(2)
			if !strings.Contains(h.Phones["ana"].Output(), "the clocks do not agree") {
				t.Error("the phone did not notice that its clock is ten days off")
			}
			// Set back, while all run: all epochs are gone, krd comes back by hello.
			set("phone", c.phone)
			questions(3)
			set("krd", "-240h")
			questions(4)
			// krd starts anew and knows nothing of the phone's clock.
			_, err = h.Krd.Stop(syscall.SIGKILL)
			must(t, err)
			set("krd", "5h")
			must(t, h.StartKrd("KR_CLOCK="+clocks["krd"]))
			questions(5)
			l.check(t, h)
		})
	}
}

// TestPhoneComesBackInTime: a phone that is off when ssh asks, and on again
// before the 30 s are over, answers that very request.
func TestPhoneComesBackInTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	login := make(chan error, 1)
	go func() { login <- h.Login() }()
	_, err := h.Krd.Await(`(?s)phones=.*`) // it runs; now the request is on its way
	must(t, err)
	select {
	case err := <-login:
		t.Fatal("the login does not wait for the phone:", err)
	case <-time.After(3 * time.Second): // long enough for krd to repeat it
	}
	l := &ledger{}
	must(t, h.runWatched("ana", l))
	must(t, <-login)
	l.check(t, h)
}

// TestRelayComesBackInTime: the relay dies while the person thinks, and is
// started again: the login goes on.
func TestRelayComesBackInTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "ask"))
	login := make(chan error, 1)
	go func() { login <- h.Login() }()
	_, err := h.Phones["ana"].Await(`Allow\?`)
	must(t, err)
	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	must(t, h.Phones["ana"].Type("y"))
	_, err = h.Phones["ana"].Await(`signed for laptop`)
	must(t, err)
	must(t, h.StartRelay())
	must(t, <-login)
}

// TestSuspended: computer, phone and relay are stopped for eight hours, as by a
// closed lid, between logins and during one. What waited meanwhile is signed by
// nobody who was not asked, and the next login goes through.
func TestSuspended(t *testing.T) {
	t.Parallel()
	h := newFaultyHouse(t)
	clock := h.Path("clock")
	set := func(off string) {
		must(t, os.WriteFile(clock+".new", []byte(off), 0o600))
		must(t, os.Rename(clock+".new", clock))
	}
	set("0s")
	h.Env = append(h.Env, "KR_CLOCK="+clock)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	l := &ledger{}
	must(t, h.runWatched("ana", l))
	sleep := func(off string) {
		t.Helper()
		all := []*Proc{h.Krd, h.Phones["ana"], h.Relay}
		for _, p := range all {
			must(t, p.Signal(syscall.SIGSTOP))
		}
		set(off)
		for _, p := range all {
			must(t, p.Signal(syscall.SIGCONT))
		}
	}
	must(t, h.Login())
	for _, off := range []string{"8h", "60h"} {
		sleep(off)
		if err := h.Login(); err != nil {
			t.Errorf("the first login after %s: %v", off, err)
		}
	}
	_, err := h.Phones["ana"].Stop(syscall.SIGTERM)
	must(t, err)
	must(t, h.RunPhone("ana", "ask"))
	login := make(chan error, 1)
	go func() { login <- h.Login() }()
	_, err = h.Phones["ana"].Await(`Allow\?`)
	must(t, err)
	sleep("68h")
	_, err = h.Phones["ana"].Await(`no answer is needed any more \(its time is over\)`)
	must(t, err)
	_, err = h.Krd.Stop(syscall.SIGTERM) // it waits a minute of real time, and ssh with it
	must(t, err)
	must(t, h.StartKrd())
	if err := <-login; err == nil {
		t.Error("a login went through that nobody allowed")
	}
	if strings.Contains(h.Phones["ana"].Output(), "signed for") {
		t.Error("the phone signed what was over")
	}
	_, err = h.Phones["ana"].Stop(syscall.SIGTERM)
	must(t, err)
	must(t, h.runWatched("ana", l))
	must(t, h.Login())
	l.check(t, h)
}
