package session

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/pairing"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

const origin = "http://127.0.0.1:8080"

// rig is a session with a real phone core at the other end of a link.
type rig struct {
	t       *testing.T
	session *Session
	core    *phone.Core
	cfg     phone.Config
	stored  map[string][]byte         // by the pairing
	crash   func([]phone.Effect) bool // keeps the stores, and may make the core anew; nil: never
	id      string
	blob    []byte
	key     ed25519.PrivateKey
	far     *memory.Link
	skew    time.Duration                     // of the phone's clock
	thumb   func(phone.Card) (allow, ok bool) // ok false: nobody decides
	forge   func([]byte) []byte               // changes signatures
	grant   policy.Grant                      // what the thumb adds to a yes
	watch   watch                             // of the phone's log
	mu      sync.Mutex
	seen    []phone.Effect
	left    int
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// newRig pairs and starts both ends. first says whether the session knows the
// pairing's epoch.
func newRig(t *testing.T, o memory.Options, skew time.Duration, first bool) *rig {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, key: key, blob: sshwire.Ed25519Blob(pub), skew: skew,
		thumb: func(phone.Card) (bool, bool) { return true, true }, forge: func(b []byte) []byte { return b }}
	r.cfg, r.stored = phone.Config{Name: "ana", Version: "test", Keys: []wire.SSHKey{{PublicKey: r.blob}}}, map[string][]byte{}
	if r.core, err = phone.New(r.cfg, nil); err != nil {
		t.Fatal(err)
	}
	c, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}}, pairing.Self{Name: "laptop", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	frame, _, err := c.Accept(r.now(), r.sent(phone.OpenLink{Link: c.Invitation().Link()}))
	if err != nil {
		t.Fatal(err)
	}
	for p := range r.core.Computers() {
		r.id = r.core.Computers()[p].Pairing
	}
	if _, err := c.Receive(r.sent(phone.Frame{Pairing: r.id, Data: frame})); err != nil {
		t.Fatal(err)
	}
	if done, err := c.Receive(r.sent(phone.Confirm{Pairing: r.id, Yes: true})); err != nil || !done {
		t.Fatal(done, err)
	}
	own, s, epoch := c.Keys()
	near, far := memory.New(o)
	r.far = far
	cfg := Config{Own: own, Phone: s, Links: []transport.Link{near}, Version: "test", Log: slog.New(slog.DiscardHandler),
		Witness: &r.watch, Unpaired: func() error { r.left++; return nil }}
	if first {
		cfg.FirstEpoch, cfg.Offset = &epoch, skew
	}
	if r.session, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.done.Go(func() { r.session.Run(ctx) })
	r.done.Go(func() {
		far.Receive(ctx, func(b []byte) error { r.handle(ctx, phone.Frame{Pairing: r.id, Data: b}); return nil })
	})
	return r
}

func (r *rig) close() {
	r.stop()
	r.done.Wait()
}

func (r *rig) now() time.Time { return time.Now().Add(r.skew) }

// sent handles an event and returns the one frame that comes of it.
func (r *rig) sent(ev phone.Event) []byte {
	var frame []byte
	for _, e := range r.core.Handle(r.now(), ev) {
		switch e := e.(type) {
		case phone.Store:
			r.stored[e.Key] = e.Value
		case phone.Send:
			frame = e.Frame
		}
	}
	if frame == nil {
		r.t.Fatalf("%T sends nothing", ev)
	}
	return frame
}

// handle performs the effects of an event, with a person's thumb.
func (r *rig) handle(ctx context.Context, ev phone.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := []phone.Event{ev}
	for len(events) > 0 {
		effects := r.core.Handle(r.now(), events[0])
		events = events[1:]
		r.seen = append(r.seen, effects...)
		if r.crash != nil && r.crash(effects) {
			events = []phone.Event{phone.Start{}} // whatever else there was to do is lost
			continue
		}
		for _, e := range effects {
			switch e := e.(type) {
			case phone.Send:
				r.far.Send(ctx, e.Frame)
			case phone.Ask:
				if allow, ok := r.thumb(e.Card); ok {
					events = append(events, phone.Decide{Pairing: e.Card.Pairing, Request: e.Card.Request, Allow: allow, Grant: r.grant})
				}
			case phone.Sign:
				events = append(events, phone.Signed{Pairing: e.Pairing, Request: e.Request,
					Signature: r.forge(sshwire.SignEd25519(r.key, e.Payload)), Wrapped: e.Wrap}) // any bytes do
			}
		}
	}
}

// signs is how many signatures the phone was asked to make.
func (r *rig) count(match func(phone.Effect) bool) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.seen {
		if match(e) {
			n++
		}
	}
	return n
}

func isSign(e phone.Effect) bool { _, ok := e.(phone.Sign); return ok }
func isWithdraw(e phone.Effect) bool {
	w, ok := e.(phone.Withdraw)
	return ok && w.Why == wire.CodeCancelled
}

// sign asks for one login.
func (r *rig) sign(ctx context.Context, o SignOptions) ([]byte, error) {
	key, err := sshwire.ParsePublicKey(r.blob)
	if err != nil {
		r.t.Fatal(err)
	}
	payload := sshwire.Userauth{SessionID: make([]byte, 32), User: "root", Method: sshwire.MethodPublicKey,
		Algorithm: key.Type(), PublicKey: r.blob}.Marshal()
	return r.session.Sign(ctx, r.blob, wire.SignRequest{Fingerprint: key.Fingerprint(), Payload: payload}, o)
}

func deaf(int, []byte) memory.Fate { return memory.Fate{} }

func TestSign(t *testing.T) {
	wrong := func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
	otherKey := func([]byte) []byte {
		_, k, _ := ed25519.GenerateKey(nil)
		return sshwire.SignEd25519(k, []byte("x"))
	}
	for name, c := range map[string]struct {
		links  memory.Options
		skew   time.Duration
		first  bool
		thumb  func(phone.Card) (bool, bool)
		forge  func([]byte) []byte
		err    error // nil: a signature; errRefused: a *RefusedError
		within time.Duration
	}{
		"allowed":                  {first: true, within: time.Second},
		"epoch unknown, by hello":  {within: 3 * time.Second},
		"rejected":                 {first: true, thumb: func(phone.Card) (bool, bool) { return false, true }, err: ErrDenied, within: time.Second},
		"nobody decides":           {first: true, thumb: func(phone.Card) (bool, bool) { return false, false }, err: ErrTimeout, within: 61 * time.Second},
		"phone is off":             {first: true, links: memory.Options{AToB: deaf}, err: ErrNoAck, within: 30 * time.Second},
		"answers are lost":         {first: true, links: memory.Options{BToA: deaf}, err: ErrNoAck, within: 30 * time.Second},
		"every second frame lost":  {first: true, links: memory.Options{AToB: every(2), BToA: every(2)}, within: 30 * time.Second},
		"everything thrice":        {first: true, links: memory.Options{AToB: thrice, BToA: thrice}, within: time.Second},
		"phone's clock 20 min off": {skew: 20 * time.Minute, within: 5 * time.Second},
		"clock off, epoch known":   {skew: -3 * time.Minute, first: true, within: time.Second},
		"signature does not hold":  {first: true, forge: wrong, err: errRefused, within: time.Second},
		"signature of another key": {first: true, forge: otherKey, err: errRefused, within: time.Second},
		"no signature at all":      {first: true, forge: func([]byte) []byte { return []byte("x") }, err: errRefused, within: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.links, c.skew, c.first)
				defer r.close()
				if c.thumb != nil {
					r.thumb = c.thumb
				}
				if c.forge != nil {
					r.forge = c.forge
				}
				start := time.Now()
				sig, err := r.sign(t.Context(), SignOptions{})
				took := time.Since(start)
				switch {
				case c.err == nil && (err != nil || sig == nil):
					t.Errorf("Sign = %v, want a signature", err)
				case c.err == errRefused && !errors.As(err, new(*RefusedError)),
					c.err != nil && c.err != errRefused && !errors.Is(err, c.err):
					t.Errorf("Sign = %v, want %v", err, c.err)
				}
				if took > c.within {
					t.Errorf("it took %s, want at most %s", took, c.within)
				}
				if n := r.count(isSign); n > 1 {
					t.Errorf("the phone signed %d times", n)
				}
			})
		})
	}
}

var errRefused = errors.New("a *RefusedError")

func every(n int) func(int, []byte) memory.Fate {
	return func(i int, _ []byte) memory.Fate {
		if i%n == 0 {
			return memory.Fate{}
		}
		return memory.Deliver
	}
}

func thrice(int, []byte) memory.Fate { return memory.Fate{Copies: 3} }

func TestCallerGoesAwayWithdraws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		r.thumb = func(phone.Card) (bool, bool) { return false, false }
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := r.sign(ctx, SignOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sign = %v, want the context's error", err)
		}
		synctest.Wait()
		if r.count(isWithdraw) != 1 {
			t.Error("the request is not withdrawn on the phone")
		}
	})
}

func TestPhoneThatIsAwayGetsFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var off atomic.Bool
		off.Store(true)
		r := newRig(t, memory.Options{AToB: func(int, []byte) memory.Fate {
			if off.Load() {
				return memory.Fate{}
			}
			return memory.Deliver
		}}, 0, true)
		defer r.close()
		slow := false
		r.sign(t.Context(), SignOptions{Progress: Progress{Slow: func() { slow = true }}})
		if !slow || !r.session.Away() {
			t.Errorf("slow = %v, away = %v", slow, r.session.Away())
		}
		start := time.Now()
		if _, err := r.sign(t.Context(), SignOptions{Hurry: true}); !errors.Is(err, ErrNoAck) || time.Since(start) != awayPatience {
			t.Errorf("Sign = %v after %s, want ErrNoAck after %s", err, time.Since(start), awayPatience)
		}
		off.Store(false)
		frame, err := r.session.startHello()
		if err != nil {
			t.Fatal(err)
		}
		r.session.send(t.Context(), frame, nil)
		synctest.Wait()
		if r.session.Away() {
			t.Error("a phone that acked a hello is still away")
		}
		if _, err := r.sign(t.Context(), SignOptions{Hurry: true}); err != nil || r.session.Away() {
			t.Errorf("back: %v, away = %v", err, r.session.Away())
		}
	})
}

func TestEpochIsRenewedAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		before := r.session.current().ID
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil || r.session.current().ID != before {
			t.Fatalf("first day: %v", err)
		}
		time.Sleep(25 * time.Hour) // virtual
		for range 2 {
			if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		after := r.session.current().ID
		if after == before {
			t.Fatal("the epoch is the same after a day")
		}
		if n := r.session.Status().Dropped; n != 0 {
			t.Errorf("%d frames were dropped", n)
		}
	})
}

func TestPhoneUnpairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		r.thumb = func(phone.Card) (bool, bool) { return false, false }
		// The core sends to the address it was told; here there was none.
		box, err := sealbox.NewShared(r.session.cfg.Own, r.session.cfg.Phone)
		if err != nil {
			t.Fatal(err)
		}
		notice, err := pairing.UnpairNotice(box, time.Now(), "test")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(2 * time.Second)
			r.far.Send(t.Context(), notice)
			r.far.Send(t.Context(), notice)
		}()
		if _, err := r.sign(t.Context(), SignOptions{}); !errors.Is(err, ErrUnpaired) {
			t.Errorf("Sign = %v, want ErrUnpaired", err)
		}
		synctest.Wait()
		if r.left != 1 {
			t.Errorf("Unpaired was called %d times, want once", r.left)
		}
	})
}
