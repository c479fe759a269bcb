package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// word collects what a phone says of addresses.
type word struct {
	mu   sync.Mutex
	said []string // number, and where the phone listens
	err  error    // what the next one gets
}

func (w *word) take(seq int64, at []wire.Address) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprint(seq)
	for _, a := range at {
		switch {
		case a.Relay != nil:
			text += " relay"
		case a.SQS != nil:
			text += " " + a.SQS.Region
		}
	}
	w.said = append(w.said, text)
	err := w.err
	w.err = nil
	return err
}

func (w *word) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.said, ", ")
}

// at are addresses, of queues if a region is given.
func at(seq int64, regions ...string) Addresses {
	out := Addresses{Seq: seq, List: []wire.Address{{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}}}
	for _, r := range regions {
		out.List = append(out.List, wire.Address{SQS: &wire.SQSAddress{Region: r, Account: "123456789012",
			ToComputer: strings.Repeat("c1", 16), ToPhone: strings.Repeat("d1", 16)}})
	}
	return out
}

// linksRig is a rig whose phone hears on other links, too.
func linksRig(t *testing.T, o memory.Options, first bool) (*rig, *word, func() (near, far *memory.Link)) {
	t.Helper()
	r, w := newRig(t, o, 0, first), new(word)
	r.session.cfg.Told = w.take
	return r, w, func() (*memory.Link, *memory.Link) {
		near, far := memory.New(memory.Options{})
		ctx, stop := context.WithCancel(context.Background())
		t.Cleanup(stop)
		r.done.Go(func() {
			far.Receive(ctx, func(b []byte) error { r.handle(ctx, phone.Frame{Pairing: r.id, Data: b}); return nil })
		})
		before := r.stop
		r.stop = func() { stop(); before() }
		return near, far
	}
}

// TestLinksComeAndGo: a link that is gained is received and sent on at once, one
// that is lost is left, requests on their way do not notice, and the phone knows.
func TestLinksComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w, more := linksRig(t, memory.Options{}, true)
		defer r.close()
		first := r.session.linkList()[0]
		asked := make(chan struct{})
		r.thumb = func(phone.Card) (bool, bool) { close(asked); return true, false }
		ctx, giveUp := context.WithCancel(t.Context())
		open := make(chan error, 1)
		go func() { _, err := r.sign(ctx, SignOptions{}); open <- err }()
		<-asked
		synctest.Wait() // its ack is there: one that comes later would say old addresses
		r.thumb = func(phone.Card) (bool, bool) { return true, true }

		near, far := more()
		r.session.SetLinks([]transport.Link{first, near}, at(5, "eu-central-1"))
		synctest.Wait()
		if got := w.all(); got != "5 relay eu-central-1" {
			t.Errorf("the phone said %q", got)
		}
		r.mu.Lock()
		r.far = far
		r.mu.Unlock()
		first.(*memory.Link).SetDown(true)
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
			t.Errorf("by the link that was gained: %v", err)
		}

		r.session.SetLinks([]transport.Link{near}, at(6, "us-east-1"))
		synctest.Wait()
		if got := w.all(); got != "5 relay eu-central-1, 6 relay us-east-1" {
			t.Errorf("the phone said %q", got)
		}
		if first.Status().Connected || !near.Status().Connected {
			t.Error("the link that was lost is received")
		}
		if len(r.session.Status().Links) != 1 {
			t.Error("the link that was lost is there")
		}
		select {
		case err := <-open:
			t.Errorf("the request before: %v", err)
		default:
		}
		giveUp()
		if err := <-open; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestAddressesAreTold also if the hello was lost, if its ack could not be stored,
// after a restart of the computer, and if one of the two is a restored copy.
func TestAddressesAreTold(t *testing.T) {
	lost := func(which ...int) func(int, []byte) memory.Fate {
		return func(n int, _ []byte) memory.Fate {
			for _, w := range which {
				if n == w {
					return memory.Fate{}
				}
			}
			return memory.Deliver
		}
	}
	for name, c := range map[string]struct {
		link  memory.Options
		first bool
		do    func(t *testing.T, r *rig, w *word)
		want  string
	}{
		"the hello is lost": {memory.Options{AToB: lost(1)}, true, func(t *testing.T, r *rig, w *word) {
			r.session.SetLinks(r.session.linkList(), at(5))
			synctest.Wait()
			if w.all() != "" {
				t.Errorf("before: %q", w.all())
			}
		}, "5 relay"},
		"not stored": {memory.Options{}, true, func(t *testing.T, r *rig, w *word) {
			w.err = errors.New("disk full")
			r.session.SetLinks(r.session.linkList(), at(5))
		}, "5 relay, 5 relay"},
		"restart": {memory.Options{AToB: lost(0)}, false, func(t *testing.T, r *rig, w *word) {
			r.session.SetLinks(r.session.linkList(), at(5))
		}, "5 relay"},
		"of two the newer": {memory.Options{}, true, func(t *testing.T, r *rig, w *word) {
			r.session.SetLinks(r.session.linkList(), at(5))
			r.session.SetLinks(r.session.linkList(), at(7, "us-east-1"))
		}, "7 relay us-east-1"},
		"the computer is a copy": {memory.Options{}, true, func(t *testing.T, r *rig, w *word) {
			r.session.SetLinks(r.session.linkList(), at(7))
			synctest.Wait()
			w.said = nil
			r.session.mu.Lock()
			r.session.addrs.Seq = 4
			r.session.mu.Unlock()
		}, "7, 7"}, // by its ack, and by its answer
		"the phone is a copy": {memory.Options{}, true, func(t *testing.T, r *rig, w *word) {
			r.session.SetLinks(r.session.linkList(), at(7))
			synctest.Wait()
			old, err := phone.New(r.cfg, r.stored)
			if err != nil {
				t.Fatal(err)
			}
			r.mu.Lock()
			r.core, w.said = old, nil
			r.mu.Unlock()
		}, "7 relay"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, w, _ := linksRig(t, c.link, c.first)
				defer r.close()
				synctest.Wait()
				c.do(t, r, w)
				time.Sleep(time.Second) // what was not taken comes again
				synctest.Wait()
				for range 2 { // and no more than that
					if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					if name == "the computer is a copy" {
						break
					}
				}
				if got := w.all(); got != c.want {
					t.Errorf("the phone said %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestOldPhone: one that knows nothing of numbered addresses is told them again,
// but not with each login.
func TestOldPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w, _ := linksRig(t, memory.Options{}, true)
		defer r.close()
		synctest.Wait() // the greeting is over
		hellos := 0
		r.crash = func(effects []phone.Effect) bool { // counts
			for _, e := range effects {
				if s, ok := e.(phone.Send); ok && len(s.Frame) > 0 && wire.Header(s.Frame[0]) == wire.HeaderSession {
					hellos++
				}
			}
			return false
		}
		nothing := Addresses{Seq: 5} // without an address it takes none, as if it did not know what that is
		r.session.SetLinks(r.session.linkList(), nothing)
		synctest.Wait()
		for range 5 {
			if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if w.all() != "" || hellos != 2 {
			t.Errorf("it said %q to %d hellos", w.all(), hellos)
		}
		time.Sleep(remindAfter + time.Second)
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if hellos != 3 {
			t.Errorf("an hour later there were %d hellos", hellos)
		}
	})
}
