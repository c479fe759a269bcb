package pairing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
	"kryptonite/vectors"
)

// step runs one side's next step and fails the test if it does not go well.
func step[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// mustAccept gives the computer the first frame.
func mustAccept(t *testing.T, c *Computer, first []byte) (hello []byte) {
	t.Helper()
	hello, _, err := c.Accept(now, first)
	if err != nil {
		t.Fatal(err)
	}
	return hello
}

// meResponse is kryptonite_hello of p, under its epoch.
func meResponse(t *testing.T, p *Phone, name string) []byte {
	t.Helper()
	plain := step[[]byte](t)(wire.Encode(wire.Message{Response: &wire.Response{ID: p.Hello, K: 1, Unix: now.Unix(), Me: &wire.MeResponse{Name: name}}}))
	return wire.NewFrame(wire.HeaderEpoch, step[[]byte](t)(p.Epoch.Seal(plain)))
}

// TestEveryFlippedBitOfEveryFrame is dropped, changes nothing, and the right
// frame is still taken after all of them.
func TestEveryFlippedBitOfEveryFrame(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	tally := attacktest.New(t, "frames of a pairing, flipped and cut")
	flip := func(what string, frame []byte, take func([]byte) error) {
		t.Helper()
		try := func(how string, bad []byte) {
			t.Helper()
			if err := take(bad); !errors.Is(err, ErrDrop) {
				tally.Succeeded("%s %s: %v, want ErrDrop", what, how, err)
				t.FailNow()
			}
			tally.Rejected()
		}
		for i := range frame {
			for bit := range 8 {
				bad := bytes.Clone(frame)
				bad[i] ^= 1 << bit
				try(fmt.Sprintf("with bit %d of byte %d flipped", bit, i), bad)
			}
			try(fmt.Sprintf("cut to %d bytes", i), frame[:i])
		}
		try("with a byte more", append(bytes.Clone(frame), 0))
	}
	computer := func(b []byte) error { _, err := c.Receive(b); return err }
	phone := func(b []byte) error { _, err := p.Receive(now, b, "test", nil); return err }
	flip("0x02", first, func(b []byte) error { _, _, err := c.Accept(now, b); return err })
	hello := mustAccept(t, c, first)
	flip("hello", hello, phone)
	if p.Words() != "" || p.NC != nil || p.Epoch != nil {
		t.Error("a changed hello changed the phone")
	}
	ack := step[[]byte](t)(p.Receive(now, hello, "test", nil))
	flip("ack", ack, computer)
	if c.Words() != "" {
		t.Error("a changed ack gave words")
	}
	if _, err := c.Receive(ack); err != nil {
		t.Fatal(err)
	}
	me := meResponse(t, p, "ana")
	flip("me_response", me, computer)
	flip("hello, again", hello, phone)
	notice := step[[]byte](t)(p.Unpair(now, "test"))
	flip("unpair notice", notice, computer)
	request := step[[]byte](t)(c.Unpair(now))
	flip("unpair_request", request, phone)
	if done, err := c.Receive(me); err != nil || !done || c.Words() != p.Words() {
		t.Errorf("the right me_response after all that: %v, %v", done, err)
	}
}

// TestFramesOutOfTurnAreDropped: each frame under each other header, and each
// before its time.
func TestFramesOutOfTurnAreDropped(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	drop := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrDrop) {
			t.Errorf("%s: %v, want ErrDrop", what, err)
		}
	}
	computer := func(b []byte) error { _, err := c.Receive(b); return err }
	phone := func(b []byte) error { _, err := p.Receive(now, b, "test", nil); return err }
	accept := func(b []byte) error { _, _, err := c.Accept(now, b); return err }
	others := func(what string, frame []byte, take func([]byte) error) {
		t.Helper()
		for h := range 256 {
			if byte(h) != frame[0] {
				drop(what+" under another header", take(append([]byte{byte(h)}, frame[1:]...)))
			}
		}
		drop(what+" to the phone", phone(nil))
		drop(what+" too large", take(append(bytes.Clone(frame), make([]byte, wire.MaxFrame)...)))
	}
	drop("0x02 to Receive before Accept", computer(first))
	drop("0x02 to the phone", phone(first))
	others("0x02", first, accept)
	if c.Hello() != nil {
		t.Error("a hello before the first 0x02")
	}
	if b, err := c.Unpair(now); b != nil || err != nil {
		t.Errorf("Unpair without a phone = %x, %v, want nothing", b, err)
	}
	hello := mustAccept(t, c, first)
	others("hello", hello, phone)
	drop("hello to Accept", accept(hello))
	drop("0x02 again", accept(first))
	drop("0x02 to Receive", computer(first))
	ack := step[[]byte](t)(p.Receive(now, hello, "test", nil))
	drop("me_response before the ack", computer(meResponse(t, p, "ana")))
	others("ack", ack, computer)
	drop("the phone's own ack", phone(ack))
	drop("the computer's own hello", computer(hello))
	if _, err := c.Receive(ack); err != nil {
		t.Fatal(err)
	}
	drop("ack again", computer(ack))
	me := meResponse(t, p, "ana")
	others("me_response", me, computer)
	drop("the phone's own me_response", phone(me))

	// What is sealed rightly, but says something that is not for this moment.
	say := func(m wire.Message, h wire.Header, mine sealbox.Epoch) []byte {
		plain := step[[]byte](t)(wire.Encode(spoken(m)))
		if h == wire.HeaderSession {
			return wire.NewFrame(h, step[[]byte](t)(p.box.Seal(plain)))
		}
		return wire.NewFrame(h, step[[]byte](t)(mine.Seal(plain)))
	}
	id, eC := p.Hello, c.Invitation().CPub
	for name, m := range map[string]wire.Message{
		"me_response under 0x00":    {Response: &wire.Response{ID: id, Me: &wire.MeResponse{}}},
		"me_response to another id": {Response: &wire.Response{ID: wire.ID{1}, Me: &wire.MeResponse{}}},
		"sign_response":             {Response: &wire.Response{ID: id, Sign: &wire.SignResponse{}}},
		"error_response":            {Response: &wire.Response{ID: id, Error: &wire.ErrorResponse{}}},
		"a notice":                  {Notice: &wire.Notice{ID: id}},
		"a request":                 {Request: &wire.Request{ID: id, Me: &wire.MeRequest{}}},
	} {
		drop(name, computer(say(m, wire.HeaderSession, *p.Epoch)))
		if !strings.HasPrefix(name, "me_response under") {
			drop(name+" under 0x03", computer(say(m, wire.HeaderEpoch, *p.Epoch)))
		}
	}
	_, _, mine := c.Keys()
	sameEC := sealbox.PublicKey(p.EC)
	for name, r := range map[string]wire.Request{
		"hello of a new epoch":  {ID: id, EphemeralC: &eC, Me: &wire.MeRequest{}},
		"hello without e_c":     {ID: id, Me: &wire.MeRequest{NC: p.NC}},
		"hello of another id":   {ID: wire.ID{1}, EphemeralC: &eC, Me: &wire.MeRequest{NC: p.NC}},
		"hello of another n_c":  {ID: id, EphemeralC: &sameEC, Me: &wire.MeRequest{NC: make([]byte, NonceSize)}},
		"hello of another e_c":  {ID: id, EphemeralC: &eC, Me: &wire.MeRequest{NC: p.NC}},
		"n_c of 31 bytes":       {ID: id, EphemeralC: &eC, Me: &wire.MeRequest{NC: p.NC[:31]}},
		"sign_request":          {ID: id, Sign: &wire.SignRequest{}},
		"a kind of a newer krd": {ID: id},
	} {
		drop(name, phone(say(wire.Message{Request: &r}, wire.HeaderSession, mine)))
		drop(name+" under 0x03", phone(say(wire.Message{Request: &r}, wire.HeaderEpoch, mine)))
	}
	if done, err := c.Receive(me); err != nil || !done {
		t.Errorf("the right me_response after all that: %v, %v", done, err)
	}
}

// spoken is m in our protocol: nobody looks at what is in another one.
func spoken(m wire.Message) wire.Message {
	switch {
	case m.Request != nil:
		m.Request.K = wire.Protocol
	case m.Response != nil:
		m.Response.K = wire.Protocol
	default:
		m.Notice.K = wire.Protocol
	}
	return m
}

// TestLowOrderEphemeralKeysAreDropped: neither side makes an epoch of them, and
// both still take the right ones.
func TestLowOrderEphemeralKeysAreDropped(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	hello := mustAccept(t, c, first)
	seal := func(m wire.Message) []byte {
		return wire.NewFrame(wire.HeaderSession, step[[]byte](t)(c.box.Seal(step[[]byte](t)(wire.Encode(spoken(m))))))
	}
	for _, low := range []sealbox.PublicKey{{}, {1}} {
		frame := seal(wire.Message{Request: &wire.Request{ID: c.hello, EphemeralC: &low, Me: &wire.MeRequest{NC: c.nC}}})
		if _, err := p.Receive(now, frame, "test", nil); !errors.Is(err, ErrDrop) || p.NC != nil {
			t.Errorf("e_c %x: %v, want ErrDrop", low[:1], err)
		}
	}
	ack := step[[]byte](t)(p.Receive(now, hello, "test", nil))
	for _, low := range []sealbox.PublicKey{{}, {1}} {
		frame := seal(wire.Message{Response: &wire.Response{ID: c.hello, EphemeralS: &low, Ack: &wire.Ack{NS: p.NS}}})
		if _, err := c.Receive(frame); !errors.Is(err, ErrDrop) || c.Words() != "" {
			t.Errorf("e_s %x: %v, want ErrDrop", low[:1], err)
		}
	}
	// Who knows c_pub and has seen n_s, but not the phone's keys, has made no epoch.
	other := step[sealbox.PrivateKey](t)(sealbox.NewKey()).Public()
	for name, r := range map[string]wire.Response{
		"ack without e_proof":     {ID: c.hello, EphemeralS: &other, Ack: &wire.Ack{NS: p.NS}},
		"proof of another e_s":    {ID: c.hello, EphemeralS: &other, EpochProof: &p.Epoch.Proof, Ack: &wire.Ack{NS: p.NS}},
		"right e_s without proof": {ID: c.hello, EphemeralS: (*sealbox.PublicKey)(p.ESPub), Ack: &wire.Ack{NS: p.NS}},
		"ack without e_s":         {ID: c.hello, Ack: &wire.Ack{NS: p.NS}},
		"n_s of 31 bytes":         {ID: c.hello, EphemeralS: &c.s, Ack: &wire.Ack{NS: p.NS[:31]}},
		"ack to another id":       {ID: wire.ID{9}, EphemeralS: &c.s, Ack: &wire.Ack{NS: p.NS}},
		"ack without n_s":         {ID: c.hello, EphemeralS: &c.s, Ack: &wire.Ack{}},
		"ack to no id (all)":      {EphemeralS: &c.s, Ack: &wire.Ack{NS: p.NS}},
	} {
		if _, err := c.Receive(seal(wire.Message{Response: &r})); !errors.Is(err, ErrDrop) {
			t.Errorf("%s: %v, want ErrDrop", name, err)
		}
	}
	if _, err := c.Receive(ack); err != nil || c.Words() != p.Words() {
		t.Errorf("the right ack after all that: %v", err)
	}
}

// TestStep2IsExactly80Bytes, even when all that is needed is in it.
func TestStep2IsExactly80Bytes(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	for _, plain := range [][]byte{append(bytes.Clone(p.Step2), 0), p.Step2[:79], p.Step2[:64]} {
		frame := wire.NewFrame(wire.HeaderSealed, step[[]byte](t)(sealbox.SealTo(c.Invitation().CPub, plain)))
		if _, _, err := c.Accept(now, frame); !errors.Is(err, ErrDrop) {
			t.Errorf("0x02 of %d bytes: %v, want ErrDrop", len(plain), err)
		}
	}
	mustAccept(t, c, first)
}

// TestChangedNonceBreaksCommitment: every bit of n_s is committed to.
func TestChangedNonceBreaksCommitment(t *testing.T) {
	for _, bit := range []int{0, 7, 128, 255} {
		c := newComputer(t)
		p, first := newPhone(t, c)
		hello := mustAccept(t, c, first)
		p.NS[bit/8] ^= 1 << (bit % 8)
		ack := step[[]byte](t)(p.Receive(now, hello, "test", nil))
		if _, err := c.Receive(ack); !errors.Is(err, ErrCommit) || c.Words() != "" {
			t.Errorf("bit %d: %v, words %q, want ErrCommit and none", bit, err, c.Words())
		}
	}
}

// TestRelayedPairingShowsOtherWords: somebody who has seen the code stands in
// between with keys of his own on both sides. All goes well for him but the words.
func TestRelayedPairingShowsOtherWords(t *testing.T) {
	const rounds = 20
	for range rounds {
		c := newComputer(t)
		toComputer, first := newPhone(t, c) // he, to the computer
		_, real := newPhone(t, c)           // the phone
		// He knows c_pub, but not c: he cannot open the phone's 0x02, and shows
		// the phone a code of his own instead.
		his, err := NewComputer(wire.Invitation{App: relay, Relay: relay, Rendezvous: [16]byte{1}}, Self{Name: "laptop"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := his.Accept(now, real); !errors.Is(err, ErrDrop) {
			t.Fatalf("he opens the 0x02 of the phone: %v", err)
		}
		p, real := newPhone(t, his)
		hello := mustAccept(t, c, first)
		hisAck := step[[]byte](t)(toComputer.Receive(now, hello, "test", nil))
		helloToPhone := mustAccept(t, his, real)
		phoneAck := step[[]byte](t)(p.Receive(now, helloToPhone, "test", nil))
		if _, err := his.Receive(phoneAck); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Receive(hisAck); err != nil {
			t.Fatal(err)
		}
		if c.Words() == "" || c.Words() == p.Words() { // chance: 20 in 4 million
			t.Errorf("both show %q", c.Words())
		}
	}
}

// TestRepeatedHelloGetsTheSameValues, also after the phone was closed.
func TestRepeatedHelloGetsTheSameValues(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	hello := mustAccept(t, c, first)
	if !bytes.Equal(hello, c.Hello()) || !bytes.Equal(c.Hello(), c.Hello()) {
		t.Error("the hello is not the same bytes each time")
	}
	read := func(p *Phone, ack []byte) *wire.Response {
		t.Helper()
		m := step[wire.Message](t)(wire.Decode(step[[]byte](t)(c.box.Open(ack[1:]))))
		if m.Response == nil || m.Response.Ack == nil || m.Response.EphemeralS == nil {
			t.Fatalf("no ack: %+v", m)
		}
		return m.Response
	}
	own := func([]wire.Address) []wire.Address {
		return []wire.Address{{Relay: &wire.RelayAddress{Origin: relay, Mailbox: make([]byte, 16)}}}
	}
	one := read(p, step[[]byte](t)(p.Receive(now, hello, "test", own)))
	words, epoch := p.Words(), *p.Epoch
	for range 3 {
		p = reload(t, p)
		two := read(p, step[[]byte](t)(p.Receive(now, hello, "test", own)))
		if one.ID != two.ID || !bytes.Equal(one.Ack.NS, two.Ack.NS) || *one.EphemeralS != *two.EphemeralS || len(two.Ack.Addresses) != 1 {
			t.Error("another ack to the same hello")
		}
		if p.Words() != words || *p.Epoch != epoch || !p.ES.IsZero() {
			t.Error("the repeat changed the phone")
		}
	}
}

// TestPhoneSurvivesAReloadAtEachStep and sends the same values after it.
func TestPhoneSurvivesAReloadAtEachStep(t *testing.T) {
	same := func(p *Phone) *Phone {
		t.Helper()
		q := reload(t, p)
		a, b := step[[]byte](t)(json.Marshal(p)), step[[]byte](t)(json.Marshal(q))
		if !bytes.Equal(a, b) || p.ID() != q.ID() || p.Invitation() != q.Invitation() || p.Words() != q.Words() {
			t.Errorf("reloaded:\n%s\nwant\n%s", b, a)
		}
		return q
	}
	c := newComputer(t)
	p, _ := newPhone(t, c)
	p = same(p)
	frames := [][]byte{step[[]byte](t)(p.First()), step[[]byte](t)(same(p).First())}
	var plain [2][]byte
	for i, f := range frames {
		plain[i] = step[[]byte](t)(sealbox.OpenSealed(c.c, f[1:]))
	}
	if !bytes.Equal(plain[0], plain[1]) || len(plain[0]) != 80 {
		t.Errorf("0x02 says %x, then %x", plain[0], plain[1])
	}
	hello := mustAccept(t, c, frames[0])
	p = same(p)
	ack := step[[]byte](t)(p.Receive(now, hello, "test", nil))
	p = same(p)
	if _, err := c.Receive(ack); err != nil {
		t.Fatal(err)
	}
	p = same(p)
	if done, err := c.Receive(meResponse(t, p, "ana")); err != nil || !done {
		t.Fatalf("me_response = %v, %v", done, err)
	}
	if own, s, _ := c.Keys(); s != p.S.Public() || own.Public() != p.Invitation().CPub || c.Peer().Unix != now.Unix() {
		t.Error("the computer keeps other keys")
	}
}

// TestDamagedStateIsAnError, never a panic: a browser's database may lose things.
func TestDamagedStateIsAnError(t *testing.T) {
	c := newComputer(t)
	fresh, first := newPhone(t, c)
	hello := mustAccept(t, c, first)
	met := reload(t, fresh)
	if _, err := met.Receive(now, hello, "test", nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Phone{fresh, met} {
		var fields map[string]any
		if err := json.Unmarshal(step[[]byte](t)(json.Marshal(p)), &fields); err != nil {
			t.Fatal(err)
		}
		for name, old := range fields {
			for _, bad := range []any{nil, "", "AAAA"} {
				fields[name] = bad
				b := step[[]byte](t)(json.Marshal(fields))
				fields[name] = old
				q := new(Phone)
				if json.Unmarshal(b, q) != nil || q.Load() != nil {
					continue
				}
				q.First()
				q.Words()
				q.Receive(now, hello, "test", nil)
				q.Unpair(now, "test")
			}
		}
	}
	own := *fresh
	own.S = c.c
	if err := own.Load(); !errors.Is(err, sealbox.ErrKey) {
		t.Errorf("Load with c as s: %v, want ErrKey", err)
	}
	for _, link := range []string{"", "https://kr.example/", "HTTPS://KR.EXAMPLE/#AAAA"} {
		if _, err := NewPhone(link, [16]byte{}); err == nil {
			t.Errorf("NewPhone(%q): no error", link)
		}
	}
	low := c.Invitation()
	low.CPub = sealbox.PublicKey{}
	if _, err := NewPhone(low.Link(), [16]byte{}); !errors.Is(err, sealbox.ErrKey) {
		t.Errorf("NewPhone with c_pub of zeros: %v, want ErrKey", err)
	}
}

// TestUnpairAtAnyTime: from each side as early as it can, heard by the other.
func TestUnpairAtAnyTime(t *testing.T) {
	c := newComputer(t)
	p, first := newPhone(t, c)
	early := step[[]byte](t)(p.Unpair(now, "test")) // before the computer knows of the phone
	if _, err := c.Receive(early); !errors.Is(err, ErrDrop) {
		t.Errorf("unpair before the 0x02: %v, want ErrDrop", err)
	}
	hello := mustAccept(t, c, first)
	if _, err := c.Receive(early); !errors.Is(err, ErrUnpaired) {
		t.Errorf("unpair before the ack: %v, want ErrUnpaired", err)
	}
	request := step[[]byte](t)(c.Unpair(now))
	if _, err := p.Receive(now, request, "test", nil); !errors.Is(err, ErrUnpaired) || p.NC != nil {
		t.Errorf("unpair before the hello: %v, want ErrUnpaired", err)
	}
	if _, err := c.Receive(request); !errors.Is(err, ErrDrop) {
		t.Errorf("the computer's own unpair_request: %v, want ErrDrop", err)
	}
	if _, err := p.Receive(now, early, "test", nil); !errors.Is(err, ErrDrop) {
		t.Errorf("the phone's own notice: %v, want ErrDrop", err)
	}
	stranger := newComputer(t)
	other, theirs := newPhone(t, stranger)
	mustAccept(t, stranger, theirs)
	if _, err := c.Receive(step[[]byte](t)(other.Unpair(now, "test"))); !errors.Is(err, ErrDrop) {
		t.Errorf("a stranger's notice: %v, want ErrDrop", err)
	}
	if _, err := p.Receive(now, step[[]byte](t)(stranger.Unpair(now)), "test", nil); !errors.Is(err, ErrDrop) {
		t.Errorf("a stranger's unpair_request: %v, want ErrDrop", err)
	}
	if _, err := p.Receive(now, hello, "test", nil); err != nil {
		t.Errorf("the hello after all that: %v", err)
	}
}

func TestWordsOfLibsodium(t *testing.T) {
	b := step[[]byte](t)(vectors.FS.ReadFile("words.json"))
	var file struct {
		Vectors []struct {
			Name, Payload, Step2, Words string
			CPub                        string `json:"c_pub"`
			SPub                        string `json:"s_pub"`
			NC                          string `json:"n_c"`
			NS                          string `json:"n_s"`
			Hash                        string `json:"payload_hash"`
		}
	}
	if err := json.Unmarshal(b, &file); err != nil || len(file.Vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(file.Vectors), err)
	}
	dec := func(s string) []byte { return step[[]byte](t)(hex.DecodeString(s)) }
	for _, v := range file.Vectors {
		c, s := sealbox.PublicKey(dec(v.CPub)), sealbox.PublicKey(dec(v.SPub))
		in := [][]byte{dec(v.Hash), c[:], dec(v.Step2), dec(v.NC), dec(v.NS)}
		hash := func() string { return words([32]byte(in[0]), sealbox.PublicKey(in[1]), in[2], in[3], in[4]) }
		if got := hash(); got != strings.ToUpper(v.Words) {
			t.Errorf("%s: words = %q, want %q", v.Name, got, v.Words)
		}
		if got := commitment(c, s, dec(v.NS)); !bytes.Equal(got[:], dec(v.Step2)[32:64]) {
			t.Errorf("%s: commitment = %x", v.Name, got)
		}
		for i := range in { // each input counts: 22 bits, so by chance in 40 of 4 million
			in[i] = bytes.Clone(in[i])
			in[i][len(in[i])-1] ^= 1
			if hash() == strings.ToUpper(v.Words) {
				t.Errorf("%s: input %d does not change the words", v.Name, i)
			}
			in[i][len(in[i])-1] ^= 1
		}
	}
}

func TestWordList(t *testing.T) {
	if len(wordList) != 2048 || !slices.IsSorted(wordList) {
		t.Errorf("%d words, sorted: %v; want 2048, sorted", len(wordList), slices.IsSorted(wordList))
	}
	if unique := len(slices.Compact(slices.Sorted(slices.Values(wordList)))); unique != len(wordList) {
		t.Errorf("%d different words of %d", unique, len(wordList))
	}
	for _, w := range wordList {
		if len(w) < 3 || len(w) > 8 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("word %q", w)
		}
	}
}

func TestSameWords(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"ORANGE NUCLEAR", "orange  nuclear\n", true},
		{"ORANGE NUCLEAR", "\tOrange\tNuclear", true},
		{"ORANGE NUCLEAR", "orangenuclear", false},
		{"ORANGE NUCLEAR", "nuclear orange", false},
		{"ORANGE NUCLEAR", "orange", false},
		{"ORANGE NUCLEAR", "orange nuclear x", false},
		{"ORANGE NUCLEAR", "", false},
	} {
		if got := SameWords(c.a, c.b); got != c.want {
			t.Errorf("SameWords(%q, %q) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
