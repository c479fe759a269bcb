package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"kryptonite/internal/phone"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

func (r *rig) lock(ctx context.Context, on bool) { r.handle(ctx, phone.Lock{Pairing: r.id, On: on}) }

func isForPeople(e phone.Effect) bool {
	_, ask := e.(phone.Ask)
	_, sign := e.(phone.Sign)
	return ask || sign
}

// losingRig is keysRig whose phone's frames are lost while *losing, which is first
// what it is given.
func losingRig(t *testing.T, first bool) (r *rig, k *told, losing *bool) {
	t.Helper()
	losing = &first
	r, k = keysRig(t, memory.Options{BToA: func(int, []byte) memory.Fate {
		if *losing {
			return memory.Fate{}
		}
		return memory.Deliver
	}}, true)
	return r, k, losing
}

// TestLocked: who is locked is told so, asks nothing any more, and works again once
// it is unlocked.
func TestLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := keysRig(t, memory.Options{}, true)
		defer r.close()
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
			t.Fatal(err)
		}
		r.lock(t.Context(), true)
		synctest.Wait()
		if !k.locked || !r.session.locked {
			t.Fatal("the computer does not know that it is locked")
		}
		seen := r.count(isForPeople)
		var report Report
		if _, err := r.sign(t.Context(), SignOptions{Report: &report}); !errors.Is(err, ErrLocked) || report.Request != (wire.ID{}) {
			t.Errorf("locked, a login ends with %v, request %s", err, report.Request)
		}
		if n := r.count(isForPeople); n != seen {
			t.Error("a locked computer's login got to the person")
		}
		r.lock(t.Context(), false)
		synctest.Wait()
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
			t.Errorf("unlocked, a login ends with %v", err)
		}
	})
}

// TestLockedInTheMiddle: the request that the person did not want ends at once.
func TestLockedInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := keysRig(t, memory.Options{}, true)
		defer r.close()
		r.thumb = nobody
		done := make(chan error, 1)
		go func() {
			_, err := r.sign(t.Context(), SignOptions{})
			done <- err
		}()
		synctest.Wait()
		r.lock(t.Context(), true)
		if err := <-done; !errors.Is(err, ErrLocked) {
			t.Errorf("it ends with %v", err)
		}
	})
}

// TestUnlockGotLost: the login that finds itself locked asks by a hello, which the
// phone answers by what it told last; the next one works.
func TestUnlockGotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, losing := losingRig(t, false)
		defer r.close()
		r.lock(t.Context(), true)
		synctest.Wait()
		*losing = true
		r.lock(t.Context(), false)
		synctest.Wait()
		*losing = false
		if !k.locked {
			t.Fatal("the notice was not lost")
		}
		if _, err := r.sign(t.Context(), SignOptions{}); !errors.Is(err, ErrLocked) {
			t.Errorf("the first login ends with %v", err)
		}
		synctest.Wait()
		if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
			t.Errorf("the second login ends with %v", err)
		}
	})
}

// TestLockGotLost: the answers say so, and what comes after them.
func TestLockGotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, losing := losingRig(t, true)
		defer r.close()
		r.lock(t.Context(), true)
		synctest.Wait()
		*losing = false
		if _, err := r.sign(t.Context(), SignOptions{}); !errors.Is(err, ErrLocked) {
			t.Errorf("a login ends with %v", err)
		}
		synctest.Wait()
		if !k.locked {
			t.Error("the computer still does not know that it is locked")
		}
	})
}

// TestLockForgetsTokens, and a restart of krd goes on locked.
func TestLockForgetsTokens(t *testing.T) {
	r := newRig(t, memory.Options{}, 0, true)
	defer r.close()
	s := r.session
	s.cfg.Keys = new(told).take
	s.keepLease(&pending{key: sshwire.Fingerprint(r.blob)}, wire.LeaseToken{Rule: "1", Token: [32]byte{1}, Until: s.cfg.Now().Unix() + 3600})
	if err := s.takeKeys(&wire.Notice{Seq: 1, Keys: &[]wire.SSHKey{{PublicKey: r.blob}}, Locked: true}); err != nil || len(s.held()) != 0 {
		t.Errorf("tokens %q are left, %v", s.held(), err)
	}
	cfg := s.cfg
	cfg.Locked = true
	again, err := New(cfg)
	if err != nil || !again.locked {
		t.Errorf("a session of a locked computer is %+v, %v", again, err)
	}
}
