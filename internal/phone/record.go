package phone

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"kryptonite/internal/knownhosts"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/pairing"
	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// Prefixes of the keys under which records are stored. A record is JSON with a
// version "v".
const (
	PairingPrefix  = "pairing/"
	LogPrefix      = "log/"
	asidePrefix    = "aside/" // log/ of a chain that was broken
	asideSeenKey   = "aside-seen"
	requestPrefix  = "request/"
	farewellPrefix = "farewell/"
	pinPrefix      = "pin/"
	strangePrefix  = "strange/"
	rulePrefix     = "rule/"
	leasePrefix    = "lease/" // lease of the rule with that id
	clockKey       = "clock"
	pushKey        = "push"
	tokenKey       = "push_token"
	recordVersion  = 1
)

// pairState is how far a pairing has come.
type pairState string

const (
	stateWaiting pairState = "waiting" // 0x02 sent, no hello yet
	stateWords   pairState = "words"   // hello opened, the person is asked
	statePaired  pairState = "paired"  // the person agreed
)

// pairRecord is a pairing from the opened link to its end.
type pairRecord struct {
	V       int       `json:"v"`
	State   pairState `json:"state"`
	Created int64     `json:"created_unix_seconds"`
	Told    bool      `json:"told_no_hello,omitempty"`

	Link       string                 `json:"link"`           // the first Origin comes from here
	HTTP       bool                   `json:"http,omitempty"` // the link was of this machine, http, and relays may be
	Rendezvous []byte                 `json:"rendezvous_seed,omitempty"`
	Own        []byte                 `json:"mailbox_seed,omitempty"` // at Origin, if there is a relay
	Meeting    *wire.SQSAddress       `json:"sqs_rendezvous,omitempty"`
	Nearby     *wire.BluetoothAddress `json:"bluetooth_rendezvous,omitempty"`
	Handshake  *pairing.Phone         `json:"handshake,omitempty"` // until the computer uses the pairing

	S        sealbox.PrivateKey `json:"s_priv"`
	C        sealbox.PublicKey  `json:"c_pub"`
	Computer string             `json:"computer,omitempty"`
	To       []wire.Address     `json:"addresses,omitempty"`
	Origin   string             `json:"origin"`
	Epochs   []epochRecord      `json:"epochs,omitempty"`
	Paired   int64              `json:"paired_unix_seconds,omitempty"`
	Heard    int64              `json:"heard_unix_seconds,omitempty"`
	Forward  bool               `json:"forward,omitempty"`             // the person wants to be asked about forwarded requests
	Locked   int64              `json:"locked_unix_seconds,omitempty"` // since when; 0: it is not
	keyState

	AddressesSeq int64 `json:"addresses_seq,omitempty"` // of To; 0: the pairing's

	id  string
	box *sealbox.Shared
}

// epochRecord is one epoch of a pairing; the last opened one is the newest.
type epochRecord struct {
	sealbox.Epoch
	EC     sealbox.PublicKey `json:"e_c"`
	ES     sealbox.PublicKey `json:"e_s"`
	Opened bool              `json:"opened"`                       // a frame under it has opened
	Erase  int64             `json:"erase_unix_seconds,omitempty"` // when it goes; 0 while in use
}

// reqState is how far a request has come.
type reqState string

const (
	reqPending   reqState = "pending"
	reqDecided   reqState = "decided" // allowed; the signature may have been made, but was not stored
	reqAnswered  reqState = "answered"
	reqCancelled reqState = "cancelled"
)

// reqRecord is a request that the phone remembers, until its expiry + 30 min.
type reqRecord struct {
	V       int             `json:"v"`
	State   reqState        `json:"state"`
	Hash    []byte          `json:"hash"` // SHA-256 of the plaintext; none when a cancel came first
	Expires int64           `json:"expires_unix_seconds"`
	Until   int64           `json:"until_unix_seconds,omitempty"` // when nobody waits for the answer any more; 0: Expires
	Epoch   sealbox.EpochID `json:"epoch"`                        // of the newest copy
	Request *wire.Request   `json:"request,omitempty"`            // while undecided or unsigned
	Answer  *wire.Response  `json:"answer,omitempty"`
	Rule    string          `json:"rule,omitempty"`    // that allowed it, or that came of it
	Unheard bool            `json:"unheard,omitempty"` // the person knows that its answer came too late

	pairing string
	id      wire.ID
	halves  *halves // while its Sign asks for a wrapped key
}

// waits reports whether r waits for the person: for a decision, or for the key
// to be opened.
func (r *reqRecord) waits() bool { return r.State == reqPending || r.State == reqDecided }

// until is when a request that waits for the person is over, in Unix seconds.
func (r *reqRecord) until() int64 { return cmp.Or(r.Until, r.Expires) }

func (r *reqRecord) key() string { return requestPrefix + r.pairing + "/" + r.id.String() }

func (p *pairRecord) load(id string) (err error) {
	p.id = id
	if p.S.IsZero() || p.id != pairing.ID(p.C, p.S.Public()) {
		return errors.New("its keys are not those of the pairing it names")
	}
	if p.Handshake != nil {
		if err := p.Handshake.Load(); err != nil {
			return err
		}
	}
	if err := p.check(); err != nil {
		return err
	}
	p.box, err = sealbox.NewShared(p.S, p.C)
	return err
}

// check reports what is missing in a pairing, or does not fit together.
func (p *pairRecord) check() error {
	h := p.Handshake
	switch {
	case h != nil && h.ID() != p.id:
		return errors.New("its handshake is of another pairing")
	case p.State != stateWaiting && p.State != stateWords && p.State != statePaired:
		return fmt.Errorf("its state is %q", p.State)
	case p.State != statePaired && h == nil, p.State == stateWaiting && h.NC != nil, p.State != stateWaiting && h != nil && h.NC == nil:
		return fmt.Errorf("its handshake does not fit the state %q", p.State)
	case p.Origin == "" && p.Own == nil && p.Rendezvous == nil: // without a relay
	case len(p.Own) != mailbox.SeedSize, p.Rendezvous != nil && len(p.Rendezvous) != mailbox.SeedSize:
		return errors.New("the seed of a mailbox is missing")
	}
	for _, e := range p.Epochs {
		if !e.Whole() || e.EC == (sealbox.PublicKey{}) || e.ES == (sealbox.PublicKey{}) {
			return errors.New("an epoch has no keys")
		}
	}
	if err := p.keyState.check(); err != nil {
		return err
	}
	if p.Meeting != nil && p.Meeting.Check() != nil {
		return errors.New("the queues where it began are not well named")
	}
	if p.Nearby != nil && len(p.Nearby.Service) != len(sealbox.ServiceUUID{}) {
		return errors.New("the service where it began is none")
	}
	if p.AddressesSeq < 0 || p.AddressesSeq > maxSeq {
		return errors.New("its addresses have no number")
	}
	if p.Origin == "" {
		return nil
	}
	_, err := mailbox.CanonicalOrigin(p.Origin)
	return err
}

// check reports what is missing in a request for its state.
func (r *reqRecord) check() error {
	open := r.waits()
	switch {
	case !open && r.State != reqAnswered && r.State != reqCancelled:
		return fmt.Errorf("its state is %q", r.State)
	case open && (r.Request == nil || r.Request.Sign == nil), r.State == reqAnswered && r.Answer == nil:
		return fmt.Errorf("the request or its answer is missing, in state %q", r.State)
	case r.Hash == nil && r.State != reqCancelled:
		return errors.New("the hash is missing")
	}
	return nil
}

// loadRecords reads what Store effects wrote in earlier runs.
func (c *Core) loadRecords(records map[string][]byte) error {
	if err := c.loadLog(records); err != nil {
		return err
	}
	for k, v := range records {
		if err := c.loadRecord(k, v); err != nil {
			return fmt.Errorf("phone: read record %s: %w", k, err)
		}
	}
	for k, r := range c.requests {
		if c.pairings[r.pairing] == nil {
			return fmt.Errorf("phone: read record %s: there is no such pairing", k)
		}
	}
	return nil
}

func (c *Core) loadRecord(k string, v []byte) error {
	switch {
	case strings.HasPrefix(k, PairingPrefix):
		p := new(pairRecord)
		if err := decodeRecord(v, p, &p.V); err != nil {
			return err
		}
		if err := p.load(strings.TrimPrefix(k, PairingPrefix)); err != nil {
			return err
		}
		if p.State == statePaired && p.Allowed == nil {
			c.allowFirst(p)
		}
		c.pairings[p.id] = p
	case strings.HasPrefix(k, requestPrefix):
		r := new(reqRecord)
		if err := decodeRecord(v, r, &r.V); err != nil {
			return err
		}
		pid, hexID, _ := strings.Cut(strings.TrimPrefix(k, requestPrefix), "/")
		id, err := parseID(hexID)
		if err != nil {
			return err
		}
		r.pairing, r.id = pid, id
		if r.key() != k {
			return errors.New("its name is not that of a request")
		}
		c.requests[k] = r
		return r.check()
	case strings.HasPrefix(k, farewellPrefix):
		f := &farewell{id: strings.TrimPrefix(k, farewellPrefix)}
		if err := decodeRecord(v, f, &f.V); err != nil {
			return err
		}
		if len(f.Frame) == 0 || len(f.To) == 0 {
			return errors.New("there is nothing to be told, or nobody")
		}
		c.farewells[f.id] = f
	case strings.HasPrefix(k, pinPrefix):
		var r pinRecord
		if err := decodeRecord(v, &r, &r.V); err != nil {
			return err
		}
		if pinKey(r.Pin) != k {
			return errors.New("its name is not that of a pin")
		}
		c.hosts.Restore(r.Pin)
	case strings.HasPrefix(k, strangePrefix):
		var s strange
		if err := decodeRecord(v, &s, &s.V); err != nil {
			return err
		}
		c.strangers[k] = s
	case strings.HasPrefix(k, rulePrefix):
		var r ruleRecord
		if err := decodeRecord(v, &r, &r.V); err != nil {
			return err
		}
		c.rules[strings.TrimPrefix(k, rulePrefix)] = r.Rule
	case strings.HasPrefix(k, leasePrefix):
		l := new(lease)
		if err := decodeRecord(v, l, &l.V); err != nil {
			return err
		}
		c.leases[strings.TrimPrefix(k, leasePrefix)] = l
		return l.check()
	case k == pushKey:
		s := new(pushState)
		if err := decodeRecord(v, s, &s.V); err != nil {
			return err
		}
		c.push = s
		return s.check()
	case k == tokenKey:
		s := new(tokenState)
		if err := decodeRecord(v, s, &s.V); err != nil {
			return err
		}
		c.token = s
		return s.Check()
	case k == clockKey:
		return json.Unmarshal(v, &c.latest)
	}
	return nil
}

func decodeRecord(b []byte, v any, version *int) error {
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	if *version != recordVersion {
		return fmt.Errorf("version %d, this program knows %d", *version, recordVersion)
	}
	return nil
}

// pinRecord and ruleRecord are a pin and a rule with their version.
type (
	pinRecord struct {
		V int `json:"v"`
		knownhosts.Pin
	}
	ruleRecord struct {
		V int `json:"v"`
		policy.Rule
	}
)

func putPin(p knownhosts.Pin) Store { return put(pinKey(p), pinRecord{recordVersion, p}) }
func putRule(r policy.Rule) Store   { return put(rulePrefix+r.ID, ruleRecord{recordVersion, r}) }

// put returns the effect that stores v under key.
func put(key string, v any) Store {
	b, err := json.Marshal(v)
	if err != nil {
		panic("phone: bug: record does not encode: " + err.Error())
	}
	return Store{Key: key, Value: b}
}

func (c *Core) putPairing(p *pairRecord) Store {
	p.V = recordVersion
	return put(PairingPrefix+p.id, p)
}

func (c *Core) putRequest(r *reqRecord) Store {
	r.V = recordVersion
	c.requests[r.key()] = r
	return put(r.key(), r)
}
