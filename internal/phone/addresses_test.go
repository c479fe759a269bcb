package phone

import (
	"testing"
	"time"

	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// hello is one of a paired computer, with these addresses.
func hello(t *testing.T, computer *pairing.Computer, seq int64, at ...wire.Address) []byte {
	t.Helper()
	own, phone, _ := computer.Keys()
	box, err := sealbox.NewShared(own, phone)
	if err != nil {
		t.Fatal(err)
	}
	e, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	id, err := wire.NewID()
	if err != nil {
		t.Fatal(err)
	}
	pub := e.Public()
	plain, err := wire.Encode(wire.Message{Request: &wire.Request{ID: id, Unix: 1, K: wire.Protocol, V: "test", EphemeralC: &pub,
		Me: &wire.MeRequest{Addresses: at, AddressesSeq: seq}}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := box.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return wire.NewFrame(wire.HeaderSession, body)
}

// ackOf opens what the phone says to a hello.
func ackOf(t *testing.T, computer *pairing.Computer, s Send) *wire.Response {
	t.Helper()
	own, phone, _ := computer.Keys()
	box, err := sealbox.NewShared(own, phone)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := box.Open(s.Frame[1:])
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.Decode(plain)
	if err != nil || m.Response == nil || m.Response.Ack == nil {
		t.Fatalf("not an ack: %+v, %v", m, err)
	}
	return m.Response
}

// TestAddressesChange: a numbered list of addresses replaces the older one, for
// good; queues are listened to, or left; and the ack says what was taken.
func TestAddressesChange(t *testing.T) {
	relay := wire.Address{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}
	sqs := func(n string) wire.Address { return wire.Address{SQS: queues(n)} }
	short := func(q *wire.SQSAddress) string { return q.ToPhone[:2] }
	w, computer, _ := sqsWorld(t) // it has queue d1
	w.do(Confirm{w.pairing, true})
	for _, c := range []struct {
		what           string
		seq            int64
		at             []wire.Address
		taken          int64  // number in the ack
		to             int    // addresses that the ack goes to
		queue          string // in the ack, and listened to after a restart
		listens, leave string
	}{
		{"without a number", 0, []wire.Address{relay}, 0, 2, "d1", "", ""},
		{"others", 5, []wire.Address{relay, sqs("2")}, 5, 2, "d2", "d2", "d1"},
		{"older", 4, []wire.Address{relay}, 5, 2, "d2", "", ""},
		{"the same number", 5, []wire.Address{relay}, 5, 2, "d2", "", ""},
		{"the same again", 6, []wire.Address{sqs("2"), relay}, 6, 2, "d2", "d2", ""},
		{"lost", 7, []wire.Address{relay}, 7, 1, "", "", "d2"},
		{"nothing that it can use", 8, []wire.Address{{}}, 7, 1, "", "", ""},
		{"beyond all numbers", maxSeq + 1, []wire.Address{relay, sqs("3")}, 7, 1, "", "", ""},
		{"gained, of two the first", maxSeq, []wire.Address{sqs("3"), sqs("4"), relay}, maxSeq, 2, "d3", "d3", ""},
	} {
		effects := w.do(Frame{w.pairing, hello(t, computer, c.seq, c.at...)})
		send := one[Send](t, effects)
		ack := ackOf(t, computer, send)
		listens, left, queue := "", "", ""
		for _, l := range all[Listen](effects) {
			listens += short(l.SQS)
		}
		for _, l := range all[Close](effects) {
			left += short(l.SQS)
		}
		for _, q := range taken(ack.Ack.Addresses) {
			queue += short(&q)
		}
		if ack.AddressesSeq != c.taken || len(send.To) != c.to || listens != c.listens || left != c.leave || c.seq > 0 && queue != c.queue {
			t.Errorf("%s: number %d, to %d, queue %q, listens to %q, leaves %q", c.what, ack.AddressesSeq, len(send.To), queue, listens, left)
		}
		if (len(ack.Ack.Addresses) > 0) != (c.seq > 0) {
			t.Errorf("%s: the ack has %d addresses", c.what, len(ack.Ack.Addresses))
		}
		w.reload()
		listens = ""
		for _, l := range all[Listen](w.do(Start{})) {
			if l.SQS != nil {
				listens += short(l.SQS)
			}
		}
		if listens != c.queue {
			t.Errorf("%s: after a restart it listens to %q", c.what, listens)
		}
	}
}

// TestRelayGainedAndLost: a phone that met its computer at SQS opens a mailbox at
// the relay that a list names, goes over to another, and leaves it; not to what no
// link of that pairing could have named. It is the same after a restart.
func TestRelayGainedAndLost(t *testing.T) {
	const other = "https://relay.example"
	relay := func(origin string) wire.Address {
		return wire.Address{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}
	}
	sqs := wire.Address{SQS: queues("1")}
	for app, steps := range map[string][]struct {
		at      []wire.Address
		taken   bool
		relay   string // where it is afterwards
		queues  int    // among its addresses, and listened to
		listens string // anew
		leaves  string
	}{
		origin: {
			{[]wire.Address{sqs, relay(other), relay(origin)}, true, other, 1, other, ""},
			{[]wire.Address{relay(other), sqs}, true, other, 1, "", ""},
			{[]wire.Address{relay(origin)}, true, origin, 0, origin, other},
			{nil, false, origin, 0, "", ""},
			{[]wire.Address{{}}, false, origin, 0, "", ""},
			{[]wire.Address{sqs}, true, "", 1, "", origin},
		},
		"https://app.example": {
			{[]wire.Address{relay(origin), sqs}, true, "", 1, "", ""}, // it is on the phone's own loopback
			{[]wire.Address{relay(origin)}, false, "", 1, "", ""},
			{[]wire.Address{relay("http://relay.example"), relay("https://Relay.example"), relay("https://relay.example/path"),
				relay("https://user@relay.example"), relay("wss://relay.example"), relay("https://relay.example:443"), relay(""),
				{Relay: &wire.RelayAddress{Origin: other, Mailbox: make([]byte, 15)}}}, false, "", 1, "", ""},
			{[]wire.Address{relay(other), sqs}, true, other, 1, other, ""},
		},
	} {
		t.Run(app, func(t *testing.T) {
			w := &world{t: t, now: time.Unix(1_795_000_000, 0), device: &device{disk: map[string][]byte{}}, signed: map[string]bool{}}
			w.cfg = Config{Name: "ana", Version: "test"}
			w.reload()
			computer, err := pairing.NewComputer(wire.Invitation{App: app, SQS: wire.Meeting{Region: "eu-central-1", Account: "123456789012"}},
				pairing.Self{Name: "laptop", Version: "test", Addresses: []wire.Address{sqs}})
			if err != nil {
				t.Fatal(err)
			}
			first := one[Send](t, w.do(OpenLink{computer.Invitation().Link()}))
			w.pairing = first.Pairing
			begin, _, err := computer.Accept(w.now, first.Frame)
			if err != nil {
				t.Fatal(err)
			}
			w.do(Frame{w.pairing, begin})
			w.do(Confirm{w.pairing, true})
			last, seeds := int64(0), map[string]string{} // by origin
			for i, c := range steps {
				seq := int64(i) + 1
				effects := w.do(Frame{w.pairing, hello(t, computer, seq, c.at...)})
				send := one[Send](t, effects)
				ack := ackOf(t, computer, send)
				if c.taken {
					last = seq
				}
				var listens, leaves string
				for _, l := range all[Listen](effects) {
					if l.SQS == nil {
						listens += l.Origin
						if seeds[l.Origin] == string(l.Seed) {
							t.Errorf("list %d: the mailbox of before", seq)
						}
						seeds[l.Origin] = string(l.Seed)
						if l.New {
							t.Errorf("list %d: it waits for the relay", seq)
						}
					}
				}
				for _, l := range all[Close](effects) {
					if l.SQS == nil {
						leaves += l.Origin
						if seeds[l.Origin] != string(l.Seed) {
							t.Errorf("list %d: it leaves a mailbox that it did not have", seq)
						}
					}
				}
				own := ack.Ack.Addresses
				if ack.AddressesSeq != last || listens != c.listens || leaves != c.leaves || relayIn(own) != c.relay || len(taken(own)) != c.queues {
					t.Errorf("list %d: number %d, listens to %q, leaves %q, is at %q and %d queues", seq, ack.AddressesSeq, listens, leaves, relayIn(own), len(taken(own)))
				}
				if relayIn(send.To) != c.relay || len(taken(send.To)) != c.queues {
					t.Errorf("list %d: the ack goes to %q and %d queues", seq, relayIn(send.To), len(taken(send.To)))
				}
				w.reload()
				at, n := "", 0
				for _, l := range all[Listen](w.do(Start{})) {
					if l.SQS != nil && *l.SQS == *queues("1") {
						n++
					} else if l.SQS == nil {
						at += l.Origin
						if seeds[l.Origin] != string(l.Seed) {
							t.Errorf("list %d: another mailbox after a restart", seq)
						}
					}
				}
				if at != c.relay || n != c.queues {
					t.Errorf("list %d: after a restart it listens to %q and %d queues", seq, at, n)
				}
			}
		})
	}
}

// TestRelayLostWhilePairing: a phone whose computer has not used the pairing yet
// leaves all that it has at the relay.
func TestRelayLostWhilePairing(t *testing.T) {
	w, computer, _ := sqsWorld(t)
	w.do(Confirm{w.pairing, true})
	effects := w.do(Frame{w.pairing, hello(t, computer, 1, wire.Address{SQS: queues("1")})})
	if n := len(all[Close](effects)); n != 2 {
		t.Errorf("it leaves %d mailboxes", n)
	}
	w.reload()
	if l := one[Listen](t, w.do(Start{})); l.SQS == nil {
		t.Error("after a restart it listens at the relay")
	}
}
