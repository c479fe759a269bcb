package e2e

import (
	"flag"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 2, "how often TestRandomKills kills each program")
	seed  = flag.Uint64("seed", 0, "where TestRandomKills takes its luck from; 0: the time")
)

// TestRandomKills: a program dies at any moment of a login. The login succeeds
// once or fails cleanly, and the next one works.
func TestRandomKills(t *testing.T) {
	t.Parallel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("again with: -seed %d", *seed)
	luck := rand.New(rand.NewPCG(*seed, 0))
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	l := &ledger{}
	must(t, h.runWatched("ana", l))
	victims := slices.Repeat([]string{"krd", "phone", "relay"}, *kills)
	luck.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	for n, victim := range victims {
		login := make(chan error, 1)
		go func() { login <- h.Login() }()
		wait := time.Duration(luck.IntN(400)) * time.Millisecond
		time.Sleep(wait) // the moment is the point
		switch victim {
		case "krd":
			_, err := h.Krd.Stop(syscall.SIGKILL)
			must(t, err)
			must(t, h.StartKrd())
		case "phone":
			_, err := h.Phones["ana"].Stop(syscall.SIGKILL)
			must(t, err)
			must(t, h.runWatched("ana", l))
		case "relay":
			_, err := h.Relay.Stop(syscall.SIGKILL)
			must(t, err)
			must(t, h.StartRelay())
		}
		if err := <-login; err != nil && victim != "krd" {
			t.Errorf("kill %d, %s after %s: %v", n, victim, wait, err)
		}
		if err := h.Login(); err != nil {
			t.Errorf("kill %d, %s after %s: the next login: %v", n, victim, wait, err)
		}
	}
	l.check(t, h)
}
