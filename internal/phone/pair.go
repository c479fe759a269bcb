package phone

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// openLink starts a pairing, or goes on with the one of the same link. It says first
// which one that is: whatever fails after that, the person can end it.
func (c *Core) openLink(now time.Time, link string) []Effect {
	inv, err := wire.ParseLink(link)
	if err != nil {
		return []Effect{Note{Kind: NoteBadLink, Err: err}}
	}
	for _, p := range c.sorted() {
		if p.C == inv.CPub {
			return append([]Effect{Note{Pairing: p.id, Computer: p.Computer, Kind: NoteOpened}}, c.reopen(p)...)
		}
	}
	if inv.Bluetooth && !c.cfg.Bluetooth {
		return []Effect{Note{Kind: NoteBadLink, Err: errors.New("computer and phone are to meet by Bluetooth, which this phone cannot use")}}
	}
	p, effects, err := newPairing(now, inv)
	if err != nil {
		return []Effect{Note{Kind: NoteBadLink, Err: err}}
	}
	c.pairings[p.id] = p
	return append([]Effect{c.putPairing(p), Note{Pairing: p.id, Kind: NoteOpened}}, effects...)
}

// reopen sends the same first frame again, or asks the same question.
func (c *Core) reopen(p *pairRecord) []Effect {
	switch p.State {
	case stateWaiting:
		frame, err := p.Handshake.First()
		if err != nil {
			return []Effect{Note{Kind: NoteBadLink, Err: err}}
		}
		return []Effect{p.sendFirst(frame)}
	case stateWords:
		return []Effect{ShowWords{p.id, p.Computer, p.Handshake.Words()}}
	}
	return []Effect{Note{Pairing: p.id, Computer: p.Computer, Kind: NotePaired}}
}

func newPairing(now time.Time, inv wire.Invitation) (*pairRecord, []Effect, error) {
	p := &pairRecord{State: stateWaiting, Created: now.Unix(), Link: inv.Link(), Origin: inv.Relay, HTTP: strings.HasPrefix(inv.App, "http:"), C: inv.CPub}
	var hello mailbox.Address // where it is awaited
	switch {
	case inv.Bluetooth:
		u := sealbox.RendezvousService(inv.CPub)
		p.Nearby = &wire.BluetoothAddress{Service: u[:]}
	case inv.Relay == "":
		queues := inv.SQS.Queues(inv.CPub)
		p.Meeting = &queues
	default:
		rendezvous, err := mailbox.NewKey()
		if err != nil {
			return nil, nil, err
		}
		own, err := mailbox.NewKey()
		if err != nil {
			return nil, nil, err
		}
		hello, p.Rendezvous, p.Own = rendezvous.Address(), rendezvous.Seed(), own.Seed()
	}
	h, err := pairing.NewPhone(inv.Link(), hello)
	if err != nil {
		return nil, nil, err
	}
	frame, err := h.First()
	if err != nil {
		return nil, nil, err
	}
	p.Handshake, p.S = h, h.S
	if err := p.load(h.ID()); err != nil {
		return nil, nil, err
	}
	return p, append(p.listenAll(true), p.sendFirst(frame)), nil
}

// begun reports whether the places where the pairing began are still open.
func (p *pairRecord) begun() bool { return p.Rendezvous != nil || p.Meeting != nil || p.Nearby != nil }

// listenAll listens wherever the pairing does.
func (p *pairRecord) listenAll(isNew bool) (effects []Effect) {
	for _, seed := range [][]byte{p.Rendezvous, p.Own} {
		if seed != nil {
			effects = append(effects, Listen{Pairing: p.id, Origin: p.Origin, Seed: seed, New: isNew})
		}
	}
	if p.Meeting != nil {
		effects = append(effects, Listen{Pairing: p.id, SQS: p.Meeting})
	}
	if p.Nearby != nil {
		effects = append(effects, Listen{Pairing: p.id, Bluetooth: p.Nearby})
	}
	return append(effects, p.listenTo()...)
}

func (p *pairRecord) sendFirst(frame []byte) Send {
	if p.Meeting != nil {
		return Send{Pairing: p.id, To: []wire.Address{{SQS: p.Meeting}}, Frame: frame}
	}
	if p.Nearby != nil {
		return Send{Pairing: p.id, To: []wire.Address{{Bluetooth: p.Nearby}}, Frame: frame}
	}
	to := p.Handshake.Invitation().Rendezvous
	return Send{Pairing: p.id, To: []wire.Address{{Relay: &wire.RelayAddress{Origin: p.Origin, Mailbox: to[:]}}}, Frame: frame}
}

// handshake takes a frame of a pairing that is not live yet.
func (c *Core) handshake(now time.Time, p *pairRecord, frame []byte) []Effect {
	first := p.State == stateWaiting
	ack, err := p.Handshake.Receive(now, frame, c.cfg.Version, func(theirs []wire.Address) []wire.Address {
		p.To = c.usable(p, theirs)
		return p.ownAddresses()
	})
	switch {
	case errors.Is(err, pairing.ErrUnpaired):
		return append(c.forget(p), Note{Pairing: p.id, Computer: p.Computer, Kind: NoteRefused})
	case err != nil:
		c.dropped++
		return nil
	}
	p.Computer = c.freeName(p, limitRunes(p.Handshake.Name, maxNameRunes))
	p.State = stateWords
	effects := []Effect{c.putPairing(p), Send{Pairing: p.id, To: p.To, Frame: ack}}
	if first {
		effects = append(append(effects, p.listenTo()...), ShowWords{p.id, p.Computer, p.Handshake.Words()})
	}
	return effects
}

func (p *pairRecord) close(seed []byte) Effect {
	return Close{Pairing: p.id, Origin: p.Origin, Seed: seed}
}

// confirm takes the person's answer to the two words.
func (c *Core) confirm(now time.Time, ev Confirm) []Effect {
	p := c.pairings[ev.Pairing]
	if p == nil || p.State != stateWords {
		return nil
	}
	if !ev.Yes {
		frame, err := p.Handshake.Unpair(now, c.cfg.Version)
		if err != nil {
			panic("phone: bug: no randomness: " + err.Error())
		}
		return c.part(now, p, frame, NoteRefused)
	}
	h := p.Handshake
	p.State, p.Paired = statePaired, now.Unix()
	c.allowFirst(p)
	p.Epochs = []epochRecord{{
		Epoch: *h.Epoch, EC: sealbox.PublicKey(h.EC), ES: sealbox.PublicKey(h.ESPub), Opened: true,
	}}
	effects := []Effect{c.putPairing(p), c.introduce(now, p), Note{Pairing: p.id, Computer: p.Computer, Kind: NotePaired}}
	return append(effects, c.subscribe()...)
}

// ackAgain sends the ack of the hello, which a crash may have swallowed.
func (c *Core) ackAgain(now time.Time, p *pairRecord) Effect {
	ack, err := p.Handshake.Ack(now, c.cfg.Version, p.ownAddresses())
	if err != nil {
		panic("phone: bug: own ack does not encode: " + err.Error())
	}
	return Send{Pairing: p.id, To: p.To, Frame: ack}
}

// introduce sends the me_response of a pairing whose handshake is still kept.
func (c *Core) introduce(now time.Time, p *pairRecord) Effect {
	return c.respond(now, p, p.newest(), &wire.Response{
		ID: p.Handshake.Hello, Me: &wire.MeResponse{Name: c.cfg.Name, Keys: c.visible(p), Wakers: c.wakers()}})
}

// repeatHello answers a repeated hello of a pairing that the person has
// already agreed to.
func (c *Core) repeatHello(now time.Time, p *pairRecord, frame []byte) []Effect {
	ack, err := p.Handshake.Receive(now, frame, c.cfg.Version, func([]wire.Address) []wire.Address { return p.ownAddresses() })
	if err != nil || p.newest() == nil {
		c.dropped++
		return nil
	}
	return []Effect{Send{Pairing: p.id, To: p.To, Frame: ack}, c.introduce(now, p)}
}

// live notes that the computer uses the pairing: the handshake is over.
func (c *Core) live(p *pairRecord) []Effect {
	if p.Handshake == nil {
		return nil
	}
	p.Handshake, p.Link = nil, ""
	effects := []Effect{c.putPairing(p), Note{Pairing: p.id, Computer: p.Computer, Kind: NoteLive}}
	return append(effects, c.closeRendezvous(p)...)
}

// closeRendezvous leaves the places where the pairing began.
func (c *Core) closeRendezvous(p *pairRecord) []Effect {
	if !p.begun() {
		return nil
	}
	effects := p.closeBegin()
	p.Rendezvous, p.Meeting, p.Nearby = nil, nil, nil
	return append([]Effect{c.putPairing(p)}, effects...)
}

func (p *pairRecord) closeBegin() (effects []Effect) {
	if p.Rendezvous != nil {
		effects = append(effects, p.close(p.Rendezvous))
	}
	if p.Meeting != nil {
		effects = append(effects, Close{Pairing: p.id, SQS: p.Meeting})
	}
	if p.Nearby != nil {
		effects = append(effects, Close{Pairing: p.id, Bluetooth: p.Nearby})
	}
	return effects
}

// unpair ends a pairing on the person's word: at once here, and the computer
// is told by a frame sealed before the keys go.
func (c *Core) unpair(now time.Time, id string) []Effect {
	p := c.pairings[id]
	if p == nil {
		return nil
	}
	frame, err := pairing.UnpairNotice(p.box, now, c.cfg.Version)
	if err != nil {
		panic("phone: bug: no randomness: " + err.Error())
	}
	return append(c.part(now, p, frame, NoteUnpaired), c.newVAPID()...)
}

// freeName is name, or "name 2" and so on when another computer has it.
func (c *Core) freeName(p *pairRecord, name string) string {
	taken := map[string]bool{}
	for _, other := range c.pairings {
		if other != p {
			taken[strings.ToLower(other.Computer)] = true
		}
	}
	free := name
	for n := 2; taken[strings.ToLower(free)]; n++ {
		free = fmt.Sprintf("%s %d", name, n)
	}
	return free
}

// limitRunes cuts s to n runes and mends invalid UTF-8.
func limitRunes(s string, n int) string {
	s = string(bytes.ToValidUTF8([]byte(s[:min(len(s), 4*n)]), []byte("\ufffd")))
	for utf8.RuneCountInString(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
