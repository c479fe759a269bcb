// Package transport says what a channel between one computer and one phone is.
//
// A [Link] carries frames both ways. It promises little, so that a relay, a
// cloud queue and a radio can all keep the promise: a frame arrives at least
// once while the channel works, in any order, perhaps late, perhaps repeated.
// Nobody on a Link is trusted: frames are opaque sealed bytes here, and what
// comes in may have been forged by anyone. Implementations live below this
// package (memory, relay); transporttest holds the suite that each must pass.
//
// References: [kr-protocol] docs/protocol.md §5.
package transport

import (
	"context"
	"errors"
	"time"
)

// MaxFrame is the largest frame a Link carries, in bytes. [kr-protocol] §5.
const MaxFrame = 64 << 10

var (
	// ErrTooLarge is returned by Send for an empty frame or one over MaxFrame.
	ErrTooLarge = errors.New("transport: frame is empty or larger than 65,536 bytes")
	// ErrNoMailbox is returned by Send when the channel works but the other
	// side's mailbox does not exist (yet, or any more).
	ErrNoMailbox = errors.New("transport: the other side has no mailbox here")
	// ErrForged is what a handler of frames returns for one that the other side
	// did not make. It is done with; a Link that sees who sent it may act on it.
	ErrForged = errors.New("transport: the frame is not the other side's")
)

// A Link is one untrusted channel between this side and one peer. Its methods
// are safe for concurrent use.
type Link interface {
	// Name is the channel's word for people: "relay", "sqs", "bluetooth".
	Name() string

	// Send returns nil when the channel has taken the frame (1 to MaxFrame
	// bytes), durably where the channel stores frames. It retries transient
	// faults itself for as long as that makes sense on this channel, and
	// returns early when ctx ends. After an error the frame may still arrive.
	Send(ctx context.Context, frame []byte) error

	// Receive calls handle for each frame that comes in, one call at a time,
	// until ctx ends; it reconnects by itself and returns only ctx's error or
	// a fault that no retry can mend. When handle returns nil the frame is
	// acknowledged and will (normally) not come again, as when it returns
	// ErrForged; when it returns another error the frame stays with the channel and comes again later. The frame
	// belongs to handle.
	Receive(ctx context.Context, handle func(frame []byte) error) error

	// Status reports how the channel does, for people.
	Status() Status
}

// Status is a Link's state as people see it in "kr status".
type Status struct {
	Connected bool      // the receiving side is connected now
	Mode      string    // how it receives, where a channel knows several ways: "WebSocket", "long poll"
	LastOK    time.Time // the last time a frame or a connection went through; zero: never
	LastError error     // the newest failure since LastOK, or nil

	Took time.Duration // by the newest frame sent that the channel took, until it had it; 0: none did
}
