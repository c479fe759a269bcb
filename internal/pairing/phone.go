package pairing

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"time"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// Phone is the phone's side of one QR code. Its exported fields are its state,
// for storage: the same code opened again sends the same values. It is not
// safe for concurrent use.
type Phone struct {
	Link  string             `json:"link"`
	S     sealbox.PrivateKey `json:"s_priv"`
	ES    sealbox.PrivateKey `json:"e_s_priv"` // empty once the epoch exists
	NS    []byte             `json:"n_s"`
	Step2 []byte             `json:"step2"` // plaintext of the 0x02

	NC    []byte         `json:"n_c,omitempty"` // the one n_c, once hello opened
	Hello wire.ID        `json:"hello_id"`
	EC    []byte         `json:"e_c,omitempty"`
	ESPub []byte         `json:"e_s,omitempty"`
	Epoch *sealbox.Epoch `json:"epoch,omitempty"`
	Name  string         `json:"computer,omitempty"`
	Addrs []wire.Address `json:"computer_addresses,omitempty"`

	inv wire.Invitation
	box *sealbox.Shared
}

// NewPhone makes the phone's keys for a link. mailbox is where the phone waits
// for the hello.
func NewPhone(link string, mailbox [16]byte) (*Phone, error) {
	inv, err := wire.ParseLink(link)
	if err != nil {
		return nil, err
	}
	p := &Phone{Link: link, NS: make([]byte, NonceSize)}
	if p.S, err = sealbox.NewKey(); err != nil {
		return nil, err
	}
	if p.ES, err = sealbox.NewKey(); err != nil {
		return nil, err
	}
	if _, err := rand.Read(p.NS); err != nil {
		return nil, fmt.Errorf("pairing: draw n_s: %w", err)
	}
	s := p.S.Public()
	commit := commitment(inv.CPub, s, p.NS)
	p.Step2 = append(append(append([]byte{}, s[:]...), commit[:]...), mailbox[:]...)
	return p, p.Load()
}

// Load prepares a Phone that came from storage. Call it once before use.
func (p *Phone) Load() (err error) {
	if p.inv, err = wire.ParseLink(p.Link); err != nil {
		return err
	}
	met := len(p.NC) == NonceSize && len(p.EC) == sealbox.KeySize && len(p.ESPub) == sealbox.KeySize && p.Epoch != nil && p.Epoch.Whole()
	fresh := p.NC == nil && !p.ES.IsZero()
	if len(p.Step2) != step2Size || len(p.NS) != NonceSize || p.S.IsZero() || !met && !fresh {
		return fmt.Errorf("pairing: stored pairing is incomplete")
	}
	if p.inv.CPub == p.S.Public() {
		return sealbox.ErrKey
	}
	p.box, err = sealbox.NewShared(p.S, p.inv.CPub)
	return err
}

// Invitation is what the link said.
func (p *Phone) Invitation() wire.Invitation { return p.inv }

// ID names the pairing.
func (p *Phone) ID() string { return ID(p.inv.CPub, p.S.Public()) }

// First returns the first frame (header 0x02), for the rendezvous mailbox.
func (p *Phone) First() ([]byte, error) {
	body, err := sealbox.SealTo(p.inv.CPub, p.Step2)
	if err != nil {
		return nil, err
	}
	return wire.NewFrame(wire.HeaderSealed, body), nil
}

// Receive takes a frame from the computer. For the hello, and each repeat of
// it, it returns the ack to send to p.Addrs. own says where the phone listens for
// this pairing, given p.Addrs; nil: nowhere. ErrUnpaired: the person said no at
// the computer. All else is ErrDrop.
func (p *Phone) Receive(now time.Time, frame []byte, version string, own func(theirs []wire.Address) []wire.Address) (ack []byte, err error) {
	h, body, err := wire.SplitFrame(frame)
	if err != nil || h != wire.HeaderSession {
		return nil, ErrDrop
	}
	plain, err := p.box.Open(body)
	if err != nil {
		return nil, ErrDrop
	}
	m, err := wire.Decode(plain)
	if err != nil || m.Request == nil || !m.FitsHeader(h) {
		return nil, ErrDrop
	}
	if m.Request.Unpair != nil {
		return nil, ErrUnpaired
	}
	if err := p.takeHello(m.Request); err != nil {
		return nil, err
	}
	if own == nil {
		return p.Ack(now, version, nil)
	}
	return p.Ack(now, version, own(p.Addrs))
}

// Ack returns the ack of the hello again, for p.Addrs. The hello must have come.
func (p *Phone) Ack(now time.Time, version string, own []wire.Address) ([]byte, error) {
	eS := sealbox.PublicKey(p.ESPub)
	return sealSession(p.box, wire.Message{Response: &wire.Response{
		ID: p.Hello, Unix: now.Unix(), K: wire.Protocol, V: version, EphemeralS: &eS, EpochProof: &p.Epoch.Proof,
		Ack: &wire.Ack{NS: p.NS, Addresses: own},
	}})
}

// takeHello accepts the first hello and its exact repeats, nothing else: the
// phone takes one n_c, ever, per QR code.
func (p *Phone) takeHello(r *wire.Request) error {
	me := r.Me
	if me == nil || len(me.NC) != NonceSize || r.EphemeralC == nil {
		return ErrDrop
	}
	if p.NC != nil {
		if r.ID != p.Hello || !bytes.Equal(me.NC, p.NC) || !bytes.Equal(r.EphemeralC[:], p.EC) {
			return ErrDrop
		}
		return nil
	}
	eS := p.ES.Public()
	e, err := sealbox.PhoneEpoch(p.S, p.ES, p.inv.CPub, *r.EphemeralC)
	if err != nil {
		return ErrDrop
	}
	p.Epoch, p.ESPub = &e, eS[:]
	p.ES.Erase()
	p.NC, p.Hello, p.EC = me.NC, r.ID, bytes.Clone(r.EphemeralC[:])
	p.Name, p.Addrs = me.Name, me.Addresses
	return nil
}

// Words returns the two words, or "" before the hello.
func (p *Phone) Words() string {
	if p.NC == nil {
		return ""
	}
	return words(p.inv.PayloadHash(), p.inv.CPub, p.Step2, p.NC, p.NS)
}

// Unpair returns the frame that ends the pairing at the computer.
func (p *Phone) Unpair(now time.Time, version string) ([]byte, error) {
	return UnpairNotice(p.box, now, version)
}
