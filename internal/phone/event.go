package phone

import (
	"time"

	"kryptonite/internal/hostauth"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/policy"
	"kryptonite/internal/wire"
)

// Event is something that happened: one of the types below.
type Event interface{ event() }

// Start is the first event of every run: it yields what was left open.
type Start struct{}

// OpenLink is a person who opened a pairing link and wants to pair.
type OpenLink struct{ Link string }

// Confirm is a person's answer to the two words.
type Confirm struct {
	Pairing string
	Yes     bool
}

// Frame is a frame that came in for a pairing, from anyone. One that came by a
// push says itself whose it is: then Pairing is "".
type Frame struct {
	Pairing string
	Data    []byte
}

// Decide is a person's answer to a card. A Grant makes a rule of it, if the card
// says that it may.
type Decide struct {
	Pairing string
	Request wire.ID
	Allow   bool
	Grant   policy.Grant
}

// Revoke is a person who ends a rule, or all of them ("*").
type Revoke struct{ Rule string }

// ForgetHost is a person who wants a server's pins to be forgotten: those of one
// scope (see knownhosts.Pin), or all ("*"). Its next login is its first.
type ForgetHost struct {
	Name  knownhosts.Name
	Scope string
}

// Forward is a person who wants to be asked about requests that a computer
// forwards, or not: then they are refused.
type Forward struct {
	Pairing string
	Ask     bool
}

// TrustHost is a person who trusts the host key that was refused last for a name in a
// scope; see Core.Strange. Fingerprint is of the key that they compared: by now another
// one may be the last. Core.MayTrust says why it would change nothing.
type TrustHost struct {
	Name        knownhosts.Name
	Scope       string
	Fingerprint string
}

// Signed is the outcome of a Sign effect: a signature in SSH wire format, or
// Failed as one sentence for people. Wrapped is the wrapped key, at most 1 KiB,
// if the Sign asked for one by Wrap and there is one; the core stores it.
type Signed struct {
	Pairing   string
	Request   wire.ID
	Signature []byte
	Failed    string
	Wrapped   []byte
}

// Unpair is a person who ends a pairing on this phone.
type Unpair struct{ Pairing string }

// Told says that a channel has taken a Send that is a Farewell.
type Told struct{ Pairing string }

// Tick says that time has passed; see Core.Next.
type Tick struct{}

// Acknowledge is a person who knows that the log was damaged (NoteLogDamaged).
type Acknowledge struct{}

// Renamed says what computers that are paired from now on list this phone as.
// An empty Name changes nothing.
type Renamed struct{ Name string }

// Subscribed is what the platform got from its push service when it subscribed
// with a key (see Subscribe), or found there; also when that changes. An empty
// Endpoint: there is no subscription, or none any more. One for another key than
// the newest changes nothing, nor does one that is malformed.
type Subscribed struct {
	VAPID    []byte // the public key that it was made with
	Endpoint string
	P256dh   []byte // 65 bytes
	Auth     []byte // 16 bytes
}

// Registered is the token that the platform gave this device of the app for
// pushes by Apple or Google (wire.PushToken); also when that changes. An empty Token:
// there is none any more. One that is malformed changes nothing.
type Registered struct{ Platform, Token string }

func (Start) event()       {}
func (OpenLink) event()    {}
func (Confirm) event()     {}
func (Frame) event()       {}
func (Decide) event()      {}
func (Signed) event()      {}
func (Unpair) event()      {}
func (Told) event()        {}
func (Revoke) event()      {}
func (ForgetHost) event()  {}
func (Forward) event()     {}
func (TrustHost) event()   {}
func (Acknowledge) event() {}
func (Renamed) event()     {}
func (Tick) event()        {}
func (Subscribed) event()  {}
func (Registered) event()  {}

// Effect is something to do: one of the types below.
type Effect interface{ effect() }

// Store sets Key to Value in durable storage, or deletes it when Value is nil.
type Store struct {
	Key   string
	Value []byte
}

// Listen receives the frames of a pairing: of a mailbox (the seed of its Ed25519
// key, 32 bytes) on a relay, or, if SQS is there, of the queue to the phone, or, if
// Bluetooth is there, those that come by that service. When
// New is set, the mailbox must exist before a later Send of the same event goes out.
type Listen struct {
	Pairing string
	Origin  string
	Seed    []byte
	New     bool
	SQS     *wire.SQSAddress

	Bluetooth *wire.BluetoothAddress
}

// Close stops listening and deletes the mailbox; a queue is the computer's to
// delete.
type Close struct {
	Pairing string
	Origin  string
	Seed    []byte
	SQS     *wire.SQSAddress

	Bluetooth *wire.BluetoothAddress
}

// Send sends Frame to all addresses, each channel on its own. A Farewell tells
// a computer that its pairing is over: when a channel has taken it, the core
// wants to know by Told, and sends it again otherwise.
type Send struct {
	Pairing  string
	To       []wire.Address
	Frame    []byte
	Farewell bool
}

// Sign asks the keystore for a signature over exactly Payload. Card and Rule say to
// the person whom it asks for the key what it is for: the request, and the rule that
// allowed it or was given with it, "" when none. That rule may have ended with this
// request.
//
// The other fields are for a keystore that needs the person to open a key, and
// for a rule that works while the app is closed (policy.Grant.Closed). Any other
// keystore leaves them alone. At most one of Wrap and Unwrap is there, 32 bytes.
//
// Wrap: once the key is open for this signature, the keystore also seals the
// private key under Wrap, used for that once, by an AEAD with Fingerprint as
// additional data, and returns nonce and ciphertext as Signed.Wrapped. It keeps
// neither Wrap nor the result. A key that is open, but cannot be read, it opens
// again by asking the person; not for Renew: the computer has lost its half, and
// a key that is open signs without anybody. If it cannot wrap, it signs all the
// same, and the rule goes on without Closed, or, for Renew, is tried again with the
// next signature.
//
// Unwrap: the keystore opens Wrapped, which is such a result, under Unwrap, and
// signs with that key without asking anybody. It keeps nothing of it: the key
// is not unlocked for what comes later. If Wrapped does not open, or holds another key
// than Fingerprint's, it opens the key as if the two fields were not there, by
// asking the person.
type Sign struct {
	Pairing     string
	Request     wire.ID
	Fingerprint string
	Payload     []byte
	Expires     time.Time // then the signature is of no use any more
	Card        Card
	Rule        string
	Wrap        []byte
	Renew       bool // with Wrap
	Unwrap      []byte
	Wrapped     []byte
}

// ShowWords asks the person whether the computer shows the same two words.
type ShowWords struct {
	Pairing  string
	Computer string
	Words    string
}

// Ask shows a request and asks the person.
type Ask struct{ Card Card }

// Alarm tells the person that a login was refused because of its host key
// (wire.CodeHostKey), or a request of any kind because it was forwarded
// (wire.CodeForwarded).
type Alarm struct {
	Card   Card
	Code   wire.Code
	Reason string
}

// Withdraw takes a card away, and ends the signature under way, if there is one:
// the request was answered, cancelled or is too late. Why is what became of it.
type Withdraw struct {
	Pairing string
	Request wire.ID
	Why     wire.Code // "" when it was signed
}

// Subscribe asks the platform to be subscribed to its push service with the
// public key VAPID (an uncompressed point, 65 bytes), now or at a moment when its
// person can be asked, and to report by Subscribed. It comes at each start and
// with each pairing while there is no subscription. A subscription with another
// key has to end. An empty VAPID: all have to, nobody is there to push.
type Subscribe struct{ VAPID []byte }

// Note tells the person something, without asking.
type Note struct {
	Pairing  string
	Computer string
	Kind     NoteKind
	Err      error  // for NoteBadLink, NoteLogDamaged and NoteUntrusted
	Rule     string // for NoteSigned: the rule that allowed it, or that was given with it
}

// NoteKind is what a Note says.
type NoteKind int

// The kinds of notes.
const (
	NoteBadLink    NoteKind = iota // the link could not be read; Err says why
	NoteNoHello                    // 15 s without hello: someone else may have scanned the code
	NoteTooLate                    // the QR code's time is over
	NotePaired                     // this phone has agreed; the computer was told
	NoteLive                       // the computer uses the pairing
	NoteRefused                    // the other side, or the person, did not agree
	NoteUnpaired                   // the pairing has ended
	NoteTold                       // the computer of an ended pairing has been told
	NoteSkew                       // a request did not fit this phone's clock
	NoteSigned                     // a signature was made and is on its way
	NoteLogDamaged                 // the log was damaged and begun anew; Err says more; at each start until acknowledged
	NoteUnheard                    // a computer stopped waiting for a signature that was made: it came too late
	NoteUntrusted                  // a host key that the person trusts was not pinned; Err says why
	NoteOpened                     // the link that was opened is of this pairing, new or not; what comes of it follows
)

func (Store) effect()     {}
func (Listen) effect()    {}
func (Close) effect()     {}
func (Send) effect()      {}
func (Sign) effect()      {}
func (ShowWords) effect() {}
func (Ask) effect()       {}
func (Alarm) effect()     {}
func (Withdraw) effect()  {}
func (Note) effect()      {}
func (Subscribe) effect() {}

// Card is what a person sees before a decision: facts out of the signed bytes,
// how far they are proved, and what is left of the time.
type Card struct {
	Pairing  string
	Request  wire.ID
	Computer string // the name that the computer gave itself
	KeyName  string

	User      string        // of a login; may hold any bytes: clean it before showing
	Namespace string        // of an SSHSIG signature; then User is ""
	Host      hostauth.Host // of an SSHSIG signature unknown; Local and Path say how it came
	Reported  wire.Reported // the computer's word: label it so
	Expires   time.Time

	// What the phone knows of the host. Name is what the computer reported and
	// the phone looked up; KnownAs are the names that the key is pinned for.
	Name    knownhosts.Name
	Known   knownhosts.Verdict
	Pins    []knownhosts.Pin // of Name
	KnownAs []knownhosts.Name

	// What to call the host, everywhere. HostName is a name that its key is pinned
	// for, if there is one: Name itself, or the first of KnownAs. Without it is what the
	// computer reported, or "" where that is worth nothing: a key that was forwarded.
	// Called is what the computer calls it, if that is another name: its word.
	HostName, Called knownhosts.Name

	// Why no rule for this host, or for this computer, may be given with the
	// answer; "" when it may.
	NoHostRule, NoComputerRule string
}
