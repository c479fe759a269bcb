package phone

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"reflect"
	"time"

	"kryptonite/internal/wire"
)

// pushState is how computers may wake this phone, as stored. [kr-protocol] §5.6.
type pushState struct {
	V     int        `json:"v"`
	VAPID []byte     `json:"vapid_private"`  // to subscribe with
	Told  *wire.Push `json:"push,omitempty"` // what computers are told; of the key before while there is no other
}

// wakers are what computers are told.
func (c *Core) wakers() (w wire.Wakers) {
	if c.push != nil {
		w.Push = c.push.Told
	}
	if c.token != nil {
		w.PushToken = &c.token.PushToken
	}
	return w
}

// paired reports whether any computer may push.
func (c *Core) paired() bool {
	for _, p := range c.pairings {
		if p.State == statePaired {
			return true
		}
	}
	return false
}

// subscribe asks for a subscription if there is a computer. The platform may
// have lost one that we know of, so a start asks again.
func (c *Core) subscribe() []Effect {
	if !c.paired() {
		return nil
	}
	var effects []Effect
	if c.push == nil {
		c.push = &pushState{V: recordVersion, VAPID: newVAPIDKey()}
		effects = append(effects, put(pushKey, c.push))
	}
	return append(effects, Subscribe{c.push.public()})
}

// subscribed takes a subscription, or the word that there is none, and tells all
// computers.
func (c *Core) subscribed(now time.Time, ev Subscribed) []Effect {
	if c.push == nil || !bytes.Equal(ev.VAPID, c.push.public()) {
		return nil
	}
	var told *wire.Push
	if p := (wire.Push{Endpoint: ev.Endpoint, P256dh: ev.P256dh, Auth: ev.Auth, VAPID: c.push.VAPID}); ev.Endpoint != "" {
		if p.Check() != nil {
			return nil
		}
		told = &p
	}
	if reflect.DeepEqual(told, c.push.Told) {
		return nil
	}
	c.push.Told = told
	return append([]Effect{put(pushKey, c.push)}, c.tellAll(now)...)
}

// tellAll tells all computers what is new to them.
func (c *Core) tellAll(now time.Time) (effects []Effect) {
	for _, p := range c.sorted() {
		if p.State == statePaired {
			effects = append(effects, c.tell(now, p)...)
		}
	}
	return effects
}

// tokenState is this device's token at its platform, as stored. [kr-protocol] §5.8.
type tokenState struct {
	V int `json:"v"`
	wire.PushToken
}

// registered takes the token of this device, or the word that there is none, and
// tells all computers.
func (c *Core) registered(now time.Time, ev Registered) []Effect {
	t := wire.PushToken{Platform: ev.Platform, Token: ev.Token}
	switch {
	case ev.Token == "" && c.token != nil:
		c.token = nil
		return append([]Effect{Store{Key: tokenKey}}, c.tellAll(now)...)
	case t.Check() != nil, c.token != nil && c.token.PushToken == t:
		return nil
	}
	c.token = &tokenState{recordVersion, t}
	return append([]Effect{put(tokenKey, c.token)}, c.tellAll(now)...)
}

// newVAPID ends what a computer that has gone knows: that key wakes nobody once
// the platform has subscribed with another. Until then the others go on with
// the old one.
func (c *Core) newVAPID() []Effect {
	switch {
	case c.push == nil:
		return nil
	case !c.paired():
		c.push = nil
		return []Effect{Store{Key: pushKey}, Subscribe{}}
	}
	c.push.VAPID = newVAPIDKey()
	return []Effect{put(pushKey, c.push), Subscribe{c.push.public()}}
}

func newVAPIDKey() []byte {
	k, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic("phone: bug: no randomness: " + err.Error())
	}
	return k.Bytes()
}

func (s *pushState) public() []byte {
	k, err := ecdh.P256().NewPrivateKey(s.VAPID)
	if err != nil {
		panic("phone: bug: a VAPID key that was checked: " + err.Error())
	}
	return k.PublicKey().Bytes()
}

func (s *pushState) check() error {
	if _, err := ecdh.P256().NewPrivateKey(s.VAPID); err != nil {
		return errors.New("its VAPID key is none")
	}
	if s.Told != nil {
		return s.Told.Check()
	}
	return nil
}
