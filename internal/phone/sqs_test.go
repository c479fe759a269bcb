package phone

import (
	"strings"
	"testing"
	"time"

	"kryptonite/internal/pairing"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

func queues(n string) *wire.SQSAddress {
	return &wire.SQSAddress{Region: "eu-central-1", Account: "123456789012",
		ToComputer: strings.Repeat("c"+n, 16), ToPhone: strings.Repeat("d"+n, 16)}
}

// sqsWorld is a phone that has opened the hello of a computer with SQS, and the
// effects of that.
func sqsWorld(t *testing.T) (*world, *pairing.Computer, []Effect) {
	t.Helper()
	w := &world{t: t, now: time.Unix(1_795_000_000, 0), device: &device{disk: map[string][]byte{}}, signed: map[string]bool{}}
	w.cfg = Config{Name: "ana", Version: "test", Keys: []wire.SSHKey{{PublicKey: sshwire.Ed25519Blob(make([]byte, 32)), Name: "default"}}}
	w.reload()
	computer, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}}, pairing.Self{Name: "laptop", Version: "test", Addresses: []wire.Address{
		{}, {Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}, {SQS: queues("1")}, {SQS: queues("2")}}})
	if err != nil {
		t.Fatal(err)
	}
	first := one[Send](t, w.do(OpenLink{computer.Invitation().Link()}))
	w.pairing = first.Pairing
	hello, _, err := computer.Accept(w.now, first.Frame)
	if err != nil {
		t.Fatal(err)
	}
	effects := w.do(Frame{w.pairing, hello})
	if _, err := computer.Receive(one[Send](t, effects).Frame); err != nil {
		t.Fatal(err)
	}
	return w, computer, effects
}

// taken are the queues in a list of addresses.
func taken(list []wire.Address) (out []wire.SQSAddress) {
	for _, a := range list {
		if a.SQS != nil {
			out = append(out, *a.SQS)
		}
	}
	return out
}

// TestSQS: the phone takes one pair of queues by repeating it, listens to it from
// then on and after a restart, sends to it, and stops when the pairing ends.
func TestSQS(t *testing.T) {
	w, computer, effects := sqsWorld(t)
	want := *queues("1")
	if got := taken(computer.Peer().Addresses); len(got) != 1 || got[0] != want {
		t.Fatalf("the ack has the queues of %d addresses", len(got))
	}
	listens := func(effects []Effect) (n int) {
		for _, l := range all[Listen](effects) {
			if l.SQS != nil && *l.SQS == want && l.Seed == nil && l.Pairing == w.pairing {
				n++
			}
		}
		return n
	}
	if listens(effects) != 1 {
		t.Error("the phone does not listen to the queue")
	}
	if to := one[Send](t, effects).To; len(to) != 2 || len(taken(to)) != 1 {
		t.Errorf("the ack goes to %d addresses", len(to))
	}
	if again := w.do(Frame{w.pairing, computer.Hello()}); listens(again) != 0 || len(taken(one[Send](t, again).To)) != 1 {
		t.Error("a repeated hello is another")
	}
	if listens(w.do(Start{})) != 1 {
		t.Error("after a restart the phone does not listen to the queue")
	}
	if to := one[Send](t, w.do(Confirm{w.pairing, true})).To; len(taken(to)) != 1 {
		t.Error("the me_response does not go to the queue")
	}
	effects = w.do(Unpair{w.pairing})
	var closed []wire.SQSAddress
	for _, e := range all[Close](effects) {
		if e.SQS != nil {
			closed = append(closed, *e.SQS)
		}
	}
	if len(closed) != 1 || closed[0] != want {
		t.Errorf("after the end %d queues are let go", len(closed))
	}
	if farewell := one[Send](t, effects); !farewell.Farewell || len(taken(farewell.To)) != 1 {
		t.Error("the computer is not told by the queue")
	}
	if listens(w.do(Start{})) != 0 {
		t.Error("it listens after the end")
	}
}

// TestMeetAtSQS: without a relay the phone begins at the queues that the link
// names, goes over to those of the hello, and leaves the first when the computer
// uses the pairing, or their time is over.
func TestMeetAtSQS(t *testing.T) {
	meeting := wire.Meeting{Region: "eu-central-1", Account: "123456789012", Prefix: "kr-"}
	begin := func() (*world, *pairing.Computer, wire.SQSAddress, []Effect) {
		w := &world{t: t, now: time.Unix(1_795_000_000, 0), device: &device{disk: map[string][]byte{}}, signed: map[string]bool{}}
		w.cfg = Config{Name: "ana", Version: "test", Keys: []wire.SSHKey{{PublicKey: sshwire.Ed25519Blob(make([]byte, 32)), Name: "default"}}}
		w.reload()
		computer, err := pairing.NewComputer(wire.Invitation{App: origin, SQS: meeting},
			pairing.Self{Name: "laptop", Version: "test", Addresses: []wire.Address{{SQS: queues("1")}}})
		if err != nil {
			t.Fatal(err)
		}
		inv := computer.Invitation()
		return w, computer, meeting.Queues(inv.CPub), w.do(OpenLink{inv.Link()})
	}
	w, computer, place, effects := begin()
	first := one[Send](t, effects)
	w.pairing = first.Pairing
	if l := one[Listen](t, effects); l.SQS == nil || *l.SQS != place || l.New || len(first.To) != 1 || *first.To[0].SQS != place {
		t.Fatal("the phone does not begin at the meeting place")
	}
	if l := one[Listen](t, w.do(Start{})); *l.SQS != place {
		t.Error("after a restart it listens elsewhere")
	}
	hello, to, err := computer.Accept(w.now, first.Frame)
	if err != nil || to != [16]byte{} {
		t.Fatal("a mailbox in step 2:", to, err)
	}
	effects = w.do(Frame{w.pairing, hello})
	if l := one[Listen](t, effects); *l.SQS != *queues("1") {
		t.Error("it does not listen to its own queue")
	}
	if to := one[Send](t, effects).To; len(to) != 1 || *to[0].SQS != *queues("1") {
		t.Error("the ack goes elsewhere")
	}
	if _, err := computer.Receive(one[Send](t, effects).Frame); err != nil || len(taken(computer.Peer().Addresses)) != 1 {
		t.Fatal("the ack:", err)
	}
	w.do(Confirm{w.pairing, true})
	if n := len(all[Listen](w.do(Start{}))); n != 2 {
		t.Errorf("before the pairing is in use it listens in %d places", n)
	}
	if at, ok := w.core.Next(); !ok || at.Sub(w.now) != attemptLife {
		t.Errorf("the next tick is at %s", at)
	}
	w.now = w.now.Add(attemptLife)
	if c := one[Close](t, w.do(Tick{})); *c.SQS != place {
		t.Error("it leaves another place than the one where it began")
	}
	if l := one[Listen](t, w.do(Start{})); *l.SQS != *queues("1") {
		t.Error("after that it does not listen to its own queue alone")
	}
}
