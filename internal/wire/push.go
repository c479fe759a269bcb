package wire

import (
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
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

// MaxPushToken is the longest token of a device, in bytes. Apple's have 64 so
// far, Google's some 200.
const MaxPushToken = 2 << 10

// PushToken is what a phone's platform calls this device of the phone's app, for
// pushes by Apple or Google. Who has it, and the app's own credentials for pushes,
// can make that app wake up; it never prints. [kr-protocol] §5.8.
type PushToken struct {
	Platform string `json:"platform"` // PlatformAPNS, PlatformAPNSSandbox or PlatformGCM
	Token    string `json:"token"`
}

// The platforms, by Amazon SNS's names.
const (
	PlatformAPNS        = "APNS"         // Apple
	PlatformAPNSSandbox = "APNS_SANDBOX" // Apple, for apps that a developer has installed
	PlatformGCM         = "GCM"          // Google's Firebase Cloud Messaging
)

var errPushToken = errors.New("wire: not the token of a device")

// Check reports whether t has the shape of a token: Apple's are bytes in lower-case
// hex, Google's are printable ASCII. That there is such a device, it does not say.
func (t PushToken) Check() error {
	bad := func(r rune) bool { return r <= ' ' || r > '~' }
	n := len(t.Token)
	if n == 0 || n > MaxPushToken || strings.ContainsFunc(t.Token, bad) {
		return errPushToken
	}
	switch t.Platform {
	case PlatformGCM:
		return nil
	case PlatformAPNS, PlatformAPNSSandbox:
		if n%2 == 0 && only(t.Token, "0123456789abcdef") {
			return nil
		}
	}
	return errPushToken
}

// String and GoString keep a token out of texts; LogValue, elsewhere, out of logs.
func (t PushToken) String() string   { return "[redacted]" }
func (t PushToken) GoString() string { return "[redacted]" }

// Wakers are the ways to wake a phone; nil for one that there is not.
type Wakers struct {
	Push      *Push      `json:"push,omitempty"`
	PushToken *PushToken `json:"push_token,omitempty"`
}

// PushTopic stands for a request at a push service, which keeps one push for each:
// 32 characters of base64url. [RFC 8030] §5.4, [kr-protocol] §5.6.
func PushTopic(request ID) string {
	sum := sha256.Sum256([]byte("kryptonite push topic v1" + string(request[:])))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// pushFits reports whether the wakers in m, if there are some, are some and stand
// where they may: in a notice only beside the keys, as that tells all.
func (m Message) pushFits() bool {
	var w Wakers
	switch {
	case m.Response != nil && m.Response.Me != nil:
		w = m.Response.Me.Wakers
	case m.Notice != nil:
		if w = m.Notice.Wakers; w != (Wakers{}) && m.Notice.Keys == nil {
			return false
		}
	}
	return (w.Push == nil || w.Push.Check() == nil) && (w.PushToken == nil || w.PushToken.Check() == nil)
}
