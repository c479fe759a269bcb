package phone

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

var workBlob = sshwire.Ed25519Blob(bytes.Repeat([]byte{5}, 32))

// newKeysWorld is a phone that got a second key after it was paired.
func newKeysWorld(t *testing.T, approve Approve) *world {
	t.Helper()
	w := newWorld(t, approve)
	w.send(w.cancelOf(99)) // the pairing is in use
	if effects := w.keys(w.cfg.Keys[0], wire.SSHKey{PublicKey: workBlob, Name: "work"}); len(effects) != 0 {
		t.Fatalf("a new key that nobody may see has effects: %#v", effects)
	}
	return w
}

// keys gives the phone other keys, as a program does.
func (w *world) keys(keys ...wire.SSHKey) []Effect {
	w.cfg.Keys = keys
	return w.do(KeysChanged{keys})
}

func (w *world) cancelOf(id byte) *wire.Request {
	r := w.request(id+100, nil)
	r.Sign, r.Cancel = nil, &wire.CancelRequest{ID: wire.ID{id}}
	return r
}

func (w *world) see(blob []byte, allow bool) []Effect {
	return w.do(AllowKey{w.pairing, sshwire.Fingerprint(blob), allow})
}

// loginWith is a request for a login with this key.
func (w *world) loginWith(id byte, blob []byte) *wire.Request {
	h := newHost(1)
	r := w.request(id, sshwire.Userauth{SessionID: h.session, User: "root", Method: sshwire.MethodHostbound,
		Algorithm: sshwire.KeyEd25519, PublicKey: blob, HostKey: h.blob}.Marshal(), h.bind(false))
	r.Sign.Fingerprint = sshwire.Fingerprint(blob)
	return r
}

// heard opens what the phone sent to the computer: responses under the epoch that
// it has, and the last notice.
func (w *world) heard(effects []Effect) (rs []*wire.Response, n *wire.Notice) {
	w.t.Helper()
	for _, s := range all[Send](effects) {
		h, body, err := wire.SplitFrame(s.Frame)
		if err != nil {
			continue
		}
		plain, err := w.epoch.Open(body)
		if h == wire.HeaderSession {
			plain, err = w.box.Open(body)
		}
		if err != nil {
			continue
		}
		m, err := wire.Decode(plain)
		if err != nil || !m.FitsHeader(h) {
			w.t.Fatalf("%+v, %v", m, err)
		}
		if m.Notice != nil {
			n = m.Notice
		} else if h == wire.HeaderEpoch {
			rs = append(rs, m.Response)
		}
	}
	return rs, n
}

// names of the keys in a notice; "none" when there is no notice.
func listed(n *wire.Notice) string {
	if n == nil || n.Keys == nil {
		return "none"
	}
	var names []string
	for _, k := range *n.Keys {
		names = append(names, k.Name)
	}
	return fmt.Sprint(names)
}

// told fails unless the effects tell exactly these keys.
func (w *world) told(effects []Effect, want string) *wire.Notice {
	w.t.Helper()
	_, n := w.heard(effects)
	if got := listed(n); got != want {
		w.t.Fatalf("the computer is told %s, want %s", got, want)
	}
	return n
}

// TestAComputerSeesTheFirstKey and no other, whatever there is when it is
// paired.
func TestAComputerSeesTheFirstKey(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	desk := w.second("desk")
	for _, c := range []*world{w, desk} {
		if got := c.core.visible(c.core.pairings[c.pairing]); len(got) != 1 || got[0].Name != "default" {
			t.Errorf("%s sees %+v, want the first key", c.pairing, got)
		}
	}
	rs, n := desk.heard(desk.do(Start{}))
	if len(rs) != 1 || rs[0].Me == nil || len(rs[0].Me.Keys) != 1 || n != nil {
		t.Errorf("the me_response that is sent again is %+v, with notice %v", rs, n)
	}
	w.see(workBlob, true)
	if !w.core.Sees(w.pairing, sshwire.Fingerprint(workBlob)) || w.core.Sees(desk.pairing, sshwire.Fingerprint(workBlob)) {
		t.Error("a key that was shown to one computer is seen by another")
	}
}

// TestAHiddenKeyIsUnknown: word for word like one that does not exist.
func TestAHiddenKeyIsUnknown(t *testing.T) {
	w := newKeysWorld(t, ApproveAlways)
	var answers []*wire.SignResponse
	for i, blob := range [][]byte{workBlob, sshwire.Ed25519Blob(bytes.Repeat([]byte{6}, 32))} {
		effects := w.send(w.loginWith(byte(i), blob))
		answers = append(answers, w.response(effects).Sign)
		if len(all[Ask](effects))+len(w.signed) != 0 {
			t.Error("somebody is asked, or it is signed")
		}
	}
	if a, b := answers[0], answers[1]; a.Error != wire.CodeUnknownKey || b.Error != a.Error || b.Reason != a.Reason || a.Signature != nil {
		t.Errorf("hidden: %+v, not there: %+v", a, b)
	}
	one[Sign](t, w.send(w.loginWith(9, w.blob)))
}

// TestShowAndHide: the computer is told the full list each time, in the order in
// which the keys were shown.
func TestShowAndHide(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	first := w.told(w.see(workBlob, true), "[default work]")
	if first.Seq != w.now.UnixMilli() || !bytes.Equal((*first.Keys)[1].PublicKey, workBlob) {
		t.Errorf("notice %d: %+v", first.Seq, first.Keys)
	}
	one[Ask](t, w.send(w.loginWith(1, workBlob)))
	if got := w.told(w.see(w.blob, false), "[work]").Seq; got != first.Seq+1 {
		t.Errorf("in the same millisecond the next notice is %d after %d", got, first.Seq)
	}
	w.told(w.see(w.blob, true), "[work default]")
	for name, effects := range map[string][]Effect{
		"shown again": w.see(w.blob, true), "no such key": w.see(newHost(9).blob, true), "hidden, but unknown": w.see(newHost(9).blob, false),
		"no such computer": w.do(AllowKey{"nobody", sshwire.Fingerprint(workBlob), false}),
	} {
		if len(effects) != 0 {
			t.Errorf("%s: %#v", name, effects)
		}
	}
	w.told(w.see(workBlob, false), "[default]")
	w.told(w.see(w.blob, false), "[]")
	w.do(OpenLink{mustLink(t)})
	for _, p := range w.core.sorted() {
		if p.id != w.pairing && len(w.do(AllowKey{p.id, sshwire.Fingerprint(workBlob), true})) != 0 {
			t.Error("a computer that is not paired yet is shown a key")
		}
	}
}

// TestHiddenWhileAsked: a card for the key goes, and a decision whose signature
// was not made yet gives none.
func TestHiddenWhileAsked(t *testing.T) {
	for name, hide := range map[string]func(w *world) []Effect{
		"hidden":  func(w *world) []Effect { return w.see(workBlob, false) },
		"deleted": func(w *world) []Effect { return w.keys(w.cfg.Keys[0]) },
		"deleted while no core ran": func(w *world) []Effect {
			w.cfg.Keys = w.cfg.Keys[:1]
			w.reload()
			return w.do(Start{})
		},
	} {
		w := newKeysWorld(t, ApproveAsk)
		w.see(workBlob, true)
		w.send(w.loginWith(1, workBlob))
		w.send(w.loginWith(2, workBlob))
		w.send(w.loginWith(3, w.blob))
		w.do(Decide{Pairing: w.pairing, Request: wire.ID{2}, Allow: true}) // the signature is lost in a crash
		clear(w.signed)
		effects := hide(w)
		if !slices.ContainsFunc(all[Withdraw](effects), func(e Withdraw) bool { return e.Request == wire.ID{1} }) {
			t.Errorf("%s: the card stays", name)
		}
		effects = append(effects, w.do(Start{})...)
		effects = append(effects, w.do(Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true})...)
		codes := map[wire.ID]wire.Code{}
		rs, n := w.heard(effects)
		for _, r := range rs {
			if r.Sign != nil {
				codes[r.ID] = r.Sign.Error
			}
		}
		if !maps.Equal(codes, map[wire.ID]wire.Code{{1}: wire.CodeUnknownKey, {2}: wire.CodeUnknownKey}) || len(w.signed) != 0 || listed(n) != "[default]" {
			t.Errorf("%s: answers %v, %d payloads, told %s", name, codes, len(w.signed), listed(n))
		}
		if s, ok := w.stored(3); !ok || s.State != reqPending {
			t.Errorf("%s: the request for the other key is %q", name, s.State)
		}
		entries, _, err := Log(w.disk)
		if i := slices.IndexFunc(entries, func(e auditlog.Entry) bool { return e.Request == wire.ID{1} }); err != nil || i < 0 || entries[i].Decision != auditlog.Refused {
			t.Errorf("%s: the log is %+v, %v", name, entries, err)
		}
	}
}

// TestTheListArrives although notices get lost: at each start, and after each
// new request that shows the computer does not have it; not after that.
func TestTheListArrives(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	seq := w.told(w.see(workBlob, true), "[default work]").Seq // lost
	if got := w.told(w.do(Start{}), "[default work]").Seq; got != seq {
		t.Errorf("at the start it is notice %d, want %d again", got, seq)
	}
	for id := range byte(2) {
		r := w.loginWith(id, w.blob)
		r.KeysSeq = int64(id) * (seq - 1)
		rs, n := w.heard(w.send(r))
		if len(rs) != 1 || rs[0].Ack == nil || listed(n) != "[default work]" || n.Seq != seq {
			t.Errorf("keys_seq %d: %+v, then %s", r.KeysSeq, rs, listed(n))
		}
		if _, n := w.heard(w.send(r)); n != nil {
			t.Errorf("keys_seq %d: a copy of the request gets the list, too", r.KeysSeq)
		}
	}
	r := w.loginWith(5, w.blob)
	r.KeysSeq = seq
	w.told(w.send(r), "none")
	w.told(w.do(Start{}), "none")
	r = w.loginWith(6, w.blob) // a computer that was restored from a backup
	w.told(w.send(r), "[default work]")
	if seq2 := w.told(w.see(workBlob, false), "[default]").Seq; seq2 <= seq {
		t.Errorf("notice %d after %d", seq2, seq)
	}
	w.told(w.do(Start{}), "[default]")
}

// TestAHelloSaysWhatItHas: a computer that lost its epochs gets the list under
// the one that its hello makes, and later ones, too. Nothing is stored for it.
func TestAHelloSaysWhatItHas(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	seq := w.told(w.see(workBlob, true), "[default work]").Seq
	for _, c := range []struct {
		has  int64
		want string
	}{{0, "[default work]"}, {seq - 1, "[default work]"}, {seq, "none"}, {seq + 7, "none"}} {
		eC, err := sealbox.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		pub := eC.Public()
		plain, err := wire.Encode(wire.Message{Request: &wire.Request{ID: wire.ID{7, byte(c.has)}, K: 1, EphemeralC: &pub, Me: &wire.MeRequest{}, KeysSeq: c.has}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := w.box.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		effects := w.do(Frame{w.pairing, wire.NewFrame(wire.HeaderSession, body)})
		_, ack, _ := wire.SplitFrame(all[Send](effects)[0].Frame)
		plain, err = w.box.Open(ack)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.Decode(plain)
		if err != nil {
			t.Fatal(err)
		}
		if w.epoch, err = sealbox.ComputerEpoch(w.c, eC, w.s, *m.Response.EphemeralS); err != nil {
			t.Fatal(err)
		}
		w.told(effects, c.want)
		if p := w.core.pairings[w.pairing]; p.KeysSeq != seq || p.KeysSeen != 0 {
			t.Errorf("after the hello: %+v", p.keyState)
		}
	}
	w.told(w.see(workBlob, false), "[default]") // it has not sent anything under its epoch yet
	if n := len(all[Send](w.do(Start{}))); n != 1 {
		t.Errorf("%d frames for one list", n)
	}
}

// TestSeqGrows when the clock does not, and beyond what a phone remembers that
// was restored from a backup. A nonsense keys_seq changes nothing.
func TestSeqGrows(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	backup := maps.Clone(w.disk)
	seq := w.told(w.see(workBlob, true), "[default work]").Seq
	w.now = w.now.Add(-2 * time.Minute) // not enough to count as set back
	if got := w.told(w.see(workBlob, false), "[default]").Seq; got != seq+1 {
		t.Errorf("with an older clock: notice %d after %d", got, seq)
	}
	w.disk = backup
	w.reload()
	for id, bad := range map[byte]int64{1: -1, 2: maxSeq, 3: 1<<63 - 1} {
		r := w.loginWith(id, w.blob)
		r.KeysSeq = bad
		w.told(w.send(r), "none")
	}
	r := w.loginWith(4, w.blob)
	r.KeysSeq = seq + 1
	if got := w.told(w.send(r), "[default]").Seq; got != seq+2 {
		t.Errorf("a restored phone sends notice %d, the computer has %d", got, seq+1)
	}
	if got := w.told(w.see(workBlob, true), "[default work]").Seq; got <= seq+2 {
		t.Errorf("and then %d", got)
	}
}

// TestOtherKeys: a renamed key is told under its new name, a deleted one not any
// more, whether the core ran or not; one that comes back stays hidden.
func TestOtherKeys(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	w.see(workBlob, true)
	first, work := w.cfg.Keys[0], wire.SSHKey{PublicKey: workBlob, Name: "office"}
	w.told(w.keys(first, work), "[default office]")
	if effects := w.keys(first, work); len(effects) != 0 {
		t.Errorf("the same keys: %#v", effects)
	}
	work.Name = "bureau"
	w.cfg.Keys = []wire.SSHKey{first, work} // renamed, and the phone died
	w.reload()
	w.told(w.do(Start{}), "[default bureau]")
	w.told(w.keys(work), "[bureau]")
	if effects := w.keys(first, work); len(effects) != 0 {
		t.Errorf("a key that comes back: %#v", effects)
	}
	w.told(w.keys(), "[]")
	w.told(w.do(Start{}), "[]")
	for name, bad := range map[string][]wire.SSHKey{
		"no public key": {{Name: "x"}}, "a long name": {{PublicKey: workBlob, Name: string(make([]byte, maxNameRunes+1))}},
	} {
		w.cfg.Keys = bad
		if _, err := New(w.cfg, nil); err == nil {
			t.Errorf("%s: New succeeds", name)
		}
	}
}

// TestNoKeyInAdvance: what is not there cannot be shown for later, nor is what
// went while no core ran kept for it.
func TestNoKeyInAdvance(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	third := wire.SSHKey{PublicKey: newHost(9).blob, Name: "third"}
	keys := append(slices.Clone(w.cfg.Keys), third)
	core := w.core // it goes on, without a restart
	core.Handle(w.now, AllowKey{w.pairing, sshwire.Fingerprint(third.PublicKey), true})
	core.Handle(w.now, KeysChanged{keys})
	if core.Sees(w.pairing, sshwire.Fingerprint(third.PublicKey)) {
		t.Error("a key that was shown before there was one is seen")
	}
	w.see(workBlob, true)
	w.cfg.Keys = []wire.SSHKey{keys[0], third} // work was deleted, and the phone died
	w.reload()
	w.told(w.see(third.PublicKey, true), "[default third]")
	w.keys(keys...)
	if w.core.Sees(w.pairing, sshwire.Fingerprint(workBlob)) {
		t.Error("a key that comes back is seen")
	}
}

// TestPairingOfBefore: one that was stored before there were several keys sees
// the first one, and is told nothing that it knows.
func TestPairingOfBefore(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	key := PairingPrefix + w.pairing
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(w.disk[key], &fields); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"allowed_keys", "told_keys", "notice_seq", "seen_notice_seq"} {
		delete(fields, f)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	w.disk[key] = b
	w.reload()
	w.told(w.do(Start{}), "none")
	if r := w.response(w.send(w.loginWith(1, workBlob))); r.Sign == nil || r.Sign.Error != wire.CodeUnknownKey {
		t.Errorf("the other key: %+v", r)
	}
	one[Ask](t, w.send(w.loginWith(2, w.blob)))
	w.told(w.keys(w.cfg.Keys[1]), "[]") // the first one is deleted: the next does not take its place
}

// TestNoticeWithoutAnEpoch: after a set-back clock there is none, and the computer
// gets the list all the same.
func TestNoticeWithoutAnEpoch(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	w.now = w.now.Add(-time.Hour)
	w.do(Tick{})
	w.told(w.see(workBlob, true), "[default work]")
}

// TestRenamed: who is paired from then on hears the new name; none is no name.
func TestRenamed(t *testing.T) {
	desk := newKeysWorld(t, ApproveAsk).second("desk")
	for _, c := range []struct{ to, want string }{{"", "ana"}, {"ana's pixel", "ana's pixel"}, {"", "ana's pixel"}} {
		desk.core.Handle(desk.now, Renamed{c.to})
		rs, _ := desk.heard(desk.core.Handle(desk.now, Start{}))
		if len(rs) != 1 || rs[0].Me == nil || rs[0].Me.Name != c.want {
			t.Errorf("renamed %q, the me_response is %+v, want the name %q", c.to, rs, c.want)
		}
	}
}

// TestTooManyKeys: a phone that was given more keys than it may have starts, goes on,
// and uses the first ones; one more never fits.
func TestTooManyKeys(t *testing.T) {
	w := newKeysWorld(t, ApproveAsk)
	keys := slices.Clone(w.cfg.Keys[:1])
	for n := byte(20); len(keys) <= wire.MaxKeys; n++ {
		if err := KeyFits(keys, string(rune('a'+n))); (err != nil) != (len(keys) == wire.MaxKeys) {
			t.Errorf("beside %d keys: %v", len(keys), err)
		}
		keys = append(keys, wire.SSHKey{PublicKey: newHost(n).blob, Name: string(rune('a' + n))})
	}
	fp := func(i int) string { return sshwire.Fingerprint(keys[i].PublicKey) }
	w.keys(keys...)
	for i, want := range map[int]bool{wire.MaxKeys - 1: true, wire.MaxKeys: false} {
		w.do(AllowKey{w.pairing, fp(i), true})
		if w.core.Sees(w.pairing, fp(i)) != want {
			t.Errorf("key %d is seen: %v", i+1, !want)
		}
	}
	w.keys(keys[1:]...)
	w.do(AllowKey{w.pairing, fp(wire.MaxKeys), true})
	if !w.core.Sees(w.pairing, fp(wire.MaxKeys)) {
		t.Error("after one was deleted the last is no key")
	}
	if err := KeyFits(keys[:2], strings.ToUpper(keys[1].Name)); err == nil || !strings.Contains(err.Error(), "name") {
		t.Errorf("a name that is taken: %v", err)
	}
}
