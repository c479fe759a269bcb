package hostauth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"

	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

var session = bytes.Repeat([]byte{7}, 32)

func signer(t testing.TB, key any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ed(t testing.TB) ssh.Signer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return signer(t, k)
}

// certified is a host certificate for s by an authority of its own.
func certified(t testing.TB, s ssh.Signer, mend func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	c := &ssh.Certificate{Key: s.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"server.example"},
		ValidAfter: 1, ValidBefore: 1_900_000_000}
	if err := c.SignCert(rand.Reader, ed(t)); err != nil {
		t.Fatal(err)
	}
	if mend != nil {
		mend(c)
	}
	cs, err := ssh.NewCertSigner(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

func bind(t testing.TB, s ssh.Signer, sid []byte, forwarding bool) wire.Bind {
	t.Helper()
	sig, err := s.Sign(rand.Reader, sid)
	if as, ok := s.(ssh.AlgorithmSigner); ok && s.PublicKey().Type() == ssh.KeyAlgoRSA {
		sig, err = as.SignWithAlgorithm(rand.Reader, sid, ssh.KeyAlgoRSASHA512)
	}
	if err != nil {
		t.Fatal(err)
	}
	return wire.Bind{HostKey: s.PublicKey().Marshal(), SessionID: sid, Signature: ssh.Marshal(sig), Forwarding: forwarding}
}

// weak is a bind signed with SHA-1, as RSA host keys did long ago.
func weak(t testing.TB, s ssh.Signer, sid []byte, forwarding bool) wire.Bind {
	b := bind(t, s, sid, forwarding)
	sig := &ssh.Signature{Format: "ssh-rsa", Blob: make([]byte, 256)}
	b.Signature = ssh.Marshal(sig)
	return b
}

func login(hostKey []byte) sshwire.Userauth {
	u := sshwire.Userauth{SessionID: session, User: "root", Method: sshwire.MethodPublicKey, Algorithm: sshwire.KeyEd25519}
	if hostKey != nil {
		u.Method, u.HostKey = sshwire.MethodHostbound, hostKey
	}
	return u
}

// check is what a phone does with a login.
func check(u sshwire.Userauth, binds []wire.Bind) (Host, error) {
	w, err := Check(binds)
	if err != nil {
		return w.Host(), err
	}
	return w.Login(u)
}

// TestEveryKindOfHostKey: proved and vouched with each, certificates included.
func TestEveryKindOfHostKey(t *testing.T) {
	p256, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p521, err2 := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	rsaKey, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	edKey := ed(t)
	for name, c := range map[string]struct {
		s    ssh.Signer
		typ  string
		cert bool
	}{
		"Ed25519":                      {edKey, "ssh-ed25519", false},
		"P-256":                        {signer(t, p256), "ecdsa-sha2-nistp256", false},
		"P-521":                        {signer(t, p521), "ecdsa-sha2-nistp521", false},
		"RSA":                          {signer(t, rsaKey), "ssh-rsa", false},
		"certificate":                  {certified(t, edKey, nil), "ssh-ed25519", true},
		"certificate nobody signed":    {certified(t, edKey, func(c *ssh.Certificate) { c.Serial++ }), "ssh-ed25519", false},
		"certificate that is a user's": {certified(t, edKey, func(c *ssh.Certificate) { c.CertType = ssh.UserCert; c.SignCert(rand.Reader, ed(t)) }), "ssh-ed25519", false},
	} {
		for _, hostbound := range []bool{true, false} {
			u, want := login(nil), Vouched
			if hostbound {
				u, want = login(c.s.PublicKey().Marshal()), Proved
			}
			h, err := check(u, []wire.Bind{bind(t, c.s, session, false)})
			if err != nil || h.Proof != want || h.KeyType != c.typ || !h.Local || (h.Cert != nil) != c.cert {
				t.Errorf("%s, hostbound %v: %+v, %v; want %s", name, hostbound, h, err, want)
			}
			plain := c.s.PublicKey()
			if cert, ok := plain.(*ssh.Certificate); ok {
				plain = cert.Key
			}
			if h.Fingerprint != ssh.FingerprintSHA256(plain) {
				t.Errorf("%s: fingerprint %s, want that of the key itself", name, h.Fingerprint)
			}
			if c.cert && (len(h.Cert.Principals) != 1 || h.Cert.CA == "") {
				t.Errorf("%s: the certificate says %+v", name, h.Cert)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	a, b := ed(t), ed(t)
	keyA := a.PublicKey().Marshal()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	old := signer(t, rsaKey)
	other := bytes.Repeat([]byte{8}, 32)
	forged := bind(t, a, session, false)
	forged.Signature = bind(t, b, session, false).Signature
	unknownKey := ssh.Marshal(struct{ T, A, B string }{"sk-ssh-ed25519@openssh.com", string(make([]byte, 32)), "ssh:"})
	many := func(n int) (out []wire.Bind) {
		for i := range n {
			out = append(out, bind(t, a, append(bytes.Repeat([]byte{1}, 31), byte(i)), true))
		}
		return out
	}
	for name, c := range map[string]struct {
		u     sshwire.Userauth
		binds []wire.Bind
		proof Proof
		local bool
		path  int
		err   error
	}{
		"nothing":                               {u: login(nil), proof: Unknown},
		"hostbound only":                        {u: login(keyA), proof: Bound},
		"bind of another session":               {u: login(nil), binds: []wire.Bind{bind(t, a, other, false)}, proof: Unknown, local: true},
		"hostbound, bind of another session":    {u: login(keyA), binds: []wire.Bind{bind(t, a, other, false)}, proof: Bound, local: true},
		"two keys for one session":              {u: login(keyA), binds: []wire.Bind{bind(t, b, session, false)}, err: errOtherKey},
		"forwarded, then proved":                {u: login(keyA), binds: []wire.Bind{bind(t, b, other, true), bind(t, a, session, false)}, proof: Proved, path: 1},
		"for forwarding only":                   {u: login(keyA), binds: []wire.Bind{bind(t, a, session, true)}, proof: Bound, path: 1},
		"after one that is not for forwarding":  {u: login(nil), binds: []wire.Bind{bind(t, a, session, false), bind(t, b, other, true)}, err: errAfter},
		"forged":                                {u: login(nil), binds: []wire.Bind{forged}, err: errForged},
		"forged, then a good one":               {u: login(keyA), binds: []wire.Bind{{HostKey: forged.HostKey, SessionID: other, Signature: forged.Signature, Forwarding: true}, bind(t, a, session, false)}, err: errForged},
		"the same twice is one for forwarding":  {u: login(nil), binds: []wire.Bind{bind(t, a, session, true), bind(t, a, session, false)}, proof: Unknown, path: 1},
		"the same session by two keys":          {u: login(nil), binds: []wire.Bind{bind(t, a, session, true), bind(t, b, session, false)}, err: errTwoKeys},
		"SHA-1 proves nothing":                  {u: login(nil), binds: []wire.Bind{weak(t, old, session, false)}, proof: Unknown},
		"SHA-1, and the payload names that key": {u: login(old.PublicKey().Marshal()), binds: []wire.Bind{weak(t, old, session, false)}, proof: Bound},
		"SHA-1, and the payload names another":  {u: login(keyA), binds: []wire.Bind{weak(t, old, session, false)}, err: errWeakMatch},
		"SHA-1 for forwarding, then a good one": {u: login(keyA), binds: []wire.Bind{weak(t, old, other, true), bind(t, a, session, false)}, proof: Proved, path: 1},
		"a kind of host key that is not known":  {u: login(unknownKey), proof: Unknown},
		"a host key that is none":               {u: login([]byte("x")), err: errBadKey},
		"16 binds":                              {u: login(keyA), binds: append(many(15), bind(t, a, session, false)), proof: Proved, path: 15},
		"17 binds":                              {u: login(keyA), binds: append(many(16), bind(t, a, session, false)), err: errTooMany},
	} {
		h, err := check(c.u, c.binds)
		if !errors.Is(err, c.err) || err == nil && (h.Proof != c.proof || h.Local != c.local || len(h.Path) != c.path || (h.Fingerprint == "") != (c.proof == Unknown)) {
			t.Errorf("%s: %+v, %v; want %s, local %v, path %d, %v", name, h, err, c.proof, c.local, c.path, c.err)
		}
		// What is no login came by the same way, and is refused for the same binds.
		way, err := Check(c.binds)
		bad := c.err
		if errors.Is(bad, errOtherKey) || errors.Is(bad, errBadKey) || errors.Is(bad, errWeakMatch) { // of the login
			bad = nil
		}
		if h := way.Host(); !errors.Is(err, bad) || c.err == nil && (h.Proof != Unknown || h.Local != c.local || len(h.Path) != c.path || h.Fingerprint != "") {
			t.Errorf("%s, no login: %+v, %v; want local %v, path %d, %v", name, h, err, c.local, c.path, bad)
		}
	}
}

// FuzzCheck: whatever the computer sends as bind, no other key than the one
// that signed this very session is called proved or vouched.
func FuzzCheck(f *testing.F) {
	a := ed(f)
	good := bind(f, a, session, false)
	f.Add(good.HostKey, good.SessionID, good.Signature, false, true)
	f.Add(good.HostKey, good.SessionID, good.Signature, true, false)
	f.Add([]byte("x"), []byte{}, []byte{}, false, false)
	f.Fuzz(func(t *testing.T, key, sid, sig []byte, forwarding, hostbound bool) {
		u := login(nil)
		if hostbound {
			u = login(key)
		}
		h, err := check(u, []wire.Bind{{HostKey: key, SessionID: sid, Signature: sig, Forwarding: forwarding}})
		if err != nil || h.Proof == Unknown || h.Proof == Bound {
			return
		}
		if pub, err := ssh.ParsePublicKey(key); err != nil || !bytes.Equal(sid, session) || forwarding {
			t.Errorf("%s by %x over %x: %v", h.Proof, key, sid, err)
		} else if s := new(ssh.Signature); ssh.Unmarshal(sig, s) != nil || pub.Verify(session, s) != nil {
			t.Errorf("%s, and x/crypto does not verify it", h.Proof)
		}
	})
}
