package snstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// operations do what is allowed, under mu, and return what stands in the result.
var operations = map[string]func(*Server, url.Values) (string, *apiError){
	"CreatePlatformEndpoint": (*Server).createEndpoint, "SetEndpointAttributes": (*Server).setAttributes,
	"DeleteEndpoint": (*Server).deleteEndpoint, "Publish": (*Server).publish,
}

// fields returns a failure if in has others than these, or lists of them.
func fields(in url.Values, known ...string) *apiError {
	for name := range in {
		list, _, isList := strings.Cut(name, ".entry.")
		if name != "Action" && name != "Version" && !slices.Contains(known, name) && !(isList && slices.Contains(known, list+".entry")) {
			return fail(http.StatusBadRequest, "ValidationError", "unknown parameter %s", name)
		}
	}
	return nil
}

// entries reads a map: NAME.entry.N.key and .value.
func entries(in url.Values, name, key, value string) map[string]string {
	out := map[string]string{}
	for n := 1; ; n++ {
		at := name + ".entry." + strconv.Itoa(n) + "."
		if !in.Has(at + key) {
			return out
		}
		out[in.Get(at+key)] = in.Get(at + value)
	}
}

var (
	appleToken = regexp.MustCompile(`^([0-9a-fA-F]{2}){1,200}$`)
	anyToken   = regexp.MustCompile(`^[!-~]+$`)
)

func checkToken(platform, token string) *apiError {
	if strings.HasPrefix(platform, "APNS") && !appleToken.MatchString(token) {
		return parameter("Token Reason: iOS device tokens must be no more than 400 hexadecimal characters")
	}
	if !anyToken.MatchString(token) || len(token) > 4096 {
		return parameter("Token Reason: not a token")
	}
	return nil
}

// holder is the endpoint of a that has a token, or "".
func (a *application) holder(token string) string {
	for arn, e := range a.endpoints {
		if e.token == token {
			return arn
		}
	}
	return ""
}

func taken(arn string) *apiError {
	return parameter("Token Reason: Endpoint %s already exists with the same Token, but different attributes.", arn)
}

func (s *Server) createEndpoint(in url.Values) (string, *apiError) {
	if failed := fields(in, "PlatformApplicationArn", "Token", "CustomUserData", "Attributes.entry"); failed != nil {
		return "", failed
	}
	arn := in.Get("PlatformApplicationArn")
	app := s.apps[arn]
	if app == nil {
		return "", fail(http.StatusNotFound, "NotFound", "PlatformApplication does not exist")
	}
	token, data := in.Get("Token"), in.Get("CustomUserData")
	if failed := checkToken(app.platform, token); failed != nil {
		return "", failed
	}
	attributes := entries(in, "Attributes", "key", "value")
	if old := app.holder(token); old != "" {
		e := app.endpoints[old]
		if enabled, given := attributes["Enabled"]; e.userData != data || given && enabled != strconv.FormatBool(e.enabled) {
			return "", taken(old)
		}
		return "<EndpointArn>" + old + "</EndpointArn>", nil
	}
	made := newEndpoint(arn)
	app.endpoints[made] = &endpoint{token, data, attributes["Enabled"] != "false"}
	return "<EndpointArn>" + made + "</EndpointArn>", nil
}

func (s *Server) setAttributes(in url.Values) (string, *apiError) {
	if failed := fields(in, "EndpointArn", "Attributes.entry"); failed != nil {
		return "", failed
	}
	arn := in.Get("EndpointArn")
	app, e := s.lookUp(arn)
	if e == nil {
		return "", fail(http.StatusNotFound, "NotFound", "Endpoint does not exist")
	}
	changed := *e
	for name, value := range entries(in, "Attributes", "key", "value") {
		switch name {
		case "Token":
			if failed := checkToken(app.platform, value); failed != nil {
				return "", failed
			}
			if other := app.holder(value); other != "" && other != arn {
				return "", taken(other)
			}
			changed.token = value
		case "Enabled":
			if value != "true" && value != "false" {
				return "", parameter("Attributes Reason: Enabled")
			}
			changed.enabled = value == "true"
		case "CustomUserData":
			changed.userData = value
		default:
			return "", parameter("Attributes Reason: Invalid attribute name: %s", name)
		}
	}
	*e = changed
	return "", nil
}

func (s *Server) deleteEndpoint(in url.Values) (string, *apiError) {
	if failed := fields(in, "EndpointArn"); failed != nil {
		return "", failed
	}
	for _, a := range s.apps {
		delete(a.endpoints, in.Get("EndpointArn")) // it is no error that it is not there
	}
	return "", nil
}

const (
	maxMessage = 256 << 10 // bytes, with the attributes
	maxPayload = 4096      // bytes, for Apple and for Google
)

func (s *Server) publish(in url.Values) (string, *apiError) {
	if failed := fields(in, "TargetArn", "Message", "MessageStructure", "MessageAttributes.entry"); failed != nil {
		return "", failed
	}
	app, e := s.lookUp(in.Get("TargetArn"))
	attributes := entries(in, "MessageAttributes", "Name", "Value.StringValue")
	size := len(in.Get("Message"))
	for name, value := range attributes {
		size += len(name) + len(value)
	}
	for _, kind := range entries(in, "MessageAttributes", "Name", "Value.DataType") {
		if kind != "String" {
			return "", fail(http.StatusBadRequest, "ParameterValueInvalid", "a message attribute is %s", kind)
		}
	}
	switch {
	case e == nil:
		return "", parameter("TargetArn Reason: No endpoint found for the target arn specified")
	case size > maxMessage:
		return "", parameter("Message too long")
	case in.Get("MessageStructure") != "json":
		return "", parameter("MessageStructure")
	}
	message, err := stringMap([]byte(in.Get("Message")))
	if err != nil {
		return "", parameter("Message Reason: %v", err)
	}
	payload, ok := message[app.platform]
	if !ok {
		return "", parameter("Message Structure - No default entry in JSON message body")
	}
	push, err := check(app.platform, payload, attributes)
	switch {
	case err != nil:
		return "", parameter("Message Reason: %v", err)
	case app.disabled:
		return "", fail(http.StatusBadRequest, "PlatformApplicationDisabled", "Platform application is disabled")
	case !e.enabled:
		return "", fail(http.StatusBadRequest, "EndpointDisabled", "Endpoint is disabled")
	}
	if d := s.devices[app.platform+" "+e.token]; d != nil {
		d.got <- push
	} else {
		e.enabled = false // as the platform says, after SNS has answered
	}
	return "<MessageId>" + random() + "</MessageId>", nil
}

// stringMap reads an object of strings, each there once.
func stringMap(b []byte) (map[string]string, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	out := map[string]string{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := d.Token()
		text, isText := value.(string)
		if _, twice := out[key.(string)]; err != nil || !isText || twice {
			return nil, errors.New("a value that is no string, or twice")
		}
		out[key.(string)] = text
	}
	if _, err := d.Token(); err != nil || d.More() {
		return nil, errors.New("it does not end")
	}
	return out, nil
}
