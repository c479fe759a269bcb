package session

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/pairing"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// loginTo asks for a login at a server that proves itself.
func (r *rig) loginTo(ctx context.Context, o SignOptions) error {
	r.t.Helper()
	host := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	hostBlob, id := sshwire.Ed25519Blob(host.Public().(ed25519.PublicKey)), bytes.Repeat([]byte{2}, 32)
	payload := sshwire.Userauth{SessionID: id, User: "root", Method: sshwire.MethodHostbound, Algorithm: sshwire.KeyEd25519, PublicKey: r.blob, HostKey: hostBlob}.Marshal()
	_, err := r.session.Sign(ctx, r.blob, wire.SignRequest{Fingerprint: sshwire.Fingerprint(r.blob), Payload: payload,
		Binds:    []wire.Bind{{HostKey: hostBlob, SessionID: id, Signature: sshwire.SignEd25519(host, id)}},
		Reported: &wire.Reported{Host: "server.example", Port: 22}}, o)
	return err
}

func isAsk(e phone.Effect) bool { _, ok := e.(phone.Ask); return ok }

func isUnwrap(e phone.Effect) bool { s, ok := e.(phone.Sign); return ok && s.Unwrap != nil }

// held is the rules whose tokens the session has, oldest first.
func (s *Session) held() (rules []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.leases {
		rules = append(rules, l.Rule)
	}
	return rules
}

// brings is what the next request for key has with it.
func (s *Session) brings(t *testing.T, key string) []wire.LeaseToken {
	t.Helper()
	r, err := s.newRequest(wire.SignRequest{Fingerprint: key})
	if err != nil {
		t.Fatal(err)
	}
	defer s.forget(r.id)
	m, err := wire.Decode(r.plain)
	if err != nil {
		t.Fatal(err)
	}
	return m.Request.Sign.LeaseTokens
}

// TestTokenComesBack with each request, copies of requests too, until its time
// is over in the phone's clock; then nobody holds it any more.
func TestTokenComesBack(t *testing.T) {
	for name, c := range map[string]struct {
		o    memory.Options
		skew time.Duration
	}{
		"a good link":   {memory.Options{}, 0},
		"another clock": {memory.Options{}, 10 * time.Minute},
		"a bad link": {memory.Options{AToB: func(n int, _ []byte) memory.Fate { return memory.Fate{Copies: (n + 2) % 3} }, // n = 0 is the greeting
			BToA: func(n int, _ []byte) memory.Fate {
				return memory.Fate{Copies: 1, Delay: time.Duration(n%2) * time.Second}
			}}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, c.o, c.skew, true)
			defer r.close()
			synctest.Wait()
			r.grant = policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true}
			for i := range 4 {
				if err := r.loginTo(t.Context(), SignOptions{}); err != nil {
					t.Fatalf("%s: login %d: %v", name, i, err)
				}
			}
			if asked, unwrapped := r.count(isAsk), r.count(isUnwrap); asked != 1 || unwrapped != 3 {
				t.Errorf("%s: %d cards, %d times opened with the token, want 1 and 3", name, asked, unwrapped)
			}
			l := r.session.leases[0]
			if l.Token == (sealbox.Key32{}) || l.Until != r.now().Truncate(time.Second).Add(time.Hour).Unix() && name == "a good link" {
				t.Errorf("%s: held until %d", name, l.Until)
			}
			left := time.Unix(l.Until, 0).Sub(r.now())
			time.Sleep(left - 3*time.Second)
			if len(r.session.held()) != 1 {
				t.Errorf("%s: dropped before its time", name)
			}
			time.Sleep(5 * time.Second)
			if held := r.session.held(); len(held) != 0 || l.Token != (sealbox.Key32{}) {
				t.Errorf("%s: after its time %q are held", name, held)
			}
			if err := r.loginTo(t.Context(), SignOptions{}); err != nil || r.count(isAsk) != 2 {
				t.Errorf("%s: then %v, %d cards", name, err, r.count(isAsk))
			}
		})
	}
}

// TestTokenGoes when the phone says so, and when the pairing or krd ends.
func TestTokenGoes(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"revoked": func(r *rig) { r.handle(context.Background(), phone.Revoke{Rule: "*"}) },
		"key hidden": func(r *rig) {
			r.handle(t.Context(), phone.AllowKey{Pairing: r.id, Fingerprint: sshwire.Fingerprint(r.blob)})
		},
		"unpaired": func(r *rig) {
			notice, err := pairing.UnpairNotice(r.session.box, time.Now(), "test")
			if err != nil {
				t.Fatal(err)
			}
			r.far.Send(context.Background(), notice)
		},
		"krd ends": func(r *rig) { r.close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, memory.Options{}, 0, true)
			defer r.close()
			r.grant = policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true}
			if err := r.loginTo(t.Context(), SignOptions{}); err != nil || len(r.session.held()) != 1 {
				t.Fatalf("%s: %v, %q are held", name, err, r.session.held())
			}
			l := r.session.leases[0]
			end(r)
			synctest.Wait()
			if held := r.session.held(); len(held) != 0 || l.Token != (sealbox.Key32{}) {
				t.Errorf("%s: %q are held", name, held)
			}
			r.session.keepLease(&pending{key: l.key}, wire.LeaseToken{Rule: "9", Token: sealbox.Key32{1}, Until: r.now().Unix() + 60}) // of an answer that comes late
			if held := r.session.held(); (name == "unpaired" || name == "krd ends") && len(held) != 0 {
				t.Errorf("%s: %q are held again", name, held)
			}
		})
	}
}

// TestTokenOfABadAnswer is not kept: nothing that came with it is believed.
func TestTokenOfABadAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		r.grant = policy.Grant{Scope: policy.Host, For: time.Hour, Closed: true}
		r.forge = func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
		if err := r.loginTo(t.Context(), SignOptions{}); err == nil || len(r.session.held()) != 0 {
			t.Errorf("%v, %q are held", err, r.session.held())
		}
	})
}

// TestWhichTokens: those for the key, the newest first, and not too many; a
// newer one for a rule takes the place of the older.
func TestWhichTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		s := r.session
		give := func(key string, rule int, b byte, left time.Duration) {
			s.keepLease(&pending{key: key}, wire.LeaseToken{Rule: fmt.Sprint(rule), Token: sealbox.Key32{b}, Until: time.Now().Add(left).Unix()})
		}
		rules := func(key string) (out []string) {
			for _, l := range s.brings(t, key) {
				if l.Until != 0 {
					t.Errorf("a request says until %d", l.Until)
				}
				out = append(out, fmt.Sprintf("%s:%d", l.Rule, l.Token[0]))
			}
			return out
		}
		give("a", 1, 1, time.Hour)
		give("b", 2, 1, time.Hour)
		give("a", 3, 1, time.Minute)
		give("a", 4, 1, 0)
		give("a", 5, 1, -time.Hour)
		give("a", 1, 2, time.Hour)
		s.keepLease(&pending{key: "a"}, wire.LeaseToken{})
		for key, want := range map[string][]string{"a": {"1:2", "3:1"}, "b": {"2:1"}, "c": nil} {
			if got := rules(key); !slices.Equal(got, want) {
				t.Errorf("for %s it brings %q, want %q", key, got, want)
			}
		}
		s.mu.Lock()
		s.offset += 2 * time.Minute // the phone's clock was told anew
		s.mu.Unlock()
		if got := rules("a"); !slices.Equal(got, []string{"1:2"}) {
			t.Errorf("when the phone's clock says it is over: %q", got)
		}
		for i := range maxLeases {
			give("a", 100+i, 1, time.Hour)
		}
		got := rules("a")
		if len(got) != wire.MaxLeaseTokens || got[0] != fmt.Sprintf("%d:1", 100+maxLeases-1) || len(s.held()) != maxLeases || s.held()[0] != "100" {
			t.Errorf("it brings %q and holds %q", got, s.held())
		}
		give("c", 1000, 1, 1<<62)
		time.Sleep(maxLease + time.Second)
		if held := s.held(); len(held) != 0 {
			t.Errorf("after a day it holds %q", held)
		}
	})
}

// TestTokensOfKeysThatAreGone go with the list that does not have them any more.
func TestTokensOfKeysThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memory.Options{}, 0, true)
		defer r.close()
		r.session.cfg.Keys = func(int64, []wire.SSHKey, wire.Wakers, bool) error { return nil }
		until := time.Now().Add(time.Hour).Unix()
		r.session.keepLease(&pending{key: sshwire.Fingerprint(r.blob)}, wire.LeaseToken{Rule: "1", Token: sealbox.Key32{1}, Until: until})
		r.session.keepLease(&pending{key: "SHA256:gone"}, wire.LeaseToken{Rule: "2", Token: sealbox.Key32{1}, Until: until})
		if err := r.session.takeKeys(&wire.Notice{Seq: 1, Keys: &[]wire.SSHKey{{PublicKey: r.blob}}}); err != nil || !slices.Equal(r.session.held(), []string{"1"}) {
			t.Errorf("%v, %q are held", err, r.session.held())
		}
	})
}

// TestLeaseOverAtOnce: the phone may say that a token is of no use while the signature
// that it came with is still being verified.
func TestLeaseOverAtOnce(t *testing.T) {
	r := newRig(t, memory.Options{}, 0, true)
	defer r.close()
	key := sshwire.Fingerprint(r.blob)
	for name, says := range map[string]func(s *Session){
		"nothing":           func(*Session) {},
		"another's end":     func(s *Session) { s.leasesOver([]string{"2"}) },
		"its end":           func(s *Session) { s.leasesOver([]string{"2", "1"}) },
		"more than it has":  func(s *Session) { s.leasesOver(make([]string, maxLeases+1)) },
		"that it is locked": func(s *Session) { s.mu.Lock(); s.dropAllLeases(); s.mu.Unlock() },
		"its key is there":  func(s *Session) { s.mu.Lock(); s.leasesOf([]wire.SSHKey{{PublicKey: r.blob}}); s.mu.Unlock() },
	} {
		req, err := r.session.newRequest(wire.SignRequest{Fingerprint: key})
		if err != nil {
			t.Fatal(err)
		}
		says(r.session)
		r.session.keepLease(req.pending, wire.LeaseToken{Rule: "1", Token: sealbox.Key32{1}, Until: time.Now().Unix() + 60})
		r.session.forget(req.id)
		want := name == "nothing" || name == "another's end" || name == "its key is there"
		if got := len(r.session.held()) == 1; got != want {
			t.Errorf("the phone says %s: the token is kept: %v", name, got)
		}
		r.session.leasesOver([]string{"1"})
	}
}
