package phone

import (
	"bytes"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/hostauth"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/policy"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// TestLyingComputer: whatever a computer claims, it gets a refusal, or a card
// that says what the signed bytes say, and no more than was proved. The person
// knows good.example, pinned, and has given this computer a rule for it.
func TestLyingComputer(t *testing.T) {
	good, evil := newHost(1), newHost(2)
	elsewhere := func(h host) host { h.session = bytes.Repeat([]byte{99}, 32); return h } // another session of the same host
	tally := attacktest.New(t, "lies of a paired computer")
	for name, c := range map[string]struct {
		lie    func(w *world) *wire.Request
		code   wire.Code // refused
		user   string    // or a card that says this
		proof  hostauth.Proof
		known  knownhosts.Verdict
		signed bool // or the rule covers it, rightly
	}{
		"the truth": {lie: func(w *world) *wire.Request { return w.named(9, good, true, "good.example") }, signed: true},
		"another host under a good name": {lie: func(w *world) *wire.Request {
			return w.named(9, evil, true, "good.example")
		}, code: wire.CodeHostKey},
		"another host under no name": {lie: func(w *world) *wire.Request {
			return w.named(9, evil, true, "")
		}, user: "root", proof: hostauth.Proved, known: knownhosts.NoName},
		"a good host under another name": {lie: func(w *world) *wire.Request {
			return w.named(9, good, true, "innocent.example")
		}, signed: true}, // the rule is for the key, whatever it is called
		"another user": {lie: func(w *world) *wire.Request { return w.user(9, good, "admin") }, user: "admin", proof: hostauth.Proved, known: knownhosts.New},
		"the good host's bind for a login elsewhere": {lie: func(w *world) *wire.Request {
			r := w.request(9, w.login(evil, false), good.bind(false))
			r.Sign.Reported = &wire.Reported{Host: "good.example", Port: 22}
			return r
		}, user: "root", proof: hostauth.Unknown},
		"the good host's bind for a hostbound login elsewhere": {lie: func(w *world) *wire.Request {
			r := w.request(9, w.login(evil, true), good.bind(false))
			r.Sign.Reported = &wire.Reported{Host: "good.example", Port: 22}
			return r
		}, code: wire.CodeHostKey},
		"a bind of an earlier session": {lie: func(w *world) *wire.Request {
			return w.request(9, w.login(elsewhere(good), true), good.bind(false))
		}, user: "root", proof: hostauth.Bound, known: knownhosts.NoName},
		"a bind that another key signed": {lie: func(w *world) *wire.Request {
			b := good.bind(false)
			b.Signature = evil.bind(false).Signature
			return w.request(9, w.login(good, true), b)
		}, code: wire.CodeRefused},
		"the evil host's bind for the good host's session": {lie: func(w *world) *wire.Request {
			b := evil
			b.session = good.session
			return w.request(9, w.login(good, true), b.bind(false))
		}, code: wire.CodeRefused},
		"hidden behind a plain payload": {lie: func(w *world) *wire.Request {
			return w.named(9, good, false, "good.example")
		}, code: wire.CodeHostKey},
		"forwarded, the forwarding bind left out": {lie: func(w *world) *wire.Request {
			return w.request(9, w.login(good, true)) // then nothing proves that it is local
		}, user: "root", proof: hostauth.Bound, known: knownhosts.NoName},
		"two payloads in one": {lie: func(w *world) *wire.Request {
			return w.request(9, append(w.login(good, true), w.login(evil, true)...), good.bind(false))
		}, code: wire.CodeRefused},
		"truncated": {lie: func(w *world) *wire.Request {
			p := w.login(good, true)
			return w.request(9, p[:len(p)-7], good.bind(false))
		}, code: wire.CodeRefused},
		"a login in an ssh signature's clothes": {lie: func(w *world) *wire.Request {
			return w.request(9, append([]byte("SSHSIG"), w.login(good, true)...), good.bind(false))
		}, code: wire.CodeRefused},
		"60 KiB": {lie: func(w *world) *wire.Request {
			return w.request(9, make([]byte, 45_000), good.bind(false))
		}, code: wire.CodeRefused},
		"another key's name": {lie: func(w *world) *wire.Request {
			r := w.named(9, good, true, "good.example")
			r.Sign.Fingerprint = sshwire.Fingerprint(good.blob)
			return r
		}, code: wire.CodeUnknownKey},
		"a user that steers the terminal": {lie: func(w *world) *wire.Request {
			r := w.user(9, good, "root\x1b[2J\nuser admin")
			return r
		}, user: "root\x1b[2J\nuser admin", proof: hostauth.Proved, known: knownhosts.New},
	} {
		w := newWorld(t, ApproveAsk)
		w.ask(w.named(1, good, true, "good.example"))
		w.allow(1, policy.Grant{Scope: policy.Host, For: policy.MaxTime})
		req := c.lie(w)
		effects := w.send(req)
		asks, signs := all[Ask](effects), all[Sign](effects)
		switch {
		case c.signed: // no lie that gets anything
			if len(signs) != 1 || !bytes.Equal(signs[0].Payload, req.Sign.Payload) {
				t.Errorf("%s: %d payloads, %d questions", name, len(signs), len(asks))
			}
		case len(signs) != 0:
			tally.Succeeded("%s: %d payloads are signed, %d questions", name, len(signs), len(asks))
		case c.code != "":
			if r := w.response(effects); len(asks) != 0 || r.Sign == nil || r.Sign.Error != c.code {
				tally.Succeeded("%s: %d questions, %+v; want %s", name, len(asks), r.Sign, c.code)
			} else {
				tally.Rejected()
			}
		default:
			if len(asks) != 1 {
				t.Errorf("%s: %d questions", name, len(asks))
			} else if card := asks[0].Card; card.User != c.user || card.Host.Proof != c.proof || card.Known != c.known {
				tally.Succeeded("%s: the card says %q, %s, %d", name, card.User, card.Host.Proof, card.Known)
			} else {
				tally.Harmless()
			}
		}
	}
}
