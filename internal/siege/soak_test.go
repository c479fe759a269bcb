package siege

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/session"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/hostile"
	"kryptonite/internal/transport/memory"
)

var soak = flag.Int("soak", 300, "requests in TestSoak")

// TestSoak: many requests over two channels at once, each of which loses every
// fifth frame, and repeats and reorders others; either side is killed now and then and
// goes on from its disk, a phone also before it has stored anything. No pairing, no
// decision and no entry of the log is lost, and no payload signed that is not its
// decision's.
func TestSoak(t *testing.T) {
	score := hostile.NewScore(t, "soak")
	synctest.Test(t, func(t *testing.T) {
		adversary := hostile.New(t, score, *seed, hostile.Lossy)
		luck := rand.New(rand.NewPCG(*seed, uint64(*soak)))
		var mu sync.Mutex // of luck
		oneIn := func(n int) bool {
			mu.Lock()
			defer mu.Unlock()
			return luck.IntN(n) == 0
		}
		var near, far []transport.Link
		for range 2 {
			a, b := adversary.Channel(memory.New(memory.Options{}))
			near, far = append(near, a), append(far, b)
		}
		person := newPerson(t, allows)
		h := newHandset(t, person)
		defer h.close()
		h.skew = 7 * time.Second
		l, err := pair(t.Context(), h, "laptop", near, far)
		if err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		h.die = func(stored bool) bool { return oneIn(map[bool]int{false: 400, true: 200}[stored]) }
		h.mu.Unlock()

		names, began := make(chan string), time.Now()
		again := 0 // logins that the end of the computer's program cut off
		var workers, kills sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				for name := range names {
					err := l.login(t.Context(), name)
					for errors.Is(err, session.ErrEnded) {
						mu.Lock()
						again++
						mu.Unlock()
						time.Sleep(time.Second)
						err = l.login(t.Context(), name)
					}
					if allow := strings.HasPrefix(name, "allow"); allow && err != nil || !allow && !errors.Is(err, session.ErrDenied) {
						t.Errorf("%s: %v", name, err)
					}
					time.Sleep(time.Second) // a phone remembers 1,024 requests of the last 90 s
				}
			})
		}
		for i := range *soak {
			if oneIn(100) {
				kills.Go(l.restart)
				kills.Wait()
			}
			names <- fmt.Sprintf("%s-%d", []string{"allow", "allow", "allow", "reject"}[i%4], i)
		}
		close(names)
		workers.Wait()

		h.mu.Lock()
		h.die = nil
		h.mu.Unlock()
		adversary.Turn(hostile.Odds{})
		if err := l.login(t.Context(), "allow at last"); err != nil || l.unpaired || len(h.ended) > 0 {
			t.Errorf("the pairing is lost: %v; on the computer %t, on the phone %v", err, l.unpaired, h.ended)
		}
		l.close()
		person.account(h)
		decided, yes := person.decisions()
		_, end, err := phone.Log(h.disk)
		if err != nil || end.Len() < uint64(decided) {
			t.Errorf("%d decisions, %d entries in the log, %v", decided, end.Len(), err)
		}
		if newest, _ := l.watch.Newest(); len(l.watch.found) != 0 || newest != end.Mark() {
			t.Errorf("the computer saw a log that ends at %s, it ends at %s; found was %v", newest, end.Mark(), l.watch.found)
		}
		if yes < *soak-*soak/4+1 || decided < *soak+1 {
			t.Errorf("%d decisions, %d of them a yes, for %d requests", decided, yes, *soak+1)
		}
		sent, lost := adversary.Frames()
		t.Logf("%d requests in %s of virtual time: %d frames, %d lost; %d decisions; the phone was killed %d times, the computer %d times, which cut off %d logins",
			*soak+1, time.Since(began), sent, lost, decided, h.lives-1, l.restarts, again)
	})
}
