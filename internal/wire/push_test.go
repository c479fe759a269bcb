package wire

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
)

func somePush(t *testing.T) Push {
	t.Helper()
	k, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Push{Endpoint: "https://push.example/x", P256dh: k.PublicKey().Bytes(), Auth: make([]byte, PushAuthSize), VAPID: k.Bytes()}
}

// TestPushRules: a push address stands in a me_response or beside the keys of a
// notice, and one that is none makes the message none.
func TestPushRules(t *testing.T) {
	me := func(p *Push) Message { return Message{Response: &Response{K: Protocol, Me: &MeResponse{Push: p}}} }
	told := func(p *Push) Message { return Message{Notice: &Notice{K: Protocol, Keys: &[]SSHKey{}, Push: p}} }
	for name, c := range map[string]struct {
		spoil func(*Push)
		ok    bool
	}{
		"whole":                   {func(*Push) {}, true},
		"longest":                 {func(p *Push) { p.Endpoint += strings.Repeat("x", MaxEndpoint-len(p.Endpoint)) }, true},
		"too long":                {func(p *Push) { p.Endpoint += strings.Repeat("x", MaxEndpoint) }, false},
		"no https":                {func(p *Push) { p.Endpoint = "http://push.example/x" }, false},
		"a line end":              {func(p *Push) { p.Endpoint += "\r\nHost: x" }, false},
		"not ASCII":               {func(p *Push) { p.Endpoint += "é" }, false},
		"no endpoint":             {func(p *Push) { p.Endpoint = "" }, false},
		"a point off the curve":   {func(p *Push) { p.P256dh[40] ^= 1 }, false},
		"a short point":           {func(p *Push) { p.P256dh = p.P256dh[:33] }, false},
		"a short secret":          {func(p *Push) { p.Auth = p.Auth[1:] }, false},
		"a VAPID key of zeros":    {func(p *Push) { p.VAPID = make([]byte, 32) }, false},
		"a VAPID key that is one": {func(p *Push) { p.VAPID = append(make([]byte, 31), 1) }, true},
		"a short VAPID key":       {func(p *Push) { p.VAPID = p.VAPID[1:] }, false},
	} {
		p := somePush(t)
		c.spoil(&p)
		for kind, m := range map[string]Message{"me_response": me(&p), "notice": told(&p)} {
			plain, err := Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Decode(plain); (err == nil) != c.ok {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
	p := somePush(t)
	plain, err := Encode(Message{Notice: &Notice{K: Protocol, Push: &p}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(plain); err == nil {
		t.Error("a push address without keys is a notice")
	}
	if text := fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(text, "push.example") {
		t.Errorf("it prints as %s", text)
	}
}
