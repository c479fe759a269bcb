package mailbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What a relay grants. [kr-protocol] §5.
const (
	MaxFrame          = 64 << 10            // bytes in one frame; an empty one is refused too
	MaxMailboxFrames  = 256                 // frames waiting in one mailbox
	MaxMailboxBytes   = 4 << 20             // bytes waiting in one mailbox
	Retention         = 48 * time.Hour      // how long an unacknowledged frame is kept
	UnreadRetention   = 90 * 24 * time.Hour // how long a mailbox lives after its last read
	IdempotencyWindow = 2 * time.Minute     // how long, at least, an Idempotency-Key is remembered
	ProofTimeout      = 10 * time.Second    // from connection to a proof that holds
	PingInterval      = 30 * time.Second    // between the relay's pings, and the client's
	PongTimeout       = 15 * time.Second    // until a ping without a pong ends the connection
)

// HeaderIdempotencyKey carries a [PostID].
const HeaderIdempotencyKey = "Idempotency-Key"

// MaxControl is the largest message a holder sends on the WebSocket, in bytes.
const MaxControl = 1 << 10

// MaxDelivery is the largest message a relay sends on the WebSocket, in bytes.
const MaxDelivery = seqSize + MaxFrame

// Status codes with which the relay closes a WebSocket, from the range that
// [RFC 6455] §7.4.2 leaves to applications. 1001 means the relay goes away.
const (
	CloseSuperseded  = 4001 // a newer connection or poll reads this mailbox
	CloseRefused     = 4003 // the proof does not hold
	CloseDeleted     = 4010 // the mailbox was deleted
	CloseTooMany     = 4029 // this sender or relay has too many mailboxes
	CloseBadMessage  = 4400 // the holder said something that is not in the protocol
	CloseUnavailable = 4503 // the relay cannot read its store now
)

// FramesPath returns the path to which frames for a are posted.
func FramesPath(a Address) string { return "/v1/mailboxes/" + a.String() + "/frames" }

// LivePath returns the path of the WebSocket on which a is read.
func LivePath(a Address) string { return "/v1/mailboxes/" + a.String() + "/live" }

// Values of Control.Type.
const (
	TypeChallenge = "challenge" // relay: Nonce
	TypeProof     = "proof"     // holder: PublicKey, Signature
	TypeReady     = "ready"     // relay: frames follow
	TypePing      = "ping"      // holder: are you there
	TypePong      = "pong"      // relay: yes
)

// Control is one text message of the WebSocket.
type Control struct {
	Type      string `json:"type"`
	Nonce     []byte `json:"nonce,omitempty"`
	PublicKey []byte `json:"public_key,omitempty"`
	Signature []byte `json:"signature,omitempty"`
}

// Encode returns the message as JSON.
func (c Control) Encode() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic("mailbox: bug: a control message did not encode: " + err.Error())
	}
	return b
}

// ParseControl reads a text message of at most MaxControl bytes. Unknown fields
// are ignored, an unknown type is an error.
func ParseControl(b []byte) (Control, error) {
	if len(b) > MaxControl {
		return Control{}, fmt.Errorf("mailbox: control message has %d bytes, at most %d are allowed", len(b), MaxControl)
	}
	var c Control
	if err := json.Unmarshal(b, &c); err != nil {
		return Control{}, errors.New("mailbox: control message is not the expected JSON")
	}
	switch c.Type {
	case TypeChallenge, TypeProof, TypeReady, TypePing, TypePong:
		return c, nil
	}
	return Control{}, errors.New("mailbox: control message of unknown type")
}

const seqSize = 8 // bytes of a sequence number

// EncodeDelivery returns seq (8 bytes, big-endian) ‖ frame.
func EncodeDelivery(seq uint64, frame []byte) []byte {
	b := make([]byte, 0, seqSize+len(frame))
	return append(binary.BigEndian.AppendUint64(b, seq), frame...)
}

// ParseDelivery splits what EncodeDelivery made. frame is part of b and has 1
// to MaxFrame bytes.
func ParseDelivery(b []byte) (seq uint64, frame []byte, err error) {
	if len(b) <= seqSize || len(b) > MaxDelivery {
		return 0, nil, fmt.Errorf("mailbox: delivery has %d bytes, want %d to %d", len(b), seqSize+1, MaxDelivery)
	}
	return binary.BigEndian.Uint64(b), b[seqSize:], nil
}

// EncodeAck returns seq as 8 bytes, big-endian.
func EncodeAck(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// ParseAck reads what EncodeAck made.
func ParseAck(b []byte) (uint64, error) {
	if len(b) != seqSize {
		return 0, fmt.Errorf("mailbox: acknowledgement has %d bytes, want %d", len(b), seqSize)
	}
	return binary.BigEndian.Uint64(b), nil
}
