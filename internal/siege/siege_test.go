package siege

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"kryptonite/internal/phone"
	"kryptonite/internal/session"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/hostile"
)

var (
	seed        = flag.Uint64("seed", 1, "the first adversary's; a failure prints its own")
	adversaries = flag.Uint64("adversaries", 12, "how many different ones TestHostileChannels has, in memory")
)

// allows is a person who allows whoever is called so.
func allows(c phone.Card) (bool, bool) { return strings.HasPrefix(c.User, "allow"), true }

// expected reports whether a login of user may end so: as the person said, or, when an
// adversary keeps frames back or the computer's program was killed, without an answer.
func expected(user string, err error) bool {
	if errors.Is(err, session.ErrNoAck) || errors.Is(err, session.ErrTimeout) || errors.Is(err, session.ErrEnded) || errors.Is(err, session.ErrSkew) {
		return true
	}
	if strings.HasPrefix(user, "allow") {
		return err == nil
	}
	return errors.Is(err, session.ErrDenied)
}

// in runs f, in a bubble if the kind of channel can.
func (k kind) in(t *testing.T, f func(*testing.T)) {
	t.Run(k.name, func(t *testing.T) {
		if k.bubble {
			synctest.Test(t, f)
			return
		}
		f(t)
	})
}

// TestHostileChannels: two computers pair with a phone and log in over channels that
// an adversary owns, who does all that one can; both sides are killed now and then;
// one computer is unpaired and pairs again. A frame that nobody sealed for its
// reader is never taken, nothing is signed but what was shown and allowed, once for
// each decision, and ssh gets nothing else. When the adversary has had enough, both
// pairings are there.
func TestHostileChannels(t *testing.T) {
	score := hostile.NewScore(t, "channel")
	for _, k := range kinds {
		lives, odds := uint64(1), hostile.Wild
		switch {
		case k.name == "memory":
			lives = *adversaries
		case !k.bubble:
			odds[hostile.Pass] *= 5 // what is lost comes again after seconds
		}
		for n := range lives {
			k.in(t, func(t *testing.T) { besiege(t, k, hostile.New(t, score, *seed+n, odds)) })
		}
	}
}

func besiege(t *testing.T, k kind, adversary *hostile.Adversary) {
	open, shut := k.open(t)
	defer shut()
	channel := func() (near, far []transport.Link) {
		a, b := adversary.Channel(open())
		return []transport.Link{a}, []transport.Link{b}
	}
	person := newPerson(t, allows)
	h := newHandset(t, person)
	defer h.close()
	paired := func(name string) *laptop {
		near, far := channel()
		l, err := pair(t.Context(), h, name, near, far)
		if err != nil {
			t.Fatalf("pairing %s: %v", name, err)
		}
		return l
	}
	logins := func(round string, laptops ...*laptop) {
		var all sync.WaitGroup
		for _, l := range laptops {
			for i := range 6 {
				user := fmt.Sprintf("%s %s %d", []string{"allow", "reject"}[i%2], round, i)
				all.Go(func() {
					if err := l.login(t.Context(), user); !expected(user, err) {
						t.Errorf("%s at %s: %v", user, l.name, err)
					}
				})
			}
		}
		all.Wait()
	}
	first, second := paired("laptop"), paired("tower")
	logins("first", first, second)
	h.restart()
	logins("phone restarted", first, second)
	first.restart()
	second.restart()
	logins("computers restarted", first, second)

	h.handle(phone.Unpair{Pairing: first.pairing})
	first.close()
	first = paired("laptop") // old frames of the old pairing are about
	logins("paired anew", first, second)

	adversary.Turn(hostile.Odds{})
	for _, l := range []*laptop{first, second} {
		defer l.close()
		if err := l.login(t.Context(), "allow at last"); err != nil {
			t.Errorf("%s, on a channel that works: %v", l.name, err)
		}
		if len(l.watch.found) != 0 {
			t.Errorf("%s found %v in the phone's log", l.name, l.watch.found)
		}
		if l.unpaired || h.ended[l.pairing] {
			t.Errorf("%s lost its pairing: there %t, on the phone %t", l.name, l.unpaired, h.ended[l.pairing])
		}
	}
	person.account(h)
}

// TestEveryBitOnTheWay: a pairing, a login that is allowed and one that is rejected, in which
// each frame follows everything that it becomes by one bit, or with its end missing.
func TestEveryBitOnTheWay(t *testing.T) {
	score := hostile.NewScore(t, "conversation")
	kinds[0].in(t, func(t *testing.T) {
		adversary := hostile.New(t, score, *seed, hostile.Odds{})
		adversary.EveryBit(true)
		open, _ := kinds[0].open(t)
		near, far := adversary.Channel(open())
		person := newPerson(t, allows)
		h := newHandset(t, person)
		defer h.close()
		l, err := pair(t.Context(), h, "laptop", []transport.Link{near}, []transport.Link{far})
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		for _, user := range []string{"allow", "reject"} {
			if err := l.login(t.Context(), user); err == nil != (user == "allow") || !expected(user, err) {
				t.Errorf("%s: %v", user, err)
			}
		}
		synctest.Wait() // the last copies, too
		person.account(h)
		sent, _ := adversary.Frames()
		t.Logf("%d frames, each bit of each", sent)
	})
}
