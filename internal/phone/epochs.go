package phone

import (
	"bytes"
	"time"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// newest is the epoch in which a frame of the computer opened last, or nil.
func (p *pairRecord) newest() *epochRecord {
	for i := len(p.Epochs) - 1; i >= 0; i-- {
		if p.Epochs[i].Opened && p.Epochs[i].Erase == 0 {
			return &p.Epochs[i]
		}
	}
	return nil
}

// epoch returns the epoch with this id, or nil.
func (p *pairRecord) epoch(id sealbox.EpochID) *epochRecord {
	for i := range p.Epochs {
		if p.Epochs[i].ID == id {
			return &p.Epochs[i]
		}
	}
	return nil
}

// reachable lists the epochs that the computer may have now: the newest, and
// those that wait for their first frame.
func (p *pairRecord) reachable() []*epochRecord {
	var out []*epochRecord
	newest := p.newest()
	for i := range p.Epochs {
		if e := &p.Epochs[i]; e == newest || !e.Opened {
			out = append(out, e)
		}
	}
	return out
}

// offer answers e_c with the epoch of e_s: the same one for the same e_c. changed
// tells that the record must be stored. At most maxWaiting epochs wait.
func (p *pairRecord) offer(eC sealbox.PublicKey) (e epochRecord, changed bool, err error) {
	waiting := 0
	for _, e := range p.Epochs {
		if bytes.Equal(e.EC[:], eC[:]) {
			return e, false, nil
		}
		if !e.Opened {
			waiting++
		}
	}
	priv, err := sealbox.NewKey()
	if err != nil {
		return e, false, err
	}
	made, err := sealbox.PhoneEpoch(p.S, priv, p.C, eC)
	if err != nil {
		return e, false, err
	}
	if waiting >= maxWaiting {
		p.dropOldestWaiting()
	}
	e = epochRecord{Epoch: made, EC: eC, ES: priv.Public()}
	p.Epochs = append(p.Epochs, e)
	return e, true, nil
}

func (p *pairRecord) dropOldestWaiting() {
	for i, e := range p.Epochs {
		if !e.Opened {
			p.Epochs = append(p.Epochs[:i:i], p.Epochs[i+1:]...)
			return
		}
	}
}

// opened notes that a frame under e opened. The first one makes e the newest
// epoch and starts the last hours of the others; changed tells to store.
func (p *pairRecord) opened(now time.Time, e *epochRecord) (changed bool) {
	if e.Opened {
		return false
	}
	for i := range p.Epochs {
		if p.Epochs[i].Opened && p.Epochs[i].Erase == 0 {
			p.Epochs[i].Erase = now.Add(oldEpochLife).Unix()
		}
	}
	e.Opened = true
	return true
}

// eraseEpochs removes the epochs whose time is over.
func (p *pairRecord) eraseEpochs(now time.Time) (changed bool) {
	kept := p.Epochs[:0:0]
	for _, e := range p.Epochs {
		if e.Erase == 0 || now.Unix() < e.Erase {
			kept = append(kept, e)
		}
	}
	changed = len(kept) != len(p.Epochs)
	p.Epochs = kept
	return changed
}

// respond seals r under e for the computer. It fills in times and versions, and
// how the log ends: its entries are durable before anything is sent. A
// nil epoch (all erased after a set-back clock) yields nothing to send: the
// computer comes back by hello.
func (c *Core) respond(now time.Time, p *pairRecord, e *epochRecord, r *wire.Response) Effect {
	if e == nil {
		return Note{Pairing: p.id, Computer: p.Computer, Kind: NoteSkew}
	}
	r.Unix, r.K, r.V, r.AddressesSeq = now.Unix(), wire.Protocol, c.cfg.Version, p.AddressesSeq
	log := c.log.Mark()
	r.LogHead, r.LogLength = log.Head[:], log.Length
	plain, err := wire.Encode(wire.Message{Response: r})
	if err != nil {
		panic("phone: bug: own response does not encode: " + err.Error())
	}
	body, err := e.Seal(plain)
	if err != nil {
		panic("phone: bug: no randomness: " + err.Error())
	}
	return Send{Pairing: p.id, To: p.To, Frame: wire.NewFrame(wire.HeaderEpoch, body)}
}
