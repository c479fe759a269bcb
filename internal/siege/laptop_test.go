package siege

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/session"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport"
	"kryptonite/internal/wire"
)

const origin = "http://127.0.0.1:8080"

var errWords = errors.New("siege: the words are not the same")

// laptop is a computer's end of one pairing, with what krd has on disk of it.
type laptop struct {
	t     testing.TB
	name  string
	links []transport.Link
	phone *handset // what it is paired with; only its person is asked, and its key known

	own     sealbox.PrivateKey
	peer    sealbox.PublicKey
	epoch   *sealbox.Epoch // of the pairing, until the first restart
	pairing string
	watch   watch

	mu       sync.Mutex
	keysSeq  int64
	unpaired bool
	session  *session.Session
	offset   time.Duration
	stop     context.CancelFunc
	done     chan struct{}
	restarts int
}

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

// pair pairs a new computer with h: steps and times of krd's pairing. The
// persons at both ends compare the words. links are the computer's ends, far the
// phone's.
func pair(ctx context.Context, h *handset, name string, links, far []transport.Link) (*laptop, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	c, err := newComputer(name)
	if err != nil {
		return nil, err
	}
	a := &attempt{c: c, agreed: make(chan struct{}), shown: make(chan struct{}), over: make(chan error, 1), links: links}
	receiving, stop := context.WithCancel(ctx)
	var bg sync.WaitGroup
	defer bg.Wait()
	defer stop()
	for _, l := range links {
		bg.Go(func() { l.Receive(receiving, func(f []byte) error { return a.take(receiving, f) }) })
	}
	bg.Go(func() { a.repeat(receiving) })
	id := h.scan(c.Invitation().Link(), far)
	bg.Go(func() { // nothing came of it: they scan again
		t := time.NewTicker(5 * time.Second)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				h.scan(c.Invitation().Link(), far)
			case <-a.shown:
				return
			case <-receiving.Done():
				return
			}
		}
	})
	select {
	case <-a.shown:
	case err := <-a.over:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	same := h.wordsOf(ctx, id) == a.words()
	h.confirm(id, same)
	if !same {
		return nil, errWords
	}
	select {
	case <-a.agreed:
	case err := <-a.over:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	stop()
	bg.Wait()
	own, peer, epoch := c.Keys()
	lap := &laptop{t: h.t, name: name, links: links, phone: h, own: own, peer: peer, epoch: &epoch, pairing: pairing.ID(own.Public(), peer), offset: h.skew}
	if lap.pairing != id {
		h.t.Errorf("the computer is paired as %s, the phone as %s", lap.pairing, id)
	}
	lap.start()
	return lap, nil
}

// newComputer makes a code. The address in it is never used: channels lead where
// they lead; but a phone has to have one, to say farewell.
func newComputer(name string) (*pairing.Computer, error) {
	at := wire.Address{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}
	return pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}},
		pairing.Self{Name: name, Version: "test", Addresses: []wire.Address{at}})
}

// attempt is the computer's side of one code.
type attempt struct {
	links         []transport.Link
	shown, agreed chan struct{} // closed when the words are known, when the phone has agreed
	over          chan error

	mu   sync.Mutex
	c    *pairing.Computer
	done bool
}

func (a *attempt) words() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.c.Words()
}

// take takes a frame of the phone.
func (a *attempt) take(ctx context.Context, frame []byte) error {
	a.mu.Lock()
	hello, _, err := a.c.Accept(time.Now(), frame)
	if err == nil {
		a.mu.Unlock()
		a.send(ctx, hello)
		return nil
	}
	defer a.mu.Unlock()
	before := a.c.Words()
	done, err := a.c.Receive(frame)
	switch {
	case errors.Is(err, pairing.ErrDrop):
		return transport.ErrForged
	case err != nil:
		select {
		case a.over <- err:
		default:
		}
		return nil
	}
	if before == "" && a.c.Words() != "" {
		close(a.shown)
	}
	if done && !a.done {
		a.done = true
		close(a.agreed)
	}
	return nil
}

func (a *attempt) send(ctx context.Context, frame []byte) {
	for _, l := range a.links {
		_ = l.Send(ctx, frame)
	}
}

// repeat sends the hello again, every 2 s until the phone has agreed.
func (a *attempt) repeat(ctx context.Context) {
	t := time.NewTicker(2 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			a.mu.Lock()
			hello := a.c.Hello()
			a.mu.Unlock()
			if hello != nil {
				a.send(ctx, hello)
			}
		case <-a.agreed:
			return
		case <-ctx.Done():
			return
		}
	}
}

// start starts a session from what is on disk.
func (l *laptop) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := session.New(session.Config{Own: l.own, Phone: l.peer, Links: l.links, Version: "test", Log: slog.New(slog.DiscardHandler),
		FirstEpoch: l.epoch, Offset: l.offset, Witness: &l.watch, KeysSeq: l.keysSeq,
		Unpaired: func() error { l.unpaired = true; return nil },
		Keys:     func(seq int64, _ []wire.SSHKey, _ wire.Wakers, _ bool) error { l.keysSeq = seq; return nil }})
	if err != nil {
		l.t.Errorf("the computer does not start from its own disk: %v", err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	l.session, l.stop, l.done, l.epoch = s, stop, make(chan struct{}), nil
	done := l.done
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
}

// close ends the session and waits for it.
func (l *laptop) close() {
	l.mu.Lock()
	stop, done := l.stop, l.done
	l.mu.Unlock()
	stop()
	<-done
}

// restart kills the computer's program, and starts it: it has lost its epochs, and
// what it thought of the phone's clock.
func (l *laptop) restart() {
	l.close()
	l.mu.Lock()
	l.offset = 0
	l.restarts++
	l.mu.Unlock()
	l.start()
}

func (l *laptop) current() *session.Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session
}

// payload is what ssh wants to have signed for a login, in a session of its own.
func (l *laptop) payload(user string) []byte {
	return sshwire.Userauth{SessionID: fmt.Appendf(nil, "%-32.32s", user+" "+l.name), User: user, Method: sshwire.MethodPublicKey,
		Algorithm: sshwire.KeyEd25519, PublicKey: l.phone.blob}.Marshal()
}

// login asks for one login of a user. A signature that comes back is checked by
// itself: over these bytes, and after the person allowed them.
func (l *laptop) login(ctx context.Context, user string) error {
	payload := l.payload(user)
	sig, err := l.current().Sign(ctx, l.phone.blob, wire.SignRequest{Fingerprint: sshwire.Fingerprint(l.phone.blob), Payload: payload}, session.SignOptions{})
	if err != nil {
		return err
	}
	s, perr := sshwire.ParseSignature(sig)
	switch {
	case perr != nil || !ed25519.Verify(l.phone.key.Public().(ed25519.PublicKey), payload, s.Blob):
		l.t.Errorf("%s: ssh gets a signature that does not hold", user)
	case !l.phone.person.mayHave(payload):
		l.t.Errorf("%s: ssh gets a signature that nobody allowed", user)
	}
	return nil
}
