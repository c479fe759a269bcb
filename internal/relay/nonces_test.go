package relay

import (
	"encoding/binary"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
)

func TestNoncesStayBounded(t *testing.T) {
	now := time.Now()
	n := newNonces(now)
	addr := func(i int) mailbox.Address {
		var a mailbox.Address
		binary.BigEndian.PutUint32(a[:], uint32(i))
		return a
	}
	take := func(a mailbox.Address, nonce []byte) bool {
		at, ok := n.open(a, nonce, now)
		return ok && n.take(a, at)
	}
	var first []byte
	for i := range maxTaken + 1 {
		nonce := n.give(addr(i), now)
		if i == 0 {
			first = nonce
		}
		if !take(addr(i), nonce) {
			t.Fatalf("nonce %d is refused", i)
		}
	}
	if len(n.taken) != 1 {
		t.Errorf("%d nonces are remembered, want 1", len(n.taken))
	}
	if take(addr(0), first) {
		t.Error("a forgotten nonce was taken again")
	}
	if !take(addr(0), n.give(addr(0), now)) {
		t.Error("a new nonce is refused")
	}
	n.sweep(now.Add(mailbox.NonceLife))
	if len(n.taken) != 1 { // the other is below the floor
		t.Errorf("%d nonces are remembered before they are old, want 1", len(n.taken))
	}
	late := n.give(addr(1), now)
	n.sweep(now.Add(mailbox.NonceLife + time.Minute))
	if len(n.taken) != 0 {
		t.Errorf("%d nonces are remembered after a sweep", len(n.taken))
	}
	if take(addr(1), late) { // as with a clock that went back
		t.Error("a nonce from before the sweep was taken")
	}
}

func TestPageIsBounded(t *testing.T) {
	frames := func(n, size int) []Frame {
		out := make([]Frame, n)
		for i := range out {
			out[i].Body = make([]byte, size)
		}
		return out
	}
	for _, r := range []struct{ n, size, want int }{
		{0, 1, 0}, {1, mailbox.MaxFrame, 1}, {2, mailbox.MaxFrame, 1}, {8, mailbox.MaxPollBytes / 4, 4},
		{mailbox.MaxPollFrames, 1, mailbox.MaxPollFrames}, {mailbox.MaxPollFrames + 1, 1, mailbox.MaxPollFrames},
	} {
		if got := len(page(frames(r.n, r.size))); got != r.want {
			t.Errorf("a page of %d frames of %d bytes has %d, want %d", r.n, r.size, got, r.want)
		}
	}
}
