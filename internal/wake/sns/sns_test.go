package sns_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/wake/sns"
	"kryptonite/internal/wire"
)

const arn = "arn:aws:sns:eu-central-1:123456789012:app/APNS/kryptonite"

func TestApplications(t *testing.T) {
	for text, ok := range map[string]bool{
		arn: true,
		"arn:aws-cn:sns:cn-north-1:123456789012:app/GCM/a.b_c-d":                     true,
		"arn:aws:sns:eu-central-1:123456789012:app/APNS_SANDBOX/x":                   true,
		"arn:aws:sns:eu-central-1:123456789012:app/ADM/x":                            false,
		"arn:aws:sns:eu-central-1:123456789012:endpoint/APNS/x/1":                    false,
		"arn:aws:sns:eu-central-1:123456789012:app/APNS/x/y":                         false,
		"arn:aws:sns:eu-central-1:12345678901:app/APNS/x":                            false,
		"arn:aws:sns:nowhere:123456789012:app/APNS/x":                                false,
		"arn:aws:sqs:eu-central-1:123456789012:app/APNS/x":                           false,
		"arn:aws:sns:eu-central-1:123456789012:app/APNS/" + strings.Repeat("x", 257): false,
		"": false,
	} {
		a, err := sns.ParseApplication(text)
		if (err == nil) != ok || ok && a.String() != text {
			t.Errorf("%q: %v", text, err)
		}
	}
	a, err := sns.ParseApplication(arn)
	if err != nil || a.Platform != wire.PlatformAPNS || a.Region != "eu-central-1" {
		t.Fatalf("%+v, %v", a, err)
	}
	for endpoint, ok := range map[string]bool{
		"arn:aws:sns:eu-central-1:123456789012:endpoint/APNS/kryptonite/5e3e9847-3183-3f18-a7e8-671c3a57d4b3": true,
		"arn:aws:sns:eu-central-1:123456789012:endpoint/APNS/other/5e3e9847-3183-3f18-a7e8-671c3a57d4b3":      false,
		"arn:aws:sns:eu-central-1:123456789012:endpoint/APNS/kryptonite/":                                     false,
		"arn:aws:sns:eu-central-1:123456789012:endpoint/APNS/kryptonite/a b":                                  false,
	} {
		if a.Has(endpoint) != ok {
			t.Errorf("%s: %t", endpoint, !ok)
		}
	}
}

// TestMessages: what arrives at the phone has the frame, if it fits, and the
// platform gets nothing to read but our own two sentences.
func TestMessages(t *testing.T) {
	for _, platform := range []string{wire.PlatformAPNS, wire.PlatformAPNSSandbox, wire.PlatformGCM} {
		most := 0
		for n := range 4096 {
			frame := bytes.Repeat([]byte{0xff}, n)
			m := sns.NewMessage(platform, wire.ID{7}, frame, 28*time.Second-time.Millisecond)
			payload := payloadOf(t, platform, m)
			if len(payload) > 4096 {
				t.Fatalf("%s: a payload of %d bytes", platform, len(payload))
			}
			if text := base64.StdEncoding.EncodeToString(frame); n > 0 && strings.Contains(string(payload), text) {
				most = n
			}
		}
		if most < 2600 || most > 3000 {
			t.Errorf("%s: frames of up to %d bytes fit", platform, most)
		}
		t.Logf("%s takes frames of up to %d bytes", platform, most)
		long := payloadOf(t, platform, sns.NewMessage(platform, wire.ID{7}, make([]byte, most+3), time.Minute))
		if bare := payloadOf(t, platform, sns.NewMessage(platform, wire.ID{7}, nil, time.Minute)); !bytes.Equal(long, bare) {
			t.Errorf("%s: a frame that does not fit is no bare wake-up: %s", platform, long)
		}
	}
}

func payloadOf(t *testing.T, platform string, m sns.Message) []byte {
	t.Helper()
	var all map[string]string
	if err := json.Unmarshal([]byte(m.JSON), &all); err != nil || len(all) != 1 {
		t.Fatalf("%s: %v", m.JSON, err)
	}
	return []byte(all[platform])
}

// FuzzFrame: what a push brings, from whomever, yields a frame with one spelling,
// nothing, or an error without any of it.
func FuzzFrame(f *testing.F) {
	for _, seed := range []string{`{"frame":"QUJD"}`, `{"aps":{"alert":{"body":"x"}}}`, `{"frame":7}`, `{"frame":"QUJD\n"}`, `[]`, "", `{"frame":"QR=="}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		frame, err := sns.Frame(payload)
		switch {
		case err != nil:
			if len(payload) > 8 && strings.Contains(err.Error(), string(payload)) {
				t.Errorf("the error has it: %v", err)
			}
		case frame != nil:
			b, err := json.Marshal(map[string]string{"frame": base64.StdEncoding.EncodeToString(frame)})
			if err != nil {
				t.Fatal(err)
			}
			if again, err := sns.Frame(b); err != nil || !bytes.Equal(again, frame) {
				t.Errorf("%x, then %x, %v", frame, again, err)
			}
		}
	})
}

func TestFrame(t *testing.T) {
	for payload, want := range map[string]string{`{"frame":"QUJD"}`: "ABC", `{"aps":{},"frame":"QUJD"}`: "ABC", `{"aps":{}}`: "", `{"frame":""}`: "",
		`{"frame":"QUJD="}`: "!", `{"frame":"QR=="}`: "!", `["QUJD"]`: "!", "": "!", `{"frame":"` + strings.Repeat("QUJD", 1024) + `"}`: "!"} {
		frame, err := sns.Frame([]byte(payload))
		if want == "!" != (err != nil) || err == nil && string(frame) != want {
			t.Errorf("%.40s: %q, %v", payload, frame, err)
		}
	}
}

// TestLengths: the longest of each is taken, and nothing longer.
func TestLengths(t *testing.T) {
	longest := strings.TrimSuffix(arn, "kryptonite") + strings.Repeat("n", 256)
	a, err := sns.ParseApplication(longest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sns.ParseApplication(longest + "n"); err == nil {
		t.Error("a longer name is taken")
	}
	endpoint := strings.Replace(longest, ":app/", ":endpoint/", 1) + "/"
	if !a.Has(endpoint+strings.Repeat("a", 64)) || a.Has(endpoint+strings.Repeat("a", 65)) || a.Has(endpoint) {
		t.Error("ids of endpoints are bounded otherwise")
	}
	if sns.NewError("Publish", strings.Repeat("a", 64), 400).Code == "" || sns.NewError("Publish", strings.Repeat("a", 65), 400).Code != "" {
		t.Error("codes of errors are bounded otherwise")
	}
}
