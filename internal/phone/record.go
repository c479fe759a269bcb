package phone

import (
	"encoding/json"
	"fmt"
	"strings"

	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

// Prefixes of the keys under which records are stored. A record is JSON with a
// version "v".
const (
	PairingPrefix  = "pairing/"
	LogPrefix      = "log/"
	requestPrefix  = "request/"
	farewellPrefix = "farewell/"
	clockKey       = "clock"
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

	Link       string         `json:"link"` // the relay's origin comes from here
	Rendezvous []byte         `json:"rendezvous_seed,omitempty"`
	Own        []byte         `json:"mailbox_seed"`
	Handshake  *pairing.Phone `json:"handshake,omitempty"` // until the computer uses the pairing

	S        sealbox.PrivateKey `json:"s_priv"`
	C        sealbox.PublicKey  `json:"c_pub"`
	Computer string             `json:"computer,omitempty"`
	To       []wire.Address     `json:"addresses,omitempty"`
	Origin   string             `json:"origin"`
	Epochs   []epochRecord      `json:"epochs,omitempty"`
	Paired   int64              `json:"paired_unix_seconds,omitempty"`
	Heard    int64              `json:"heard_unix_seconds,omitempty"`

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
	reqDecided   reqState = "decided" // allowed; the signature may have been made
	reqAnswered  reqState = "answered"
	reqCancelled reqState = "cancelled"
)

// reqRecord is a request that the phone remembers, until its expiry + 30 min.
type reqRecord struct {
	V       int             `json:"v"`
	State   reqState        `json:"state"`
	Hash    []byte          `json:"hash"` // SHA-256 of the plaintext; none when a cancel came first
	Expires int64           `json:"expires_unix_seconds"`
	Epoch   sealbox.EpochID `json:"epoch"`             // of the newest copy
	Request *wire.Request   `json:"request,omitempty"` // while undecided or unsigned
	Answer  *wire.Response  `json:"answer,omitempty"`

	pairing string
	id      wire.ID
}

func (r *reqRecord) key() string { return requestPrefix + r.pairing + "/" + r.id.String() }

func (p *pairRecord) load(id string) (err error) {
	p.id = id
	if p.box, err = sealbox.NewShared(p.S, p.C); err != nil {
		return err
	}
	if p.Handshake != nil {
		return p.Handshake.Load()
	}
	return nil
}

// loadRecords reads what Store effects wrote in earlier runs.
func (c *Core) loadRecords(records map[string][]byte) (err error) {
	if _, c.log, err = Log(records); err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	for k, v := range records {
		switch {
		case strings.HasPrefix(k, PairingPrefix):
			p := new(pairRecord)
			if err := decodeRecord(v, p, &p.V); err != nil {
				return fmt.Errorf("phone: read record %s: %w", k, err)
			}
			if err := p.load(strings.TrimPrefix(k, PairingPrefix)); err != nil {
				return fmt.Errorf("phone: read record %s: %w", k, err)
			}
			c.pairings[p.id] = p
		case strings.HasPrefix(k, requestPrefix):
			r := new(reqRecord)
			if err := decodeRecord(v, r, &r.V); err != nil {
				return fmt.Errorf("phone: read record %s: %w", k, err)
			}
			pid, hexID, _ := strings.Cut(strings.TrimPrefix(k, requestPrefix), "/")
			id, err := parseID(hexID)
			if err != nil {
				return fmt.Errorf("phone: read record %s: %w", k, err)
			}
			if open := r.State == reqPending || r.State == reqDecided; open && (r.Request == nil || r.Request.Sign == nil) {
				return fmt.Errorf("phone: read record %s: the request is missing", k)
			}
			r.pairing, r.id = pid, id
			c.requests[r.key()] = r
		case strings.HasPrefix(k, farewellPrefix):
			f := &farewell{id: strings.TrimPrefix(k, farewellPrefix)}
			if err := decodeRecord(v, f, &f.V); err != nil {
				return fmt.Errorf("phone: read record %s: %w", k, err)
			}
			c.farewells[f.id] = f
		case k == clockKey:
			if err := json.Unmarshal(v, &c.latest); err != nil {
				return fmt.Errorf("phone: read record %s: %w", k, err)
			}
		}
	}
	for _, r := range c.requests {
		if c.pairings[r.pairing] == nil {
			return fmt.Errorf("phone: read record %s: its pairing is missing", r.key())
		}
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
