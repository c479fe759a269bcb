// Package control is krd's local API as kr sees it: its shapes and its client.
// It is HTTP with JSON on the unix socket krd.sock:
//
//	GET  /v1/status       Status
//	POST /v1/pair         PairRequest → a stream of PairEvent, one JSON a line;
//	                      closing the connection gives the pairing up
//	POST /v1/pair/answer  PairAnswer; refused if it is not to the words of the
//	                      pairing that runs
//	POST /v1/unpair       UnpairRequest → Unpaired
//	POST /v1/relay/add    Relay → ChangedChannels: phones without a relay get a mailbox
//	POST /v1/relay/remove ChangedChannels: they lose it
//	POST /v1/sqs/add      SQS → ChangedChannels: phones without queues get some
//	POST /v1/sqs/remove   ChangedChannels: they lose them
//	POST /v1/sqs/check    SQS → SQSCheck
//	POST /v1/bluetooth/add, /v1/bluetooth/remove   ChangedChannels: all may come by it, or none
//	POST /v1/sns          SNS: how Amazon SNS is used from now on
//	POST /v1/sns/check    → SNSCheck
//	POST /v1/limit        LimitRequest: the hosts that a key is offered to
//	GET  /v1/log          Log; ?phone=NAME-OR-ID &n=N (0: all) &before=SEQ; bounded,
//	                      older ones by before
//	POST /v1/log/accept   AcceptLog → LogAccepted
//	GET  /v1/trace        Traces, the newest n=N
//	POST /v1/stop         krd ends
//
// Errors are an Error with a status of 4xx or 5xx. The server refuses requests
// with an Origin or Referer header, so that no web page can drive krd, and the
// socket refuses other users.
package control

import "time"

// SchemaVersion is the version of Status as "--json" prints it.
const SchemaVersion = 1

// Status is what krd knows of itself and its phones.
type Status struct {
	SchemaVersion int         `json:"schema_version"`
	Version       string      `json:"version"`
	PID           int         `json:"pid"`
	Started       time.Time   `json:"started"`
	AgentSocket   string      `json:"agent_socket"`
	OtherAgent    *OtherAgent `json:"other_agent,omitempty"` // nil if there is none
	Phones        []Phone     `json:"phones"`
	Untold        []Untold    `json:"untold"`        // unpaired phones that do not know it yet
	SNS           *SNS        `json:"sns,omitempty"` // nil: Amazon SNS is not used
}

// OtherAgent is the agent that the user has beside krd, asked just now.
type OtherAgent struct {
	Path      string `json:"path"` // of its socket
	Reachable bool   `json:"reachable"`
	Keys      int    `json:"keys"` // how many it lists
	LastError string `json:"last_error,omitempty"`
}

// Untold is a phone whose pairing has ended here and that could not be told yet.
type Untold struct {
	ID    string    `json:"id"` // of the pairing that was
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"` // when krd gives up
}

// Phone is one paired phone.
type Phone struct {
	ID     string    `json:"id"` // of the pairing
	Name   string    `json:"name"`
	Paired time.Time `json:"paired"`
	Heard  time.Time `json:"heard,omitzero"`  // the last word
	Away   bool      `json:"away"`            // it did not answer when last asked
	Locked time.Time `json:"locked,omitzero"` // since when it refuses all that this computer asks; zero: it does not
	Keys   []Key     `json:"keys"`
	Links  []Link    `json:"channels"`
	Push   Push      `json:"push"`
	SNS    Push      `json:"sns"`
	Log    PhoneLog  `json:"log"`
}

// Push is whether a phone can be woken by Web Push, or by Amazon SNS.
type Push struct {
	State     PushState `json:"state"`
	Host      string    `json:"host,omitempty"`       // of the push service; of SNS, its platform
	LastOK    time.Time `json:"last_ok,omitzero"`     // since krd's start
	LastError string    `json:"last_error,omitempty"` // since LastOK
}

// PushState is how it stands with a Push.
type PushState string

// The states.
const (
	PushNone    PushState = "none"    // the phone has not told how
	PushYes     PushState = "yes"     // it has, and nothing speaks against it
	PushFailing PushState = "failing" // the last push did not work; LastError says why
	PushGone    PushState = "gone"    // the service says that the phone's subscription, or endpoint, has ended
)

// Key is a public key on a phone.
type Key struct {
	Name          string `json:"name"`
	AuthorizedKey string `json:"authorized_key"` // as in authorized_keys
	Fingerprint   string `json:"fingerprint"`
	Type          string `json:"type"` // as in authorized_keys; "" if krd does not know it

	Hosts []string `json:"hosts,omitempty"` // patterns: it is offered to these hosts only
}

// LimitRequest says which hosts a key is offered to from now on.
type LimitRequest struct {
	Key   string   `json:"key"`             // fingerprint, SHA256:…
	Hosts []string `json:"hosts,omitempty"` // patterns; none: all
}

// Link is one channel of one phone.
type Link struct {
	Name      string    `json:"name"`
	Connected bool      `json:"connected"`
	Mode      string    `json:"mode,omitempty"`   // how it receives: "WebSocket", "long poll"
	Untold    bool      `json:"untold,omitempty"` // the phone has not said yet that it takes it
	LastOK    time.Time `json:"last_ok,omitzero"`
	LastError string    `json:"last_error,omitempty"` // since LastOK
	TookMS    float64   `json:"took_ms,omitempty"`    // by the newest frame sent, until the channel had it, in milliseconds
}

// PairRequest starts a pairing.
type PairRequest struct {
	Name  string `json:"name"`          // how the phone lists this computer
	Relay string `json:"relay"`         // origin
	App   string `json:"app"`           // origin of the phone app
	SQS   *SQS   `json:"sqs,omitempty"` // queues beside the relay; nil: none

	Bluetooth bool `json:"bluetooth,omitempty"` // the phone comes by it, too, or alone
}

// Relay is one that phones are to use.
type Relay struct {
	Origin string `json:"origin"`
}

// SQS is how to reach an AWS account's queues. All may be empty; AWS's own
// settings, as krd sees them, fill in the rest.
type SQS struct {
	Region   string `json:"region,omitempty"`
	Profile  string `json:"profile,omitempty"`  // of ~/.aws/config
	Endpoint string `json:"endpoint,omitempty"` // URL
	Prefix   string `json:"prefix,omitempty"`   // of the names of queues
}

// ChangedChannels is what became of each phone's channels.
type ChangedChannels struct {
	Phones []ChangedPhone `json:"phones"`
}

// ChangedPhone is a phone that gained or lost a channel, or why not.
type ChangedPhone struct {
	Name    string `json:"name"`
	Changed bool   `json:"changed"`           // false: there was nothing to do, or Problem
	Problem string `json:"problem,omitempty"` // why it was not done
}

// SQSCheck is what came of trying an account's queues, in order.
type SQSCheck struct {
	Region string `json:"region"`
	Facts  []Fact `json:"facts"`
}

// SNS is how Amazon SNS is used. Without applications it is not.
type SNS struct {
	Applications []string `json:"platform_applications,omitempty"` // ARNs, one a platform
	Profile      string   `json:"profile,omitempty"`               // of ~/.aws/config
	Endpoint     string   `json:"endpoint,omitempty"`              // URL
}

// SNSCheck is what came of trying an account's platform applications.
type SNSCheck struct {
	Applications []SNSChecked `json:"platform_applications"`
}

// SNSChecked is what came of trying one, in order.
type SNSChecked struct {
	ARN   string `json:"arn"`
	Facts []Fact `json:"facts"`
}

// Fact is one thing that was tried.
type Fact struct {
	What    string `json:"what"`
	Problem string `json:"problem,omitempty"` // "": it works
}

// PairEvent is one step of a pairing; one field is set.
type PairEvent struct {
	Link  string `json:"link,omitempty"`  // what the QR code says
	Words string `json:"words,omitempty"` // the phone has answered: ask the person
	Phone *Phone `json:"phone,omitempty"` // the pairing is live
	Error *Error `json:"error,omitempty"` // the pairing has failed
}

// PairAnswer is the person's answer to the two words.
type PairAnswer struct {
	Words string `json:"words"` // that were shown here
	Same  bool   `json:"same"`  // the phone shows them, too
}

// UnpairRequest ends pairings: one by name or id.
type UnpairRequest struct {
	Phone string `json:"phone"`
}

// Unpaired is the phone that was unpaired.
type Unpaired struct {
	Phone Phone `json:"phone"`
	Told  bool  `json:"told"` // a channel took the message for the phone
}

// Code is the kind of an Error, for those who decide by it.
type Code string

// The codes.
const (
	CodeBadRequest Code = "bad_request"
	CodeNotPaired  Code = "not_paired"
	CodeNoSuch     Code = "no_such_phone"
	CodeBusy       Code = "busy"
	CodeDeclined   Code = "declined" // on the phone or here
	CodeNoAnswer   Code = "no_answer"
	CodeCommit     Code = "commitment" // someone may be in between
	CodeChannel    Code = "channel"    // the relay cannot be reached
	CodeSQS        Code = "sqs"        // Amazon SQS cannot be used
	CodeSNS        Code = "sns"        // Amazon SNS cannot be used
	CodeNewer      Code = "newer"      // a newer krd wrote what would have to be replaced
	CodeInternal   Code = "internal"
)

// Error is why a call failed, in words for people.
type Error struct {
	Code Code   `json:"code"`
	Text string `json:"text"`
}

func (e *Error) Error() string { return e.Text }
