package phone

import (
	"bytes"
	"testing"
	"time"

	"kryptonite/internal/policy"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/sshwire/passkeytest"
	"kryptonite/internal/wire"
)

var passkey = passkeytest.New(1, "phone.example")

func passkeyBlob(t *testing.T) []byte {
	t.Helper()
	blob, err := sshwire.PasskeyBlob(passkey.SPKI(), passkey.Application)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// touch performs a Sign with the passkey.
func (w *world) touch(s Sign) Signed {
	w.t.Helper()
	a := passkey.Assert(s.Payload, passkeytest.Given{Flags: 0x05, Origin: "https://phone.example"})
	sig, err := sshwire.WebAuthnSignature(sshwire.Assertion(a))
	if err != nil {
		w.t.Fatal(err)
	}
	return Signed{Pairing: s.Pairing, Request: s.Request, Signature: sig}
}

// passkeyWorld is a phone whose passkey the computer sees.
func passkeyWorld(t *testing.T) (w *world, blob []byte) {
	t.Helper()
	w, blob = newWorld(t, ApproveAsk), passkeyBlob(t)
	w.send(w.cancelOf(99))
	w.keys(w.cfg.Keys[0], wire.SSHKey{PublicKey: blob, Name: "passkey"})
	w.told(w.see(blob, true), "[default passkey]")
	return w, blob
}

// passkeyLogin is a request for a login with this algorithm.
func (w *world) passkeyLogin(id byte, blob []byte, algorithm string) *wire.Request {
	h := newHost(1)
	r := w.request(id, sshwire.Userauth{SessionID: h.session, User: "root", Method: sshwire.MethodHostbound,
		Algorithm: algorithm, PublicKey: blob, HostKey: h.blob}.Marshal(), h.bind(false))
	r.Sign.Fingerprint = sshwire.Fingerprint(blob)
	return r
}

// final is the one response among the effects; the computer is told its list of
// keys again with it, as it never said to have it.
func (w *world) final(effects []Effect) *wire.Response {
	w.t.Helper()
	rs, _ := w.heard(effects)
	if len(rs) != 1 {
		w.t.Fatalf("%d responses, want one", len(rs))
	}
	return rs[0]
}

// TestPasskeyLogin: a passkey is a key like others, and what it signs is the
// payload. A rule for it asks nobody, and each signature still needs a touch.
func TestPasskeyLogin(t *testing.T) {
	w, blob := passkeyWorld(t)
	key, err := sshwire.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	grant := policy.Grant{Scope: policy.Host, For: time.Hour}
	for id := byte(1); id <= 2; id++ {
		req := w.passkeyLogin(id, blob, sshwire.KeyPasskey)
		req.Sign.Reported = &wire.Reported{Host: "server.example", Port: 22}
		effects := w.send(req)
		if id == 1 {
			if card := one[Ask](t, effects).Card; card.KeyName != "passkey" || card.NoHostRule != "" {
				t.Errorf("the card %+v", card)
			}
			effects = w.do(Decide{Pairing: w.pairing, Request: req.ID, Allow: true, Grant: grant})
		}
		s := one[Sign](t, effects)
		if s.Fingerprint != sshwire.Fingerprint(blob) || !bytes.Equal(s.Payload, req.Sign.Payload) {
			t.Errorf("to sign: %+v", s)
		}
		resp := w.final(w.do(w.touch(s)))
		sig, err := sshwire.ParseWebAuthn(resp.Sign.Signature)
		if err != nil || key.VerifyWebAuthn(req.Sign.Payload, sig) != nil {
			t.Errorf("the answer %+v, %v", resp.Sign, err)
		}
	}
}

// TestPasskeyRefusals: another algorithm, and what would make a signature that
// fits no frame.
func TestPasskeyRefusals(t *testing.T) {
	w, blob := passkeyWorld(t)
	for id, algorithm := range []string{sshwire.SigWebAuthn, sshwire.KeyP256, sshwire.KeyEd25519} {
		resp := w.final(w.send(w.passkeyLogin(byte(id+1), blob, algorithm)))
		if resp.Sign == nil || resp.Sign.Error != wire.CodeRefused || resp.Sign.Reason != "the data to sign names another algorithm" {
			t.Errorf("%s: %+v", algorithm, resp.Sign)
		}
	}
	for id, c := range []struct {
		size int
		want string
	}{{maxPasskeyData, ""}, {maxPasskeyData + 1, "the data to sign is too long for a passkey"}} {
		sig := sshwire.SSHSIG{Namespace: "file", Hash: "sha512", Digest: make([]byte, 64)}
		sig.Reserved = make([]byte, c.size-len(sig.Marshal()))
		req := w.request(byte(10+id), sig.Marshal())
		req.Sign.Fingerprint = sshwire.Fingerprint(blob)
		effects := w.send(req)
		if c.want != "" {
			if resp := w.final(effects); resp.Sign == nil || resp.Sign.Reason != c.want {
				t.Errorf("%d bytes: %+v", c.size, resp.Sign)
			}
			continue
		}
		one[Ask](t, effects)
		s := one[Sign](t, w.do(Decide{Pairing: w.pairing, Request: req.ID, Allow: true}))
		if resp := w.final(w.do(w.touch(s))); resp.Sign == nil || len(resp.Sign.Signature) < c.size {
			t.Errorf("%d bytes: %+v", c.size, resp.Sign)
		}
	}
}

// TestLongSignature: a platform's signature that fits no frame is an answer, too.
func TestLongSignature(t *testing.T) {
	w, blob := passkeyWorld(t)
	req := w.passkeyLogin(1, blob, sshwire.KeyPasskey)
	w.send(req)
	s := one[Sign](t, w.do(Decide{Pairing: w.pairing, Request: req.ID, Allow: true}))
	resp := w.final(w.do(Signed{Pairing: s.Pairing, Request: s.Request, Signature: make([]byte, wire.MaxPlaintext)}))
	if resp.Sign == nil || resp.Sign.Error != wire.CodeRefused || resp.Sign.Reason != "the signature is too long" {
		t.Errorf("the answer %+v", resp.Sign)
	}
}
