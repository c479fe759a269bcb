package mailbox

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What one poll may hold. [kr-protocol] §5.5.
const (
	MaxPoll       = 8 << 10          // bytes of a request
	MaxPollAcks   = 256              // acknowledgements in a request
	MaxPollWait   = 25 * time.Second // how long a poll waits for a frame, whatever it asks for
	MaxPollFrames = 64               // frames in a reply
	MaxPollBytes  = MaxFrame         // their bytes: about 2.5 KiB/s must do to get them in time
	MaxPollReply  = 128 << 10        // bytes of a reply: that, as JSON
	NonceLife     = 2 * time.Minute  // how long the nonce of a reply is good for one poll
)

// PollPath returns the path to which polls of a are posted.
func PollPath(a Address) string { return "/v1/mailboxes/" + a.String() + "/poll" }

// Seq is a frame's sequence number. In JSON it is the base64 of the eight bytes
// that a WebSocket message begins with.
type Seq uint64

// MarshalText returns standard base64 with padding (12 characters).
func (s Seq) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, binary.BigEndian.AppendUint64(nil, uint64(s))), nil
}

// UnmarshalText reads what MarshalText wrote, and nothing else.
func (s *Seq) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != seqSize || len(text) != base64.StdEncoding.EncodedLen(seqSize) {
		return errors.New("mailbox: sequence number is not the base64 of 8 bytes")
	}
	*s = Seq(binary.BigEndian.Uint64(b))
	return nil
}

// Poll is the body of a request to read, or to delete, a mailbox. The first
// three fields are the proof, made with [SignRead] over a nonce that the relay
// gave in its last answer; without one they stay empty, and a 401 brings one.
type Poll struct {
	PublicKey   []byte `json:"public_key,omitempty"`
	Nonce       []byte `json:"nonce,omitempty"`
	Signature   []byte `json:"signature,omitempty"`
	Ack         []Seq  `json:"ack,omitempty"`          // the relay deletes these before it waits
	After       Seq    `json:"after,omitzero"`         // leave out frames up to here; 0: none
	WaitSeconds int    `json:"wait_seconds,omitempty"` // for a frame; 0: answer at once, and leave who reads alone
	Delete      bool   `json:"delete,omitempty"`       // the mailbox and all in it; nothing else happens then
}

// PollReply is the answer to a [Poll]. Error answers have the same shape, with
// Error set; those with a Nonce may be followed by another poll at once.
type PollReply struct {
	Error   string   `json:"error,omitempty"`
	Nonce   []byte   `json:"nonce,omitempty"` // for the next poll of this mailbox
	Frames  []Polled `json:"frames,omitempty"`
	Deleted bool     `json:"deleted,omitempty"` // the mailbox is gone, durably
}

// Polled is one frame in a reply.
type Polled struct {
	Seq   Seq    `json:"seq"`
	Frame []byte `json:"frame"`
}

// Encode returns the request as JSON.
func (p Poll) Encode() []byte { return encode(p) }

// Encode returns the reply as JSON.
func (r PollReply) Encode() []byte { return encode(r) }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("mailbox: bug: a poll did not encode: " + err.Error())
	}
	return b
}

// ParsePoll reads a request of at most MaxPoll bytes. Each part of the proof
// has its length or is absent; whether it holds is another question. Unknown
// fields are ignored.
func ParsePoll(b []byte) (Poll, error) {
	if len(b) > MaxPoll {
		return Poll{}, fmt.Errorf("mailbox: poll has %d bytes, at most %d are allowed", len(b), MaxPoll)
	}
	var p Poll
	if err := json.Unmarshal(b, &p); err != nil {
		return Poll{}, errors.New("mailbox: poll is not the expected JSON")
	}
	switch {
	case !absentOr(p.PublicKey, ed25519.PublicKeySize), !absentOr(p.Nonce, NonceSize), !absentOr(p.Signature, ed25519.SignatureSize):
		return Poll{}, errors.New("mailbox: a part of the poll's proof has the wrong length")
	case len(p.Ack) > MaxPollAcks:
		return Poll{}, fmt.Errorf("mailbox: poll has %d acknowledgements, at most %d are allowed", len(p.Ack), MaxPollAcks)
	case p.WaitSeconds < 0:
		return Poll{}, errors.New("mailbox: poll waits for less than nothing")
	}
	return p, nil
}

// ParsePollReply reads a reply of at most MaxPollReply bytes. Its frames have 1
// to MaxFrame bytes each. Unknown fields are ignored.
func ParsePollReply(b []byte) (PollReply, error) {
	if len(b) > MaxPollReply {
		return PollReply{}, fmt.Errorf("mailbox: reply to a poll has more than %d bytes", MaxPollReply)
	}
	var r PollReply
	if err := json.Unmarshal(b, &r); err != nil {
		return PollReply{}, errors.New("mailbox: reply to a poll is not the expected JSON")
	}
	if !absentOr(r.Nonce, NonceSize) {
		return PollReply{}, fmt.Errorf("mailbox: reply to a poll has a nonce of %d bytes, want %d", len(r.Nonce), NonceSize)
	}
	if len(r.Frames) > MaxPollFrames {
		return PollReply{}, fmt.Errorf("mailbox: reply to a poll has %d frames, at most %d are allowed", len(r.Frames), MaxPollFrames)
	}
	for _, f := range r.Frames {
		if len(f.Frame) == 0 || len(f.Frame) > MaxFrame {
			return PollReply{}, fmt.Errorf("mailbox: polled frame has %d bytes, want 1 to %d", len(f.Frame), MaxFrame)
		}
	}
	return r, nil
}

func absentOr(b []byte, size int) bool { return len(b) == 0 || len(b) == size }
