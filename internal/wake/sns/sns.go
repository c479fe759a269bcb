// Package sns says how phones are woken by Amazon SNS: a computer publishes to an
// endpoint in its user's AWS account, and SNS passes that on to Apple (APNs) or
// Google (FCM), who wake the phone's app.
//
// It has what both ends know: what is published, and what arrives of it.
//
//	APNs  {"aps":{"alert":{…},"mutable-content":1},"frame":"BASE64"}
//	FCM   {"frame":"BASE64"}, the data of the message
//
// Nothing in it is for anyone's eyes: the frame is sealed, and the text that Apple
// shows, if the app does not, is always the same. The calls of AWS are in package
// owner, so that a phone does not carry the SDK.
//
// References: [kr-protocol] docs/protocol.md §5.8; Amazon SNS API Reference and
// Developer Guide, "Mobile push notifications"; Apple, "Sending notification
// requests to APNs"; Google, "FCM v1 API", projects.messages.
package sns

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"kryptonite/internal/wire"
)

// Application is a platform application: an app's credentials for pushes, as an
// AWS account has them for one platform.
type Application struct {
	Platform string // as in wire.PushToken
	Region   string
	arn      string
}

// Lengths are compared apart: {1,256} would be 256 copies, which every start of kr
// and krd would make.
var applicationARN = regexp.MustCompile(`^arn:aws(?:-cn|-us-gov)?:sns:([a-z0-9-]+):\d{12}:app/(APNS|APNS_SANDBOX|GCM)/([A-Za-z0-9_.-]+)$`)

const (
	maxName = 256 // bytes of an application's name
	maxID   = 64  // bytes of an endpoint's id
	maxCode = 64  // bytes of an error's code
)

// ParseApplication reads an ARN, as in
// arn:aws:sns:eu-central-1:123456789012:app/APNS/kryptonite.
func ParseApplication(arn string) (Application, error) {
	m := applicationARN.FindStringSubmatch(arn)
	if m == nil || len(m[3]) > maxName || !wire.ValidRegion(m[1]) {
		return Application{}, errors.New("sns: that is no platform application of APNS, APNS_SANDBOX or GCM, as in arn:aws:sns:REGION:ACCOUNT:app/APNS/NAME")
	}
	return Application{Platform: m[2], Region: m[1], arn: arn}, nil
}

// String returns the ARN. It is no secret.
func (a Application) String() string { return a.arn }

// endpoints is what ARNs of its endpoints begin with.
func (a Application) endpoints() string {
	return strings.Replace(a.arn, ":app/", ":endpoint/", 1) + "/"
}

var endpointID = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// Has reports whether arn is that of an endpoint of a.
func (a Application) Has(arn string) bool {
	id, ok := strings.CutPrefix(arn, a.endpoints())
	return ok && len(id) <= maxID && endpointID.MatchString(id)
}

// Actions are the IAM actions that a computer needs.
func Actions() []string {
	return []string{"sns:CreatePlatformEndpoint", "sns:SetEndpointAttributes", "sns:Publish", "sns:DeleteEndpoint"}
}

// IAMPolicy is the policy, as indented JSON, that lets an IAM user do what the
// computer has to do, for the endpoints of these applications, and nothing else.
// AWS does not document which of an application and an endpoint an action is
// checked for, so that it names both.
func IAMPolicy(apps []Application) string {
	type statement struct {
		Effect   string
		Action   []string
		Resource []string
	}
	st := statement{Effect: "Allow", Action: Actions()}
	for _, a := range apps {
		st.Resource = append(st.Resource, a.arn, a.endpoints()+"*")
	}
	b, err := json.MarshalIndent(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{st}}, "", "  ")
	if err != nil {
		panic("sns: bug: a policy does not encode: " + err.Error())
	}
	return string(b)
}

// Error is SNS's word that it did not do what was asked. AWS's text is left out:
// it has devices in it.
type Error struct {
	Op     string // "Publish"
	Code   string // "NotFound"; "" if there was none that is printable
	Status int    // of HTTP
}

func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("SNS answered %s with status %d", e.Op, e.Status)
	}
	return fmt.Sprintf("SNS answered %s with %s", e.Op, e.Code)
}

// Action is the IAM action that the operation needs.
func (e *Error) Action() string { return "sns:" + e.Op }

var printable = regexp.MustCompile(`^[A-Za-z0-9.]+$`)

// NewError returns the Error of an operation's answer.
func NewError(op, code string, status int) *Error {
	if len(code) > maxCode || !printable.MatchString(code) {
		code = ""
	}
	return &Error{op, code, status}
}
