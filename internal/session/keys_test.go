package session

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"kryptonite/internal/phone"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// told collects the lists of keys that a session takes.
type told struct {
	mu     sync.Mutex
	seqs   []int64
	names  string // of the newest list
	locked bool   // as it says
	err    error  // what the next one gets
}

func (k *told) take(seq int64, keys []wire.SSHKey, _ wire.Wakers, locked bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.err; err != nil {
		k.err = nil
		return err
	}
	k.seqs, k.names, k.locked = append(k.seqs, seq), "", locked
	for _, key := range keys {
		k.names += key.Name + " "
	}
	return nil
}

func (k *told) got() ([]int64, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.seqs), k.names
}

// keysRig is a rig whose phone has a second key.
func keysRig(t *testing.T, o memory.Options, first bool) (*rig, *told) {
	t.Helper()
	r := newRig(t, o, 0, first)
	k := new(told)
	r.session.cfg.Keys = k.take
	r.cfg.Keys = append(r.cfg.Keys, wire.SSHKey{PublicKey: sshwire.Ed25519Blob(make([]byte, 32)), Name: "work"})
	r.handle(t.Context(), phone.KeysChanged{Keys: r.cfg.Keys})
	return r, k
}

func (r *rig) show(ctx context.Context, allow bool) {
	r.handle(ctx, phone.AllowKey{Pairing: r.id, Fingerprint: sshwire.Fingerprint(r.cfg.Keys[1].PublicKey), Allow: allow})
}

// TestKeysArrive over a link that loses the notice, or every second frame: after
// some logins the list is here, once, and the phone tells it no more.
func TestKeysArrive(t *testing.T) {
	for name, link := range map[string]func() func(int, []byte) memory.Fate{
		"good": func() func(int, []byte) memory.Fate { return nil },
		"the first notice is lost": func() func(int, []byte) memory.Fate {
			return func(i int, _ []byte) memory.Fate {
				if i == 0 {
					return memory.Fate{}
				}
				return memory.Deliver
			}
		},
		"every second frame lost": func() func(int, []byte) memory.Fate { return every(2) },
		"everything thrice":       func() func(int, []byte) memory.Fate { return thrice },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, k := keysRig(t, memory.Options{BToA: link()}, true)
				defer r.close()
				synctest.Wait()
				r.show(t.Context(), true)
				for range 6 {
					if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if seqs, names := k.got(); len(seqs) != 1 || names != " work " {
					t.Errorf("lists %v, the newest is %q", seqs, names)
				}
				sent := r.count(isSend)
				if _, err := r.sign(t.Context(), SignOptions{}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := r.count(isSend) - sent; name == "good" && n != 2 {
					t.Errorf("%d frames for one more login, want ack and answer", n)
				}
			})
		})
	}
}

func isSend(e phone.Effect) bool { _, ok := e.(phone.Send); return ok }

// TestKeysAfterARestart: a computer that has no epoch reads the list in its
// mailbox, without a login and without a hello, which then says what is here.
func TestKeysAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := keysRig(t, memory.Options{AToB: deaf}, false)
		defer r.close()
		r.show(t.Context(), true)
		synctest.Wait()
		if seqs, names := k.got(); len(seqs) != 1 || names != " work " {
			t.Errorf("lists %v, the newest is %q", seqs, names)
		}
		r.session.hello = nil // the one from before it knew the list
		hello, err := r.session.startHello()
		if err != nil {
			t.Fatal(err)
		}
		sent := r.count(isSend)
		r.handle(t.Context(), phone.Frame{Pairing: r.id, Data: hello})
		if n := r.count(isSend) - sent; n != 1 {
			t.Errorf("%d frames for a hello that says what is here, want the ack", n)
		}
	})
}

// TestOnlyNewerKeys: an older list, the same again, one that is none, and one
// that could not be stored.
func TestOnlyNewerKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := keysRig(t, memory.Options{}, true)
		defer r.close()
		synctest.Wait() // the phone has been greeted
		tell := func(seq int64, keys []wire.SSHKey) error {
			plain, err := wire.Encode(wire.Message{Notice: &wire.Notice{Seq: seq, K: wire.Protocol, Keys: &keys}})
			if err != nil {
				t.Fatal(err)
			}
			body, err := r.session.box.Seal(plain)
			if err != nil {
				t.Fatal(err)
			}
			return r.session.receive("memory", wire.NewFrame(wire.HeaderSession, body))
		}
		good := wire.SSHKey{PublicKey: r.blob, Name: "a"}
		disk := errors.New("disk is full")
		k.err = disk
		if err := tell(5, []wire.SSHKey{good}); !errors.Is(err, disk) {
			t.Errorf("a list that is not stored: %v", err)
		}
		for _, c := range []struct {
			seq  int64
			keys []wire.SSHKey
		}{
			{5, []wire.SSHKey{good}}, {5, []wire.SSHKey{good, good}}, {4, nil}, {-1, nil}, {6, []wire.SSHKey{}},
			{7, slices.Repeat([]wire.SSHKey{good}, wire.MaxKeys+1)}, {8, []wire.SSHKey{{Name: "x"}}}, {6, []wire.SSHKey{good}},
			{9, slices.Repeat([]wire.SSHKey{good}, wire.MaxKeys)},
		} {
			if err := tell(c.seq, c.keys); err != nil && !errors.Is(err, transport.ErrForged) {
				t.Errorf("notice %d: %v", c.seq, err)
			}
		}
		if !slices.Equal(k.seqs, []int64{5, 6, 9}) {
			t.Errorf("taken are %v, want 5, 6 and 9", k.seqs)
		}
		req, err := r.session.newRequest(wire.SignRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(req.plain, []byte(`"keys_seq":9,`)) {
			t.Errorf("the next request says %s", bytes.TrimRight(req.plain, " "))
		}
	})
}

// TestP256SignaturesAreChecked like all others.
func TestP256SignaturesAreChecked(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	blob, err := sshwire.P256Blob(point)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := sshwire.SignP256(key, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := checked(blob, []byte("payload"), &wire.SignResponse{Signature: sig}); err != nil || !bytes.Equal(got, sig) {
		t.Errorf("a good one: %v", err)
	}
	if _, err := checked(blob, []byte("another"), &wire.SignResponse{Signature: sig}); !errors.As(err, new(*RefusedError)) {
		t.Errorf("over another payload: %v", err)
	}
	for i := range 8 * len(sig) {
		bad := bytes.Clone(sig)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := checked(blob, []byte("payload"), &wire.SignResponse{Signature: bad}); !errors.As(err, new(*RefusedError)) {
			t.Errorf("bit %d flipped: %v", i, err)
		}
	}
}
