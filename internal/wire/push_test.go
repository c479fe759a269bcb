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
	me := func(p *Push) Message {
		return Message{Response: &Response{K: Protocol, Me: &MeResponse{Wakers: Wakers{Push: p}}}}
	}
	told := func(p *Push) Message {
		return Message{Notice: &Notice{K: Protocol, Keys: &[]SSHKey{}, Wakers: Wakers{Push: p}}}
	}
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
	plain, err := Encode(Message{Notice: &Notice{K: Protocol, Wakers: Wakers{Push: &p}}})
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

// TestPushTokenRules: as for push addresses, and both may be there at once.
func TestPushTokenRules(t *testing.T) {
	apple := strings.Repeat("0a", 32)
	for name, c := range map[string]struct {
		token PushToken
		ok    bool
	}{
		"Apple's":           {PushToken{PlatformAPNS, apple}, true},
		"a developer's":     {PushToken{PlatformAPNSSandbox, apple}, true},
		"Google's":          {PushToken{PlatformGCM, "dQw4:APA91b_x-y"}, true},
		"longest":           {PushToken{PlatformGCM, strings.Repeat("x", MaxPushToken)}, true},
		"too long":          {PushToken{PlatformGCM, strings.Repeat("x", MaxPushToken+1)}, false},
		"empty":             {PushToken{PlatformGCM, ""}, false},
		"in capitals":       {PushToken{PlatformAPNS, strings.ToUpper(apple)}, false},
		"half a byte":       {PushToken{PlatformAPNS, apple[1:]}, false},
		"Google's at Apple": {PushToken{PlatformAPNS, "dQw4:APA91b"}, false},
		"with a line end":   {PushToken{PlatformGCM, "dQw4\n"}, false},
		"not ASCII":         {PushToken{PlatformGCM, "é"}, false},
		"another platform":  {PushToken{"ADM", apple}, false},
		"no platform":       {PushToken{"", apple}, false},
	} {
		push := somePush(t)
		for kind, m := range map[string]Message{
			"me_response": {Response: &Response{K: Protocol, Me: &MeResponse{Wakers: Wakers{PushToken: &c.token}}}},
			"notice":      {Notice: &Notice{K: Protocol, Keys: &[]SSHKey{}, Wakers: Wakers{&push, &c.token}}},
		} {
			plain, err := Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Decode(plain); (err == nil) != c.ok {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", c.token, c.token, c.token); strings.Contains(text, "0a0a") || strings.Contains(text, "APA91") {
			t.Errorf("it prints as %s", text)
		}
	}
	plain, err := Encode(Message{Notice: &Notice{K: Protocol, Wakers: Wakers{PushToken: &PushToken{PlatformAPNS, apple}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(plain); err == nil {
		t.Error("a token without keys is a notice")
	}
}
