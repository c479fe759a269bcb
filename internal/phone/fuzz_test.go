package phone

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kryptonite/internal/pairing"
	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// stage is a phone at one point of a pairing's life, with the computer's keys.
type stage struct {
	name    string
	disk    map[string][]byte
	pairing string
	c       sealbox.PublicKey
	box     *sealbox.Shared
	epoch   sealbox.Epoch // none while waiting
}

// seal is what the computer, or a stranger (0x02), would send.
func (s stage) seal(f interface{ Fatal(...any) }, h wire.Header, plain []byte) []byte {
	var body []byte
	var err error
	switch h {
	case wire.HeaderSession:
		body, err = s.box.Seal(plain)
	case wire.HeaderEpoch:
		body, err = s.epoch.Seal(plain)
	default:
		body, err = sealbox.SealTo(s.c, plain)
	}
	if err != nil {
		f.Fatal(err)
	}
	return wire.NewFrame(h, body)
}

var fuzzNow = time.Unix(1_795_000_000, 0)

// handled performs the stores of an event.
func handled(core *Core, now time.Time, ev Event, disk map[string][]byte) []Effect {
	effects := core.Handle(now, ev)
	for _, s := range all[Store](effects) {
		if disk[s.Key] = s.Value; s.Value == nil {
			delete(disk, s.Key)
		}
	}
	return effects
}

// stages pairs a phone and keeps it as it is at each step, with the messages
// that the computer sends then.
func stages(f *testing.F, cfg Config) (out []stage, plains map[string][][]byte) {
	f.Helper()
	must := func(err error) {
		if err != nil {
			f.Fatal(err)
		}
	}
	core, err := New(cfg, nil)
	must(err)
	computer, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}}, pairing.Self{Name: "laptop", Version: "test",
		Addresses: []wire.Address{{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}}})
	must(err)
	c, _, _ := computer.Keys()
	disk := map[string][]byte{}
	plains = map[string][][]byte{}
	s := stage{c: c.Public()}
	keep := func(name string) {
		s.name, s.disk = name, maps.Clone(disk)
		out = append(out, s)
	}
	sent := func(ev Event) []byte { return all[Send](handled(core, fuzzNow, ev, disk))[0].Frame }
	add := func(name string, r *wire.Request) {
		r.K, r.V = wire.Protocol, "test"
		plain, err := wire.Encode(wire.Message{Request: r})
		must(err)
		plains[name] = append(plains[name], plain)
	}

	first := sent(OpenLink{computer.Invitation().Link()})
	for k := range disk {
		if id, ok := strings.CutPrefix(k, PairingPrefix); ok {
			s.pairing = id
		}
	}
	hello, _, err := computer.Accept(fuzzNow, first)
	must(err)
	_, sPub, _ := computer.Keys()
	s.box, err = sealbox.NewShared(c, sPub)
	must(err)
	keep("waiting")
	plain, err := s.box.Open(hello[1:])
	must(err)
	plains["waiting"] = append(plains["waiting"], plain)
	_, err = computer.Receive(sent(Frame{s.pairing, hello}))
	must(err)
	_, _, s.epoch = computer.Keys()
	keep("words")
	plains["words"] = append(plains["words"], plain)
	sent(Confirm{s.pairing, true})
	keep("paired")
	plains["paired"] = append(plains["paired"], plain)

	e, err := sealbox.NewKey()
	must(err)
	eC := e.Public()
	h := newHost(1)
	u := sshwire.Userauth{SessionID: h.session, User: "root", Method: sshwire.MethodHostbound, Algorithm: sshwire.KeyEd25519,
		PublicKey: cfg.Keys[0].PublicKey, HostKey: h.blob}
	sign := wire.SignRequest{Fingerprint: sshwire.Fingerprint(cfg.Keys[0].PublicKey), Payload: u.Marshal(), Binds: []wire.Bind{h.bind(false)}}
	timed := func(id byte, r wire.Request) *wire.Request {
		r.ID, r.Unix, r.Expires = wire.ID{id}, fuzzNow.Unix(), fuzzNow.Unix()+90
		return &r
	}
	for _, name := range []string{"paired", "live"} {
		add(name, timed(1, wire.Request{Sign: &sign, EphemeralC: &eC}))
		add(name, timed(2, wire.Request{Cancel: &wire.CancelRequest{ID: wire.ID{1}}}))
		add(name, timed(3, wire.Request{}))
		leased := sign
		leased.LeaseTokens = []wire.LeaseToken{{Rule: "1", Token: sealbox.Key32{1}}}
		add(name, timed(6, wire.Request{Sign: &leased}))
		add(name, &wire.Request{ID: wire.ID{4}, EphemeralC: &eC, Me: &wire.MeRequest{}})
		add(name, &wire.Request{ID: wire.ID{5}, Unpair: &wire.Unpair{}})
	}
	handled(core, fuzzNow, Frame{s.pairing, s.seal(f, wire.HeaderEpoch, plains["live"][0])}, disk)
	keep("live")
	return out, plains
}

func fuzzConfig(approve Approve) Config {
	blob := sshwire.Ed25519Blob(bytes.Repeat([]byte{3}, 32))
	return Config{Name: "ana", Version: "test", Approve: approve, Keys: []wire.SSHKey{{PublicKey: blob, Name: "default"}}}
}

// FuzzPlaintext: whatever a paired computer, or one that wants to be, seals in
// each state of a pairing: nothing is signed before the person agreed, or that
// no parser of ssh's takes; and the phone starts again from what it stored.
func FuzzPlaintext(f *testing.F) {
	cfg := fuzzConfig(ApproveAlways)
	all4, plains := stages(f, cfg)
	for i, s := range all4 {
		for _, p := range plains[s.name] {
			for _, h := range []wire.Header{wire.HeaderSession, wire.HeaderSealed, wire.HeaderEpoch} {
				f.Add(byte(i), byte(h), bytes.TrimRight(p, " "))
			}
		}
	}
	f.Fuzz(func(t *testing.T, i, h byte, text []byte) {
		s := all4[int(i)%len(all4)]
		disk := maps.Clone(s.disk)
		core, err := New(cfg, maps.Clone(disk))
		if err != nil {
			t.Fatal(err)
		}
		frame := s.seal(t, wire.Header(h), sealbox.Pad(text))
		for range 2 { // at least once is what a Link promises
			effects := handled(core, fuzzNow, Frame{s.pairing, frame}, disk)
			if len(effects) > 20 {
				t.Errorf("%d effects", len(effects))
			}
			for _, e := range all[Sign](effects) {
				if _, err := sshwire.Classify(e.Payload); err != nil || s.name == "waiting" || s.name == "words" {
					t.Errorf("%s: signs %x: %v", s.name, e.Payload, err)
				}
			}
			for _, e := range all[ShowWords](effects) {
				if e.Words == "" || utf8.RuneCountInString(e.Computer) > maxNameRunes || !utf8.ValidString(e.Computer) {
					t.Errorf("shows %q, %q", e.Words, e.Computer)
				}
			}
			core, err = New(cfg, maps.Clone(disk))
			if err != nil {
				t.Fatalf("%s: the phone does not start again: %v", s.name, err)
			}
			handled(core, fuzzNow, Start{}, disk)
		}
	})
}

// FuzzFrame: what is not sealed by the computer changes nothing but the count.
func FuzzFrame(f *testing.F) {
	cfg := fuzzConfig(ApproveAlways)
	all4, plains := stages(f, cfg)
	good := map[string]bool{}
	for i, s := range all4 {
		for _, p := range plains[s.name] {
			for _, h := range []wire.Header{wire.HeaderSession, wire.HeaderSealed, wire.HeaderEpoch} {
				frame := s.seal(f, h, p)
				good[string(frame)] = true
				f.Add(byte(i), frame)
			}
		}
		f.Add(byte(i), []byte{0, 1, 2})
	}
	cores := make([]*Core, len(all4))
	for i, s := range all4 {
		var err error
		if cores[i], err = New(cfg, s.disk); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, i byte, b []byte) {
		n := int(i) % len(cores)
		if good[string(b)] {
			return
		}
		before := cores[n].Dropped()
		if effects := cores[n].Handle(fuzzNow, Frame{all4[n].pairing, b}); len(effects) != 0 || cores[n].Dropped() != before+1 {
			t.Fatalf("%s: a made-up frame has effects: %#v", all4[n].name, effects)
		}
	})
}

// FuzzRecords: a stored record that was changed is an error that names it, or
// one that the phone can work and start again with.
func FuzzRecords(f *testing.F) {
	cfg := fuzzConfig(ApproveAsk)
	all4, _ := stages(f, cfg)
	live := all4[len(all4)-1]
	for i, s := range all4 {
		for k, v := range s.disk {
			f.Add(byte(i), k, v)
		}
	}
	f.Add(byte(3), requestPrefix+live.pairing+"/"+wire.ID{1}.String(), []byte(`{"v":1,"state":"decided","expires_unix_seconds":1795000090}`))
	f.Add(byte(3), leasePrefix+"1", put("", lease{V: recordVersion, L: sealbox.Key32{1}, Wrapped: []byte("w"), Check: make([]byte, checkSize)}).Value)
	f.Add(byte(3), rulePrefix+"1", putRule(policy.Rule{ID: "1", Scope: policy.Host, Pairing: live.pairing, Closed: true, Until: fuzzNow.Unix() + 60}).Value)
	f.Add(byte(1), PairingPrefix+live.pairing, bytes.Replace(all4[0].disk[PairingPrefix+live.pairing], []byte(`"waiting"`), []byte(`"words"`), 1))
	f.Fuzz(func(t *testing.T, i byte, key string, value []byte) {
		s := all4[int(i)%len(all4)]
		disk := maps.Clone(s.disk)
		disk[key] = value
		core, err := New(cfg, maps.Clone(disk))
		if err != nil {
			if !strings.Contains(err.Error(), key) && !strings.Contains(err.Error(), requestPrefix) {
				t.Errorf("the error does not name %q: %v", key, err)
			}
			return
		}
		for _, ev := range []Event{Start{}, Confirm{s.pairing, true}, Decide{Pairing: s.pairing, Request: wire.ID{1}, Allow: true},
			Signed{Pairing: s.pairing, Request: wire.ID{1}, Signature: []byte("s")}, AllowKey{s.pairing, sshwire.Fingerprint(cfg.Keys[0].PublicKey), false},
			AllowKey{s.pairing, sshwire.Fingerprint(cfg.Keys[0].PublicKey), true}, KeysChanged{cfg.Keys}, Tick{}, Unpair{s.pairing}} {
			handled(core, fuzzNow, ev, disk)
			if core, err = New(cfg, maps.Clone(disk)); err != nil {
				t.Fatalf("after %T the phone does not start again: %v", ev, err)
			}
		}
	})
}
