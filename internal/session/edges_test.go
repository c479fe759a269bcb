package session

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"kryptonite/internal/pairing"
	"kryptonite/internal/phone"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// lost drops the first n frames.
func lost(n int) func(int, []byte) memory.Fate {
	return func(i int, _ []byte) memory.Fate {
		if i < n {
			return memory.Fate{}
		}
		return memory.Deliver
	}
}

func nobody(phone.Card) (bool, bool) { return false, false }

// TestPatience pins how long Sign waits, to the moment.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		links memory.Options
		err   error
		took  time.Duration
	}{
		"no phone":             {memory.Options{AToB: deaf}, ErrNoAck, ackPatience},
		"acked, then silence":  {memory.Options{}, ErrTimeout, decidePatient},
		"acked after a second": {memory.Options{AToB: late(time.Second)}, ErrTimeout, time.Second + decidePatient},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.links, 0, true)
				defer r.close()
				r.thumb = nobody
				acked := 0
				start := time.Now()
				_, err := r.sign(t.Context(), SignOptions{Progress: Progress{Acked: func() { acked++ }}})
				if !errors.Is(err, c.err) || time.Since(start) != c.took {
					t.Errorf("Sign = %v after %s, want %v after %s", err, time.Since(start), c.err, c.took)
				}
				if want := c.err == ErrTimeout; (acked == 1) != want {
					t.Errorf("Acked was called %d times", acked)
				}
			})
		})
	}
}

func late(d time.Duration) func(int, []byte) memory.Fate {
	return func(int, []byte) memory.Fate { return memory.Fate{Copies: 1, Delay: d} }
}

// TestNeverLongerThanTheHardLimit: clocks that disagree and a slow way make the
// longest request; servers wait 120 s.
func TestNeverLongerThanTheHardLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{AToB: late(14500 * time.Millisecond), BToA: late(14500 * time.Millisecond)}, 0, true)
		defer r.close()
		r.thumb = nobody
		r.mu.Lock()
		r.skew = 20 * time.Minute
		r.mu.Unlock()
		start := time.Now()
		if _, err := r.sign(t.Context(), SignOptions{}); !errors.Is(err, ErrTimeout) || time.Since(start) != hardLimit {
			t.Errorf("Sign = %v after %s, want ErrTimeout after %s", err, time.Since(start), hardLimit)
		}
	})
}

// TestFirstFramesAreLost: an answer comes as long as one copy in time gets through.
func TestFirstFramesAreLost(t *testing.T) {
	for there := range 4 {
		for back := range 4 {
			t.Run(fmt.Sprint(there, back), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, memory.Options{AToB: lost(there), BToA: lost(back)}, 0, true)
					defer r.close()
					if _, err := r.sign(t.Context(), SignOptions{}); err != nil || r.count(isSign) != 1 {
						t.Errorf("Sign = %v, the phone signed %d times", err, r.count(isSign))
					}
				})
			})
		}
	}
}

// TestWildLink: whatever a link does, there is a signature or a plain error in
// time, and the phone decides at most once.
func TestWildLink(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wild := func(salt uint64) func(int, []byte) memory.Fate {
					return func(n int, _ []byte) memory.Fate {
						rnd := rand.New(rand.NewPCG(seed, salt+uint64(n)*2))
						return memory.Fate{Copies: rnd.IntN(4) * rnd.IntN(2), Delay: time.Duration(rnd.IntN(4000)) * time.Millisecond}
					}
				}
				r := newRig(t, memory.Options{AToB: wild(0), BToA: wild(1)}, 0, seed%2 == 0)
				defer r.close()
				for range 3 {
					start := time.Now()
					sig, err := r.sign(t.Context(), SignOptions{})
					if (sig == nil) == (err == nil) || err != nil && !errors.Is(err, ErrNoAck) && !errors.Is(err, ErrTimeout) {
						t.Errorf("Sign = %x, %v", sig, err)
					}
					if took := time.Since(start); took > hardLimit {
						t.Errorf("it took %s", took)
					}
				}
				signs := map[wire.ID]int{}
				r.count(func(e phone.Effect) bool {
					if s, ok := e.(phone.Sign); ok {
						signs[s.Request]++
					}
					return false
				})
				for id, n := range signs {
					if n > 1 {
						t.Errorf("the phone signed %d times for request %s", n, id)
					}
				}
			})
		})
	}
}

// TestManyCopiesHideNoAnswer: a burst of acks does not push the answer out.
func TestManyCopiesHideNoAnswer(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			many := func(int, []byte) memory.Fate { return memory.Fate{Copies: 9} }
			r := newRig(t, memory.Options{AToB: many, BToA: many}, 0, true)
			defer r.close()
			start := time.Now()
			if _, err := r.sign(t.Context(), SignOptions{}); err != nil || time.Since(start) != 0 {
				t.Errorf("Sign = %v after %s, want a signature at once", err, time.Since(start))
			}
		})
	}
}

// TestPhoneThatLostItsEpochs: its clock was set back, so it erased them all.
func TestPhoneThatLostItsEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		before := r.session.current().ID
		r.mu.Lock()
		r.skew = -10 * time.Minute
		r.mu.Unlock()
		start := time.Now()
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil || time.Since(start) != helloAfter {
			t.Errorf("Sign = %v after %s, want a signature after %s", err, time.Since(start), helloAfter)
		}
		if r.session.current().ID == before {
			t.Error("the epoch is the old one")
		}
		if got := r.session.Status().Offset; got != -10*time.Minute {
			t.Errorf("the offset is %s, want -10m", got)
		}
	})
}

// TestSkewIsCorrectedOnce: a phone whose clock jumped is asked again with its
// own time; one whose clock jumps each time is not asked for ever.
func TestSkewIsCorrectedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		r.mu.Lock()
		r.skew = 20 * time.Minute
		r.mu.Unlock()
		start := time.Now()
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil || time.Since(start) != 0 || r.count(isSign) != 1 {
			t.Errorf("Sign = %v after %s, the phone signed %d times", err, time.Since(start), r.count(isSign))
		}
		if got := r.session.Status().Offset; got != 20*time.Minute {
			t.Errorf("the offset is %s, want 20m", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		asked := 0
		r = newRig(t, memory.Options{AToB: func(n int, _ []byte) memory.Fate {
			if n == 0 {
				return memory.Deliver // the greeting
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.skew += 20 * time.Minute
			asked++
			return memory.Deliver
		}}, 0, true)
		defer r.close()
		synctest.Wait()
		if _, err := r.sign(t.Context(), SignOptions{}); !errors.Is(err, ErrSkew) || asked != 2 || r.count(isSign) != 0 {
			t.Errorf("Sign = %v after %d requests, want ErrSkew after 2", err, asked)
		}
	})
}

func TestCodesBecomeErrors(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	blob, payload := sshwire.Ed25519Blob(key.Public().(ed25519.PublicKey)), []byte("payload")
	raw := ed25519.Sign(key, payload)
	good := sshwire.SignEd25519(key, payload)
	form := func(format string, blob []byte) []byte {
		return ssh.Marshal(struct {
			Format string
			Blob   []byte
		}{format, blob})
	}
	for name, c := range map[string]struct {
		r   wire.SignResponse
		err error // nil: a signature; errRefused: a *RefusedError
	}{
		"good":              {wire.SignResponse{Signature: good}, nil},
		"rejected":          {wire.SignResponse{Error: wire.CodeRejected}, ErrDenied},
		"expired":           {wire.SignResponse{Error: wire.CodeExpired}, ErrTimeout},
		"cancelled":         {wire.SignResponse{Error: wire.CodeCancelled}, ErrTimeout},
		"locked":            {wire.SignResponse{Error: wire.CodeLocked, Reason: "x"}, ErrLocked},
		"clock skew":        {wire.SignResponse{Error: wire.CodeClockSkew}, ErrSkew},
		"refused":           {wire.SignResponse{Error: wire.CodeRefused, Reason: "no"}, errRefused},
		"unknown key":       {wire.SignResponse{Error: wire.CodeUnknownKey}, errRefused},
		"code of tomorrow":  {wire.SignResponse{Error: "tired"}, errRefused},
		"error, signature":  {wire.SignResponse{Error: wire.CodeRejected, Signature: good}, ErrDenied},
		"nothing":           {wire.SignResponse{}, errRefused},
		"cut":               {wire.SignResponse{Signature: good[:len(good)-1]}, errRefused},
		"more behind":       {wire.SignResponse{Signature: append(bytes.Clone(good), 0)}, errRefused},
		"other payload":     {wire.SignResponse{Signature: sshwire.SignEd25519(key, []byte("other"))}, errRefused},
		"other algorithm":   {wire.SignResponse{Signature: form("ssh-rsa", raw)}, errRefused},
		"certificate's":     {wire.SignResponse{Signature: form("ssh-ed25519-cert-v01@openssh.com", raw)}, errRefused},
		"no algorithm":      {wire.SignResponse{Signature: form("", raw)}, errRefused},
		"longer signature":  {wire.SignResponse{Signature: form("ssh-ed25519", append(bytes.Clone(raw), 0))}, errRefused},
		"shorter signature": {wire.SignResponse{Signature: form("ssh-ed25519", raw[:63])}, errRefused},
	} {
		sig, err := checked(blob, payload, &c.r)
		switch {
		case c.err == nil && (err != nil || !bytes.Equal(sig, good)),
			c.err == errRefused && !errors.As(err, new(*RefusedError)),
			c.err != nil && c.err != errRefused && !errors.Is(err, c.err),
			c.err != nil && sig != nil:
			t.Errorf("%s: %x, %v, want %v", name, sig, err, c.err)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if sig, err := checked(blob, payload, &wire.SignResponse{Signature: bad}); err == nil || sig != nil {
			t.Errorf("byte %d flipped: the signature holds", i)
		}
	}
	if _, err := checked([]byte("no key"), payload, &wire.SignResponse{Signature: good}); err == nil {
		t.Error("a signature by a key that cannot be read")
	}
}

// asked starts Sign, waits until it waits, and returns the request's id.
func (r *rig) asked(done chan<- error) wire.ID {
	go func() { _, err := r.sign(context.Background(), SignOptions{}); done <- err }()
	synctest.Wait()
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	for id := range r.session.waiting {
		return id
	}
	r.t.Error("nobody waits")
	return wire.ID{}
}

// sealed is a message as the phone would send it, under an epoch.
func (r *rig) sealed(m wire.Message) []byte {
	plain, err := wire.Encode(m)
	if err != nil {
		r.t.Fatal(err)
	}
	body, err := r.session.current().Seal(plain)
	if err != nil {
		r.t.Fatal(err)
	}
	return wire.NewFrame(wire.HeaderEpoch, body)
}

// TestComputersOwnFramesAreNoAnswers: the far end sends back what it got, and
// what the computer could have sent; nothing of it counts.
func TestComputersOwnFramesAreNoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen [][]byte
		r := newRig(t, memory.Options{AToB: func(_ int, frame []byte) memory.Fate {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, bytes.Clone(frame))
			return memory.Fate{}
		}}, 0, true)
		defer r.close()
		done := make(chan error, 1)
		id := r.asked(done)
		time.Sleep(3 * time.Second) // virtual: there is a hello, too
		synctest.Wait()
		mu.Lock()
		frames := append([][]byte{}, seen...)
		mu.Unlock()
		unpair, err := pairing.UnpairRequest(r.session.box, time.Now(), "test")
		if err != nil {
			t.Fatal(err)
		}
		// Sealed with the key of the computer's direction, so it does not open.
		frames = append(frames, unpair, r.sealed(wire.Message{Response: &wire.Response{ID: id, K: 1, Sign: &wire.SignResponse{Error: wire.CodeRejected}}}))
		for _, f := range frames {
			before := r.session.Status().Dropped
			if err := r.session.receive("memory", f); !errors.Is(err, transport.ErrForged) || r.session.Status().Dropped != before+1 {
				t.Errorf("header %d: receive = %v, %d dropped, want one more than %d", f[0], err, r.session.Status().Dropped, before)
			}
		}
		if len(frames) < 4 {
			t.Errorf("only %d frames were tried", len(frames))
		}
		if err := <-done; !errors.Is(err, ErrNoAck) {
			t.Errorf("Sign = %v, want ErrNoAck", err)
		}
		if r.left != 0 {
			t.Error("the pairing has ended")
		}
	})
}

// TestOldAnswersAreNotForNewRequests: all that the phone ever said comes again.
func TestOldAnswersAreNotForNewRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var said [][]byte
		r := newRig(t, memory.Options{BToA: func(_ int, frame []byte) memory.Fate {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, bytes.Clone(frame))
			return memory.Deliver
		}}, 0, true)
		defer r.close()
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
			t.Fatal(err)
		}
		r.thumb = nobody
		done := make(chan error, 1)
		r.asked(done)
		mu.Lock()
		old := append([][]byte{}, said...)
		mu.Unlock()
		for _, f := range old {
			r.session.receive("memory", f)
		}
		if err := <-done; !errors.Is(err, ErrTimeout) {
			t.Errorf("Sign = %v, want ErrTimeout", err)
		}
	})
}

// TestUnpairIsRepeatedUntilDurable: the frame comes again while the disk fails.
func TestUnpairIsRepeatedUntilDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		r.thumb = nobody
		calls := 0
		r.session.cfg.Unpaired = func() error {
			if calls++; calls < 3 {
				return errors.New("disk full")
			}
			return nil
		}
		done := make(chan error, 1)
		r.asked(done)
		notice, err := pairing.UnpairNotice(r.session.box, time.Now(), "test")
		if err != nil {
			t.Fatal(err)
		}
		r.far.Send(t.Context(), notice)
		if err := <-done; !errors.Is(err, ErrUnpaired) {
			t.Errorf("Sign = %v, want ErrUnpaired", err)
		}
		time.Sleep(time.Second) // virtual
		r.far.Send(t.Context(), notice)
		synctest.Wait()
		if calls != 3 {
			t.Errorf("Unpaired was called %d times, want 3", calls)
		}
		start := time.Now()
		if _, err := r.sign(t.Context(), SignOptions{}); !errors.Is(err, ErrUnpaired) || time.Since(start) != 0 {
			t.Errorf("Sign after the end = %v after %s, want ErrUnpaired at once", err, time.Since(start))
		}
	})
}

func TestFarewellEndsThePairingAtThePhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		frame, err := r.session.Farewell()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r.session.cfg.Links[0].Send(t.Context(), frame)
		}
		synctest.Wait()
		if n := r.count(func(e phone.Effect) bool { n, ok := e.(phone.Note); return ok && n.Kind == phone.NoteUnpaired }); n != 1 {
			t.Errorf("the phone was told %d times, want once", n)
		}
	})
}

// TestSignWhileRunEnds: Sign returns, and nothing it started outlives Run.
// synctest fails when a goroutine stays.
func TestSignWhileRunEnds(t *testing.T) {
	for i := range 30 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, memory.Options{AToB: deaf}, 0, true)
			done := make(chan error, 4)
			for range cap(done) {
				go func() { _, err := r.sign(context.Background(), SignOptions{}); done <- err }()
			}
			if i%3 == 0 {
				synctest.Wait()
			}
			start := time.Now()
			r.close()
			for range cap(done) {
				if err := <-done; !errors.Is(err, ErrEnded) {
					t.Errorf("Sign = %v, want ErrEnded", err)
				}
			}
			if _, err := r.sign(t.Context(), SignOptions{}); !errors.Is(err, ErrEnded) || time.Since(start) != 0 {
				t.Errorf("Sign after Run = %v after %s, want ErrEnded at once", err, time.Since(start))
			}
		})
	}
}

// TestManyAtOnce: requests do not disturb each other.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{AToB: thrice, BToA: thrice}, 0, false)
		defer r.close()
		var g sync.WaitGroup
		for range 20 {
			g.Go(func() {
				if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		g.Wait()
		if n := r.count(isSign); n != 20 {
			t.Errorf("the phone signed %d times, want 20", n)
		}
		if n := len(r.session.waiting); n != 0 {
			t.Errorf("%d requests are still kept", n)
		}
	})
}

func TestTooLargeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		_, err := r.session.Sign(t.Context(), r.blob, wire.SignRequest{Payload: make([]byte, wire.MaxPlaintext)}, SignOptions{})
		if !errors.As(err, new(*RefusedError)) {
			t.Errorf("Sign = %v, want a *RefusedError", err)
		}
	})
}

func TestNewChecksItsConfig(t *testing.T) {
	k, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	p, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	link, _ := memory.New(memory.Options{})
	good := Config{Own: k, Phone: p.Public(), Links: []transport.Link{link}, Version: "test",
		Log: slog.New(slog.DiscardHandler), Unpaired: func() error { return nil }}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no links": func(c *Config) { c.Links = nil }, "no version": func(c *Config) { c.Version = "" },
		"no log": func(c *Config) { c.Log = nil }, "no Unpaired": func(c *Config) { c.Unpaired = nil },
		"zero phone": func(c *Config) { c.Phone = sealbox.PublicKey{} },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: New succeeds", name)
		}
	}
}

// FuzzReceive: nothing that did not come from the phone changes anything.
func FuzzReceive(f *testing.F) {
	k, err := sealbox.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	p, err := sealbox.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	link, _ := memory.New(memory.Options{})
	s, err := New(Config{Own: k, Phone: p.Public(), Links: []transport.Link{link}, Version: "test",
		Log: slog.New(slog.DiscardHandler), Unpaired: func() error { return errors.New("unpaired") }})
	if err != nil {
		f.Fatal(err)
	}
	hello, err := s.startHello()
	if err != nil {
		f.Fatal(err)
	}
	notice, err := pairing.UnpairNotice(s.box, time.Unix(1, 0), "test")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello)
	f.Add([]byte{})
	f.Add([]byte{3})
	f.Add(append([]byte{3}, make([]byte, 200)...))
	f.Add(notice[:len(notice)-1])
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := s.Status().Dropped
		if err := s.receive("memory", frame); !errors.Is(err, transport.ErrForged) || s.Status().Dropped != before+1 {
			t.Errorf("receive(%x) = %v, %d dropped", frame, err, s.Status().Dropped-before)
		}
	})
}
