package snstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// check is what Apple and Google make of a payload and what SNS passes on with it.
func check(platform, payload string, attributes map[string]string) (Push, error) {
	if len(payload) > maxPayload {
		return Push{}, fmt.Errorf("a payload of %d bytes", len(payload))
	}
	if platform == "GCM" {
		return google(payload, attributes)
	}
	return apple(platform, payload, attributes)
}

// apple wants what the app is to be given, as one object with aps in it, and
// headers, which SNS makes of attributes.
func apple(platform, payload string, attributes map[string]string) (Push, error) {
	var p map[string]json.RawMessage
	var aps struct {
		Alert   struct{ Title, Body string }
		Sound   string
		Mutable int `json:"mutable-content"`
	}
	if json.Unmarshal([]byte(payload), &p) != nil || strict(p["aps"], &aps) != nil || aps.Alert.Body == "" {
		return Push{}, errors.New("no alert for Apple")
	}
	header := map[string]string{}
	for name, value := range attributes {
		switch name {
		case "AWS.SNS.MOBILE." + platform + ".TTL", "AWS.SNS.MOBILE.APNS.PUSH_TYPE", "AWS.SNS.MOBILE.APNS.PRIORITY", "AWS.SNS.MOBILE.APNS.COLLAPSE_ID":
			header[name[strings.LastIndex(name, ".")+1:]] = value
		default:
			return Push{}, fmt.Errorf("the attribute %s", name)
		}
	}
	ttl, err := strconv.Atoi(header["TTL"])
	switch {
	case err != nil || ttl < 1:
		return Push{}, errors.New("TTL")
	case header["PUSH_TYPE"] != "alert" || header["PRIORITY"] != "10" && header["PRIORITY"] != "5":
		return Push{}, errors.New("push type and priority do not fit an alert")
	case len(header["COLLAPSE_ID"]) > 64:
		return Push{}, errors.New("BadCollapseId")
	}
	return Push{[]byte(payload), ttl, header["COLLAPSE_ID"]}, nil
}

var duration = regexp.MustCompile(`^([0-9]+)s$`)

// google wants a message of its v1 API without a token, and gives the app its data.
func google(payload string, attributes map[string]string) (Push, error) {
	var p struct {
		V1 struct {
			Message struct {
				Data    map[string]string
				Android struct {
					Priority, TTL string
					Collapse      string `json:"collapse_key"`
				}
			}
		} `json:"fcmV1Message"`
	}
	if err := strict([]byte(payload), &p); err != nil {
		return Push{}, err
	}
	m := p.V1.Message
	ttl := duration.FindStringSubmatch(m.Android.TTL)
	if m.Android.Priority != "high" && m.Android.Priority != "normal" || ttl == nil || len(attributes) != 0 {
		return Push{}, errors.New("not as for Android")
	}
	for key := range m.Data {
		if key == "from" || key == "notification" || key == "message_type" || strings.HasPrefix(key, "google") || strings.HasPrefix(key, "gcm") {
			return Push{}, fmt.Errorf("the key %s is Google's", key)
		}
	}
	data, err := json.Marshal(m.Data)
	if err != nil {
		return Push{}, err
	}
	seconds, err := strconv.Atoi(ttl[1])
	return Push{data, seconds, m.Android.Collapse}, err
}

func strict(b []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
