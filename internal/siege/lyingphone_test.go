package siege

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/session"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// liar is a paired phone that says what it likes: it has the keys of the pairing, and
// the SSH key.
type liar struct {
	t       *testing.T
	session *session.Session
	far     *memory.Link
	epoch   sealbox.Epoch
	box     *sealbox.Shared
	key     ed25519.PrivateKey
	blob    []byte
	first   *wire.Request // the first sign_request
	keys    int           // lists of keys that the computer stored
	close   func()
}

// newLiar pairs a session with a liar, who answers each sign_request by lie.
func newLiar(t *testing.T, lie func(*liar, *wire.Request)) *liar {
	t.Helper()
	c := shown(t)
	p, err := pairing.NewPhone(c.Invitation().Link(), [16]byte{})
	if err != nil {
		t.Fatal(err)
	}
	join(t, c, p)
	ack, err := p.Ack(time.Now(), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(ack); err != nil {
		t.Fatal(err)
	}
	own, peer, epoch := c.Keys()
	l := &liar{t: t, epoch: *p.Epoch}
	if l.box, err = sealbox.NewShared(p.S, own.Public()); err != nil {
		t.Fatal(err)
	}
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.key, l.blob = key, sshwire.Ed25519Blob(pub)
	near, far := memory.New(memory.Options{})
	l.far = far
	l.session, err = session.New(session.Config{Own: own, Phone: peer, Links: []transport.Link{near}, Version: "test", Log: slog.New(slog.DiscardHandler),
		FirstEpoch: &epoch, Unpaired: func() error { return nil }, Keys: func(int64, []wire.SSHKey, wire.Wakers, bool) error { l.keys++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	running, hearing := make(chan struct{}), make(chan struct{})
	go func() { defer close(running); l.session.Run(ctx) }()
	go func() {
		defer close(hearing)
		far.Receive(ctx, func(f []byte) error {
			if r := l.open(f); r != nil && r.Sign != nil {
				if l.first == nil {
					l.first = r
				}
				lie(l, r)
			}
			return nil
		})
	}()
	l.close = func() { stop(); <-running; <-hearing }
	return l
}

// open opens a frame of the computer.
func (l *liar) open(f []byte) *wire.Request {
	h, body, err := wire.SplitFrame(f)
	if err != nil || h != wire.HeaderEpoch {
		return nil
	}
	plain, err := l.epoch.Open(body)
	if err != nil {
		return nil
	}
	m, err := wire.Decode(plain)
	if err != nil {
		return nil
	}
	return m.Request
}

// say seals text, padded, and sends it.
func (l *liar) say(h wire.Header, text []byte) {
	body, err := l.epoch.Seal(sealbox.Pad(text))
	if h == wire.HeaderSession {
		body, err = l.box.Seal(sealbox.Pad(text))
	}
	if err != nil {
		l.t.Error(err)
	}
	if f := wire.NewFrame(h, body); len(f) <= transport.MaxFrame {
		_ = l.far.Send(l.t.Context(), f)
	}
}

// answer says a response of the kinds in r, to the request with that id.
func (l *liar) answer(id wire.ID, r wire.Response) {
	r.ID, r.K = id, wire.Protocol
	if r.Unix == 0 {
		r.Unix = time.Now().Unix()
	}
	plain, err := wire.Encode(wire.Message{Response: &r})
	if err != nil {
		l.t.Error(err)
		return
	}
	l.say(wire.HeaderEpoch, bytes.TrimRight(plain, " "))
}

func (l *liar) notice(n wire.Notice) {
	n.ID, n.K, n.Unix = wire.ID{3}, wire.Protocol, time.Now().Unix()
	plain, err := wire.Encode(wire.Message{Notice: &n})
	if err != nil {
		l.t.Error(err)
		return
	}
	l.say(wire.HeaderSession, bytes.TrimRight(plain, " "))
}

// sign answers with a signature over payload.
func (l *liar) sign(id wire.ID, payload []byte) {
	l.answer(id, wire.Response{Sign: &wire.SignResponse{Signature: sshwire.SignEd25519(l.key, payload)}})
}

// truth is the right answer.
func (l *liar) truth(r *wire.Request) { l.sign(r.ID, r.Sign.Payload) }

func (l *liar) payload(user string) []byte {
	return sshwire.Userauth{SessionID: make([]byte, 32), User: user, Method: sshwire.MethodPublicKey, Algorithm: sshwire.KeyEd25519, PublicKey: l.blob}.Marshal()
}

// ask asks for one login.
func (l *liar) ask(user string) ([]byte, error) {
	return l.session.Sign(l.t.Context(), l.blob, wire.SignRequest{Fingerprint: sshwire.Fingerprint(l.blob), Payload: l.payload(user)}, session.SignOptions{})
}

// TestLyingPhone: whatever a paired phone answers, wrong, late, doubled or huge, ssh
// gets a signature that holds over its own bytes, or none, within 100 s; and the next
// login is like any other.
func TestLyingPhone(t *testing.T) {
	_, otherKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signature := func(sig func(l *liar, r *wire.Request) []byte) func(*liar, *wire.Request) {
		return func(l *liar, r *wire.Request) {
			l.answer(r.ID, wire.Response{Sign: &wire.SignResponse{Signature: sig(l, r)}})
		}
	}
	good := func(l *liar, r *wire.Request) []byte { return sshwire.SignEd25519(l.key, r.Sign.Payload) }
	before := func(noise func(*liar, *wire.Request)) func(*liar, *wire.Request) {
		return func(l *liar, r *wire.Request) { noise(l, r); l.truth(r) }
	}
	tally := attacktest.New(t, "answers of a lying phone")
	huge := strings.Repeat("\u202e\x1b[2J", 4000)
	for name, c := range map[string]struct {
		lie   func(*liar, *wire.Request)
		signs bool // the truth comes, too
	}{
		"another key's":   {lie: signature(func(_ *liar, r *wire.Request) []byte { return sshwire.SignEd25519(otherKey, r.Sign.Payload) })},
		"another login's": {lie: signature(func(l *liar, _ *wire.Request) []byte { return sshwire.SignEd25519(l.key, l.payload("admin")) })},
		"of nothing":      {lie: signature(func(l *liar, _ *wire.Request) []byte { return sshwire.SignEd25519(l.key, nil) })},
		"none":            {lie: signature(func(*liar, *wire.Request) []byte { return nil })},
		"a byte more":     {lie: signature(func(l *liar, r *wire.Request) []byte { return append(good(l, r), 0) })},
		"a byte less":     {lie: signature(func(l *liar, r *wire.Request) []byte { s := good(l, r); return s[:len(s)-1] })},
		"of another algorithm": {lie: signature(func(l *liar, r *wire.Request) []byte {
			return bytes.Replace(good(l, r), []byte("ssh-ed25519"), []byte("ssh-ed25518"), 1)
		})},
		"40 KiB":         {lie: signature(func(l *liar, r *wire.Request) []byte { return bytes.Repeat(good(l, r), 500) })},
		"the key itself": {lie: signature(func(l *liar, _ *wire.Request) []byte { return l.blob })},
		"an error beside it": {lie: func(l *liar, r *wire.Request) {
			l.answer(r.ID, wire.Response{Sign: &wire.SignResponse{Signature: good(l, r), Error: "tired"}})
		}},
		"a huge reason": {lie: func(l *liar, r *wire.Request) {
			l.answer(r.ID, wire.Response{Sign: &wire.SignResponse{Error: wire.CodeRefused, Reason: huge}})
		}},
		"a huge code": {lie: func(l *liar, r *wire.Request) {
			l.answer(r.ID, wire.Response{Sign: &wire.SignResponse{Error: wire.Code(huge)}})
		}},
		"to the first request": {lie: func(l *liar, r *wire.Request) { l.sign(l.first.ID, r.Sign.Payload) }, signs: true}, // which it is
		"clock_skew for ever": {lie: func(l *liar, r *wire.Request) {
			l.answer(r.ID, wire.Response{Unix: r.Unix + 86400, Sign: &wire.SignResponse{Error: wire.CodeClockSkew}})
		}},
		"acks without end": {lie: func(l *liar, r *wire.Request) {
			for range 1000 {
				l.answer(r.ID, wire.Response{Ack: &wire.Ack{}})
			}
		}},
		"after the time": {lie: func(l *liar, r *wire.Request) {
			if time.Now().Unix()-r.Unix >= 31 {
				l.truth(r)
			}
		}},
		"1,000 acks": {lie: before(func(l *liar, r *wire.Request) {
			for range 1000 {
				l.answer(r.ID, wire.Response{Ack: &wire.Ack{}})
			}
		}), signs: true},
		"1,000 answers": {lie: before(func(l *liar, r *wire.Request) {
			for range 1000 {
				l.truth(r)
			}
		}), signs: true},
		"answers to nothing": {lie: before(func(l *liar, r *wire.Request) {
			for i := range 1000 {
				l.sign(wire.ID{1, byte(i), byte(i >> 8)}, r.Sign.Payload)
			}
		}), signs: true},
		"key agreements": {lie: before(func(l *liar, r *wire.Request) {
			for i := range 100 {
				l.answer(r.ID, wire.Response{Ack: &wire.Ack{}, EphemeralS: &sealbox.PublicKey{byte(i)}})
			}
		}), signs: true},
		"clocks of nowhere": {lie: before(func(l *liar, r *wire.Request) {
			for _, at := range []int64{math.MaxInt64, math.MinInt64, -1, 1 << 40} {
				l.answer(r.ID, wire.Response{Unix: at, Ack: &wire.Ack{}})
			}
		}), signs: true},
		"no JSON": {lie: before(func(l *liar, _ *wire.Request) { l.say(wire.HeaderEpoch, []byte(strings.Repeat("[", 60_000))) }), signs: true},
		"requests": {lie: before(func(l *liar, r *wire.Request) {
			b, _ := wire.Encode(wire.Message{Request: r})
			l.say(wire.HeaderEpoch, bytes.TrimRight(b, " "))
		}), signs: true},
		"two kinds": {lie: before(func(l *liar, r *wire.Request) {
			l.answer(r.ID, wire.Response{Ack: &wire.Ack{}, Error: &wire.ErrorResponse{}, Me: &wire.MeResponse{}})
		}), signs: true},
		"60 KiB of addresses": {lie: before(func(l *liar, r *wire.Request) {
			l.answer(r.ID, wire.Response{Ack: &wire.Ack{Addresses: make([]wire.Address, 3000)}})
		}), signs: true},
		"thousands of keys": {lie: before(func(l *liar, _ *wire.Request) {
			keys := make([]wire.SSHKey, 1500)
			for i := range keys {
				keys[i].PublicKey = []byte{1}
			}
			l.notice(wire.Notice{Seq: 9, Keys: &keys})
		}), signs: true},
		"keys without a number": {lie: before(func(l *liar, _ *wire.Request) {
			l.notice(wire.Notice{Keys: &[]wire.SSHKey{{PublicKey: l.blob, Name: huge}}})
		}), signs: true},
		"an empty key": {lie: before(func(l *liar, _ *wire.Request) { l.notice(wire.Notice{Seq: 10, Keys: &[]wire.SSHKey{{Name: "x"}}}) }), signs: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLiar(t, c.lie)
			defer l.close()
			for _, user := range []string{"root", "again"} {
				began := time.Now()
				sig, err := l.ask(user)
				took := time.Since(began)
				s, perr := sshwire.ParseSignature(sig)
				switch {
				case err == nil && (perr != nil || s.Format != sshwire.KeyEd25519 || !ed25519.Verify(l.key.Public().(ed25519.PublicKey), l.payload(user), s.Blob)):
					tally.Succeeded("%s: ssh gets a signature that does not hold", name)
				case took > 100*time.Second || l.keys > 0:
					tally.Succeeded("%s: it took %s; %d lists of keys are taken", name, took, l.keys)
				case err == nil != c.signs && !(name == "to the first request" && user == "again"):
					t.Errorf("%s, %s: Sign = %x, %v", name, user, sig, err)
				case err == nil:
					tally.Harmless()
				default:
					tally.Rejected()
				}
			}
		})
	}
}

// TestSwappedAnswers: two logins wait, and the phone gives each the other's
// signature; every bit of a right signature, flipped, is refused, too.
func TestSwappedAnswers(t *testing.T) {
	tally := attacktest.New(t, "answers of a lying phone, swapped and flipped")
	synctest.Test(t, func(t *testing.T) {
		var waiting []*wire.Request
		l := newLiar(t, func(l *liar, r *wire.Request) {
			if waiting = append(waiting, r); len(waiting) == 2 {
				l.sign(waiting[0].ID, waiting[1].Sign.Payload)
				l.sign(waiting[1].ID, waiting[0].Sign.Payload)
			}
		})
		defer l.close()
		both := make(chan error, 2)
		for _, user := range []string{"root", "admin"} {
			go func() { _, err := l.ask(user); both <- err }()
		}
		for range 2 {
			if err := <-both; !errors.As(err, new(*session.RefusedError)) {
				tally.Succeeded("an answer to another request is taken: %v", err)
			} else {
				tally.Rejected()
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		bit := 0
		l := newLiar(t, func(l *liar, r *wire.Request) {
			sig := sshwire.SignEd25519(l.key, r.Sign.Payload)
			sig[bit/8] ^= 1 << (bit % 8)
			l.answer(r.ID, wire.Response{Sign: &wire.SignResponse{Signature: sig}})
		})
		defer l.close()
		for ; bit < 8*len(sshwire.SignEd25519(l.key, nil)); bit++ {
			if _, err := l.ask("root"); !errors.As(err, new(*session.RefusedError)) {
				tally.Succeeded("bit %d of a signature is another: %v", bit, err)
			} else {
				tally.Rejected()
			}
		}
	})
}
