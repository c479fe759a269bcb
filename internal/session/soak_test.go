package session

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

var soak = flag.Int("soak", 2000, "requests in TestSoak")

// TestSoak: many requests over a link that loses every fifth frame, repeats and
// reorders, to a phone that crashes now and then. Each decision arrives, and
// none is made twice.
func TestSoak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		luck := rand.New(rand.NewPCG(3, uint64(*soak)))
		var mu sync.Mutex // of luck
		lost, frames := 0, 0
		fate := func(int, []byte) memory.Fate {
			mu.Lock()
			defer mu.Unlock()
			frames++
			if luck.IntN(5) == 0 {
				lost++
				return memory.Fate{}
			}
			copies := 1
			if luck.IntN(5) == 0 {
				copies += luck.IntN(3)
			}
			return memory.Fate{Copies: copies, Delay: time.Duration(luck.Int64N(int64(2 * time.Second)))}
		}
		r := newRig(t, memory.Options{AToB: fate, BToA: fate}, 7*time.Second, true)
		defer r.close()
		r.thumb = func(c phone.Card) (bool, bool) { return strings.HasPrefix(c.User, "allow"), true }
		disk := map[string][]byte{}
		crashes := 0
		r.crash = func(effects []phone.Effect) bool {
			for _, e := range effects {
				if s, ok := e.(phone.Store); ok {
					if disk[s.Key] = s.Value; s.Value == nil {
						delete(disk, s.Key)
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if luck.IntN(200) != 0 {
				return false
			}
			crashes++
			core, err := phone.New(r.cfg, maps.Clone(disk))
			if err != nil {
				t.Fatal(err)
			}
			r.core = core
			return true
		}
		for k, v := range r.stored {
			disk[k] = v
		}

		names := make(chan string)
		var workers sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				for name := range names {
					err := r.login(t.Context(), name)
					if reject := strings.HasPrefix(name, "reject"); reject != errors.Is(err, ErrDenied) || !reject && err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		begin := time.Now()
		for i := range *soak {
			names <- fmt.Sprintf("%s-%d", []string{"allow", "allow", "allow", "reject"}[i%4], i)
		}
		close(names)
		workers.Wait()
		_, end, err := phone.Log(disk)
		if err != nil || end.Len() != uint64(*soak) {
			t.Errorf("%d requests: %d decisions in the log, %v", *soak, end.Len(), err)
		}
		if newest, _ := r.watch.Newest(); len(r.watch.found) != 0 || newest != end.Mark() {
			t.Errorf("the session saw a log that ends at %s, it ends at %s; found was %v", newest, end.Mark(), r.watch.found)
		}
		payloads := map[string]bool{}
		r.count(func(e phone.Effect) bool {
			if s, ok := e.(phone.Sign); ok {
				payloads[s.Request.String()+string(s.Payload)] = true
			}
			return false
		})
		if want := *soak - *soak/4; len(payloads) != want {
			t.Errorf("%d payloads were signed, %d allowed", len(payloads), want)
		}
		t.Logf("%d requests in %s of virtual time: %d frames, %d lost, %d crashes of the phone", *soak, time.Since(begin), frames, lost, crashes)
	})
}

// login asks for one login of a user, in a session of its own.
func (r *rig) login(ctx context.Context, user string) error {
	key, err := sshwire.ParsePublicKey(r.blob)
	if err != nil {
		return err
	}
	payload := sshwire.Userauth{SessionID: []byte(fmt.Sprintf("%-32s", user)), User: user, Method: sshwire.MethodPublicKey,
		Algorithm: key.Type(), PublicKey: r.blob}.Marshal()
	_, err = r.session.Sign(ctx, r.blob, wire.SignRequest{Fingerprint: key.Fingerprint(), Payload: payload}, SignOptions{})
	return err
}
