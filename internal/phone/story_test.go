package phone

import (
	"bytes"
	"crypto/ed25519"
	"maps"
	"testing"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/hostauth"
	"kryptonite/internal/pairing"
	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

const origin = "http://127.0.0.1:8080"

// world is a phone with one paired computer. After every event the phone is
// made anew from what it stored, as if it had crashed.
type world struct {
	t   *testing.T
	now time.Time
	cfg Config
	*device
	key     ed25519.PrivateKey
	blob    []byte
	pairing string
	push    *wire.Push    // in the me_response
	epoch   sealbox.Epoch // of the computer
	box     *sealbox.Shared
	c       sealbox.PrivateKey
	s       sealbox.PublicKey
	signed  map[string]bool // payloads that the core asked to sign
}

// device is what the worlds of several computers share.
type device struct {
	core *Core
	disk map[string][]byte
}

func newWorld(t *testing.T, approve Approve) *world {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: time.Unix(1_795_000_000, 0), device: &device{disk: map[string][]byte{}}, key: priv,
		blob: sshwire.Ed25519Blob(pub), signed: map[string]bool{}}
	w.cfg = Config{Name: "ana", Version: "test", Approve: approve, Keys: []wire.SSHKey{{PublicKey: w.blob, Name: "default"}}}
	w.reload()
	w.pair("laptop")
	return w
}

// pair pairs with one more computer, which is then the one.
func (w *world) pair(name string) {
	t := w.t
	t.Helper()
	computer, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}}, pairing.Self{Name: name, Version: "test",
		Addresses: []wire.Address{{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}}})
	if err != nil {
		t.Fatal(err)
	}
	first := one[Send](t, w.do(OpenLink{computer.Invitation().Link()}))
	hello, _, err := computer.Accept(w.now, first.Frame)
	if err != nil {
		t.Fatal(err)
	}
	w.pairing = first.Pairing
	effects := w.do(Frame{w.pairing, hello})
	if len(all[Sign](effects)) != 0 {
		t.Fatal("a pairing signed something")
	}
	if _, err := computer.Receive(one[Send](t, effects).Frame); err != nil {
		t.Fatal(err)
	}
	if got := one[ShowWords](t, effects).Words; got != computer.Words() {
		t.Fatalf("words %q and %q", got, computer.Words())
	}
	me := one[Send](t, w.do(Confirm{w.pairing, true}))
	if done, err := computer.Receive(me.Frame); err != nil || !done {
		t.Fatal("me_response:", done, err)
	}
	if got := computer.Peer().Keys; len(got) != 1 || !bytes.Equal(got[0].PublicKey, w.blob) {
		t.Fatalf("the me_response has the keys %+v", got)
	}
	w.push = computer.Peer().Wakers.Push
	w.c, w.s, w.epoch = computer.Keys()
	if w.box, err = sealbox.NewShared(w.c, w.s); err != nil {
		t.Fatal(err)
	}
}

// reload makes the core anew from the disk.
func (w *world) reload() {
	w.t.Helper()
	core, err := New(w.cfg, maps.Clone(w.disk))
	if err != nil {
		w.t.Fatal(err)
	}
	w.core = core
}

// do handles an event, keeps what must be durable, and restarts the phone.
func (w *world) do(ev Event) []Effect {
	w.t.Helper()
	effects := w.core.Handle(w.now, ev)
	for _, e := range effects {
		switch e := e.(type) {
		case Store:
			if e.Value == nil {
				delete(w.disk, e.Key)
			} else {
				w.disk[e.Key] = e.Value
			}
		case Sign:
			w.signed[string(e.Payload)] = true
		}
	}
	w.reload()
	return effects
}

func all[T Effect](effects []Effect) (out []T) {
	for _, e := range effects {
		if x, ok := e.(T); ok {
			out = append(out, x)
		}
	}
	return out
}

func one[T Effect](t *testing.T, effects []Effect) T {
	t.Helper()
	xs := all[T](effects)
	if len(xs) != 1 {
		t.Fatalf("%d effects of type %T, want one: %#v", len(xs), *new(T), effects)
	}
	return xs[0]
}

// host is a server's host key and one session with it.
type host struct {
	key     ed25519.PrivateKey
	blob    []byte
	session []byte
}

func newHost(seed byte) host {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	return host{k, sshwire.Ed25519Blob(k.Public().(ed25519.PublicKey)), bytes.Repeat([]byte{seed}, 32)}
}

func (h host) bind(forwarding bool) wire.Bind {
	return wire.Bind{HostKey: h.blob, SessionID: h.session, Signature: sshwire.SignEd25519(h.key, h.session), Forwarding: forwarding}
}

// login is the payload for a login at h, hostbound or plain.
func (w *world) login(h host, hostbound bool) []byte {
	u := sshwire.Userauth{SessionID: h.session, User: "root", Method: sshwire.MethodPublicKey,
		Algorithm: sshwire.KeyEd25519, PublicKey: w.blob}
	if hostbound {
		u.Method, u.HostKey = sshwire.MethodHostbound, h.blob
	}
	return u.Marshal()
}

// request is a sign_request that is in order.
func (w *world) request(id byte, payload []byte, binds ...wire.Bind) *wire.Request {
	return &wire.Request{ID: wire.ID{id}, Unix: w.now.Unix(), Expires: w.now.Add(90 * time.Second).Unix(), K: 1,
		Sign: &wire.SignRequest{Fingerprint: sshwire.Fingerprint(w.blob), Payload: payload, Binds: binds}}
}

// send seals a request under the computer's epoch and gives it to the phone.
func (w *world) send(r *wire.Request) []Effect {
	w.t.Helper()
	plain, err := wire.Encode(wire.Message{Request: r})
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := w.epoch.Seal(plain)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(Frame{w.pairing, wire.NewFrame(wire.HeaderEpoch, body)})
}

// response opens the one frame that the phone sent.
func (w *world) response(effects []Effect) *wire.Response {
	w.t.Helper()
	h, body, err := wire.SplitFrame(one[Send](w.t, effects).Frame)
	if err != nil {
		w.t.Fatal(err)
	}
	plain, err := w.epoch.Open(body)
	if h == wire.HeaderSession {
		plain, err = w.box.Open(body)
	}
	if err != nil {
		w.t.Fatal("the phone's frame does not open:", err)
	}
	m, err := wire.Decode(plain)
	if err != nil || m.Response == nil {
		w.t.Fatalf("no response: %v", err)
	}
	return m.Response
}

// approve answers a card and plays the keystore.
func (w *world) approve(id byte) *wire.Response {
	w.t.Helper()
	s := one[Sign](w.t, w.do(Decide{Pairing: w.pairing, Request: wire.ID{id}, Allow: true}))
	return w.response(w.do(Signed{Pairing: s.Pairing, Request: s.Request, Signature: sshwire.SignEd25519(w.key, s.Payload)}))
}

func TestAsksAndSignsExactlyThat(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	payload := w.login(h, true)
	effects := w.send(w.request(1, payload, h.bind(false)))
	if r := w.response(effects); r.Ack == nil {
		t.Fatal("no ack")
	}
	card := one[Ask](t, effects).Card
	if card.User != "root" || card.Host.Proof != hostauth.Proved || !card.Host.Local || card.Computer != "laptop" || card.Host.Fingerprint != sshwire.Fingerprint(h.blob) {
		t.Fatalf("card: %+v", card)
	}
	if len(w.signed) != 0 {
		t.Fatal("signed before a decision")
	}
	r := w.approve(1)
	pub, err := sshwire.ParsePublicKey(w.blob)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := sshwire.ParseSignature(r.Sign.Signature)
	if err != nil || pub.Verify(payload, sig) != nil {
		t.Fatal("the signature does not hold:", err)
	}
}

func TestRejectAndNever(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	if r := w.response(w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: false})); r.Sign.Error != wire.CodeRejected {
		t.Errorf("rejected: %+v", r.Sign)
	}
	w = newWorld(t, ApproveNever)
	if r := w.response(w.send(w.request(1, w.login(h, true), h.bind(false)))); r.Sign.Error != wire.CodeRejected {
		t.Errorf("never: %+v", r.Sign)
	}
	if len(w.signed) != 0 {
		t.Error("something was signed")
	}
}

func TestProofs(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	w.do(Forward{w.pairing, true})
	h, hop, other := newHost(1), newHost(2), newHost(3)
	bad := h.bind(false)
	bad.Signature = other.bind(false).Signature
	many := make([]wire.Bind, 17)
	for i := range many {
		many[i] = hop.bind(true)
	}
	for name, c := range map[string]struct {
		hostbound bool
		binds     []wire.Bind
		proof     hostauth.Proof // "" means refused
		local     bool
	}{
		"hostbound and bound":       {true, []wire.Bind{h.bind(false)}, hostauth.Proved, true},
		"plain and bound":           {false, []wire.Bind{h.bind(false)}, hostauth.Vouched, true},
		"hostbound only":            {true, nil, hostauth.Bound, false},
		"nothing":                   {false, nil, hostauth.Unknown, false},
		"foreign bind, plain":       {false, []wire.Bind{other.bind(false)}, hostauth.Unknown, true},
		"foreign bind, hostbound":   {true, []wire.Bind{other.bind(false)}, hostauth.Bound, true},
		"forwarded":                 {true, []wire.Bind{hop.bind(true), h.bind(false)}, hostauth.Proved, false},
		"forwarding bind of target": {true, []wire.Bind{h.bind(true)}, hostauth.Bound, false},
		"signature of another key":  {true, []wire.Bind{bad}, "", false},
		"bind after the last":       {true, []wire.Bind{h.bind(false), h.bind(false)}, "", false},
		"17 binds":                  {true, many, "", false},
		"same session, another key": {true, []wire.Bind{{HostKey: other.blob, SessionID: h.session,
			Signature: sshwire.SignEd25519(other.key, h.session)}}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			id := byte(len(w.disk))
			effects := w.send(w.request(id, w.login(h, c.hostbound), c.binds...))
			asks := all[Ask](effects)
			if c.proof == "" {
				if r := w.response(effects); len(asks) != 0 || r.Sign == nil || r.Sign.Error != wire.CodeRefused {
					t.Fatalf("not refused: %+v", r.Sign)
				}
				return
			}
			if len(asks) != 1 || asks[0].Card.Host.Proof != c.proof || asks[0].Card.Host.Local != c.local {
				t.Fatalf("host = %+v, want %s, local %v", asks[0].Card.Host, c.proof, c.local)
			}
		})
	}
}

func TestRefusesWhatItMustNotSign(t *testing.T) {
	w := newWorld(t, ApproveAlways)
	h := newHost(1)
	good := w.login(h, true)
	foreign := sshwire.Userauth{SessionID: h.session, User: "root", Method: sshwire.MethodPublicKey,
		Algorithm: sshwire.KeyEd25519, PublicKey: h.blob}.Marshal()
	algorithm := sshwire.Userauth{SessionID: h.session, User: "root", Method: sshwire.MethodPublicKey,
		Algorithm: "ssh-rsa", PublicKey: w.blob}.Marshal()
	for name, payload := range map[string][]byte{
		"another key inside": foreign, "another algorithm": algorithm, "empty": {}, "trailing byte": append(bytes.Clone(good), 0),
		"cut": good[:len(good)-1], "two payloads": append(bytes.Clone(good), good...), "text": []byte("hello"),
	} {
		w.now = w.now.Add(time.Second)
		r := w.response(w.send(w.request(byte(len(w.disk)), payload, h.bind(false))))
		if r.Sign == nil || r.Sign.Error != wire.CodeRefused || r.Sign.Reason == "" {
			t.Errorf("%s: %+v, want refused with a reason", name, r.Sign)
		}
	}
	req := w.request(200, good, h.bind(false))
	req.Sign.Fingerprint = sshwire.Fingerprint(h.blob)
	if r := w.response(w.send(req)); r.Sign.Error != wire.CodeUnknownKey {
		t.Errorf("unknown key: %+v", r.Sign)
	}
	if len(w.signed) != 0 {
		t.Errorf("%d payloads were signed", len(w.signed))
	}
}

// TestRepeatsDecideNothing: at least once on the way, exactly once decided.
func TestRepeatsDecideNothing(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	req := w.request(1, w.login(h, true), h.bind(false))
	w.send(req)
	if effects := w.send(req); w.response(effects).Ack == nil || len(all[Ask](effects)) != 0 {
		t.Fatal("a repeat while pending is not just acked")
	}
	answer := w.approve(1)
	tally := attacktest.New(t, "a request, replayed")
	for range 100 {
		effects := w.send(req)
		if r := w.response(effects); !bytes.Equal(r.Sign.Signature, answer.Sign.Signature) || len(all[Sign](effects)) != 0 {
			tally.Succeeded("a repeat after the answer is not just answered again")
			t.FailNow()
		}
		tally.Harmless()
	}
	if effects := w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: false}); len(all[Send](effects)) != 0 {
		t.Error("a second decision sent something")
	}
	other := w.request(1, w.login(newHost(2), true))
	if effects := w.send(other); len(all[Send](effects))+len(all[Ask](effects))+len(all[Sign](effects)) != 0 {
		t.Error("another plaintext under the same id was not dropped")
	}
	if len(w.signed) != 1 {
		t.Errorf("%d payloads were signed, want 1", len(w.signed))
	}
}

func TestCrashBetweenDecisionAndSignature(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true}) // the signature is lost in a crash
	s := one[Sign](t, w.do(Start{}))
	r := w.response(w.do(Signed{Pairing: s.Pairing, Request: s.Request, Signature: []byte("sig")}))
	if string(r.Sign.Signature) != "sig" || len(w.signed) != 1 {
		t.Errorf("after the crash: %+v, %d payloads", r.Sign, len(w.signed))
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	req := w.request(1, w.login(h, true), h.bind(false))
	cancel := func(id, of byte) *wire.Request {
		r := w.request(id, nil)
		r.Sign, r.Cancel = nil, &wire.CancelRequest{ID: wire.ID{of}}
		return r
	}
	w.send(req)
	one[Withdraw](t, w.send(cancel(2, 1)))
	if effects := w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true}); len(all[Sign](effects)) != 0 {
		t.Error("a withdrawn request was signed")
	}
	w.send(cancel(3, 4)) // overtakes its request
	if effects := w.send(w.request(4, w.login(h, true), h.bind(false))); len(effects) != 0 {
		t.Errorf("a request that was cancelled before it came: %#v", effects)
	}
}

func TestClock(t *testing.T) {
	h := newHost(1)
	for name, c := range map[string]struct {
		made, expires time.Duration
		skew          bool
	}{
		"now": {0, 90 * time.Second, false}, "14 min ago": {-14 * time.Minute, time.Minute, false},
		"16 min ago": {-16 * time.Minute, time.Minute, true}, "in 16 min": {16 * time.Minute, 17 * time.Minute, true},
		"expired": {-time.Minute, 0, true}, "for ever": {0, time.Hour, true},
	} {
		w := newWorld(t, ApproveAlways)
		req := w.request(1, w.login(h, true), h.bind(false))
		req.Unix, req.Expires = w.now.Add(c.made).Unix(), w.now.Add(c.expires).Unix()
		effects := w.send(req)
		if c.skew {
			if r := w.response(effects); r.Sign == nil || r.Sign.Error != wire.CodeClockSkew || len(w.signed) != 0 {
				t.Errorf("%s: %+v, want clock_skew", name, r.Sign)
			}
		} else if len(all[Sign](effects)) != 1 {
			t.Errorf("%s: not signed", name)
		}
	}
}

func TestExpiryIsCheckedAgain(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.named(1, h, true, "server.example"))
	w.now = w.now.Add(90 * time.Second)
	late := Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true, Grant: policy.Grant{Scope: policy.Host, For: policy.MaxTime}}
	if r := w.response(w.do(late)); r.Sign.Error != wire.CodeExpired || len(w.signed) != 0 {
		t.Errorf("allowed too late: %+v", r.Sign)
	}
	if len(w.core.Pins()) != 0 || len(w.core.Rules(w.now)) != 0 {
		t.Errorf("allowed too late, it leaves the pins %v and the rules %v", w.core.Pins(), w.core.Rules(w.now))
	}
	w.now = w.now.Add(31 * time.Minute)
	w.do(Tick{})
	for k := range w.disk {
		if bytes.HasPrefix([]byte(k), []byte(requestPrefix)) {
			t.Errorf("%s is still remembered", k)
		}
	}
}

// hello sends an epoch hello and returns the epoch that comes of it.
func (w *world) hello(id byte) sealbox.Epoch {
	w.t.Helper()
	eC, err := sealbox.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	pub := eC.Public()
	plain, err := wire.Encode(wire.Message{Request: &wire.Request{ID: wire.ID{id}, K: 1, EphemeralC: &pub, Me: &wire.MeRequest{}}})
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := w.box.Seal(plain)
	if err != nil {
		w.t.Fatal(err)
	}
	frame := wire.NewFrame(wire.HeaderSession, body)
	r := w.response(w.do(Frame{w.pairing, frame}))
	again := w.response(w.do(Frame{w.pairing, frame}))
	if r.EphemeralS == nil || again.EphemeralS == nil || *r.EphemeralS != *again.EphemeralS {
		w.t.Fatal("not the same e_s for the same e_c")
	}
	e, err := sealbox.ComputerEpoch(w.c, eC, w.s, *r.EphemeralS)
	if err != nil || !e.Proved(r.EpochProof) || !e.Proved(again.EpochProof) {
		w.t.Fatalf("an epoch without its proof: %v", err)
	}
	return e
}

func TestEpochs(t *testing.T) {
	w := newWorld(t, ApproveAlways)
	h := newHost(1)
	old := w.epoch
	newest := func() sealbox.EpochID { return w.core.pairings[w.pairing].newest().ID }
	w.hello(1)
	if newest() != old.ID {
		t.Fatal("a hello alone changed the epoch")
	}
	for i := range byte(6) { // replayed hellos of a stranger
		w.hello(10 + i)
	}
	if n := len(w.core.pairings[w.pairing].Epochs); n != 1+maxWaiting {
		t.Fatalf("%d epochs are kept, want 1 and %d that wait", n, maxWaiting)
	}
	next := w.hello(2)
	w.epoch = next
	if len(all[Sign](w.send(w.request(30, w.login(h, true), h.bind(false))))) != 1 || newest() != next.ID {
		t.Fatal("the first frame under the new epoch does not make it the newest")
	}
	w.now = w.now.Add(47 * time.Hour)
	w.do(Tick{})
	if w.core.pairings[w.pairing].epoch(old.ID) == nil {
		t.Fatal("the old receive key went too early")
	}
	w.now = w.now.Add(2 * time.Hour)
	w.do(Tick{})
	if w.core.pairings[w.pairing].epoch(old.ID) != nil {
		t.Fatal("the old receive key is still there after 48 h")
	}
	w.now = w.now.Add(-6 * time.Minute) // the clock is set back
	w.do(Tick{})
	if n := len(w.core.pairings[w.pairing].Epochs); n != 0 {
		t.Fatalf("%d epochs outlived a set-back clock", n)
	}
	w.epoch = w.hello(3)
	if len(all[Sign](w.send(w.request(40, w.login(h, true), h.bind(false))))) != 1 {
		t.Fatal("the computer does not come back by hello")
	}
}

func TestUnpairRemovesAll(t *testing.T) {
	for name, end := range map[string]func(*world) []Effect{
		"here": func(w *world) []Effect { return w.do(Unpair{w.pairing}) },
		"there": func(w *world) []Effect {
			frame, err := pairing.UnpairRequest(w.box, w.now, "test")
			if err != nil {
				w.t.Fatal(err)
			}
			return w.do(Frame{w.pairing, frame})
		},
	} {
		w := newWorld(t, ApproveAsk)
		h := newHost(1)
		w.send(w.request(1, w.login(h, true), h.bind(false)))
		effects := end(w)
		if len(all[Close](effects)) == 0 {
			t.Errorf("%s: no mailbox is closed", name)
		}
		for k := range w.disk {
			if k != clockKey && !(name == "here" && k == farewellPrefix+w.pairing) {
				t.Errorf("%s: %s is still there", name, k)
			}
		}
	}
}

func TestUnknownKindGetsAnErrorAndIsRemembered(t *testing.T) {
	w := newWorld(t, ApproveAlways)
	r := w.request(1, nil)
	r.Sign = nil
	for range 2 {
		if got := w.response(w.send(r)); got.Error == nil || got.Error.Error != wire.CodeUnknownKind {
			t.Errorf("unknown kind: %+v", got)
		}
	}
}
