package wire

import "errors"

// MaxFrame is the largest frame in bytes. [kr-protocol] §5.
const MaxFrame = 64 << 10

// MaxPlaintext is the largest padded plaintext in bytes: the largest multiple
// of 256 that still fits a frame with header, epoch id, nonce and tag.
const MaxPlaintext = 65280

// Header is the first byte of a frame: how its body is sealed.
type Header byte

// The three envelopes. [kr-protocol] §2.3.
const (
	HeaderSession Header = 0x00 // nonce(24) ‖ box under the session keys
	HeaderSealed  Header = 0x02 // sealed box to c_pub: pairing step 2
	HeaderEpoch   Header = 0x03 // epoch id(8) ‖ nonce(24) ‖ secretbox
)

// ErrFrame is returned for a frame that is empty, too long, or of no known header.
var ErrFrame = errors.New("wire: not a frame of this protocol")

// NewFrame returns header ‖ body.
func NewFrame(h Header, body []byte) []byte {
	return append([]byte{byte(h)}, body...)
}

// SplitFrame returns header and body of a frame, or ErrFrame.
func SplitFrame(frame []byte) (Header, []byte, error) {
	if len(frame) < 2 || len(frame) > MaxFrame {
		return 0, nil, ErrFrame
	}
	switch h := Header(frame[0]); h {
	case HeaderSession, HeaderSealed, HeaderEpoch:
		return h, frame[1:], nil
	}
	return 0, nil, ErrFrame
}
