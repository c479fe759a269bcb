package segment

import (
	"encoding/binary"
	"errors"

	"kryptonite/internal/transport"
)

const (
	Version = 1 // of this format

	MaxFrame   = transport.MaxFrame
	MaxSegment = 500 // bytes; BlueZ 5.66 refuses writes of 511
	MinSegment = 20  // bytes; what an MTU of 23 leaves

	dataHeader = 8
	minData    = MinSegment - dataHeader // in each segment but a frame's last
	helloSize  = 15
)

// Kind says what a segment is.
type Kind byte

// The kinds. Version 1 has 0x11 to 0x1f.
const (
	Data Kind = 0x11 + iota
	Hello
	Ack
	Reset
	Ping
	Pong
	Bye
)

// Reason says why a frame is not taken (Reset), or a connection ends (Bye).
type Reason byte

// Broken and Busy are for Reset, the others for Bye.
const (
	Broken  Reason = 1 // its segments contradict each other
	Busy    Reason = 2 // no room now
	Done    Reason = 1 // nothing is left to say
	Crowded Reason = 2 // too many centrals
	Foreign Reason = 3 // no version in common
	Misused Reason = 4 // too much that is not in the protocol
)

// Start names one life of one end: four random bytes, drawn for each connection.
// Zeros are none.
type Start [4]byte

// Greeting is what HELLO says.
type Greeting struct {
	Version    byte
	Start      Start // of the sender
	Seen       Start // of the receiver, as the sender knows it
	MaxFrame   int   // bytes that the sender takes
	MaxSegment int
}

// Segment is one write or notification. Which fields count is for the kind to say.
type Segment struct {
	Kind          Kind
	ID            byte
	Total, Offset int // bytes
	Data          []byte
	Reason        Reason
	Greeting      Greeting
}

// ErrSegment is returned by Parse for all that is no segment.
var ErrSegment = errors.New("segment: not a segment")

// Parse reads one segment. Its Data shares memory with b.
func Parse(b []byte) (Segment, error) {
	if len(b) == 0 || len(b) > MaxSegment {
		return Segment{}, ErrSegment
	}
	s, rest := Segment{Kind: Kind(b[0])}, b[1:]
	ok := false
	switch s.Kind {
	case Data:
		if ok = len(rest) >= dataHeader; ok {
			s.ID, s.Total, s.Offset, s.Data = rest[0], uint24(rest[1:]), uint24(rest[4:]), rest[dataHeader-1:]
			end := s.Offset + len(s.Data)
			ok = s.Total <= MaxFrame && (end == s.Total || end < s.Total && len(s.Data) >= minData)
		}
	case Hello:
		if ok = len(b) >= helloSize && len(b) <= MinSegment; ok { // later versions may say more
			g := &s.Greeting
			g.Version, g.Start, g.Seen = rest[0], Start(rest[1:]), Start(rest[5:])
			g.MaxFrame, g.MaxSegment = uint24(rest[9:]), int(binary.BigEndian.Uint16(rest[12:]))
			ok = g.Start != Start{} && g.MaxFrame > 0 && g.MaxSegment >= MinSegment
		}
	case Ack:
		if ok = len(rest) == 1; ok {
			s.ID = rest[0]
		}
	case Reset:
		if ok = len(rest) == 2; ok {
			s.ID, s.Reason = rest[0], Reason(rest[1])
		}
	case Ping, Pong:
		ok = len(rest) == 0
	case Bye:
		if ok = len(rest) == 1; ok {
			s.Reason = Reason(rest[0])
		}
	}
	if !ok {
		return Segment{}, ErrSegment
	}
	return s, nil
}

// Append appends the segment's bytes to b.
func (s Segment) Append(b []byte) []byte {
	b = append(b, byte(s.Kind))
	switch s.Kind {
	case Data:
		b = appendUint24(append(b, s.ID), s.Total)
		b = append(appendUint24(b, s.Offset), s.Data...)
	case Hello:
		g := s.Greeting
		b = append(append(append(b, g.Version), g.Start[:]...), g.Seen[:]...)
		b = binary.BigEndian.AppendUint16(appendUint24(b, g.MaxFrame), uint16(g.MaxSegment))
	case Ack:
		b = append(b, s.ID)
	case Reset:
		b = append(b, s.ID, byte(s.Reason))
	case Bye:
		b = append(b, byte(s.Reason))
	}
	return b
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

func appendUint24(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }
