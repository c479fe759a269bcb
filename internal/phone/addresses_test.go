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

// TestAddressesWithoutRelay: a phone that has no mailbox keeps the queue by which
// alone it hears.
func TestAddressesWithoutRelay(t *testing.T) {
	w := &world{t: t, now: time.Unix(1_795_000_000, 0), device: &device{disk: map[string][]byte{}}, signed: map[string]bool{}}
	w.cfg = Config{Name: "ana", Version: "test"}
	w.reload()
	computer, err := pairing.NewComputer(wire.Invitation{App: origin, SQS: wire.Meeting{Region: "eu-central-1", Account: "123456789012"}},
		pairing.Self{Name: "laptop", Version: "test", Addresses: []wire.Address{{SQS: queues("1")}}})
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
	relay := wire.Address{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}
	for i, c := range []struct {
		at    []wire.Address
		taken int64
		queue *wire.SQSAddress
	}{{[]wire.Address{relay}, 0, queues("1")}, {[]wire.Address{relay, {SQS: queues("2")}}, 2, queues("2")}, {nil, 2, queues("2")}} {
		effects := w.do(Frame{w.pairing, hello(t, computer, int64(i)+1, c.at...)})
		ack := ackOf(t, computer, one[Send](t, effects))
		if got := taken(ack.Ack.Addresses); ack.AddressesSeq != c.taken || len(got) != 1 || got[0] != *c.queue {
			t.Errorf("list %d: number %d with %d queues", i, ack.AddressesSeq, len(got))
		}
	}
}
