package wire

import (
	"crypto/ecdh"
	"errors"
	"strings"
)

// MaxEndpoint is the longest endpoint of a push address, in bytes. The longest
// known, of Windows, have some 700.
const MaxEndpoint = 2 << 10

// PushAuthSize is the size of a subscription's authentication secret, in bytes.
// [RFC 8291] §3.2.
const PushAuthSize = 16

// Push is where a phone's browser can be woken by Web Push, and what it takes:
// a subscription, and the key that it is bound to. Who has it can make that
// browser wake up; it never prints. [kr-protocol] §5.6.
type Push struct {
	Endpoint string `json:"endpoint"`      // https URL, which is a capability
	P256dh   []byte `json:"p256dh"`        // public key of the subscription: an uncompressed point, 65 bytes
	Auth     []byte `json:"auth"`          // 16 bytes
	VAPID    []byte `json:"vapid_private"` // P-256, 32 bytes; made by the phone
}

var errPush = errors.New("wire: not a push address")

// Check reports whether p has the shape of a push address, and keys that are
// some. That its endpoint is a URL that may be posted to, it does not say.
func (p Push) Check() error {
	bad := func(r rune) bool { return r <= ' ' || r > '~' }
	if !strings.HasPrefix(p.Endpoint, "https://") || len(p.Endpoint) > MaxEndpoint || strings.ContainsFunc(p.Endpoint, bad) || len(p.Auth) != PushAuthSize {
		return errPush
	}
	if _, err := ecdh.P256().NewPublicKey(p.P256dh); err != nil {
		return errPush
	}
	if _, err := ecdh.P256().NewPrivateKey(p.VAPID); err != nil {
		return errPush
	}
	return nil
}

// String and GoString keep a push address out of texts; LogValue, elsewhere, out of logs.
func (p Push) String() string   { return "[redacted]" }
func (p Push) GoString() string { return "[redacted]" }

// pushFits reports whether the push address in m, if there is one, is one and
// stands where it may: in a notice only beside the keys, as that tells all.
func (m Message) pushFits() bool {
	var p *Push
	switch {
	case m.Response != nil && m.Response.Me != nil:
		p = m.Response.Me.Push
	case m.Notice != nil:
		if p = m.Notice.Push; p != nil && m.Notice.Keys == nil {
			return false
		}
	}
	return p == nil || p.Check() == nil
}
