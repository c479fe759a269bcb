package phone

import (
	"strings"
	"time"
)

// isLocked is told to a locked computer, and stands in the log.
const isLocked = "this computer is locked on the phone; there: Computers > this computer > Unlock"

// Lock is a person who did not ask for what a computer asks, and locks it: nothing
// is signed for it, or shown, until they unlock it. [kr-protocol] §4.13.
type Lock struct {
	Pairing string
	On      bool
}

// NameComputer is a person who calls a computer by another name, on this phone
// only. An empty Name changes nothing.
type NameComputer struct{ Pairing, Name string }

func (Lock) event()         {}
func (NameComputer) event() {}

// lock locks or unlocks a computer, and tells it so. What it had asked for is
// refused, and its rules are over, also after it is unlocked.
func (c *Core) lock(now time.Time, ev Lock) []Effect {
	p := c.pairings[ev.Pairing]
	if p == nil || p.State != statePaired || ev.On == (p.Locked != 0) {
		return nil
	}
	p.Locked = 0
	if ev.On {
		p.Locked = now.Unix()
	}
	return append(c.tell(now, p), c.declineBarred(now, p)...)
}

// nameComputer names a computer as no other is named.
func (c *Core) nameComputer(ev NameComputer) []Effect {
	p := c.pairings[ev.Pairing]
	name := limitRunes(strings.TrimSpace(ev.Name), maxNameRunes)
	if p == nil || p.State != statePaired || name == "" || name == p.Computer {
		return nil
	}
	p.Computer = c.freeName(p, name)
	return []Effect{c.putPairing(p)}
}
