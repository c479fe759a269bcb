package sshwire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"testing"
)

// TestRecordedSignatures: what the recorded agent signed verifies here.
func TestRecordedSignatures(t *testing.T) {
	r := recorded(t)
	for _, x := range append(r.Userauth, r.SSHSIG...) {
		key, err := ParsePublicKey(x.Key)
		if err != nil {
			t.Fatalf("%s: %v", x.Name, err)
		}
		sig, err := ParseSignature(x.Signature)
		if err != nil {
			t.Fatalf("%s: %v", x.Name, err)
		}
		if err := key.Verify(x.Input, sig); err != nil {
			t.Errorf("%s: %v", x.Name, err)
		}
		for n := range x.Input { // one bit in each byte
			b := bytes.Clone(x.Input)
			b[n] ^= 1 << (n % 8)
			if key.Verify(b, sig) == nil {
				t.Errorf("%s: holds with byte %d changed", x.Name, n)
			}
		}
	}
}

// TestRecordedLogins: a login's session id, and its host key if it names one,
// are those of the bind that came before it.
func TestRecordedLogins(t *testing.T) {
	r := recorded(t)
	bound := 0
	for _, x := range r.Userauth {
		u, err := ParseUserauth(x.Input)
		if err != nil {
			t.Fatalf("%s: %v", x.Name, err)
		}
		var match *Bind
		for _, y := range r.Binds {
			b, err := ParseBind(y.Input)
			if err != nil || b.Verify() != nil {
				t.Fatalf("%s: %v, %v", y.Name, err, b.Verify())
			}
			if !b.Forwarding && bytes.Equal(b.SessionID, u.SessionID) {
				match = &b
			}
		}
		switch {
		case match == nil:
			t.Errorf("%s: no bind has its session id", x.Name)
		case u.HostKey != nil && !bytes.Equal(match.HostKey, u.HostKey):
			t.Errorf("%s: bind has another host key", x.Name)
		case u.HostKey != nil:
			bound++
		}
		if !bytes.Equal(u.PublicKey, x.Key) || u.User != "root" {
			t.Errorf("%s: user %q, key %x", x.Name, u.User, u.PublicKey)
		}
	}
	if bound != 10 {
		t.Errorf("%d logins name their host key, want 10", bound)
	}
}

// TestRecordedForwarding is the picture of "ssh -A": the first hop's bind is
// repeated as forwarding on the connection of the second hop.
func TestRecordedForwarding(t *testing.T) {
	r := recorded(t)
	var binds [3]Bind
	for i, name := range []string{"forwarded-1", "forwarded-2", "forwarded-3"} {
		b, err := ParseBind(find(t, r.Binds, name).Input)
		if err != nil {
			t.Fatal(err)
		}
		binds[i] = b
	}
	if binds[0].Forwarding || !binds[1].Forwarding || binds[2].Forwarding {
		t.Error("forwarding flags are not false, true, false")
	}
	if !bytes.Equal(binds[0].SessionID, binds[1].SessionID) || bytes.Equal(binds[1].SessionID, binds[2].SessionID) {
		t.Error("session ids are not those of hop 1, hop 1, hop 2")
	}
}

// TestRecordedSSHSIG: the hash is that of the signed file.
func TestRecordedSSHSIG(t *testing.T) {
	s, err := ParseSSHSIG(find(t, recorded(t).SSHSIG, "git-sha512").Input)
	want := sha512.Sum512([]byte("message\n"))
	if err != nil || s.Namespace != "git" || !bytes.Equal(s.Digest, want[:]) {
		t.Errorf("ParseSSHSIG = %+v, %v", s, err)
	}
}

// TestEd25519 uses the first key of RFC 8032 §7.1, which needs no oracle.
func TestEd25519(t *testing.T) {
	seed, _ := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	want, _ := hex.DecodeString("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
	private := ed25519.NewKeyFromSeed(seed)
	sig, err := ParseSignature(SignEd25519(private, nil))
	if err != nil || sig.Format != KeyEd25519 || !bytes.Equal(sig.Blob, want) {
		t.Fatalf("signature %+v, %v, want %x", sig, err, want)
	}
	key, err := ParsePublicKey(Ed25519Blob(private.Public().(ed25519.PublicKey)))
	if err != nil || key.Verify(nil, sig) != nil {
		t.Errorf("ParsePublicKey = %v, Verify = %v", err, key.Verify(nil, sig))
	}
}
