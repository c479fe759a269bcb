package hostile

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"kryptonite/internal/transport"
)

// headers are those of the protocol, [kr-protocol] §2.3, and one that is none.
var headers = []byte{0x00, 0x02, 0x03, 0x01}

// plan decides about a frame: what comes before it, how often it comes itself, and
// what comes after it.
func (l *lane) plan(frame []byte) (before []delivery, own int, after []delivery) {
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	l.a.sent++
	older := l.kept
	if l.kept = append(l.kept, frame); len(l.kept) > maxKept {
		l.kept = l.kept[1:]
	}
	after = l.release()
	if l.a.every {
		before = l.everyBit(frame)
	}
	act := l.draw()
	switch act {
	case Pass:
		return before, 1, after
	case Drop:
		l.a.lost++
		l.a.score.count(Drop, false)
		return before, 0, after
	case Repeat:
		l.again[sum(sha256.Sum256(frame))] = Repeat
		return before, 2 + l.rnd.IntN(3), after
	case Delay:
		l.again[sum(sha256.Sum256(frame))] = Delay
		l.held = append(l.held, held{frame, 1 + l.rnd.IntN(8)})
		return before, 0, after
	case Replay:
		for range min(len(older), 1+l.rnd.IntN(4)) {
			f := older[l.rnd.IntN(len(older))]
			l.again[sum(sha256.Sum256(f))] = Replay
			before = append(before, delivery{l, f})
		}
		return before, 1, after
	}
	if f, to := l.bend(act, frame, older); f != nil {
		to.bad[sum(sha256.Sum256(f))] = act
		before = append(before, delivery{to, f})
	}
	if l.rnd.IntN(4) == 0 {
		l.a.lost++
		return before, 0, after
	}
	return before, 1, after
}

// release returns the held frames whose time has come.
func (l *lane) release() (out []delivery) {
	l.held = slices.DeleteFunc(l.held, func(h held) bool { // no pointers: changed below
		if h.after > 0 {
			return false
		}
		out = append(out, delivery{l, h.frame})
		return true
	})
	for i := range l.held {
		l.held[i].after--
	}
	return out
}

func (l *lane) draw() Act {
	total := 0
	for _, w := range l.a.odds {
		total += w
	}
	if total == 0 {
		return Pass
	}
	n := l.rnd.IntN(total)
	for a, w := range l.a.odds {
		if n -= w; n < 0 {
			return Act(a)
		}
	}
	return Pass
}

// bend returns a frame that nobody made for the reader of to; nil: there is none.
func (l *lane) bend(act Act, frame []byte, older [][]byte) (bad []byte, to *lane) {
	bad, to = bytes.Clone(frame), l
	switch act {
	case Flip:
		for range 1 + l.rnd.IntN(3) {
			bad[l.rnd.IntN(len(bad))] ^= 1 << l.rnd.IntN(8)
		}
	case Cut:
		bad = bad[:1+l.rnd.IntN(max(len(bad)-1, 1))]
	case Grow:
		more := make([]byte, 1+l.rnd.IntN(min(64, transport.MaxFrame+1-len(bad))))
		l.fill(more)
		if bad = append(bad, more...); l.rnd.IntN(2) == 0 {
			bad = append(more, frame...)
		}
	case Splice:
		if len(older) == 0 {
			return nil, nil
		}
		tail := older[l.rnd.IntN(len(older))]
		n := l.rnd.IntN(min(len(bad), len(tail)))
		bad = append(bad[:n:n], tail[n:]...)
		if bytes.Equal(bad, tail) {
			return nil, nil
		}
	case Reflect:
		to = l.back
	case Swap:
		if to = l.a.lanes[l.rnd.IntN(len(l.a.lanes))]; to == l {
			return nil, nil
		}
		if len(older) > 0 && l.rnd.IntN(2) == 0 {
			bad = bytes.Clone(older[l.rnd.IntN(len(older))])
		}
	case Forge:
		bad = make([]byte, 1+l.rnd.IntN(1200))
		l.fill(bad)
		if bad[0] = headers[l.rnd.IntN(len(headers))]; l.rnd.IntN(2) == 0 && len(frame) > 9 && len(bad) > 9 {
			copy(bad, frame[:9]) // an epoch that is in use
		}
	}
	if bytes.Equal(bad, frame) && to == l || len(bad) > transport.MaxFrame {
		return nil, nil
	}
	return bad, to
}

func (l *lane) fill(b []byte) {
	for i := range b {
		b[i] = byte(l.rnd.Uint32())
	}
}

// everyBit is what a frame becomes when one thing about it is changed.
func (l *lane) everyBit(frame []byte) (out []delivery) {
	add := func(act Act, bad []byte) {
		l.bad[sum(sha256.Sum256(bad))] = act
		out = append(out, delivery{l, bad})
	}
	for i := range frame {
		for bit := range 8 {
			bad := bytes.Clone(frame)
			bad[i] ^= 1 << bit
			add(Flip, bad)
		}
		if i > 0 {
			add(Cut, frame[:i:i])
		}
	}
	if len(frame) < transport.MaxFrame {
		add(Grow, append(bytes.Clone(frame), 0))
	}
	return out
}
