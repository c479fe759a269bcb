package phone

import (
	"cmp"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/policy"
	"kryptonite/internal/wire"
)

// Times of the phone, [kr-protocol] §2.4, §3.5, §4.4.
const (
	helloPatience  = 15 * time.Second // then say that someone else may have scanned
	attemptLife    = 10 * time.Minute // rendezvous addresses die then at the latest
	skewLimit      = 15 * time.Minute // a request further off gets clock_skew
	askLife        = 60 * time.Second // a computer waits for an answer no longer
	rememberAfter  = 30 * time.Minute // how long past its expiry a request is remembered
	setBackLimit   = 5 * time.Minute  // a clock further behind the latest time was set back
	oldEpochLife   = 48 * time.Hour   // an old receive key is erased then
	clockNoteEvery = time.Minute      // how exactly the latest time is kept on disk
	maxWaiting     = 4                // epochs that wait for their first frame
	maxPending     = 64               // requests per pairing that wait for the person
	maxRemembered  = 1024             // requests per pairing, with those that are over
	maxRefusals    = 256              // a pairing, in refusalTime, without a question
	refusalTime    = 10 * time.Minute
	farewellLife   = 48 * time.Hour // how long a computer is told that it was unpaired
	maxNameRunes   = 64             // of a computer's name

	farewellPause    = 5 * time.Second // before a farewell is sent again, then doubled
	farewellMaxPause = 30 * time.Minute
)

// Approve is what the phone does with a request that it could sign.
type Approve int

// Ask is what a person wants; the others are for scripts and tests.
const (
	ApproveAsk Approve = iota
	ApproveAlways
	ApproveNever
)

// Config is what a Core needs to know. Name and Version are required.
type Config struct {
	Name    string        // how computers list this phone
	Version string        // the program's version, for people
	Keys    []wire.SSHKey // public keys that this phone can sign with, the first one first
	Approve Approve

	Bluetooth bool // this phone can use it
}

// Core is one phone. See the package documentation.
type Core struct {
	cfg       Config
	pairings  map[string]*pairRecord
	requests  map[string]*reqRecord
	farewells map[string]*farewell   // by the id of the pairing that was
	rules     map[string]policy.Rule // by id
	leases    map[string]*lease      // by the rule's id
	over      []over                 // what this event ended
	hosts     *knownhosts.Book
	strangers map[string]strange // refused host keys, by record key
	refusals  map[string]refusals
	push      *pushState  // nil until there is a computer
	token     *tokenState // nil until the platform gave one
	log       auditlog.Log
	damage    logDamage
	latest    int64 // the latest time seen, Unix seconds
	dropped   int
}

// New returns a core that goes on from records, the keys and values that
// earlier runs stored (nil for a new phone).
func New(cfg Config, records map[string][]byte) (*Core, error) {
	if cfg.Name == "" || cfg.Version == "" {
		return nil, errors.New("phone: Config.Name and Config.Version are required")
	}
	if err := CheckKeys(cfg.Keys); err != nil {
		return nil, err
	}
	cfg.Keys = firstKeys(cfg.Keys)
	c := &Core{cfg: cfg, pairings: map[string]*pairRecord{}, requests: map[string]*reqRecord{}, farewells: map[string]*farewell{},
		rules: map[string]policy.Rule{}, leases: map[string]*lease{}, hosts: knownhosts.NewBook(), strangers: map[string]strange{}, refusals: map[string]refusals{}}
	return c, c.loadRecords(records)
}

// Handle takes an event and returns what to do, in order.
func (c *Core) Handle(now time.Time, ev Event) []Effect {
	effects := append(c.beginLog(now), c.clock(now)...)
	switch ev := ev.(type) {
	case Start:
		effects = append(effects, c.start(now)...)
	case OpenLink:
		effects = append(effects, c.openLink(now, ev.Link)...)
	case Confirm:
		effects = append(effects, c.confirm(now, ev)...)
	case Frame:
		effects = append(effects, c.frame(now, ev)...)
	case Decide:
		effects = append(effects, c.decide(now, ev)...)
	case Signed:
		effects = append(effects, c.signed(now, ev)...)
	case Unpair:
		effects = append(effects, c.unpair(now, ev.Pairing)...)
	case KeysChanged:
		effects = append(effects, c.keysChanged(now, ev.Keys)...)
	case AllowKey:
		effects = append(effects, c.allowKey(now, ev)...)
	case Told:
		effects = append(effects, c.told(ev)...)
	case Revoke:
		effects = append(effects, c.revoke(ev)...)
	case ForgetHost:
		effects = append(effects, c.forgetHost(ev)...)
	case Forward:
		if p := c.pairings[ev.Pairing]; p != nil && p.Forward != ev.Ask {
			p.Forward = ev.Ask
			effects = append(effects, c.putPairing(p))
		}
	case TrustHost:
		effects = append(effects, c.trustHost(now, ev)...)
	case Lock:
		effects = append(effects, c.lock(now, ev)...)
	case NameComputer:
		effects = append(effects, c.nameComputer(ev)...)
	case Acknowledge:
		effects = append(effects, c.damage.acknowledge()...)
	case Renamed:
		c.cfg.Name = cmp.Or(limitRunes(ev.Name, maxNameRunes), c.cfg.Name)
	case Subscribed:
		effects = append(effects, c.subscribed(now, ev)...)
	case Registered:
		effects = append(effects, c.registered(now, ev)...)
	case Tick:
		effects = append(effects, c.tick(now)...)
	}
	return append(effects, c.tellOver(now)...)
}

// Dropped is how many frames came in that changed nothing.
func (c *Core) Dropped() int { return c.dropped }

// Computer is one pairing, for lists.
type Computer struct {
	Pairing   string
	Name      string
	Bluetooth bool      // it can be had so, if it is near
	Live      bool      // the person agreed
	Paired    time.Time // zero while not live
	Heard     time.Time // the last request; zero: never
	Forward   bool      // the person is asked about what it forwards
	Locked    time.Time // since when the person refuses all that it asks; zero: they do not
}

// Computers lists the pairings, by name.
func (c *Core) Computers() []Computer {
	var out []Computer
	all := c.sorted()
	slices.SortStableFunc(all, func(a, b *pairRecord) int { return cmp.Compare(a.Computer, b.Computer) })
	for _, p := range all {
		out = append(out, Computer{p.id, p.Computer, p.Nearby != nil || hasService(p.To), p.State == statePaired, unix(p.Paired), unix(p.Heard), p.Forward, unix(p.Locked)})
	}
	return out
}

// clock notes the time. A clock that was set back ends what depends on time:
// all leases end, all epoch keys go, and the computers come back by hello. [kr-protocol] §4.4.
func (c *Core) clock(now time.Time) []Effect {
	t := now.Unix()
	switch {
	case t < c.latest-int64(setBackLimit/time.Second):
		c.latest = t
		effects := []Effect{put(clockKey, t)}
		for _, f := range c.farewells {
			f.next = time.Time{}
		}
		effects = append(effects, c.endLeases()...)
		for _, p := range c.sorted() {
			if len(p.Epochs) > 0 {
				p.Epochs, p.Handshake = nil, nil // a handshake holds the first epoch
				effects = append(effects, c.putPairing(p))
			}
		}
		return effects
	case t >= c.latest+int64(clockNoteEvery/time.Second):
		c.latest = t
		return []Effect{put(clockKey, t)}
	}
	return nil
}

// start listens again and goes on with what an earlier run left open.
func (c *Core) start(now time.Time) []Effect {
	effects := c.tellDamage()
	effects = append(effects, c.subscribe()...)
	for _, p := range c.sorted() {
		effects = append(effects, p.listenAll(false)...)
		switch {
		case p.State == stateWords:
			effects = append(effects, c.ackAgain(now, p), ShowWords{p.id, p.Computer, p.Handshake.Words()})
		case p.State == statePaired && p.Handshake != nil:
			effects = append(effects, c.ackAgain(now, p), c.introduce(now, p))
		}
		effects = append(effects, c.startKeys(now, p)...)
	}
	for _, r := range c.open() {
		switch r.State {
		case reqPending:
			if now.Unix() < r.until() { // tick answers the others
				effects = append(effects, c.consider(now, r, nil)...)
			}
		case reqDecided:
			effects = append(effects, c.sign(now, r, nil)...)
		}
	}
	return append(effects, c.tick(now)...)
}

// Next returns when a Tick is due; ok is false when nothing waits for time.
func (c *Core) Next() (at time.Time, ok bool) {
	soonest := func(t int64) {
		if !ok || unix(t).Before(at) {
			at, ok = unix(t), true
		}
	}
	for _, p := range c.pairings {
		if p.State == stateWaiting && !p.Told {
			soonest(p.Created + int64(helloPatience/time.Second))
		}
		if p.begun() {
			soonest(p.Created + int64(attemptLife/time.Second))
		}
		for _, e := range p.Epochs {
			if e.Erase != 0 {
				soonest(e.Erase)
			}
		}
	}
	for _, r := range c.rules {
		soonest(r.Until)
	}
	for _, f := range c.farewells {
		if at2 := f.next; !ok || at2.Before(at) {
			at, ok = at2, true
		}
	}
	for _, r := range c.requests {
		if r.waits() {
			soonest(r.until())
		} else {
			soonest(r.Expires + int64(rememberAfter/time.Second))
		}
	}
	return at, ok
}

// tick does what is due.
func (c *Core) tick(now time.Time) []Effect {
	effects := append(c.tickFarewells(now), c.tickRules(now)...)
	for _, p := range c.sorted() {
		effects = append(effects, c.tickPairing(now, p)...)
	}
	for _, r := range c.sortedRequests() {
		switch {
		case r.State == reqPending && now.Unix() >= r.until():
			effects = append(effects, c.decline(now, r, wire.CodeExpired, "")...)
		case r.State == reqDecided && now.Unix() >= r.until():
			effects = append(effects, c.answer(now, r, &wire.SignResponse{Error: wire.CodeExpired})...)
		case now.Unix() >= r.Expires+int64(rememberAfter/time.Second):
			delete(c.requests, r.key())
			effects = append(effects, Store{Key: r.key()})
		}
	}
	return effects
}

func (c *Core) tickPairing(now time.Time, p *pairRecord) []Effect {
	var effects []Effect
	age := time.Duration(now.Unix()-p.Created) * time.Second
	switch {
	case p.State != statePaired && age >= attemptLife:
		return append(c.forget(p), Note{Pairing: p.id, Computer: p.Computer, Kind: NoteTooLate})
	case p.State == stateWaiting && !p.Told && age >= helloPatience:
		p.Told = true
		effects = append(effects, c.putPairing(p), Note{Pairing: p.id, Computer: "", Kind: NoteNoHello})
	case p.begun() && age >= attemptLife:
		effects = append(effects, c.closeRendezvous(p)...)
	}
	if p.eraseEpochs(now) {
		effects = append(effects, c.putPairing(p))
	}
	return effects
}

// forget removes a pairing and all that belongs to it.
func (c *Core) forget(p *pairRecord) []Effect {
	effects := []Effect{Store{Key: PairingPrefix + p.id}}
	for _, r := range c.sortedRequests() {
		if r.pairing == p.id {
			effects = append(effects, Store{Key: r.key()})
			if r.waits() {
				effects = append(effects, Withdraw{p.id, r.id, wire.CodeCancelled})
			}
			delete(c.requests, r.key())
		}
	}
	effects = append(effects, c.forgetPrivateHosts(p)...)
	for _, r := range c.ruleList() {
		if r.Pairing == p.id {
			effects = append(effects, c.dropRule(r.ID)...)
		}
	}
	delete(c.pairings, p.id)
	effects = append(effects, p.closeBegin()...)
	if p.Own != nil {
		effects = append(effects, p.close(p.Own))
	}
	if q := p.sqs(); q != nil {
		effects = append(effects, Close{Pairing: p.id, SQS: q})
	}
	if hasService(p.To) {
		effects = append(effects, Close{Pairing: p.id, Bluetooth: p.service()})
	}
	return effects
}

func (c *Core) sorted() []*pairRecord {
	var out []*pairRecord
	for _, p := range c.pairings {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *pairRecord) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (c *Core) sortedRequests() []*reqRecord {
	var out []*reqRecord
	for _, r := range c.requests {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *reqRecord) int {
		return cmp.Or(cmp.Compare(a.Expires, b.Expires), cmp.Compare(a.key(), b.key()))
	})
	return out
}

// open lists the requests that still wait for something, oldest first.
func (c *Core) open() []*reqRecord {
	return slices.DeleteFunc(c.sortedRequests(), func(r *reqRecord) bool { return !r.waits() })
}

func unix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

func parseID(s string) (wire.ID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != wire.IDSize {
		return wire.ID{}, wire.ErrMessage
	}
	return wire.ID(b), nil
}
