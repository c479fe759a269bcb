package phone

import (
	"slices"
	"testing"

	"kryptonite/internal/pairing"
	"kryptonite/internal/wire"
)

// TestOpenedFirst: before anything that may fail, people hear which pairing a link
// is, also when it is opened once more, in each state.
func TestOpenedFirst(t *testing.T) {
	w := newWorld(t, ApproveAsk)
	computer, err := pairing.NewComputer(wire.Invitation{App: origin, Relay: origin, Rendezvous: [16]byte{1}}, pairing.Self{Name: "desk", Version: "test",
		Addresses: []wire.Address{{Relay: &wire.RelayAddress{Origin: origin, Mailbox: make([]byte, 16)}}}})
	if err != nil {
		t.Fatal(err)
	}
	open := OpenLink{computer.Invitation().Link()}
	var id string
	opened := func(when string) []Effect {
		t.Helper()
		effects := slices.DeleteFunc(w.do(open), func(e Effect) bool { _, store := e.(Store); return store })
		n, ok := effects[0].(Note)
		if !ok || n.Kind != NoteOpened || n.Pairing == "" || id != "" && n.Pairing != id {
			t.Fatalf("%s: %#v, want %s opened", when, effects[0], id)
		}
		id = n.Pairing
		return effects[1:]
	}
	first := one[Send](t, opened("new"))
	one[Send](t, opened("waiting"))
	hello, _, err := computer.Accept(w.now, first.Frame)
	if err != nil {
		t.Fatal(err)
	}
	w.do(Frame{id, hello})
	one[ShowWords](t, opened("words"))
	w.do(Confirm{id, true})
	if n := one[Note](t, opened("agreed")); n.Kind != NotePaired || n.Pairing != id {
		t.Errorf("%+v", n)
	}
	if n := one[Note](t, w.do(OpenLink{"https://phone.example/#"})); n.Kind != NoteBadLink {
		t.Errorf("no link: %+v", n)
	}
}
