package wire

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"kryptonite/internal/sealbox"
)

// MaxAddresses is how many addresses one side may name. [kr-protocol] §4.1.
const MaxAddresses = 8

// Address is where one side listens on one channel; one field is set, or none
// for a channel that this version does not know.
type Address struct {
	Relay     *RelayAddress     `json:"relay,omitempty"`
	SQS       *SQSAddress       `json:"sqs,omitempty"`
	Bluetooth *BluetoothAddress `json:"bluetooth,omitempty"`
}

// BluetoothAddress is the GATT service of a pairing, which both sides can derive.
// [kr-protocol] §5.9.
type BluetoothAddress struct {
	Service []byte `json:"service"` // a UUID, 16 bytes
}

// RelayAddress is a mailbox (16 bytes) on a relay.
type RelayAddress struct {
	Origin  string `json:"origin"`
	Mailbox []byte `json:"mailbox"`
}

// SQSAddress names the two queues of a pairing at Amazon SQS, which the computer
// made. Who knows the names may send to the one and take from the other, so it
// never prints. It holds no URL and no host: whoever wrote it can lead nobody
// anywhere but to the SQS of a region. [kr-protocol] §5.7.
type SQSAddress struct {
	Region     string `json:"region"`      // "eu-central-1"
	Account    string `json:"account"`     // 12 digits
	ToComputer string `json:"to_computer"` // name of the queue that anyone may send to
	ToPhone    string `json:"to_phone"`    // name of the queue that anyone may take from
}

// Sizes of the names of queues, in bytes; SQS takes at most 80.
const (
	QueueRandom    = 32 // hex of 128 random bits, with which a name ends
	MaxQueuePrefix = 32 // what stands before
)

var errSQS = errors.New("wire: not the address of two queues at SQS")

// Check reports whether a has the shape of an address. That there is such a
// region, or account, or queue, it does not say.
func (a SQSAddress) Check() error {
	if !ValidRegion(a.Region) || len(a.Account) != 12 || !only(a.Account, "0123456789") ||
		!validQueue(a.ToComputer) || !validQueue(a.ToPhone) || a.ToComputer == a.ToPhone {
		return errSQS
	}
	return nil
}

// String and GoString keep an address out of texts; LogValue, elsewhere, out of logs.
func (a SQSAddress) String() string   { return "[redacted]" }
func (a SQSAddress) GoString() string { return "[redacted]" }

// Meeting is where computer and phone meet at SQS when no relay is used.
type Meeting struct {
	Region  string
	Account string
	Prefix  string // of the names of queues; may be empty
}

// Queues are the two that are used until both sides know the pairing's own; their
// names are made of the QR code's c_pub, which AWS does not learn by that.
// [kr-protocol] §5.7.
func (m Meeting) Queues(cPub sealbox.PublicKey) SQSAddress {
	name := func(direction string) string {
		b, err := hkdf.Key(sha256.New, cPub[:], []byte("kryptonite sqs rendezvous v1"), direction, QueueRandom/2)
		if err != nil {
			panic("wire: bug: HKDF: " + err.Error())
		}
		return m.Prefix + hex.EncodeToString(b)
	}
	return SQSAddress{Region: m.Region, Account: m.Account, ToComputer: name("to computer"), ToPhone: name("to phone")}
}

func (m Meeting) text() string {
	return strings.TrimSuffix(m.Region+":"+m.Account+":"+m.Prefix, ":")
}

// parseMeeting reads what text writes, and nothing else.
func parseMeeting(s string) (m Meeting, ok bool) {
	parts := strings.Split(s+"::", ":")
	m = Meeting{parts[0], parts[1], parts[2]}
	return m, m.text() == s && m.Queues(sealbox.PublicKey{}).Check() == nil
}

const lowerLetters = "abcdefghijklmnopqrstuvwxyz"

// ValidRegion reports whether s may be a region of AWS's partitions aws, aws-cn
// and aws-us-gov: two letters, one or more words, a number. The other partitions
// have their own domains, and are not on the Internet or do not begin with two
// letters.
func ValidRegion(s string) bool {
	parts := strings.Split(s, "-")
	if len(s) > 32 || len(parts) < 3 || len(parts[0]) != 2 || strings.HasPrefix(parts[1], "iso") {
		return false
	}
	last := len(parts) - 1
	for _, p := range parts[:last] {
		if p == "" || !only(p, lowerLetters) {
			return false
		}
	}
	n := parts[last]
	return (len(n) == 1 || len(n) == 2) && only(n, "0123456789")
}

// validQueue takes a name of ours: a prefix, and 32 lower-case hex characters.
func validQueue(s string) bool {
	n := len(s) - QueueRandom
	return n >= 0 && ValidQueuePrefix(s[:n]) && only(s[n:], "0123456789abcdef")
}

// ValidQueuePrefix reports whether s may stand before the random part of the
// name of a queue: at most 32 of a-z, 0-9 and '-'.
func ValidQueuePrefix(s string) bool {
	return len(s) <= MaxQueuePrefix && only(s, lowerLetters+"0123456789-")
}

func only(s, of string) bool { return strings.Trim(s, of) == "" }

// addressesFit reports whether the addresses in m, if there are some, are few
// enough, and those of a kind that is known well-formed.
func (m Message) addressesFit() bool {
	var list []Address
	switch {
	case m.Request != nil && m.Request.Me != nil:
		list = m.Request.Me.Addresses
	case m.Response != nil && m.Response.Ack != nil:
		list = m.Response.Ack.Addresses
	}
	if len(list) > MaxAddresses {
		return false
	}
	for _, a := range list {
		fields := 0
		for _, there := range []bool{a.Relay != nil, a.SQS != nil, a.Bluetooth != nil} {
			if there {
				fields++
			}
		}
		if fields > 1 || a.SQS != nil && a.SQS.Check() != nil || a.Bluetooth != nil && len(a.Bluetooth.Service) != len(sealbox.ServiceUUID{}) {
			return false
		}
	}
	return true
}
