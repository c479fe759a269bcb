package phone

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// vault keeps a key that a person has to open, as a passkey-wrapped one.
type vault struct {
	key     ed25519.PrivateKey
	asked   int    // how often the person opened it
	fake    []byte // what it says it has wrapped, instead of what it has
	closed  bool   // the person does not open it
	nothing bool   // it cannot wrap
}

// seal is AES-256-GCM; each key seals once, so a nonce of zeros does.
func (v *vault) seal(key []byte) cipher.AEAD {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		panic(err)
	}
	return a
}

// sign does what event.go says of Sign.
func (v *vault) sign(s Sign) Signed {
	out, nonce := Signed{Pairing: s.Pairing, Request: s.Request}, make([]byte, 12)
	if s.Unwrap != nil {
		if seed, err := v.seal(s.Unwrap).Open(nil, nonce, s.Wrapped, []byte(s.Fingerprint)); err == nil {
			out.Signature = sshwire.SignEd25519(ed25519.NewKeyFromSeed(seed), s.Payload)
			return out
		}
	}
	if v.closed {
		out.Failed = "not opened"
		return out
	}
	v.asked++
	out.Signature = sshwire.SignEd25519(v.key, s.Payload)
	switch {
	case s.Wrap == nil || v.nothing:
	case v.fake != nil:
		out.Wrapped = v.fake
	default:
		out.Wrapped = v.seal(s.Wrap).Seal(nil, nonce, v.key.Seed(), []byte(s.Fingerprint))
	}
	return out
}

// closedWorld is a phone with a pinned host and a key in a vault.
type closedWorld struct {
	*world
	*vault
	host host
	name string
	id   byte // of the last request
}

func newClosedWorld(t *testing.T) *closedWorld {
	w := &closedWorld{world: newWorld(t, ApproveAsk), host: newHost(1), name: "server.example"}
	w.vault = &vault{key: w.world.key}
	w.world.send(w.cancelOf(99)) // the pairing is in use
	return w
}

// play handles an event and its signatures in one run of the phone, which ends
// after that.
func (w *closedWorld) play(ev Event) (effects []Effect) {
	w.t.Helper()
	for events := []Event{ev}; len(events) > 0; events = events[1:] {
		more := handled(w.core, w.now, events[0], w.disk)
		effects = append(effects, more...)
		for _, s := range all[Sign](more) {
			events = append(events, w.vault.sign(s))
		}
	}
	w.reload()
	return effects
}

// asks is a login at a server by a computer with tokens.
func (w *closedWorld) asks(tokens ...wire.LeaseToken) (Event, *wire.Request) {
	w.t.Helper()
	w.id++
	r := w.named(w.id, w.host, true, w.name)
	r.Sign.LeaseTokens = tokens
	plain, err := wire.Encode(wire.Message{Request: r})
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := w.epoch.Seal(plain)
	if err != nil {
		w.t.Fatal(err)
	}
	return Frame{w.pairing, wire.NewFrame(wire.HeaderEpoch, body)}, r
}

// answer is the last answer among effects; its signature must hold.
func (w *closedWorld) answer(effects []Effect, r *wire.Request) *wire.SignResponse {
	w.t.Helper()
	rs, _ := w.heard(effects)
	i := slices.IndexFunc(rs, func(r *wire.Response) bool { return r.Sign != nil })
	if i < 0 {
		w.t.Fatalf("no answer in %#v", effects)
	}
	pub, _ := sshwire.ParsePublicKey(w.blob)
	if sig, err := sshwire.ParseSignature(rs[i].Sign.Signature); rs[i].Sign.Error == "" && (err != nil || pub.Verify(r.Sign.Payload, sig) != nil) {
		w.t.Fatalf("the signature does not hold: %+v", rs[i].Sign)
	}
	return rs[i].Sign
}

// signs sends a request that no card comes of.
func (w *closedWorld) signs(tokens ...wire.LeaseToken) (Sign, *wire.SignResponse) {
	w.t.Helper()
	ev, r := w.asks(tokens...)
	effects := w.play(ev)
	return one[Sign](w.t, effects), w.answer(effects, r)
}

// grants answers a card with a closed rule.
func (w *closedWorld) grants(g policy.Grant) (Sign, *wire.SignResponse) {
	w.t.Helper()
	g.Closed = true
	if g.For == 0 {
		g.For = time.Hour
	}
	ev, r := w.asks()
	one[Ask](w.t, w.play(ev))
	effects := w.play(Decide{Pairing: w.pairing, Request: r.ID, Allow: true, Grant: g})
	return one[Sign](w.t, effects), w.answer(effects, r)
}

// found says where secrets are on disk, in any spelling.
func (w *closedWorld) found(secrets ...[]byte) (where []string) {
	for k, v := range w.disk {
		for _, s := range secrets {
			if len(s) != 32 {
				w.t.Fatalf("a secret of %d bytes", len(s))
			}
			for _, spelling := range []string{string(s), hex.EncodeToString(s), base64.StdEncoding.EncodeToString(s)[:42], base64.RawURLEncoding.EncodeToString(s)[:42]} {
				if strings.Contains(string(v), spelling) || strings.Contains(k, spelling) {
					where = append(where, k)
				}
			}
		}
	}
	return where
}

func (w *closedWorld) halves() int {
	return len(slices.DeleteFunc(slices.Collect(maps.Keys(w.disk)), func(k string) bool { return !strings.HasPrefix(k, leasePrefix) }))
}

// TestClosedRule: the person opens the key once; from then on a phone that has
// started anew signs with what the computer brings.
func TestClosedRule(t *testing.T) {
	for _, scope := range []policy.Scope{policy.Host, policy.Computer} {
		w := newClosedWorld(t)
		if scope == policy.Computer {
			ev, r := w.asks() // it is for pinned hosts
			w.play(ev)
			w.play(Decide{Pairing: w.pairing, Request: r.ID, Allow: true})
			w.asked = 0
		}
		first, resp := w.grants(policy.Grant{Scope: scope})
		token := resp.LeaseToken
		rule := w.core.Rules(w.now)[0]
		if len(first.Wrap) != 32 || first.Unwrap != nil || first.Wrapped != nil || !rule.Closed {
			t.Fatalf("%s: the rule %+v, to sign %+v", scope, rule, first)
		}
		if token.Rule != rule.ID || token.Until != w.now.Add(time.Hour).Unix() || token.Token == (sealbox.Key32{}) {
			t.Fatalf("%s: the token is for %q until %d", scope, token.Rule, token.Until)
		}
		if where := w.found(token.Token[:], first.Wrap); len(where) > 0 {
			t.Errorf("%s: what opens the key is on disk: %q", scope, where)
		}
		w.now = w.now.Add(30 * time.Minute)
		for range 3 {
			s, resp := w.signs(token)
			if !bytes.Equal(s.Unwrap, first.Wrap) || len(s.Wrapped) == 0 || s.Wrap != nil || w.asked != 1 {
				t.Errorf("%s: with the token: %d times asked, %+v", scope, w.asked, s)
			}
			if resp.LeaseToken != (wire.LeaseToken{}) {
				t.Errorf("%s: a second token", scope)
			}
			if where := w.found(token.Token[:], first.Wrap); len(where) > 0 {
				t.Errorf("%s: what opens the key is on disk: %q", scope, where)
			}
		}
	}
}

// TestTokenIsSentOnce: the same request again gets the answer without it, and no
// decision is made. A request that waits for the person is stored without what
// it brought.
func TestTokenIsSentOnce(t *testing.T) {
	w := newClosedWorld(t)
	ev, r := w.asks(wire.LeaseToken{Rule: "5", Token: sealbox.Key32{9}})
	one[Ask](t, w.play(ev))
	if where := w.found(append([]byte{9}, make([]byte, 31)...)); len(where) > 0 {
		t.Errorf("a token that came with a request is stored: %q", where)
	}
	effects := w.play(Decide{Pairing: w.pairing, Request: r.ID, Allow: true, Grant: policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true}})
	if w.answer(effects, r).LeaseToken.Rule == "" {
		t.Fatal("no token")
	}
	for range 2 {
		effects := w.play(ev)
		if again := w.answer(effects, r); again.LeaseToken != (wire.LeaseToken{}) || len(all[Sign](effects)) != 0 {
			t.Error("the token is sent again")
		}
	}
	if s, ok := w.stored(w.id); !ok || s.Answer.Sign.LeaseToken != (wire.LeaseToken{}) {
		t.Errorf("the stored answer: %+v, %v", s.Answer, ok)
	}
}

// TestTokenIsLost: the person opens the key again, and the computer gets
// another token; not while the first may be on its way.
func TestTokenIsLost(t *testing.T) {
	w := newClosedWorld(t)
	first, resp := w.grants(policy.Grant{Scope: policy.Host})
	old := resp.LeaseToken
	w.now = w.now.Add(tokenOnItsWay)
	if s, resp := w.signs(); s.Wrap != nil || s.Unwrap != nil || resp.LeaseToken.Rule != "" || w.asked != 2 {
		t.Errorf("asked before the token was there: %d times asked, %+v", w.asked, s)
	}
	if s, _ := w.signs(old); s.Unwrap == nil || w.asked != 2 {
		t.Errorf("the first token after that: %+v", s)
	}
	w.now = w.now.Add(time.Second)
	w.closed = true
	if s, resp := w.signs(); s.Wrap == nil || resp.Error != wire.CodeRefused || resp.LeaseToken.Rule != "" {
		t.Errorf("the person did not open it: %+v, %+v", s, resp)
	}
	if s, _ := w.signs(old); s.Unwrap == nil {
		t.Errorf("the first token after that: %+v", s)
	}
	w.closed = false
	s, resp := w.signs()
	if len(s.Wrap) != 32 || bytes.Equal(s.Wrap, first.Wrap) || s.Unwrap != nil || w.asked != 3 || w.halves() != 1 {
		t.Errorf("without the token: %d times asked, %+v", w.asked, s)
	}
	now := resp.LeaseToken
	if now.Token == old.Token || now.Rule != old.Rule || now.Until != old.Until {
		t.Fatalf("the new token is for %q until %d", now.Rule, now.Until)
	}
	if s, _ := w.signs(old, now); s.Unwrap == nil || w.asked != 3 {
		t.Errorf("the new token: %+v", s)
	}
	if s, _ := w.signs(old); s.Unwrap != nil || w.asked != 4 {
		t.Errorf("the old token: %+v", s)
	}
}

// TestKeyThatIsNotWrappedAnew: it is tried again, with the next signature.
func TestKeyThatIsNotWrappedAnew(t *testing.T) {
	w := newClosedWorld(t)
	first, resp := w.grants(policy.Grant{Scope: policy.Host})
	w.now = w.now.Add(10 * time.Minute)
	w.nothing = true
	for range 2 {
		if s, again := w.signs(); s.Wrap == nil || !s.Renew || again.LeaseToken.Rule != "" || !w.core.Rules(w.now)[0].Closed {
			t.Errorf("not wrapped: %+v, rules %+v", s, w.core.Rules(w.now))
		}
	}
	if s, _ := w.signs(resp.LeaseToken); s.Unwrap == nil || s.Renew {
		t.Errorf("the first token after that: %+v", s)
	}
	w.nothing = false
	s, again := w.signs()
	if now, _ := w.signs(again.LeaseToken); first.Renew || !s.Renew || now.Unwrap == nil {
		t.Errorf("wrapped again: %+v, then %+v", s, now)
	}
}

// TestWrongTokens open nothing: the person is asked.
func TestWrongTokens(t *testing.T) {
	w := newClosedWorld(t)
	_, resp := w.grants(policy.Grant{Scope: policy.Host})
	good := resp.LeaseToken
	flipped, other := good, good
	flipped.Token[31] ^= 1
	other.Rule += "1"
	for i, tokens := range [][]wire.LeaseToken{{flipped}, {other}, {{Rule: good.Rule, Token: sealbox.Key32{1}}}} {
		before := w.asked
		if s, _ := w.signs(tokens...); s.Unwrap != nil || s.Wrapped != nil || w.asked != before+1 {
			t.Errorf("%d: %+v", i, s)
		}
	}
	before := w.asked
	if s, _ := w.signs(flipped, other, good); s.Unwrap == nil || w.asked != before {
		t.Errorf("with the good one among them: %+v", s)
	}
	// A token does nothing for what the rule does not cover.
	w.host, w.name = newHost(2), "other.example"
	ev, _ := w.asks(good)
	one[Ask](t, w.play(ev))
}

// TestClosedRuleEnds: the halves go with it, in the same commit; the computer is
// told, unless it knows; and neither an old request nor the token does anything.
func TestClosedRuleEnds(t *testing.T) {
	for name, c := range map[string]struct {
		count int
		end   func(w *closedWorld, token wire.LeaseToken) []Effect
		told  bool
	}{
		"expired": {0, func(w *closedWorld, _ wire.LeaseToken) []Effect {
			w.now = w.now.Add(time.Hour)
			return w.play(Tick{})
		}, false},
		"revoked":             {0, func(w *closedWorld, t wire.LeaseToken) []Effect { return w.play(Revoke{t.Rule}) }, true},
		"all revoked":         {0, func(w *closedWorld, _ wire.LeaseToken) []Effect { return w.play(Revoke{"*"}) }, true},
		"unpaired":            {0, func(w *closedWorld, _ wire.LeaseToken) []Effect { return w.play(Unpair{w.pairing}) }, false},
		"unpaired over there": {0, func(w *closedWorld, _ wire.LeaseToken) []Effect { return w.play(Frame{w.pairing, w.unpairRequest()}) }, false},
		"key hidden": {0, func(w *closedWorld, _ wire.LeaseToken) []Effect {
			return w.play(AllowKey{w.pairing, sshwire.Fingerprint(w.blob), false})
		}, true},
		"key deleted": {0, func(w *closedWorld, _ wire.LeaseToken) []Effect {
			w.cfg.Keys = nil
			return w.play(KeysChanged{})
		}, true},
		"host forgotten": {0, func(w *closedWorld, _ wire.LeaseToken) []Effect { return w.play(ForgetHost{"server.example", "*"}) }, true},
		"clock set back": {0, func(w *closedWorld, _ wire.LeaseToken) []Effect {
			w.now = w.now.Add(-time.Hour)
			return w.play(Tick{})
		}, false},
		"used up": {1, func(w *closedWorld, t wire.LeaseToken) []Effect {
			ev, _ := w.asks(t)
			effects := w.play(ev)
			if s := one[Sign](w.t, effects); s.Unwrap == nil || w.asked != 1 {
				w.t.Errorf("the last login of a count: %+v", s)
			}
			return effects
		}, true},
	} {
		w := newClosedWorld(t)
		first, resp := w.grants(policy.Grant{Scope: policy.Host, Count: c.count})
		token := resp.LeaseToken
		old, _ := w.asks(token) // it is on its way for long
		if w.halves() != 1 {
			t.Fatalf("%s: %d halves are stored", name, w.halves())
		}
		effects := c.end(w, token)
		if n := w.halves(); n != 0 || len(w.core.leases) != 0 || len(w.core.Rules(w.now)) != 0 {
			t.Errorf("%s: %d halves, %d leases, rules %+v", name, n, len(w.core.leases), w.core.Rules(w.now))
		}
		if where := w.found(token.Token[:], first.Wrap); len(where) > 0 {
			t.Errorf("%s: what opens the key is on disk: %q", name, where)
		}
		told := 0
		for _, s := range all[Send](effects) {
			if n := w.notice(s.Frame); n != nil && slices.Equal(n.LeasesOver, []string{token.Rule}) {
				told++
			}
		}
		if (told > 0) != c.told {
			t.Errorf("%s: told %d times, want it told %v", name, told, c.told)
		}
		w.asked = 0
		again, _ := w.asks(token)
		for _, ev := range []Event{old, again} {
			if signs := all[Sign](w.play(ev)); len(signs) != 0 {
				t.Errorf("%s: after it ended the token yields %+v", name, signs)
			}
		}
	}
}

// notice is what a frame of the phone under the epoch says unasked, or nil.
func (w *closedWorld) notice(frame []byte) *wire.Notice {
	h, body, err := wire.SplitFrame(frame)
	if err != nil || h != wire.HeaderEpoch {
		return nil
	}
	plain, err := w.epoch.Open(body)
	if err != nil {
		return nil
	}
	m, err := wire.Decode(plain)
	if err != nil {
		w.t.Fatal(err)
	}
	return m.Notice
}

func (w *closedWorld) unpairRequest() []byte {
	plain, err := wire.Encode(wire.Message{Request: &wire.Request{ID: wire.ID{200}, K: 1, Unpair: &wire.Unpair{}}})
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := w.box.Seal(plain)
	if err != nil {
		w.t.Fatal(err)
	}
	return wire.NewFrame(wire.HeaderSession, body)
}

// TestKeyThatIsNotWrapped: the rule goes on without, and is not tried again.
func TestKeyThatIsNotWrapped(t *testing.T) {
	for name, change := range map[string]func(*vault){
		"it cannot": func(v *vault) { v.nothing = true }, "empty": func(v *vault) { v.fake = []byte{} },
		"too long": func(v *vault) { v.fake = make([]byte, maxWrapped+1) },
	} {
		w := newClosedWorld(t)
		change(w.vault)
		_, resp := w.grants(policy.Grant{Scope: policy.Host})
		rules := w.core.Rules(w.now)
		if resp.LeaseToken != (wire.LeaseToken{}) || w.halves() != 0 || len(rules) != 1 || rules[0].Closed {
			t.Errorf("%s: token for %q, %d halves, rules %+v", name, resp.LeaseToken.Rule, w.halves(), rules)
		}
		w.now = w.now.Add(10 * time.Minute)
		if s, resp := w.signs(); s.Wrap != nil || resp.Error != "" || w.asked != 2 {
			t.Errorf("%s: later %+v, %+v", name, s, resp)
		}
	}
	w := newClosedWorld(t)
	w.fake = make([]byte, maxWrapped)
	if _, resp := w.grants(policy.Grant{Scope: policy.Host}); resp.LeaseToken.Rule == "" || w.halves() != 1 {
		t.Error("the longest wrapped key is not taken")
	}
}

// TestRuleWithoutClosed is as it was, whatever the computer brings and the
// platform says.
func TestRuleWithoutClosed(t *testing.T) {
	w := newClosedWorld(t)
	ev, r := w.asks()
	w.play(ev)
	s := one[Sign](t, w.do(Decide{Pairing: w.pairing, Request: r.ID, Allow: true, Grant: policy.Grant{Scope: policy.Host, For: time.Hour}}))
	signed := w.vault.sign(s)
	signed.Wrapped = []byte("unasked")
	if s.Wrap != nil || w.answer(w.play(signed), r).LeaseToken.Rule != "" || w.halves() != 0 {
		t.Errorf("to sign %+v, %d halves", s, w.halves())
	}
	w.now = w.now.Add(10 * time.Minute)
	if s, _ := w.signs(wire.LeaseToken{Rule: w.core.Rules(w.now)[0].ID, Token: sealbox.Key32{1}}); s.Wrap != nil || s.Unwrap != nil {
		t.Errorf("later %+v", s)
	}
}

// TestCrashWhileClosing: before the signature a new start wraps anew; after it
// the token is lost, and the person is needed again.
func TestCrashWhileClosing(t *testing.T) {
	w := newClosedWorld(t)
	ev, r := w.asks()
	w.play(ev)
	before := one[Sign](t, w.do(Decide{Pairing: w.pairing, Request: r.ID, Allow: true, Grant: policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true}}))
	effects := w.play(Start{})
	after := one[Sign](t, effects)
	token := w.answer(effects, r).LeaseToken
	if len(before.Wrap) != 32 || len(after.Wrap) != 32 || bytes.Equal(before.Wrap, after.Wrap) || token.Rule == "" {
		t.Errorf("before %+v, after %+v, token for %q", before, after, token.Rule)
	}
	if s, _ := w.signs(token); s.Unwrap == nil || w.asked != 1 {
		t.Errorf("then %+v", s)
	}
	if where := w.found(before.Wrap, after.Wrap, token.Token[:]); len(where) > 0 {
		t.Errorf("what opens the key is on disk: %q", where)
	}
	// Signed of a run before: its halves are gone.
	w = newClosedWorld(t)
	ev, r = w.asks()
	w.play(ev)
	s := one[Sign](t, w.do(Decide{Pairing: w.pairing, Request: r.ID, Allow: true, Grant: policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true}}))
	if resp := w.answer(w.play(w.vault.sign(s)), r); resp.LeaseToken.Rule != "" || w.halves() != 0 {
		t.Errorf("a token for %q, %d halves", resp.LeaseToken.Rule, w.halves())
	}
	if s, resp := w.signs(); s.Wrap == nil || resp.LeaseToken.Rule == "" {
		t.Errorf("the next one: %+v, token for %q", s, resp.LeaseToken.Rule)
	}
}

// TestCrashBetweenDecisionAndUse: the token is gone with the run, the person is
// needed, and nothing of it is stored.
func TestCrashBetweenDecisionAndUse(t *testing.T) {
	w := newClosedWorld(t)
	first, resp := w.grants(policy.Grant{Scope: policy.Host})
	ev, r := w.asks(resp.LeaseToken)
	if s := one[Sign](t, w.do(ev)); s.Unwrap == nil {
		t.Fatalf("%+v", s)
	}
	if where := w.found(first.Wrap, resp.LeaseToken.Token[:]); len(where) > 0 {
		t.Errorf("what opens the key is on disk: %q", where)
	}
	effects := w.play(Start{})
	if s := one[Sign](t, effects); s.Unwrap != nil || s.Wrap != nil || w.asked != 2 || w.answer(effects, r).Error != "" {
		t.Errorf("after the crash: %+v", s)
	}
}

// TestOverWhileSigning: no half is kept and no token is given.
func TestOverWhileSigning(t *testing.T) {
	for name, end := range map[string]func(*closedWorld, func(Event) []Effect){
		"revoked": func(_ *closedWorld, handle func(Event) []Effect) { handle(Revoke{"*"}) },
		"expired": func(w *closedWorld, _ func(Event) []Effect) { w.now = w.now.Add(30 * time.Second) },
	} {
		w := newClosedWorld(t)
		ev, r := w.asks()
		w.play(ev)
		handle := func(ev Event) []Effect { return handled(w.core, w.now, ev, w.disk) } // one run
		s := one[Sign](t, handle(Decide{Pairing: w.pairing, Request: r.ID, Allow: true, Grant: policy.Grant{Scope: policy.Host, For: 30 * time.Second, Closed: true}}))
		end(w, handle)
		if resp := w.answer(handle(w.vault.sign(s)), r); resp.Error != "" || resp.LeaseToken.Rule != "" || w.halves() != 0 {
			t.Errorf("%s: %+v, %d halves", name, resp, w.halves())
		}
		for _, r := range w.core.requests {
			if r.halves != nil {
				t.Errorf("%s: both halves are in memory after the answer", name)
			}
		}
	}
}

// TestWrappedAtTheSameTime: of two signatures that both wait for the person, the
// first one makes the token, so that it does not matter which answer arrives first.
func TestWrappedAtTheSameTime(t *testing.T) {
	for _, cannot := range []bool{false, true} { // wrap the second time
		w := newClosedWorld(t)
		w.grants(policy.Grant{Scope: policy.Host})
		w.now = w.now.Add(10 * time.Minute)
		handle := func(ev Event) []Effect { return handled(w.core, w.now, ev, w.disk) }
		ev, r1 := w.asks()
		s1 := one[Sign](t, handle(ev))
		ev, r2 := w.asks()
		s2 := one[Sign](t, handle(ev))
		if s1.Wrap == nil || s2.Wrap == nil || bytes.Equal(s1.Wrap, s2.Wrap) {
			t.Fatalf("to sign %+v and %+v", s1, s2)
		}
		token := w.answer(handle(w.vault.sign(s2)), r2).LeaseToken
		w.nothing = cannot
		if again := w.answer(handle(w.vault.sign(s1)), r1).LeaseToken; token.Rule == "" || again.Rule != "" {
			t.Errorf("tokens for %q and %q, want one", token.Rule, again.Rule)
		}
		if s, _ := w.signs(token); s.Unwrap == nil {
			t.Errorf("then %+v", s)
		}
	}
}

// TestFirstSayCounts: of two signatures that both ask for a first wrapped key, one
// without makes the rule one without Closed, and it stays so.
func TestFirstSayCounts(t *testing.T) {
	w := newClosedWorld(t)
	ev, r1 := w.asks()
	w.play(ev)
	handle := func(ev Event) []Effect { return handled(w.core, w.now, ev, w.disk) }
	s1 := one[Sign](t, handle(Decide{Pairing: w.pairing, Request: r1.ID, Allow: true, Grant: policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true}}))
	ev, r2 := w.asks()
	s2 := one[Sign](t, handle(ev))
	second := w.vault.sign(s2)
	w.nothing = true
	w.answer(handle(w.vault.sign(s1)), r1)
	if resp := w.answer(handle(second), r2); len(second.Wrapped) == 0 || resp.LeaseToken.Rule != "" || w.halves() != 0 || w.core.Rules(w.now)[0].Closed {
		t.Errorf("a token for %q, %d halves, rules %+v", resp.LeaseToken.Rule, w.halves(), w.core.Rules(w.now))
	}
}

// TestToldOnce: in one run, too.
func TestToldOnce(t *testing.T) {
	w := newClosedWorld(t)
	w.grants(policy.Grant{Scope: policy.Host})
	handle := func(ev Event) []Effect { return handled(w.core, w.now, ev, w.disk) }
	if n := len(all[Send](handle(Revoke{"*"}))); n != 1 {
		t.Errorf("%d frames tell of it", n)
	}
	if n := len(all[Send](handle(Tick{}))); n != 0 {
		t.Errorf("the next event tells it by %d frames again", n)
	}
}

// TestStrayHalves: one without its rule is deleted at the start; one that was
// left by a rule of the same number, of a log before, opens nothing.
func TestStrayHalves(t *testing.T) {
	w := newClosedWorld(t)
	_, resp := w.grants(policy.Grant{Scope: policy.Host})
	delete(w.disk, rulePrefix+resp.LeaseToken.Rule)
	w.reload()
	if w.play(Start{}); w.halves() != 0 {
		t.Error("a half without its rule stays")
	}
	w = newClosedWorld(t)
	_, resp = w.grants(policy.Grant{Scope: policy.Host})
	for k := range w.disk {
		if strings.HasPrefix(k, LogPrefix) {
			delete(w.disk, k)
		}
	}
	w.reload()
	w.host, w.name = newHost(2), "other.example"
	ev, r := w.asks()
	w.play(ev)
	w.nothing = true
	w.play(Decide{Pairing: w.pairing, Request: r.ID, Allow: true, Grant: policy.Grant{Scope: policy.Host, For: 2 * time.Hour, Closed: true}})
	if rules := w.core.Rules(w.now); len(rules) != 1 || rules[0].ID != resp.LeaseToken.Rule || rules[0].Closed || w.halves() != 0 {
		t.Errorf("rules %+v, %d halves, the old one was %q", rules, w.halves(), resp.LeaseToken.Rule)
	}
}

// TestDamagedHalves are an error that names them.
func TestDamagedHalves(t *testing.T) {
	w := newClosedWorld(t)
	_, resp := w.grants(policy.Grant{Scope: policy.Host})
	key := leasePrefix + resp.LeaseToken.Rule
	var whole map[string]any
	if err := json.Unmarshal(w.disk[key], &whole); err != nil {
		t.Fatal(err)
	}
	for field := range whole {
		if field == "made_unix_seconds" {
			continue
		}
		damaged := maps.Clone(whole)
		delete(damaged, field)
		b, _ := json.Marshal(damaged)
		disk := maps.Clone(w.disk)
		disk[key] = b
		if _, err := New(w.cfg, disk); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("without %s: %v", field, err)
		}
	}
}

// TestLeaseDerivation pins docs/protocol.md §4.11; computed by another HKDF.
func TestLeaseDerivation(t *testing.T) {
	var h halves
	for i := range 32 {
		h.t[i], h.l[i] = byte(i), byte(32+i)
	}
	r := policy.Rule{Pairing: "0011223344556677", ID: "12", Key: "SHA256:key"}
	key, check := h.derive(r)
	if hex.EncodeToString(key) != "24501ce1b950c6bcf6f389194ad0df2a5b0249c46093adce529d3d314d0e7209" || hex.EncodeToString(check) != "b3e233adf0fd7a42eac08fd52ffac060" {
		t.Errorf("derived %x and %x", key, check)
	}
	for _, other := range []policy.Rule{{Pairing: "0011223344556678", ID: "12", Key: "SHA256:key"}, {Pairing: "0011223344556677", ID: "13", Key: "SHA256:key"},
		{Pairing: "0011223344556677", ID: "12", Key: "SHA256:kez"}} {
		if k, c := h.derive(other); bytes.Equal(k, key) || bytes.Equal(c, check) {
			t.Errorf("%+v has the same", other)
		}
	}
}
