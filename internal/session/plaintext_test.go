package session

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"testing"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/wire"
)

// FuzzPlaintext: whatever the phone seals, under either header: a request that
// waits gets a signature only if it holds over what was asked, each valid frame
// is counted or taken, and only an unpair is an error.
func FuzzPlaintext(f *testing.F) {
	must := func(err error) {
		if err != nil {
			f.Fatal(err)
		}
	}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	blob := sshwire.Ed25519Blob(key.Public().(ed25519.PublicKey))
	payload := []byte("what ssh wants signed")
	own, err := sealbox.NewKey()
	must(err)
	phone, err := sealbox.NewKey()
	must(err)
	eS, err := sealbox.NewKey()
	must(err)
	box, err := sealbox.NewShared(phone, own.Public())
	must(err)
	link, _ := memory.New(memory.Options{})
	unpaired := errors.New("unpaired")
	first := sealbox.Epoch{ID: sealbox.EpochID{1}, Send: sealbox.Key32{2}, Recv: sealbox.Key32{3}}
	far := sealbox.Epoch{ID: first.ID, Send: first.Recv, Recv: first.Send}
	fresh := func() *Session {
		s, err := New(Config{Own: own, Phone: phone.Public(), Links: []transport.Link{link}, Version: "test",
			Log: slog.New(slog.DiscardHandler), FirstEpoch: &first, Unpaired: func() error { return unpaired }})
		must(err)
		return s
	}
	asked, greeting := wire.ID{1}, wire.ID{2}
	add := func(m wire.Message) {
		plain, err := wire.Encode(m)
		must(err)
		f.Add(byte(wire.HeaderSession), bytes.TrimRight(plain, " "))
		f.Add(byte(wire.HeaderEpoch), bytes.TrimRight(plain, " "))
	}
	response := func(id wire.ID, r wire.Response) {
		r.ID, r.Unix, r.K = id, 1_795_000_000, wire.Protocol
		add(wire.Message{Response: &r})
	}
	eC, err := sealbox.NewKey()
	must(err)
	made, err := sealbox.PhoneEpoch(phone, eS, own.Public(), eC.Public())
	must(err)
	ePub := eS.Public()
	response(greeting, wire.Response{Ack: &wire.Ack{}, EphemeralS: &ePub, EpochProof: &made.Proof})
	response(greeting, wire.Response{Ack: &wire.Ack{}, EphemeralS: &ePub, EpochProof: &sealbox.Key32{1}})
	response(greeting, wire.Response{Ack: &wire.Ack{}, EphemeralS: &ePub})
	response(greeting, wire.Response{Ack: &wire.Ack{}, EphemeralS: &sealbox.PublicKey{}})
	response(asked, wire.Response{Ack: &wire.Ack{}})
	response(asked, wire.Response{Sign: &wire.SignResponse{Signature: sshwire.SignEd25519(key, payload)}})
	response(asked, wire.Response{Sign: &wire.SignResponse{Signature: sshwire.SignEd25519(key, []byte("another"))}})
	response(asked, wire.Response{Sign: &wire.SignResponse{Error: wire.CodeRefused, Reason: "\x1b[31mno\n"}})
	response(asked, wire.Response{Error: &wire.ErrorResponse{Error: wire.CodeUnknownKind}})
	response(asked, wire.Response{Me: &wire.MeResponse{Name: "ana"}})
	response(asked, wire.Response{Sign: &wire.SignResponse{Signature: sshwire.SignEd25519(key, payload),
		LeaseToken: wire.LeaseToken{Rule: "12", Token: sealbox.Key32{1}, Until: 1_795_003_600}}})
	add(wire.Message{Notice: &wire.Notice{K: wire.Protocol, LeasesOver: []string{"12"}}})
	add(wire.Message{Notice: &wire.Notice{K: wire.Protocol, Unpair: &wire.Unpair{}}})
	add(wire.Message{Request: &wire.Request{K: wire.Protocol, Me: &wire.MeRequest{}}})

	f.Fuzz(func(t *testing.T, h byte, text []byte) {
		s := fresh()
		waits := make(chan arrival, 4)
		s.waiting[asked] = &pending{answers: waits}
		s.hello = &hello{id: greeting, eC: eC}
		header, seal := wire.HeaderSession, box.Seal
		if h&1 == 1 {
			header, seal = wire.HeaderEpoch, far.Seal
		}
		plain := sealbox.Pad(text)
		body, err := seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		frame := wire.NewFrame(header, body)
		m, bad := wire.Decode(plain)
		fits := bad == nil && m.FitsHeader(header) && m.Request == nil
		if r := m.Response; fits && r != nil && r.ID == greeting && r.EphemeralS != nil && header == wire.HeaderEpoch {
			fits = *r.EphemeralS == ePub && made.Proved(r.EpochProof) // the hello of this test is in a request
		}
		err = s.receive("memory", frame)
		if !fits != errors.Is(err, transport.ErrForged) {
			t.Errorf("receive(%q) = %v, fits: %t", text, err, fits)
		}
		if fits && err != nil && (!errors.Is(err, unpaired) || m.Notice == nil) {
			t.Errorf("receive(%q) = %v", text, err)
		}
		st := s.Status()
		if !fits && (st.Dropped != 1 || !st.Heard.IsZero() || len(s.epochs) != 1) {
			t.Errorf("%q is no message of a phone and was taken: %+v", text, st)
		}
		for range len(waits) {
			r := (<-waits).resp
			if r == nil || r.Sign == nil {
				continue
			}
			sig, err := checked(blob, payload, r.Sign)
			if err != nil {
				continue
			}
			parsed, err := sshwire.ParseSignature(sig)
			if err != nil || parsed.Format != sshwire.KeyEd25519 || !ed25519.Verify(key.Public().(ed25519.PublicKey), payload, parsed.Blob) {
				t.Errorf("ssh would see the signature %x", sig)
			}
		}
		if n := len(s.epochs); n > keptEpochs || n > 1 && s.hello != nil {
			t.Errorf("%d epochs", n)
		}
	})
}

// TestEpochIsProved: whoever has the computer's key, but not the phone's, brings it
// to no epoch; what the phone really made is taken after all that.
func TestEpochIsProved(t *testing.T) {
	key := func() sealbox.PrivateKey {
		k, err := sealbox.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	own, phone, eC, eS := key(), key(), key(), key()
	box, err := sealbox.NewShared(own, phone.Public()) // the thief's, too
	if err != nil {
		t.Fatal(err)
	}
	link, _ := memory.New(memory.Options{})
	told := 0
	s, err := New(Config{Own: own, Phone: phone.Public(), Links: []transport.Link{link}, Version: "test",
		Log: slog.New(slog.DiscardHandler), Unpaired: func() error { return nil }, Told: func(int64, []wire.Address) error { told++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	s.hello = &hello{id: wire.ID{2}, eC: eC, frame: []byte("hello")}
	thief, err := sealbox.PhoneEpoch(key(), eS, own.Public(), eC.Public()) // all that it can make
	if err != nil {
		t.Fatal(err)
	}
	made, err := sealbox.PhoneEpoch(phone, eS, own.Public(), eC.Public())
	if err != nil {
		t.Fatal(err)
	}
	ePub := eS.Public()
	sealed := func(r *wire.Response) []byte {
		plain, err := wire.Encode(wire.Message{Response: r})
		if err != nil {
			t.Fatal(err)
		}
		body, err := box.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		return wire.NewFrame(wire.HeaderSession, body)
	}
	late := sealed(&wire.Response{ID: wire.ID{9}, Unix: 1_795_000_000, K: wire.Protocol, Ack: &wire.Ack{}, EphemeralS: &ePub, EpochProof: &made.Proof, AddressesSeq: 1})
	if err := s.receive("memory", late); err != nil || told != 0 || !s.heard.IsZero() || len(s.epochs) > 0 {
		t.Errorf("the ack of no hello that is open: %v, heard at %v", err, s.heard)
	}
	for _, c := range []struct {
		what  string
		eS    *sealbox.PublicKey
		proof *sealbox.Key32
		want  error
	}{{"and key: none", nil, nil, transport.ErrForged}, {"none", &ePub, nil, transport.ErrForged}, {"zeros", &ePub, &sealbox.Key32{}, transport.ErrForged},
		{"a thief's", &ePub, &thief.Proof, transport.ErrForged}, {"the phone's", &ePub, &made.Proof, nil}} {
		r := &wire.Response{ID: wire.ID{2}, Unix: 1_795_000_000, K: wire.Protocol, Ack: &wire.Ack{}, EphemeralS: c.eS, EpochProof: c.proof, AddressesSeq: 1}
		if err := s.receive("memory", sealed(r)); !errors.Is(err, c.want) {
			t.Errorf("proof %s: %v, want %v", c.what, err, c.want)
		}
		if taken := len(s.epochs) == 1 && s.hello == nil && told == 1; taken != (c.want == nil) || !taken && told != 0 || s.heard.IsZero() == taken {
			t.Errorf("proof %s: taken is %t", c.what, taken)
		}
	}
	if st := s.Status(); st.Dropped != 4 {
		t.Errorf("%d dropped, want 4", st.Dropped)
	}
}
