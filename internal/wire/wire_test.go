package wire

import (
	"encoding/base32"
	"errors"
	"strings"
	"testing"

	"kryptonite/internal/sealbox"
)

func invitation() Invitation {
	inv := Invitation{App: "https://app.example", Relay: "https://app.example"}
	for i := range inv.CPub {
		inv.CPub[i] = byte(i)
	}
	for i := range inv.Rendezvous {
		inv.Rendezvous[i] = byte(0xf0 + i)
	}
	return inv
}

// TestLinkHoldsNothingElse pins the exact bytes: a QR code is version, c_pub
// and a rendezvous address, and not one byte more.
func TestLinkHoldsNothingElse(t *testing.T) {
	inv := invitation()
	want := "HTTPS://APP.EXAMPLE/#AEAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB74HR6LZ7J5PW674PT6X37T6757Y"
	link := inv.Link()
	_, code, _ := strings.Cut(link, "#")
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(code)
	if err != nil || len(raw) != 1+32+16 || raw[0] != 1 || string(raw[1:33]) != string(inv.CPub[:]) || string(raw[33:]) != string(inv.Rendezvous[:]) {
		t.Fatalf("the link holds %x", raw)
	}
	if link != want {
		t.Errorf("link = %s, want %s", link, want)
	}
}

func TestLinks(t *testing.T) {
	inv := invitation()
	good := inv.Link()
	_, payload, _ := strings.Cut(good, "#")
	other := inv
	other.Relay = "https://relay.example:8443"
	local := inv
	local.App, local.Relay = "http://localhost:8080", "http://localhost:8080"
	for name, want := range map[string]Invitation{"plain": inv, "other relay": other, "local": local} {
		for _, s := range []string{want.Link(), strings.ToLower(want.Link()), "  " + want.Link() + "\n"} {
			if got, err := ParseLink(s); err != nil || got != want {
				t.Errorf("%s: ParseLink = %v", name, err)
			}
		}
	}
	for name, s := range map[string]string{
		"empty": "", "no fragment": "HTTPS://APP.EXAMPLE/", "http elsewhere": "HTTP://APP.EXAMPLE/#" + payload,
		"ftp": "FTP://APP.EXAMPLE/#" + payload, "user": "HTTPS://A@B/#" + payload, "path": "HTTPS://APP.EXAMPLE/X/#" + payload,
		"cut": good[:len(good)-1], "long": good + "A", "padding": good + "=", "bad character": strings.Replace(good, "A", "1", -1),
		"no host": "HTTPS:///#" + payload, "empty port": "HTTPS://APP.EXAMPLE:/#" + payload, "relay twice": other.Link() + "/R:X",
		"relay is the app": good + "/R:APP.EXAMPLE", "unknown part": good + "/X:Y", "not ascii": good + "é", "huge": strings.Repeat("A", 5000),
		"loose bits": good[:len(good)-1] + "7",
	} {
		_, err := ParseLink(s)
		if !errors.Is(err, ErrLink) {
			t.Errorf("%s: %v, want ErrLink", name, err)
		}
		if err != nil && len(s) > 30 && strings.Contains(err.Error(), s[25:30]) {
			t.Errorf("%s: the error repeats the link", name)
		}
	}
	raw := append([]byte{2}, make([]byte, 48)...)
	var v *LinkVersionError
	if _, err := ParseLink("HTTPS://APP.EXAMPLE/#" + b32.EncodeToString(raw)); !errors.As(err, &v) || v.Version != 2 {
		t.Errorf("version 2: %v", err)
	}
}

func TestMessages(t *testing.T) {
	id := ID{1}
	for name, c := range map[string]struct {
		m              Message
		session, epoch bool
	}{
		"hello":     {Message{Request: &Request{ID: id, K: Protocol, Me: &MeRequest{}}}, true, false},
		"sign":      {Message{Request: &Request{ID: id, K: Protocol, Sign: &SignRequest{}}}, false, true},
		"cancel":    {Message{Request: &Request{ID: id, K: Protocol, Cancel: &CancelRequest{}}}, false, true},
		"unpair":    {Message{Request: &Request{ID: id, K: Protocol, Unpair: &Unpair{}}}, true, false},
		"unknown":   {Message{Request: &Request{ID: id, K: Protocol}}, false, true},
		"ack":       {Message{Response: &Response{ID: id, K: Protocol, Ack: &Ack{}}}, true, true},
		"me":        {Message{Response: &Response{ID: id, K: Protocol, Me: &MeResponse{}}}, false, true},
		"signed":    {Message{Response: &Response{ID: id, K: Protocol, Sign: &SignResponse{}}}, false, true},
		"error":     {Message{Response: &Response{ID: id, K: Protocol, Error: &ErrorResponse{}}}, false, true},
		"left":      {Message{Notice: &Notice{ID: id, K: Protocol, Unpair: &Unpair{}}}, true, false},
		"addresses": {Message{Notice: &Notice{ID: id, K: Protocol}}, false, true},
	} {
		plain, err := Encode(c.m)
		if err != nil || len(plain) < sealbox.PadMin || len(plain)%sealbox.PadBlock != 0 {
			t.Fatalf("%s: %d bytes, %v", name, len(plain), err)
		}
		m, err := Decode(plain)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.FitsHeader(HeaderSession) != c.session || m.FitsHeader(HeaderEpoch) != c.epoch || m.FitsHeader(HeaderSealed) {
			t.Errorf("%s fits the wrong headers", name)
		}
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": ``, "no kind": `{}`, "two": `{"request":{},"notice":{}}`, "not json": `{"request":`,
		"two kinds":       `{"request":{"sign_request":{},"unpair_request":{}}}`,
		"empty response":  `{"response":{}}`,
		"two answers":     `{"response":{"ack_response":{},"me_response":{}}}`,
		"bad id":          `{"request":{"request_id":"AA=="}}`,
		"after the end":   `{"request":{}} {"request":{}}`,
		"array":           `[]`,
		"e_c of 31 bytes": `{"request":{"e_c":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}`,
	} {
		if _, err := Decode(sealbox.Pad([]byte(text))); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v, want ErrMessage", name, err)
		}
	}
	if _, err := Decode([]byte(`{"request":{}}`)); !errors.Is(err, ErrMessage) {
		t.Error("a plaintext without padding is a message")
	}
	future := `{"request":{"request_id":"AAAAAAAAAAAAAAAAAAAAAA==","new_request":{"x":1},"k":1},"also":2}`
	if m, err := Decode(sealbox.Pad([]byte(future))); err != nil || m.Request.Known() {
		t.Errorf("a newer request: %v", err)
	}
	if _, err := Encode(Message{Request: &Request{Sign: &SignRequest{Payload: make([]byte, MaxPlaintext)}}}); err == nil {
		t.Error("a message that fits no frame is encoded")
	}
}

func TestFrames(t *testing.T) {
	for name, b := range map[string][]byte{"empty": {}, "header only": {0}, "unknown header": {1, 2}, "too large": make([]byte, MaxFrame+1)} {
		if _, _, err := SplitFrame(b); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v, want ErrFrame", name, err)
		}
	}
	if h, body, err := SplitFrame(NewFrame(HeaderEpoch, make([]byte, MaxFrame-1))); err != nil || h != HeaderEpoch || len(body) != MaxFrame-1 {
		t.Errorf("the largest frame: %v", err)
	}
}
