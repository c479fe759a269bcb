package phonejs

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"kryptonite/internal/knownhosts"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/version"
	"kryptonite/internal/wire"
)

// Door is one phone core and what else JavaScript may call. It is not safe for
// concurrent use. The zero Door has no core until it is started.
type Door struct {
	core *phone.Core
	dead string // why nothing works any more
}

// Config is what a phone is started with.
type Config struct {
	Name string        // how computers list this phone
	Keys []wire.SSHKey // the first one is offered first

	Bluetooth bool // a page can use it
}

// Mailbox is what the relay may know of a mailbox key.
type Mailbox struct {
	Address   string // 32 hex characters, as in URLs
	PublicKey []byte // Ed25519
}

// Invitation is what a pairing link says that people may want to see. They meet
// at the relay; if that is "", at Amazon SQS in a region and account; if there is
// none, by Bluetooth.
type Invitation struct{ App, Relay, Region, Account string }

// PublicKey is an SSH public key.
type PublicKey struct {
	Blob        []byte // SSH wire format
	Fingerprint string
}

var errNotStarted = errors.New("the phone is not started")

// methods are what JavaScript may call: functions of values that the codec
// knows. One that may fail returns an error last.
func (d *Door) methods() map[string]any {
	return map[string]any{
		"start": d.start, "handle": d.handle, "next": d.next,
		"computers": d.computers, "untold": d.untold, "rules": d.rules, "pins": d.pins, "strange": d.strange, "sees": d.sees, "bluetooth": d.bluetooth,
		"mailbox": mailboxOf, "signRead": signRead, "parseLink": parseLink,
		"publicKey": publicKey, "signature": signature, "authorizedKey": authorizedKey,
		"keyFits": phone.KeyFits, "passkeyPublic": passkeyPublic, "passkeySignature": passkeySignature,
		"chain": chain, "uses": uses,
	}
}

// Call calls a method with a JSON list of arguments. See the package
// documentation for what it returns.
func (d *Door) Call(method, args string) (reply string) {
	defer func() {
		if r := recover(); r != nil {
			d.dead = fmt.Sprint(r)
			reply = says("Dead", d.dead)
		}
	}()
	if d.dead != "" {
		return says("Dead", d.dead)
	}
	out, err := d.call(method, args)
	if err != nil {
		return says("Refused", err.Error())
	}
	return out
}

func says(kind, text string) string {
	return marshal(map[string]any{"type": kind, "text": text})
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("phonejs: bug: a reply did not encode: " + err.Error())
	}
	return string(b)
}

func (d *Door) call(method, args string) (string, error) {
	f, ok := d.methods()[method]
	if !ok {
		return "", fmt.Errorf("there is no method %q", method)
	}
	var list []any
	if err := json.Unmarshal([]byte(args), &list); err != nil {
		return "", errors.New("the arguments are not a list")
	}
	fn := reflect.ValueOf(f)
	if len(list) != fn.Type().NumIn() {
		return "", fmt.Errorf("%s takes %d arguments", method, fn.Type().NumIn())
	}
	in := make([]reflect.Value, len(list))
	for i := range list {
		var err error
		if in[i], err = decode(list[i], fn.Type().In(i), method); err != nil {
			return "", err
		}
	}
	out := fn.Call(in)
	if last := len(out) - 1; last >= 0 && out[last].Type() == errorType {
		if err, _ := out[last].Interface().(error); err != nil {
			return "", err
		}
		out = out[:last]
	}
	if len(out) == 0 {
		return "null", nil
	}
	return marshal(encode(out[0], method)), nil
}

func (d *Door) start(c Config, records map[string][]byte) (err error) {
	if d.core != nil {
		return errors.New("the phone is started already")
	}
	d.core, err = phone.New(phone.Config{Name: c.Name, Version: version.String(), Keys: c.Keys, Bluetooth: c.Bluetooth}, records)
	if err != nil {
		d.core = nil
	}
	return err
}

func (d *Door) handle(now time.Time, ev phone.Event) ([]phone.Effect, error) {
	if d.core == nil {
		return nil, errNotStarted
	}
	if changed, ok := ev.(phone.KeysChanged); ok {
		if err := phone.CheckKeys(changed.Keys); err != nil {
			return nil, err
		}
	}
	return d.core.Handle(now, ev), nil
}

// next is nil when nothing waits for time.
func (d *Door) next() (*time.Time, error) {
	if d.core == nil {
		return nil, errNotStarted
	}
	if at, ok := d.core.Next(); ok {
		return &at, nil
	}
	return nil, nil
}

func (d *Door) computers() ([]phone.Computer, error) {
	if d.core == nil {
		return nil, errNotStarted
	}
	return d.core.Computers(), nil
}

func (d *Door) untold() ([]string, error) {
	if d.core == nil {
		return nil, errNotStarted
	}
	return d.core.Untold(), nil
}

func (d *Door) rules(now time.Time) ([]policy.Rule, error) {
	if d.core == nil {
		return nil, errNotStarted
	}
	return d.core.Rules(now), nil
}

func (d *Door) pins() ([]knownhosts.Pin, error) {
	if d.core == nil {
		return nil, errNotStarted
	}
	return d.core.Pins(), nil
}

func (d *Door) strange() ([]knownhosts.Pin, error) {
	if d.core == nil {
		return nil, errNotStarted
	}
	return d.core.Strange(), nil
}

func (d *Door) sees(pairing, fingerprint string) (bool, error) {
	if d.core == nil {
		return false, errNotStarted
	}
	return d.core.Sees(pairing, fingerprint), nil
}

func (d *Door) bluetooth(pairing string) ([]string, error) {
	if d.core == nil {
		return nil, errNotStarted
	}
	return d.core.Bluetooth(pairing), nil
}

func mailboxOf(seed []byte) (Mailbox, error) {
	key, err := mailbox.KeyFromSeed(seed)
	if err != nil {
		return Mailbox{}, err
	}
	return Mailbox{key.Address().String(), key.Public()}, nil
}

// signRead proves to the relay at origin that the seed's holder reads.
func signRead(seed []byte, origin string, nonce []byte) ([]byte, error) {
	key, err := mailbox.KeyFromSeed(seed)
	if err != nil {
		return nil, err
	}
	return mailbox.SignRead(key, origin, nonce)
}

func parseLink(link string) (Invitation, error) {
	i, err := wire.ParseLink(link)
	return Invitation{i.App, i.Relay, i.SQS.Region, i.SQS.Account}, err
}
