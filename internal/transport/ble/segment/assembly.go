package segment

import (
	"bytes"
	"slices"
	"time"
)

// assembly is a frame in the making.
type assembly struct {
	id    byte
	total int
	buf   []byte // as far as anything came
	have  []span // in order; neither overlap nor touch
	heard time.Time
}

type span struct{ from, to int }

// add takes a segment in. It returns false for one that contradicts the others:
// another total, other bytes at a place, or half a place that is taken.
func (a *assembly) add(s Segment) bool {
	if s.Total != a.total {
		return false
	}
	from, to := s.Offset, s.Offset+len(s.Data)
	i, _ := slices.BinarySearchFunc(a.have, from, func(sp span, at int) int { return sp.to - at })
	// i is the first span that ends at from or later.
	if i < len(a.have) && a.have[i].from <= from && to <= a.have[i].to {
		return bytes.Equal(a.buf[from:to], s.Data)
	}
	j := i
	if j < len(a.have) && a.have[j].to == from {
		j++ // it ends where the segment begins
	}
	if j < len(a.have) && a.have[j].from < to {
		return false
	}
	if to > len(a.buf) {
		a.buf = append(a.buf, make([]byte, to-len(a.buf))...)
	}
	copy(a.buf[from:], s.Data)
	joined := span{from, to}
	if j > i {
		joined.from = a.have[i].from
	}
	if j < len(a.have) && a.have[j].from == to {
		joined.to = a.have[j].to
		j++
	}
	a.have = slices.Replace(a.have, i, j, joined)
	return true
}

func (a *assembly) whole() bool { return len(a.have) == 1 && a.have[0] == span{0, a.total} }

// settled is a frame that needs no more segments.
type settled struct {
	id     byte
	answer Kind // Ack, Reset, or 0 as long as the caller has not said
	reason Reason
}

// inbound is the receiving half of a Conn.
type inbound struct {
	making  []*assembly // the one that was heard longest ago first
	settled []settled   // newest last
}

const (
	maxMaking  = 2
	maxSettled = 16
	partial    = 10 * time.Second // of silence, until a frame in the making is dropped
)

// take returns the frame that the segment made whole, and what to answer at once.
func (in *inbound) take(now time.Time, s Segment) (frame []byte, answer settled) {
	if i := slices.IndexFunc(in.settled, func(d settled) bool { return d.id == s.ID }); i >= 0 {
		if s.Offset == 0 { // once for each time that the frame comes
			return nil, in.settled[i]
		}
		return nil, settled{}
	}
	in.expire(now)
	var a *assembly
	if i := slices.IndexFunc(in.making, func(a *assembly) bool { return a.id == s.ID }); i >= 0 {
		a = in.making[i]
		in.making = slices.Delete(in.making, i, i+1)
	} else {
		a = &assembly{id: s.ID, total: s.Total}
		if len(in.making) == maxMaking {
			in.making = slices.Delete(in.making, 0, 1)
		}
	}
	if !a.add(s) {
		d := settled{s.ID, Reset, Broken}
		in.settle(d)
		return nil, d
	}
	if a.whole() {
		in.settle(settled{id: s.ID})
		return a.buf, settled{}
	}
	a.heard = now
	in.making = append(in.making, a)
	return nil, settled{}
}

func (in *inbound) settle(d settled) {
	if len(in.settled) == maxSettled {
		in.settled = slices.Delete(in.settled, 0, 1)
	}
	in.settled = append(in.settled, d)
}

// decide notes the caller's word on a frame. It returns false if nobody waits
// for it: it was said before, or is of an earlier life of the other end.
func (in *inbound) decide(d settled) bool {
	i := slices.IndexFunc(in.settled, func(o settled) bool { return o.id == d.id && o.answer == 0 })
	if i >= 0 {
		in.settled[i] = d
	}
	return i >= 0
}

func (in *inbound) expire(now time.Time) {
	in.making = slices.DeleteFunc(in.making, func(a *assembly) bool { return now.Sub(a.heard) >= partial })
}

// due is when expire has something to do; zero is never.
func (in *inbound) due() time.Time {
	if len(in.making) == 0 {
		return time.Time{}
	}
	return in.making[0].heard.Add(partial)
}
