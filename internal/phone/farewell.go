package phone

import (
	"cmp"
	"slices"
	"time"

	"kryptonite/internal/wire"
)

// farewell is a computer that has not been told yet that its pairing is over.
// The frame was sealed before the keys went; no key is kept. [kr-protocol] §4.6.
type farewell struct {
	V        int            `json:"v"`
	Computer string         `json:"computer"`
	To       []wire.Address `json:"addresses"`
	Frame    []byte         `json:"frame"`
	Until    int64          `json:"until_unix_seconds"`

	id   string    // of the pairing that was
	next time.Time // when it is sent again; zero: at once
	wait time.Duration
}

// part ends a pairing here and sends frame, which tells the computer, until a
// channel has taken it.
func (c *Core) part(now time.Time, p *pairRecord, frame []byte, why NoteKind) []Effect {
	effects := c.forget(p)
	if len(p.To) > 0 {
		f := &farewell{V: recordVersion, Computer: p.Computer, To: p.To, Frame: frame,
			Until: now.Add(farewellLife).Unix(), id: p.id}
		c.farewells[f.id] = f
		effects = append(effects, put(farewellPrefix+f.id, f), f.send(now))
	}
	return append(effects, Note{Pairing: p.id, Computer: p.Computer, Kind: why})
}

// send sends the farewell and says when the next try is due.
func (f *farewell) send(now time.Time) Effect {
	f.wait = min(max(2*f.wait, farewellPause), farewellMaxPause)
	f.next = now.Add(f.wait)
	return Send{Pairing: f.id, To: f.To, Frame: f.Frame, Farewell: true}
}

// told takes the word that a channel has taken a farewell.
func (c *Core) told(ev Told) []Effect {
	f := c.farewells[ev.Pairing]
	if f == nil {
		return nil
	}
	delete(c.farewells, f.id)
	return []Effect{Store{Key: farewellPrefix + f.id}, Note{Pairing: f.id, Computer: f.Computer, Kind: NoteTold}}
}

// tickFarewells sends those that are due and gives up those that are too old.
func (c *Core) tickFarewells(now time.Time) []Effect {
	var effects []Effect
	for _, f := range c.sortedFarewells() {
		switch {
		case now.Unix() >= f.Until:
			delete(c.farewells, f.id)
			effects = append(effects, Store{Key: farewellPrefix + f.id})
		case !now.Before(f.next):
			effects = append(effects, f.send(now))
		}
	}
	return effects
}

func (c *Core) sortedFarewells() []*farewell {
	var out []*farewell
	for _, f := range c.farewells {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *farewell) int { return cmp.Compare(a.id, b.id) })
	return out
}

// Untold lists the computers, by name, whose pairing has ended here and that
// have not been told yet.
func (c *Core) Untold() []string {
	var out []string
	for _, f := range c.farewells {
		out = append(out, f.Computer)
	}
	slices.Sort(out)
	return out
}
