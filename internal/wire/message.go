package wire

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"kryptonite/internal/sealbox"
)

// Protocol is our protocol number, the "k" of every message.
const Protocol = 1

// ErrMessage is returned for a plaintext that is not one message.
var ErrMessage = errors.New("wire: not a message of this protocol")

// IDSize is the size of a request id in bytes (128 random bits).
const IDSize = 16

// ID names a request; a response carries the id of its request.
type ID [IDSize]byte

// NewID draws a random id.
func NewID() (ID, error) {
	var id ID
	if _, err := rand.Read(id[:]); err != nil {
		return id, fmt.Errorf("wire: draw a request id: %w", err)
	}
	return id, nil
}

// String is the id in hex, for logs and keys of stores.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the id in base64.
func (id ID) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(id[:])), nil
}

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(t []byte) error {
	b, err := base64.StdEncoding.DecodeString(string(t))
	if err != nil || len(b) != IDSize {
		return ErrMessage
	}
	*id = ID(b)
	return nil
}

// Message is what a plaintext holds: exactly one of three.
type Message struct {
	Request  *Request  `json:"request,omitempty"`
	Response *Response `json:"response,omitempty"`
	Notice   *Notice   `json:"notice,omitempty"`
}

// Request is what the computer asks of the phone. Exactly one of the kinds is
// set in a request of ours; one from elsewhere may have an unknown kind.
type Request struct {
	ID      ID     `json:"request_id"`
	Unix    int64  `json:"unix_seconds"`                   // when it was made, in the phone's clock as the computer knows it
	Expires int64  `json:"expires_unix_seconds,omitempty"` // in the phone's clock
	K       int    `json:"k"`
	V       string `json:"v"` // the program's version, for people

	// KeysSeq is the Seq of the newest notice with keys that the computer has
	// stored; 0 for none.
	KeysSeq int64 `json:"keys_seq,omitempty"`

	// EphemeralC is e_c, with which the computer starts a new epoch.
	EphemeralC *sealbox.PublicKey `json:"e_c,omitempty"`

	Me     *MeRequest     `json:"me_request,omitempty"`
	Sign   *SignRequest   `json:"sign_request,omitempty"`
	Cancel *CancelRequest `json:"cancel_request,omitempty"`
	Unpair *Unpair        `json:"unpair_request,omitempty"`
}

// Response is what the phone says to a request.
type Response struct {
	ID   ID     `json:"request_id"`
	Unix int64  `json:"unix_seconds"` // the phone's clock
	K    int    `json:"k"`
	V    string `json:"v"`

	// EphemeralS is e_s, the phone's answer to e_c. EpochProof comes with it: the
	// phone has made the epoch of both. [kr-protocol] §2.4.
	EphemeralS *sealbox.PublicKey `json:"e_s,omitempty"`
	EpochProof *sealbox.Key32     `json:"e_proof,omitempty"`

	// LogHead (32 bytes) and LogLength are of the phone's log when this was sent;
	// no head: it does not tell. [kr-protocol] §4.7.
	LogHead   []byte `json:"log_head,omitempty"`
	LogLength uint64 `json:"log_length,omitempty"`

	// AddressesSeq is the number of the computer's addresses that the phone has;
	// 0: those of the pairing. [kr-protocol] §5.1.
	AddressesSeq int64 `json:"addresses_seq,omitempty"`

	Ack   *Ack           `json:"ack_response,omitempty"`
	Me    *MeResponse    `json:"me_response,omitempty"`
	Sign  *SignResponse  `json:"sign_response,omitempty"`
	Error *ErrorResponse `json:"error_response,omitempty"`
}

// Notice is what the phone says unasked: the full state each time.
type Notice struct {
	ID   ID     `json:"notice_id"`
	Seq  int64  `json:"notice_seq"` // max(last + 1, unix milliseconds)
	Unix int64  `json:"unix_seconds"`
	K    int    `json:"k"`
	V    string `json:"v"`

	Unpair *Unpair   `json:"unpair,omitempty"`
	Keys   *[]SSHKey `json:"keys,omitempty"` // all that this computer may see; none is a list, too
	Wakers           // beside Keys only

	// Locked says, beside Keys only, that the person locked this computer: the phone
	// refuses all that it asks. [kr-protocol] §4.13.
	Locked bool `json:"locked,omitempty"`

	// LeasesOver are rules whose tokens are of no use any more. It needs no Seq.
	LeasesOver []string `json:"leases_over,omitempty"`
}

// MeRequest is krd_hello: who the computer is. With NC it is the hello of a
// pairing, without it the hello of a new epoch.
type MeRequest struct {
	NC        []byte    `json:"n_c,omitempty"` // 32 bytes, once per QR code
	Name      string    `json:"name,omitempty"`
	Software  string    `json:"software,omitempty"`
	Addresses []Address `json:"addresses,omitempty"` // where the computer listens for this pairing

	// AddressesSeq numbers the addresses of a hello without NC.
	AddressesSeq int64 `json:"addresses_seq,omitempty"`
}

// Ack says that a request has arrived. The ack of a pairing's hello opens the
// phone's commitment and tells where the phone listens.
type Ack struct {
	NS        []byte    `json:"n_s,omitempty"` // 32 bytes
	Addresses []Address `json:"addresses,omitempty"`
}

// MeResponse is kryptonite_hello: the phone introduces itself, after the
// person agreed to the pairing.
type MeResponse struct {
	Name string   `json:"name"`
	Keys []SSHKey `json:"keys"`
	Wakers
}

// MaxKeys is how many keys a phone tells a computer. [kr-protocol] §4.10.
const MaxKeys = 16

// SSHKey is one public key that the phone offers to this computer.
type SSHKey struct {
	PublicKey []byte `json:"public_key"` // SSH wire format
	Name      string `json:"name"`
}

// Comment names the key for people, where the phone's name alone does not: a
// web phone gives its first key its own name.
func (k SSHKey) Comment(phone string) string {
	if k.Name == "" || k.Name == "default" || k.Name == phone {
		return phone
	}
	return phone + " " + k.Name
}

// SignRequest asks for a signature over Payload, the complete bytes that ssh
// wants signed, unmodified.
type SignRequest struct {
	Fingerprint string    `json:"public_key_fingerprint"` // "SHA256:" and unpadded base64
	Payload     []byte    `json:"payload"`
	Binds       []Bind    `json:"binds,omitempty"`
	Reported    *Reported `json:"reported,omitempty"`

	LeaseTokens []LeaseToken `json:"lease_tokens,omitempty"` // at most MaxLeaseTokens, newest first
}

// Bind is one session-bind@openssh.com as the agent got it, in order.
type Bind struct {
	HostKey    []byte `json:"host_key"`
	SessionID  []byte `json:"session_id"`
	Signature  []byte `json:"signature"`
	Forwarding bool   `json:"forwarding"`
}

// SignResponse carries a signature (SSH wire format: string format, string
// blob), or why there is none.
type SignResponse struct {
	Signature []byte `json:"signature,omitempty"`
	Error     Code   `json:"error,omitempty"`
	Reason    string `json:"reason,omitempty"` // for people: one sentence

	LeaseToken LeaseToken `json:"lease_token,omitzero"` // with a signature; sent once, never stored
}

// ErrorResponse answers a request of a kind that the phone does not know.
type ErrorResponse struct {
	Error Code `json:"error"`
}

// CancelRequest withdraws an earlier request.
type CancelRequest struct {
	ID ID `json:"cancelled_id"`
}

// Unpair ends the pairing. It has no content.
type Unpair struct{}

// Code is why the phone gave no signature.
type Code string

// The codes. [kr-protocol] §4.2.
const (
	CodeRejected    Code = "rejected"     // the person said no
	CodeRefused     Code = "refused"      // the phone does not sign this; Reason says why
	CodeHostKey     Code = "host_key"     // another host key is pinned for that name; Reason says which
	CodeForwarded   Code = "forwarded"    // it was forwarded, and this computer may not do that
	CodeLocked      Code = "locked"       // the person locked this computer
	CodeUnknownKey  Code = "unknown_key"  // no such key, or not for this computer
	CodeClockSkew   Code = "clock_skew"   // the request's times do not fit the phone's clock
	CodeExpired     Code = "expired"      // nobody decided in time
	CodeCancelled   Code = "cancelled"    // the computer withdrew it
	CodeUnknownKind Code = "unknown_kind" // a newer request than this phone knows
)

// Known reports whether r holds a kind that this version knows.
func (r *Request) Known() bool {
	return r.Me != nil || r.Sign != nil || r.Cancel != nil || r.Unpair != nil
}

// Encode returns the padded plaintext of m. It fails when m is larger than
// MaxPlaintext bytes, which tells the caller that its content is too large.
func Encode(m Message) ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("wire: encode message: %w", err)
	}
	p := sealbox.Pad(b)
	if len(p) > MaxPlaintext {
		return nil, fmt.Errorf("wire: message of %d bytes is larger than %d", len(p), MaxPlaintext)
	}
	return p, nil
}

// Decode returns the message of a padded plaintext, or ErrMessage if it is not
// exactly one request, response or notice of at most one known kind, if its
// leases, push address or addresses break a rule, if it says that the computer is
// locked without its keys, or if it is of another protocol
// number: what its fields mean is then not known.
func Decode(plain []byte) (Message, error) {
	var m Message
	text, ok := sealbox.Unpad(plain)
	if !ok || len(plain) > MaxPlaintext {
		return m, ErrMessage
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return Message{}, ErrMessage
	}
	if count(m.Request != nil, m.Response != nil, m.Notice != nil) != 1 || !m.oneKind() || !m.leasesFit() || !m.pushFits() || !m.addressesFit() || m.protocol() != Protocol {
		return Message{}, ErrMessage
	}
	return m, nil
}

func (m Message) oneKind() bool {
	switch {
	case m.Request != nil:
		r := m.Request
		return count(r.Me != nil, r.Sign != nil, r.Cancel != nil, r.Unpair != nil) <= 1
	case m.Response != nil:
		r := m.Response
		return count(r.Ack != nil, r.Me != nil, r.Sign != nil, r.Error != nil) == 1
	default:
		n := m.Notice
		return count(n.Unpair != nil, n.Keys != nil, len(n.LeasesOver) > 0) <= 1 && (n.Keys != nil || !n.Locked)
	}
}

// protocol is the k of a message that holds one of the three.
func (m Message) protocol() int {
	switch {
	case m.Request != nil:
		return m.Request.K
	case m.Response != nil:
		return m.Response.K
	default:
		return m.Notice.K
	}
}

// FitsHeader reports whether m may travel under h. [kr-protocol] §2.3: hello
// and its ack, unpair_request and notices of unpair and of keys under the session
// keys, everything else under an epoch.
func (m Message) FitsHeader(h Header) bool {
	var session, epoch bool
	switch {
	case m.Request != nil:
		session = m.Request.Me != nil || m.Request.Unpair != nil
		epoch = !session
	case m.Response != nil:
		session = m.Response.Ack != nil
		epoch = true
	case m.Notice != nil:
		session = m.Notice.Unpair != nil || m.Notice.Keys != nil
		epoch = !session
	}
	return h == HeaderSession && session || h == HeaderEpoch && epoch
}

func count(bs ...bool) (n int) {
	for _, b := range bs {
		if b {
			n++
		}
	}
	return n
}
