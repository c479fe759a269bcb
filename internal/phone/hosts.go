package phone

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"kryptonite/internal/hostauth"
	"kryptonite/internal/knownhosts"
)

// maxStrange is how many refused host keys are remembered.
const maxStrange = 64

// strange is a host key that was refused because another one is pinned: the
// person may trust it.
type strange struct {
	V       int            `json:"v"`
	Pin     knownhosts.Pin `json:"pin"` // as it would be pinned
	Pairing string         `json:"pairing"`
}

func pinKey(p knownhosts.Pin) string {
	return pinPrefix + p.Scope + "/" + string(p.Name) + "/" + p.Fingerprint
}

func strangeKey(s strange) string { return strangePrefix + s.Pin.Scope + "/" + string(s.Pin.Name) }

// pinOf is the pin of the card's host key.
func (v view) pinOf(now time.Time) knownhosts.Pin {
	h := v.card.Host
	return knownhosts.Pin{Name: v.card.Name, KeyType: h.KeyType, Fingerprint: h.Fingerprint, Unix: now.Unix(),
		By: v.card.Computer, Proof: string(h.Proof), Hostbound: h.Proof == hostauth.Proved}
}

// pin writes down the host key of a card that the person has just allowed, if
// it is new, or that its logins are hostbound.
func (c *Core) pin(now time.Time, p *pairRecord, v view) []Effect {
	if v.card.Known != knownhosts.Match && !v.pinnable() {
		return nil
	}
	added, hostbound := c.hosts.Add(v.pinOf(now), p.id)
	if !added && !hostbound {
		return nil
	}
	for _, pin := range c.hosts.Of(v.card.Name, p.id) {
		if pin.Fingerprint == v.card.Host.Fingerprint {
			return []Effect{putPin(pin)}
		}
	}
	return nil
}

// remember keeps a host key that did not fit, the newest for each name.
func (c *Core) remember(now time.Time, p *pairRecord, v view) []Effect {
	if v.card.Name == "" || v.card.Known == knownhosts.Downgraded { // to trust a key mends no downgrade
		return nil
	}
	s := strange{V: recordVersion, Pin: v.pinOf(now), Pairing: p.id}
	if !s.Pin.Name.Shared() {
		s.Pin.Scope = p.id
	}
	var effects []Effect
	if _, ok := c.strangers[strangeKey(s)]; !ok && len(c.strangers) >= maxStrange {
		oldest := slices.MinFunc(c.sortedStrangers(), func(a, b strange) int { return cmp.Compare(a.Pin.Unix, b.Pin.Unix) })
		delete(c.strangers, strangeKey(oldest))
		effects = append(effects, Store{Key: strangeKey(oldest)})
	}
	c.strangers[strangeKey(s)] = s
	return append(effects, put(strangeKey(s), s))
}

func (c *Core) sortedStrangers() []strange {
	var out []strange
	for _, key := range slices.Sorted(maps.Keys(c.strangers)) {
		out = append(out, c.strangers[key])
	}
	return out
}

// Pins lists the host keys that are pinned, by name.
func (c *Core) Pins() []knownhosts.Pin { return c.hosts.Pins() }

// Strange lists the host keys that were refused last, one for each name, as
// they would be pinned.
func (c *Core) Strange() []knownhosts.Pin {
	var out []knownhosts.Pin
	for _, s := range c.sortedStrangers() {
		out = append(out, s.Pin)
	}
	return out
}

// forgetHost removes all pins of a name, and the key that was refused because of them.
func (c *Core) forgetHost(ev ForgetHost) []Effect {
	var effects []Effect
	for _, p := range c.hosts.Pins() {
		if p.Name == ev.Name && (ev.Scope == "*" || p.Scope == ev.Scope) {
			effects = append(effects, Store{Key: pinKey(p)})
			effects = append(effects, c.dropRules(func(hostKey string) bool { return hostKey == p.Fingerprint })...)
		}
	}
	c.hosts.Forget(ev.Name, ev.Scope)
	for _, s := range c.sortedStrangers() {
		if s.Pin.Name == ev.Name && (ev.Scope == "*" || s.Pin.Scope == ev.Scope) {
			delete(c.strangers, strangeKey(s))
			effects = append(effects, Store{Key: strangeKey(s)})
		}
	}
	return effects
}

// MayTrust returns nil if a TrustHost would pin its key, or says why it would not.
func (c *Core) MayTrust(ev TrustHost) error {
	_, err := c.trusted(ev)
	return err
}

// trusted finds the refused host key that a person trusts.
func (c *Core) trusted(ev TrustHost) (strange, error) {
	s := c.strangers[strangeKey(strange{Pin: knownhosts.Pin{Name: ev.Name, Scope: ev.Scope}})]
	switch {
	case s.Pin.Fingerprint != ev.Fingerprint || ev.Fingerprint == "":
		return s, fmt.Errorf("the host key that was refused last for %s is another one: compare it anew", ev.Name)
	case !c.hosts.Room(s.Pin.Name, s.Pairing):
		return s, fmt.Errorf("there is no room for one more host key of %s: forget that server, then its next login is its first", ev.Name)
	}
	return s, nil
}

// trustHost pins a host key that was refused, beside the old ones.
func (c *Core) trustHost(now time.Time, ev TrustHost) []Effect {
	s, err := c.trusted(ev)
	if err != nil {
		return []Effect{Note{Kind: NoteUntrusted, Err: err}}
	}
	delete(c.strangers, strangeKey(s))
	effects := []Effect{Store{Key: strangeKey(s)}}
	s.Pin.Unix = now.Unix()
	if added, _ := c.hosts.Add(s.Pin, s.Pairing); added {
		effects = append(effects, putPin(s.Pin))
	}
	return effects
}

// forgetPrivateHosts removes what only p knew.
func (c *Core) forgetPrivateHosts(p *pairRecord) []Effect {
	var effects []Effect
	for _, pin := range c.hosts.Pins() {
		if pin.Scope == p.id {
			effects = append(effects, Store{Key: pinKey(pin)})
		}
	}
	c.hosts.ForgetScope(p.id)
	for _, s := range c.sortedStrangers() {
		if s.Pairing == p.id {
			delete(c.strangers, strangeKey(s))
			effects = append(effects, Store{Key: strangeKey(s)})
		}
	}
	return effects
}
