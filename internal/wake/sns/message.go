package sns

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"kryptonite/internal/wire"
)

// maxPayload is the largest payload that Apple and Google take, in bytes. Google
// counts less than the JSON that we count.
const maxPayload = 4096

// Message is what is published for one request.
type Message struct {
	JSON       string            // with MessageStructure "json"
	Attributes map[string]string // of type String
}

// What people see of a push to Apple if the app itself does not say it better.
const (
	alertTitle = "Kryptonite"
	alertBody  = "A computer asks for a signature. Open the app."
)

// NewMessage returns the message for the request id. frame, sealed, goes along if
// it fits; without, it is a bare wake-up. ttl is how long it is of use.
func NewMessage(platform string, id wire.ID, frame []byte, ttl time.Duration) Message {
	payload := encode(platform, id, frame, ttl)
	if len(payload) > maxPayload {
		payload = encode(platform, id, nil, ttl)
	}
	m := Message{JSON: string(marshal(map[string]string{platform: string(payload)}))}
	if platform != wire.PlatformGCM { // what Google wants is in the payload
		m.Attributes = map[string]string{
			"AWS.SNS.MOBILE." + platform + ".TTL": strconv.Itoa(seconds(ttl)),
			"AWS.SNS.MOBILE.APNS.PUSH_TYPE":       "alert", // also for the sandbox, as the next two
			"AWS.SNS.MOBILE.APNS.PRIORITY":        "10",
			"AWS.SNS.MOBILE.APNS.COLLAPSE_ID":     wire.PushTopic(id),
		}
	}
	return m
}

// seconds rounds up: 0 is now or never.
func seconds(ttl time.Duration) int {
	return int(max(ttl+time.Second-1, time.Second) / time.Second)
}

func encode(platform string, id wire.ID, frame []byte, ttl time.Duration) []byte {
	text := base64.StdEncoding.EncodeToString(frame)
	if platform == wire.PlatformGCM {
		return marshal(newFCM(text, wire.PushTopic(id), seconds(ttl)))
	}
	var p apns
	p.APS.Alert.Title, p.APS.Alert.Body, p.APS.Sound, p.APS.Mutable, p.Frame = alertTitle, alertBody, "default", 1, text
	return marshal(p)
}

// apns is Apple's payload. The app's extension may open the frame and put better
// words in place of ours.
type apns struct {
	APS struct {
		Alert struct {
			Title string `json:"title"`
			Body  string `json:"body"`
		} `json:"alert"`
		Sound   string `json:"sound"`
		Mutable int    `json:"mutable-content"`
	} `json:"aps"`
	Frame string `json:"frame,omitempty"`
}

// fcm is Google's message. It has data only: with a notification in it, Android
// would show that and not start the app.
type fcm struct {
	V1 struct {
		Message struct {
			Data    map[string]string `json:"data"`
			Android struct {
				Priority string `json:"priority"`
				TTL      string `json:"ttl"`
				Collapse string `json:"collapse_key"`
			} `json:"android"`
		} `json:"message"`
	} `json:"fcmV1Message"`
}

func newFCM(frame, topic string, ttl int) (f fcm) {
	m := &f.V1.Message
	m.Data = map[string]string{}
	if frame != "" {
		m.Data["frame"] = frame
	}
	m.Android.Priority, m.Android.TTL, m.Android.Collapse = "high", fmt.Sprintf("%ds", ttl), topic
	return f
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sns: bug: a message does not encode: " + err.Error())
	}
	return b
}

// Frame returns the frame in what arrived at a phone: the payload from Apple, or
// the data from Google, as JSON. It is nil for a bare wake-up.
func Frame(payload []byte) ([]byte, error) {
	var p struct{ Frame string }
	if len(payload) > maxPayload || json.Unmarshal(payload, &p) != nil {
		return nil, errors.New("sns: this is not what a push brings")
	}
	frame, err := base64.StdEncoding.Strict().DecodeString(p.Frame)
	if err != nil {
		return nil, errors.New("sns: the frame in this push is not base64")
	}
	if len(frame) == 0 {
		return nil, nil
	}
	return frame, nil
}
