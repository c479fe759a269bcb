package phonejs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/hostauth"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/sshwire/passkeytest"
	"kryptonite/internal/wire"
)

func call(d *Door, method string, args ...any) string { return d.Call(method, marshal(args)) }

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func started(t *testing.T) *Door {
	t.Helper()
	d := new(Door)
	key := map[string]any{"publicKey": b64(sshwire.Ed25519Blob(make([]byte, 32))), "name": "default"}
	if got := call(d, "start", map[string]any{"name": "pixel", "keys": []any{key}, "bluetooth": true}, map[string]any{}); got != "null" {
		t.Fatal(got)
	}
	return d
}

const link = "HTTPS://RELAY.EXAMPLE/#"

// TestOpenLink: an event goes in, effects come out, and the lists show it.
func TestOpenLink(t *testing.T) {
	d := started(t)
	i := wire.Invitation{App: "https://relay.example", Relay: "https://relay.example", Rendezvous: [16]byte{1}}
	i.CPub[0] = 9
	got := call(d, "handle", 1700000000000, map[string]any{"type": "OpenLink", "link": i.Link()})
	var effects []struct{ Type, Key, Value, Origin, Seed, Frame string }
	if err := json.Unmarshal([]byte(got), &effects); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	kinds := map[string]int{}
	for _, e := range effects {
		kinds[e.Type]++
	}
	if kinds["Store"] == 0 || kinds["Listen"] == 0 {
		t.Errorf("a link yields %v", kinds)
	}
	if got := call(d, "next"); got != "1700000015000" {
		t.Errorf("next = %s, want the hello's patience", got)
	}
	if got := call(d, "computers"); !strings.Contains(got, `"live":false`) {
		t.Errorf("computers = %s", got)
	}
	if got := call(d, "parseLink", i.Link()); got != `{"account":"","app":"https://relay.example","region":"","relay":"https://relay.example"}` {
		t.Errorf("parseLink = %s", got)
	}
	i = wire.Invitation{App: "https://app.example", SQS: wire.Meeting{Region: "eu-central-1", Account: "123456789012"}}
	if got := call(d, "parseLink", i.Link()); got != `{"account":"123456789012","app":"https://app.example","region":"eu-central-1","relay":""}` {
		t.Errorf("parseLink of a link to SQS = %s", got)
	}
}

// TestBluetooth: a page is told all services of a pairing before it knows a device.
func TestBluetooth(t *testing.T) {
	d := new(Door)
	if got := call(d, "start", map[string]any{"name": "pixel", "keys": []any{}, "bluetooth": true}, map[string]any{}); got != "null" {
		t.Fatal(got)
	}
	c, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	link := wire.Invitation{App: "https://app.example", CPub: c.Public(), Bluetooth: true}.Link()
	call(d, "handle", 1, map[string]any{"type": "OpenLink", "link": link})
	list := d.core.Computers()
	if len(list) != 1 || !list[0].Bluetooth {
		t.Fatalf("computers = %+v", list)
	}
	var services []string
	err = json.Unmarshal([]byte(call(d, "bluetooth", list[0].Pairing)), &services)
	if err != nil || len(services) != 2 || services[0] == services[1] || services[1] != sealbox.RendezvousService(c.Public()).String() {
		t.Errorf("services = %q, %v", services, err)
	}
	if got := call(d, "bluetooth", "no such"); got != "[]" {
		t.Errorf("of no pairing: %s", got)
	}
}

// TestUntold: who does not know yet that it is unpaired is listed.
func TestUntold(t *testing.T) {
	d := new(Door)
	farewell := `{"v":1,"computer":"laptop","addresses":[{"relay":{"origin":"https://relay.example","mailbox":"AAAAAAAAAAAAAAAAAAAAAA=="}}],"frame":"AAA=","until_unix_seconds":1700000000}`
	if got := call(d, "start", map[string]any{"name": "pixel", "keys": []any{}, "bluetooth": false}, map[string]any{"farewell/p": b64([]byte(farewell))}); got != "null" {
		t.Fatal(got)
	}
	if got := call(d, "untold"); got != `["laptop"]` {
		t.Errorf("untold = %s", got)
	}
	call(d, "handle", 1699999999000, map[string]any{"type": "Told", "pairing": "p"})
	if got := call(d, "untold"); got != `[]` {
		t.Errorf("when it was told, untold = %s", got)
	}
}

// TestRefused: what does not fit is refused with a reason, and changes nothing.
func TestRefused(t *testing.T) {
	d := started(t)
	for name, got := range map[string]string{
		"no method":     call(d, "rm"),
		"not JSON":      d.Call("next", "{"),
		"too many":      call(d, "next", 1),
		"no such event": call(d, "handle", 1, map[string]any{"type": "Sign"}),
		"no tag":        call(d, "handle", 1, map[string]any{}),
		"no key":        call(d, "handle", 1, map[string]any{"type": "KeysChanged", "keys": []any{map[string]any{"publicKey": "", "name": "x"}}}),
		"a key's name":  call(d, "keyFits", []any{map[string]any{"publicKey": "AAAA", "name": "x"}}, "X"),
		"field missing": call(d, "handle", 1, map[string]any{"type": "Unpair"}),
		"field unknown": call(d, "handle", 1, map[string]any{"type": "Tick", "now": 1}),
		"wrong kind":    call(d, "handle", 1, map[string]any{"type": "Unpair", "pairing": 1}),
		"short id":      call(d, "handle", 1, map[string]any{"type": "Signed", "pairing": "", "request": "AA==", "signature": "", "failed": "", "wrapped": ""}),
		"half a time":   call(d, "handle", 1.5, map[string]any{"type": "Tick"}),
		"null":          call(d, "handle", nil, nil),
		"twice":         call(d, "start", map[string]any{"name": "x", "keys": []any{}, "bluetooth": false}, map[string]any{}),
		"before start":  call(new(Door), "next"),
		"no seed":       call(d, "mailbox", "AAAA"),
		"no link":       call(d, "parseLink", link),
		"no signature":  call(d, "signature", "ssh-ed25519", "AAAA"),
		"no passkey":    call(d, "passkeyPublic", "AAAA", "phone.example"),
		"no assertion":  call(d, "passkeySignature", map[string]any{"authenticatorData": "", "clientDataJSON": "", "signature": "", "origin": ""}),
		"half of one":   call(d, "passkeySignature", map[string]any{"authenticatorData": "", "origin": ""}),
		"no key type":   call(d, "publicKey", "ssh-rsa", "AAAA"),
	} {
		if !strings.HasPrefix(got, `{"text":"`) || !strings.HasSuffix(got, `"type":"Refused"}`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := call(d, "next"); got != "null" {
		t.Errorf("next = %s", got)
	}
}

// TestDead: a bug does not end the program, and nothing works after it.
func TestDead(t *testing.T) {
	d := &Door{core: new(phone.Core)} // one that nobody made: it panics
	for range 2 {
		if got := call(d, "pins"); !strings.Contains(got, `"type":"Dead"`) || !strings.Contains(got, "nil pointer") {
			t.Errorf("after a panic: %s", got)
		}
	}
	if got := call(d, "computers"); !strings.Contains(got, `"type":"Dead"`) {
		t.Errorf("a dead core lists %s", got)
	}
}

// TestEffects: the shapes that a page relies on.
func TestEffects(t *testing.T) {
	card := phone.Card{User: "<img>", Expires: time.Unix(1700000000, 0), Known: knownhosts.Match,
		Host: hostauth.Host{Proof: hostauth.Proved, Cert: &hostauth.Cert{CA: "SHA256:x", ValidAfter: 7, ValidBefore: math.MaxUint64}},
		Pins: []knownhosts.Pin{{Unix: 5}}}
	for _, row := range []struct {
		effect phone.Effect
		want   string
	}{
		{phone.Store{Key: "a", Value: []byte("b")}, `{"key":"a","type":"Store","value":"Yg=="}`},
		{phone.Sign{Request: wire.ID{1}, Wrap: []byte("w"), Expires: time.Unix(5, 0), Rule: "7"},
			`{"card":` + marshal(encode(reflect.ValueOf(phone.Card{}), "handle")) + `,"expires":5000,"fingerprint":"","pairing":"","payload":"","renew":false,"request":"AQAAAAAAAAAAAAAAAAAAAA==","rule":"7","type":"Sign","unwrap":"","wrap":"dw==","wrapped":""}`},
		{phone.Store{Key: "a"}, `{"key":"a","type":"Store","value":null}`},
		{phone.Send{To: []wire.Address{{Relay: &wire.RelayAddress{Origin: "o"}}, {SQS: &wire.SQSAddress{Region: "r", ToPhone: "p"}}, {}}},
			`{"farewell":false,"frame":"","pairing":"","to":[{"bluetooth":null,"relay":{"mailbox":"","origin":"o"},"sqs":null},` +
				`{"bluetooth":null,"relay":null,"sqs":{"account":"","region":"r","toComputer":"","toPhone":"p"}},{"bluetooth":null,"relay":null,"sqs":null}],"type":"Send"}`},
		{phone.Withdraw{Request: wire.ID{1}, Why: wire.CodeExpired}, `{"pairing":"","request":"AQAAAAAAAAAAAAAAAAAAAA==","type":"Withdraw","why":"expired"}`},
		{phone.Note{Kind: phone.NoteBadLink, Err: errors.New("no")}, `{"computer":"","err":"no","kind":"BadLink","pairing":"","rule":"","type":"Note"}`},
		{phone.Note{Kind: phone.NoteSigned}, `{"computer":"","err":"","kind":"Signed","pairing":"","rule":"","type":"Note"}`},
	} {
		list := []phone.Effect{row.effect}
		if got := marshal(encode(reflect.ValueOf(list), "handle")); got != "["+row.want+"]" {
			t.Errorf("%T = %s, want %s", row.effect, got, row.want)
		}
	}
	got := marshal(encode(reflect.ValueOf([]phone.Effect{phone.Ask{Card: card}}), "handle"))
	for _, part := range []string{`"expires":1700000000000`, `"validBefore":null`, `"validAfter":7000`, `"proof":"proved"`, `"known":"Match"`, `"unix":5000`} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
	if strings.Contains(got, "<") {
		t.Errorf("a name is markup: %s", got)
	}
}

// TestDecide: a grant's time crosses in milliseconds.
func TestDecide(t *testing.T) {
	in := map[string]any{"type": "Decide", "pairing": "p", "request": b64(make([]byte, 16)), "allow": true,
		"grant": map[string]any{"scope": "host", "for": 3.6e6, "count": 2.0, "closed": true}}
	v, err := decode(in, eventType, "handle")
	want := phone.Decide{Pairing: "p", Allow: true, Grant: policy.Grant{Scope: policy.Host, For: time.Hour, Count: 2, Closed: true}}
	if err != nil || v.Interface() != phone.Event(want) {
		t.Errorf("%+v, %v, want %+v", v, err, want)
	}
}

// TestKeys: what WebCrypto makes verifies as SSH, and a read is proved.
func TestKeys(t *testing.T) {
	d, data := new(Door), []byte("data")
	pub, private, _ := ed25519.GenerateKey(nil)
	checkKey(t, d, "ssh-ed25519", pub, ed25519.Sign(private, data), data)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, _ := ec.PublicKey.Bytes()
	sum := sha256.Sum256(data)
	r, s, _ := ecdsa.Sign(rand.Reader, ec, sum[:])
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	checkKey(t, d, "ecdsa-sha2-nistp256", point, raw, data)

	key, _ := mailbox.NewKey()
	nonce := make([]byte, mailbox.NonceSize)
	var sig []byte
	if err := json.Unmarshal([]byte(call(d, "signRead", b64(key.Seed()), "https://r.example", b64(nonce))), &sig); err != nil {
		t.Fatal(err)
	}
	if err := mailbox.VerifyRead(key.Public(), "https://r.example", key.Address(), nonce, sig); err != nil {
		t.Error(err)
	}
	if got := call(d, "mailbox", b64(key.Seed())); !strings.Contains(got, key.Address().String()) {
		t.Error(got)
	}
}

func checkKey(t *testing.T, d *Door, typ string, raw, rawSig, data []byte) {
	t.Helper()
	var pub struct {
		Blob        []byte
		Fingerprint string
	}
	var sig []byte
	if err := errors.Join(json.Unmarshal([]byte(call(d, "publicKey", typ, b64(raw))), &pub),
		json.Unmarshal([]byte(call(d, "signature", typ, b64(rawSig))), &sig)); err != nil {
		t.Fatal(err)
	}
	key, err := sshwire.ParsePublicKey(pub.Blob)
	if err != nil || key.Fingerprint() != pub.Fingerprint {
		t.Fatalf("%s: %v, %s", typ, err, pub.Fingerprint)
	}
	parsed, err := sshwire.ParseSignature(sig)
	if err == nil {
		err = key.Verify(data, parsed)
	}
	if err != nil {
		t.Errorf("%s: %v", typ, err)
	}
	if line := call(d, "authorizedKey", b64(pub.Blob), "pixel"); !strings.HasPrefix(line, `"`+typ+" ") {
		t.Error(line)
	}
}

// TestPasskey: what WebAuthn makes verifies as SSH.
func TestPasskey(t *testing.T) {
	d, data, key := new(Door), []byte("data"), passkeytest.New(1, "phone.example")
	var pub struct {
		Blob        []byte
		Fingerprint string
	}
	if err := json.Unmarshal([]byte(call(d, "passkeyPublic", b64(key.SPKI()), key.Application)), &pub); err != nil {
		t.Fatal(err)
	}
	a := key.Assert(data, passkeytest.Given{Flags: 0x1d, Origin: "https://phone.example"})
	var sig []byte
	if err := json.Unmarshal([]byte(call(d, "passkeySignature", map[string]any{"authenticatorData": b64(a.AuthenticatorData),
		"clientDataJSON": b64(a.ClientDataJSON), "signature": b64(a.Signature), "origin": a.Origin})), &sig); err != nil {
		t.Fatal(err)
	}
	public, err := sshwire.ParsePublicKey(pub.Blob)
	if err != nil || public.Fingerprint() != pub.Fingerprint {
		t.Fatalf("%v, %s", err, pub.Fingerprint)
	}
	parsed, err := sshwire.ParseWebAuthn(sig)
	if err == nil {
		err = public.VerifyWebAuthn(data, parsed)
	}
	if err != nil {
		t.Error(err)
	}
	if line := call(d, "authorizedKey", b64(pub.Blob), "pixel"); !strings.HasPrefix(line, `"sk-ecdsa-sha2-nistp256@openssh.com `) {
		t.Error(line)
	}
}

// FuzzCall: no arguments kill the core, but keys that are none.
func FuzzCall(f *testing.F) {
	f.Add("handle", `[1,{"type":"OpenLink","link":"HTTPS://A.EXAMPLE/#"}]`)
	f.Add("handle", `[1,{"type":"Frame","pairing":"p","data":"AAAA"}]`)
	f.Add("start", `[{"name":"x","keys":[],"bluetooth":false},{"pairing/x":"e30="}]`)
	f.Add("rules", `[1700000000000]`)
	f.Add("signature", `["ecdsa-sha2-nistp256","AAAA"]`)
	f.Add("passkeyPublic", `["AAAA","phone.example"]`)
	f.Add("passkeySignature", `[{"authenticatorData":"AAAA","clientDataJSON":"AAAA","signature":"AAAA","origin":""}]`)
	f.Fuzz(func(t *testing.T, method, args string) {
		d := new(Door)
		d.Call("start", `[{"name":"x","keys":[],"bluetooth":false},{}]`)
		got := d.Call(method, args)
		if !json.Valid([]byte(got)) || strings.Contains(got, `"type":"Dead"`) && !strings.Contains(args, "KeysChanged") {
			t.Errorf("%s%s = %s", method, args, got)
		}
	})
}
