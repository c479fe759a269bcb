package phone

import (
	"bytes"
	"crypto/ecdh"
	"testing"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// subscription is what a platform reports for a VAPID key.
func subscription(vapid []byte, endpoint string) Subscribed {
	return Subscribed{VAPID: vapid, Endpoint: endpoint, P256dh: vapid, Auth: make([]byte, wire.PushAuthSize)} // any point does
}

// newPushWorld is a phone in use, and the key that it wants to subscribe with.
func newPushWorld(t *testing.T) (*world, []byte) {
	t.Helper()
	w := newWorld(t, ApproveAsk)
	w.send(w.cancelOf(99))
	key := one[Subscribe](t, w.do(Start{})).VAPID
	if again := one[Subscribe](t, w.do(Start{})).VAPID; len(key) != 65 || !bytes.Equal(key, again) {
		t.Fatalf("keys to subscribe with: %x, then %x", key, again)
	}
	return w, key
}

// toldPush is the push address in the notice among effects.
func (w *world) toldPush(effects []Effect) (*wire.Push, int64) {
	w.t.Helper()
	_, n := w.heard(effects)
	if n == nil || n.Keys == nil {
		w.t.Fatalf("no notice that tells all: %+v", n)
	}
	return n.Push, n.Seq
}

// TestSubscriptionIsTold, durably, with the key that it takes; once; and that
// there is none any more.
func TestSubscriptionIsTold(t *testing.T) {
	w, key := newPushWorld(t)
	p, seq := w.toldPush(w.do(subscription(key, "https://push.example/1")))
	private, err := ecdh.P256().NewPrivateKey(p.VAPID)
	if err != nil || !bytes.Equal(private.PublicKey().Bytes(), key) || p.Endpoint != "https://push.example/1" {
		t.Fatalf("told is another address, or a key that is not the one: %v", err)
	}
	if effects := w.do(subscription(key, "https://push.example/1")); len(effects) != 0 {
		t.Errorf("the same again: %#v", effects)
	}
	if again, s := w.toldPush(w.do(Start{})); again == nil || again.Endpoint != p.Endpoint || s != seq {
		t.Error("a start does not tell again what the computer has not been seen to have")
	}
	r := w.cancelOf(98)
	r.KeysSeq = seq
	w.send(r)
	if _, n := w.heard(w.do(Start{})); n != nil {
		t.Errorf("the computer has it, and is told: %+v", n)
	}
	if p, s := w.toldPush(w.do(Subscribed{VAPID: key})); p != nil || s <= seq {
		t.Errorf("there is none any more, and told is one, or an old number: %d after %d", s, seq)
	}
}

// TestBadSubscriptions change nothing.
func TestBadSubscriptions(t *testing.T) {
	w, key := newPushWorld(t)
	w.do(subscription(key, "https://push.example/1"))
	other := bytes.Clone(key)
	other[5] ^= 1
	short := subscription(key, "https://push.example/2")
	short.Auth = short.Auth[1:]
	for name, ev := range map[string]Subscribed{
		"of another key":   subscription(other, "https://push.example/2"),
		"none, of another": {VAPID: other},
		"no https":         subscription(key, "http://push.example/2"),
		"a short secret":   short,
	} {
		if effects := w.do(ev); len(effects) != 0 {
			t.Errorf("%s: %#v", name, effects)
		}
	}
	if effects := newWorld(t, ApproveAsk).do(subscription(key, "https://push.example/1")); len(effects) != 0 {
		t.Errorf("a phone that did not ask: %#v", effects)
	}
}

// TestUnpairChangesTheKey: the computer that went cannot push to what comes, the
// other goes on with the old address until then. With the last one all ends.
func TestUnpairChangesTheKey(t *testing.T) {
	w, key := newPushWorld(t)
	old, _ := w.toldPush(w.do(subscription(key, "https://push.example/1")))
	first := w.pairing
	w.pair("second")
	if w.pairing == first {
		t.Fatal("no second pairing")
	}
	fresh := one[Subscribe](t, w.do(Unpair{first})).VAPID
	if bytes.Equal(fresh, key) {
		t.Fatal("the key is still the one that the computer knows")
	}
	if again := one[Subscribe](t, w.do(Start{})).VAPID; !bytes.Equal(again, fresh) {
		t.Error("the new key is not durable")
	}
	if now := w.core.wakers().Push; now == nil || now.Endpoint != old.Endpoint || !bytes.Equal(now.VAPID, old.VAPID) {
		t.Error("the other computer loses an address that still works")
	}
	if effects := w.do(subscription(key, "https://push.example/1")); len(effects) != 0 {
		t.Errorf("a late word of the old subscription counts: %#v", effects)
	}
	if p, _ := w.toldPush(w.do(subscription(fresh, "https://push.example/2"))); p == nil || p.Endpoint != "https://push.example/2" {
		t.Error("the other computer is not told the new address")
	}
	if s := one[Subscribe](t, w.do(Unpair{w.pairing})); len(s.VAPID) != 0 || w.disk[pushKey] != nil {
		t.Error("with nobody left there is still somebody to push")
	}
	if n := len(all[Subscribe](w.do(Start{}))); n != 0 {
		t.Error("a phone without computers wants to be pushed")
	}
}

// TestPairingTellsThePushAddress: the me_response carries it, and no notice
// repeats it.
func TestPairingTellsThePushAddress(t *testing.T) {
	w, key := newPushWorld(t)
	w.do(subscription(key, "https://push.example/1"))
	w.pair("second")
	if w.push == nil || w.push.Endpoint != "https://push.example/1" {
		t.Error("the me_response is without")
	}
	if p := w.core.pairings[w.pairing]; p.ToldKeys != stateHash(w.core.visible(p), w.core.wakers()) {
		t.Error("the new computer is told again by a notice")
	}
}

// TestPushedFrame: a frame that came by no mailbox is taken for the computer whose
// epoch it names, as if it had; what names none is dropped.
func TestPushedFrame(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	for i, v := range []*world{w, w.second("other")} {
		from, h := v.pairing, newHost(byte(i+1))
		v.pairing = ""
		card := one[Ask](t, v.send(v.request(byte(i+1), v.login(h, false), h.bind(false)))).Card
		if card.Pairing != from {
			t.Errorf("asked for %q, want %q", card.Pairing, from)
		}
	}
	stranger := *w
	stranger.epoch.ID = sealbox.EpochID{9}
	for _, effects := range [][]Effect{
		stranger.send(w.request(9, w.login(newHost(1), false))),
		w.do(Frame{Data: nil}),
		w.do(Frame{Data: wire.NewFrame(wire.HeaderEpoch, []byte("short"))}),
		w.do(Frame{Data: wire.NewFrame(wire.HeaderSession, make([]byte, 200))}),
	} {
		if len(effects) != 0 {
			t.Errorf("a frame that is nobody's: %#v", effects)
		}
	}
}

// TestTokenIsTold, durably, beside a subscription, once; and that there is none
// any more. What is malformed changes nothing.
func TestTokenIsTold(t *testing.T) {
	w, key := newPushWorld(t)
	w.do(subscription(key, "https://push.example/1"))
	told := func(effects []Effect) wire.Wakers {
		t.Helper()
		_, n := w.heard(effects)
		if n == nil || n.Keys == nil {
			t.Fatalf("no notice that tells all: %+v", n)
		}
		return n.Wakers
	}
	got := told(w.do(Registered{wire.PlatformGCM, "token-1"}))
	if got.Push == nil || got.PushToken == nil || *got.PushToken != (wire.PushToken{Platform: wire.PlatformGCM, Token: "token-1"}) {
		t.Errorf("told is a subscription: %t, a token: %t", got.Push != nil, got.PushToken != nil)
	}
	for _, ev := range []Registered{{wire.PlatformGCM, "token-1"}, {wire.PlatformGCM, "a b"}, {"ADM", "token-2"}, {wire.PlatformAPNS, "0A"}} {
		if effects := w.do(ev); len(effects) != 0 {
			t.Errorf("%#v: %#v", ev, effects)
		}
	}
	if again := told(w.do(Start{})); again.PushToken == nil || again.PushToken.Token != "token-1" {
		t.Error("a start does not tell again what the computer has not been seen to have")
	}
	w.pair("second")
	if w.core.wakers().PushToken == nil || w.core.pairings[w.pairing].ToldKeys != stateHash(w.core.visible(w.core.pairings[w.pairing]), w.core.wakers()) {
		t.Error("a new computer is not told with its me_response")
	}
	if got := told(w.do(Registered{wire.PlatformGCM, "token-2"})); got.PushToken.Token != "token-2" {
		t.Error("a new token is not told")
	}
	if got := told(w.do(Registered{})); got.PushToken != nil || got.Push == nil || w.disk[tokenKey] != nil {
		t.Error("there is none any more, and told is one, or kept")
	}
	if effects := w.do(Registered{}); len(effects) != 0 {
		t.Errorf("still none: %#v", effects)
	}
	alone := newWorld(t, ApproveAsk)
	alone.do(Registered{wire.PlatformAPNS, "0a"})
	if alone.do(Start{}); alone.core.wakers().PushToken == nil {
		t.Error("a token from before the first pairing is forgotten")
	}
}
