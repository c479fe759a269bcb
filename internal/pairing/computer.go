package pairing

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// NonceSize is the size of n_c and n_s in bytes.
const NonceSize = 32

// maxEarly is how many frames may wait for the ack.
const maxEarly = 4

// step2Size is s_pub(32) ‖ commit(32) ‖ mailbox(16), in bytes.
const step2Size = 80

// Self is what the computer says of itself in its hello.
type Self struct {
	Name      string         // how the phone lists it
	Version   string         // the program's version
	Addresses []wire.Address // where it listens for this pairing
	Bluetooth bool           // it listens there, too: by the pairing's service
}

// Computer is the computer's side of one QR code. It is not safe for
// concurrent use.
type Computer struct {
	inv   wire.Invitation
	self  Self
	c     sealbox.PrivateKey
	eC    sealbox.PrivateKey
	nC    []byte
	hello wire.ID

	step2      []byte // plaintext of the first valid 0x02; nil before
	s          sealbox.PublicKey
	box        *sealbox.Shared
	helloFrame []byte
	early      [][]byte // frames that overtook the ack: they open only after it

	words string // set once the commitment held
	epoch sealbox.Epoch
	peer  Peer
}

// Peer is what the computer learned of the phone.
type Peer struct {
	Name      string
	Keys      []wire.SSHKey
	Wakers    wire.Wakers
	Addresses []wire.Address
	Unix      int64 // the phone's clock in its newest message
}

// NewComputer makes the keys of one QR code. where is its invitation, to which
// c_pub is added.
func NewComputer(where wire.Invitation, self Self) (*Computer, error) {
	c, err := sealbox.NewKey()
	if err != nil {
		return nil, err
	}
	where.CPub = c.Public()
	return &Computer{inv: where, self: self, c: c}, nil
}

// Invitation is what the QR code says.
func (p *Computer) Invitation() wire.Invitation { return p.inv }

// Accept takes the phone's first frame (header 0x02) and returns the hello to
// send and the mailbox to send it to, zeros if they meet without a relay. All but the first valid frame is ErrDrop.
func (p *Computer) Accept(now time.Time, frame []byte) (hello []byte, to [16]byte, err error) {
	if p.step2 != nil {
		return nil, to, ErrDrop
	}
	h, body, err := wire.SplitFrame(frame)
	if err != nil || h != wire.HeaderSealed {
		return nil, to, ErrDrop
	}
	plain, err := sealbox.OpenSealed(p.c, body)
	if err != nil || len(plain) != step2Size {
		return nil, to, ErrDrop
	}
	s := sealbox.PublicKey(plain[:32])
	box, err := sealbox.NewShared(p.c, s)
	if err != nil || s == p.c.Public() {
		return nil, to, ErrDrop
	}
	if p.eC, err = sealbox.NewKey(); err != nil {
		return nil, to, err
	}
	if p.hello, err = wire.NewID(); err != nil {
		return nil, to, err
	}
	p.nC = make([]byte, NonceSize)
	if _, err := rand.Read(p.nC); err != nil {
		return nil, to, fmt.Errorf("pairing: draw n_c: %w", err)
	}
	addresses := p.self.Addresses
	if p.self.Bluetooth {
		service, err := sealbox.ComputerService(p.c, s)
		if err != nil {
			return nil, to, ErrDrop
		}
		addresses = append(slices.Clip(addresses), wire.Address{Bluetooth: &wire.BluetoothAddress{Service: service[:]}})
	}
	eC := p.eC.Public()
	msg := wire.Message{Request: &wire.Request{
		ID: p.hello, Unix: now.Unix(), K: wire.Protocol, V: p.self.Version, EphemeralC: &eC,
		Me: &wire.MeRequest{NC: p.nC, Name: p.self.Name, Software: "krd", Addresses: addresses},
	}}
	if p.helloFrame, err = sealSession(box, msg); err != nil {
		return nil, to, err
	}
	p.step2, p.s, p.box = plain, s, box
	return p.helloFrame, [16]byte(plain[64:]), nil
}

// Hello is the hello again, the same bytes, until it is answered; nil before Accept.
func (p *Computer) Hello() []byte { return p.helloFrame }

// Receive takes a frame from the phone after Accept: the ack (Words is set
// then) or the me_response (done is true then). Links keep no order: a
// me_response that comes first is kept, and taken with the ack. Errors: ErrDrop, ErrCommit
// (burn the QR code), ErrUnpaired (the person said no on the phone).
func (p *Computer) Receive(frame []byte) (done bool, err error) {
	h, body, err := wire.SplitFrame(frame)
	if err != nil || p.box == nil {
		return false, ErrDrop
	}
	var plain []byte
	switch {
	case h == wire.HeaderSession:
		plain, err = p.box.Open(body)
	case h == wire.HeaderEpoch && p.words != "":
		plain, err = p.epoch.Open(body)
	case h == wire.HeaderEpoch && len(p.early) < maxEarly:
		p.early = append(p.early, bytes.Clone(frame))
		return false, ErrDrop // for now
	default:
		return false, ErrDrop
	}
	if err != nil {
		return false, ErrDrop
	}
	m, err := wire.Decode(plain)
	if err != nil || m.Request != nil || !m.FitsHeader(h) {
		return false, ErrDrop
	}
	if m.Notice != nil && m.Notice.Unpair != nil {
		return false, ErrUnpaired
	}
	r := m.Response
	if r == nil || r.ID != p.hello {
		return false, ErrDrop
	}
	switch {
	case r.Ack != nil && h == wire.HeaderSession:
		if err := p.acked(r); err != nil {
			return false, err
		}
		for _, f := range p.early {
			if d, err := p.Receive(f); err == nil {
				done = done || d
			}
		}
		p.early = nil
		return done, nil
	case r.Me != nil && p.words != "":
		p.peer.Name, p.peer.Keys, p.peer.Wakers, p.peer.Unix = r.Me.Name, r.Me.Keys, r.Me.Wakers, r.Unix
		return true, nil
	}
	return false, ErrDrop
}

// acked checks the commitment and computes words and first epoch.
func (p *Computer) acked(r *wire.Response) error {
	if p.words != "" || r.EphemeralS == nil || len(r.Ack.NS) != NonceSize {
		return ErrDrop
	}
	if want := commitment(p.c.Public(), p.s, r.Ack.NS); !bytes.Equal(want[:], p.step2[32:64]) {
		return ErrCommit
	}
	e, err := sealbox.ComputerEpoch(p.c, p.eC, p.s, *r.EphemeralS)
	if err != nil || !e.Proved(r.EpochProof) {
		return ErrDrop
	}
	p.epoch = e
	p.eC.Erase()
	p.peer.Addresses, p.peer.Unix = r.Ack.Addresses, r.Unix
	p.words = words(p.inv.PayloadHash(), p.c.Public(), p.step2, p.nC, r.Ack.NS)
	return nil
}

// Words returns the two words, or "" while the commitment is not yet checked.
func (p *Computer) Words() string { return p.words }

// Peer is what the phone said of itself.
func (p *Computer) Peer() Peer { return p.peer }

// Keys returns what a live pairing keeps: the computer's session key, the
// phone's public key and the first epoch.
func (p *Computer) Keys() (sealbox.PrivateKey, sealbox.PublicKey, sealbox.Epoch) {
	return p.c, p.s, p.epoch
}

// Unpair returns the frame that ends the pairing at the phone, or nil when
// there is no phone yet.
func (p *Computer) Unpair(now time.Time) ([]byte, error) {
	if p.box == nil {
		return nil, nil
	}
	return UnpairRequest(p.box, now, p.self.Version)
}

// UnpairRequest seals the computer's end of a pairing under the session keys.
func UnpairRequest(box *sealbox.Shared, now time.Time, version string) ([]byte, error) {
	id, err := wire.NewID()
	if err != nil {
		return nil, err
	}
	return sealSession(box, wire.Message{Request: &wire.Request{
		ID: id, Unix: now.Unix(), K: wire.Protocol, V: version, Unpair: &wire.Unpair{}}})
}

// UnpairNotice seals the phone's end of a pairing under the session keys.
func UnpairNotice(box *sealbox.Shared, now time.Time, version string) ([]byte, error) {
	id, err := wire.NewID()
	if err != nil {
		return nil, err
	}
	return sealSession(box, wire.Message{Notice: &wire.Notice{
		ID: id, Seq: now.UnixMilli(), Unix: now.Unix(), K: wire.Protocol, V: version, Unpair: &wire.Unpair{}}})
}

func sealSession(box *sealbox.Shared, m wire.Message) ([]byte, error) {
	plain, err := wire.Encode(m)
	if err != nil {
		return nil, err
	}
	body, err := box.Seal(plain)
	if err != nil {
		return nil, err
	}
	return wire.NewFrame(wire.HeaderSession, body), nil
}
