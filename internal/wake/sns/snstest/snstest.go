// Package snstest is Amazon SNS for tests, as far as pushes to phones go: one
// region, one account, the query protocol, platform applications and their
// endpoints; and Apple, Google and the phones behind it. It is strict: what AWS,
// Apple or Google refuses, and what they only advise against, it refuses.
//
//   - Requests are the account's user's. SigV4 is checked in full, and a clock that is
//     more than 15 minutes off is refused. [Server.Grant] says what the user may do.
//   - There is one endpoint for a token in an application. Who makes it again gets
//     it, enabled or not; with other attributes, he gets an error that names it.
//   - What is published is checked as SNS and then Apple or Google would, and comes
//     out at the [Device] with the endpoint's token. If there is none, the answer is
//     as if there were, and the endpoint is disabled from then on.
//
// It shares no code with package sns, nor with AWS's SDK.
//
// References: Amazon SNS API Reference; Developer Guide, "Mobile push
// notifications" ("Common errors", "TTL", "FCM v1 payloads"); Apple, "Sending
// notification requests to APNs"; Google, FCM v1, projects.messages.
package snstest

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/awsuser/awstest"
)

const maxRequest = 2 << 20

// Fault is what goes wrong with a request; the zero Fault drops the connection.
type Fault struct {
	Status int    // of an error answer, or 0
	Code   string // of an error answer
	After  bool   // the request takes effect before it fails
}

// Call is one request as the server got it.
type Call struct {
	Op   string // "Publish"
	On   string // ARN
	Code string // of the error it was answered with, or ""
}

// Server is SNS. Its methods are safe for concurrent use.
type Server struct {
	mu      sync.Mutex
	offset  time.Duration // of its clock to the machine's
	apps    map[string]*application
	devices map[string]*Device // by platform and token
	granted *policy            // nil: everything
	fault   func(Call) *Fault
	calls   []Call
	host    string // what requests must be for
}

type application struct {
	platform  string
	disabled  bool
	endpoints map[string]*endpoint // by ARN
}

type endpoint struct {
	token, userData string
	enabled         bool
}

// Device is the app on one phone, as its platform knows it.
type Device struct{ got chan Push }

// Push is what arrives at a phone.
type Push struct {
	Payload  []byte // what the app is given, JSON
	TTL      int    // seconds
	Collapse string
}

// New starts an SNS, without applications, at an address of this machine, which is
// its endpoint for clients. It ends with the test.
func New(t testing.TB) (s *Server, url string) {
	s = &Server{apps: map[string]*application{}, devices: map[string]*Device{}}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.host = strings.TrimPrefix(h.URL, "http://")
	return s, h.URL
}

// Behind says by which host clients reach the server: that of a proxy in front of it.
func (s *Server) Behind(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host = host
}

// Application makes a platform application and returns its ARN.
func (s *Server) Application(platform, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := "arn:aws:sns:" + awstest.Region + ":" + awstest.Account + ":app/" + platform + "/" + name
	s.apps[arn] = &application{platform: platform, endpoints: map[string]*endpoint{}}
	return arn
}

// Disable disables an application, or an endpoint.
func (s *Server) Disable(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.apps[arn]; a != nil {
		a.disabled = true
	} else {
		s.find(arn).enabled = false
	}
}

// Remove deletes an application, or an endpoint, as another user could.
func (s *Server) Remove(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.apps, arn)
	for _, a := range s.apps {
		delete(a.endpoints, arn)
	}
}

// Endpoint makes an endpoint, as another user could, with notes of his own.
func (s *Server) Endpoint(app, token, userData string) (arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn = newEndpoint(app)
	s.apps[app].endpoints[arn] = &endpoint{token, userData, true}
	return arn
}

// Endpoints returns the ARNs of all endpoints, sorted.
func (s *Server) Endpoints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	arns := []string{}
	for _, a := range s.apps {
		for arn := range a.endpoints {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return arns
}

// Token returns the token of an endpoint, and whether that is enabled.
func (s *Server) Token(arn string) (token string, enabled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(arn)
	return e.token, e.enabled
}

// Install puts the app on a phone, which gets what is published for this token.
func (s *Server) Install(platform, token string) *Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &Device{make(chan Push, 100)}
	s.devices[platform+" "+token] = d
	return d
}

// Uninstall takes it away: the platform does not know the token any more.
func (s *Server) Uninstall(platform, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.devices, platform+" "+token)
}

// Got is what arrives.
func (d *Device) Got() <-chan Push { return d.got }

// Advance sets the server's clock forward, or back.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// Grant lets the user do what an IAM policy, as JSON, allows, and nothing else. AWS
// does not document whether it looks at an endpoint or its application: the double
// wants both to be allowed.
func (s *Server) Grant(document string) {
	p := parsePolicy(document)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.granted = p
}

// Fail asks f about each request from now on; nil lets it pass.
func (s *Server) Fail(f func(Call) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Calls returns what came so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// find returns an endpoint; it must be there.
func (s *Server) find(arn string) *endpoint {
	_, e := s.lookUp(arn)
	if e == nil {
		panic("snstest: no endpoint " + arn)
	}
	return e
}

func (s *Server) lookUp(arn string) (*application, *endpoint) {
	for _, a := range s.apps {
		if e := a.endpoints[arn]; e != nil {
			return a, e
		}
	}
	return nil, nil
}

// apiError is an error as AWS answers it.
type apiError struct {
	status     int
	code, text string
}

func fail(status int, code, format string, args ...any) *apiError {
	return &apiError{status, code, fmt.Sprintf(format, args...)}
}

func parameter(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "InvalidParameter", "Invalid parameter: "+format, args...)
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	call, in, failed := s.read(r, body)
	var f *Fault
	if s.fault != nil {
		f = s.fault(call)
	}
	var result string
	if failed == nil && (f == nil || f.After) {
		result, failed = operations[call.Op](s, in)
	}
	if f != nil {
		failed = fail(f.Status, f.Code, "it was meant to fail")
	}
	if failed != nil {
		call.Code = failed.code
	}
	s.calls = append(s.calls, call)
	now := s.now()
	s.mu.Unlock()
	if f != nil && f.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	const space = `xmlns="http://sns.amazonaws.com/doc/2010-03-31/"`
	id := random()
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", id)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if failed != nil {
		w.WriteHeader(failed.status)
		fmt.Fprintf(w, `<ErrorResponse %s><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
			space, failed.code, escape(failed.text), id)
		return
	}
	fmt.Fprintf(w, `<%[1]sResponse %[2]s><%[1]sResult>%[3]s</%[1]sResult><ResponseMetadata><RequestId>%[4]s</RequestId></ResponseMetadata></%[1]sResponse>`,
		call.Op, space, result, id)
}

// read reads and allows a request.
func (s *Server) read(r *http.Request, body []byte) (call Call, in url.Values, failed *apiError) {
	in, err := url.ParseQuery(string(body))
	call = Call{Op: in.Get("Action"), On: in.Get("TargetArn") + in.Get("EndpointArn") + in.Get("PlatformApplicationArn")}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case r.Host != s.host:
		return call, nil, fail(http.StatusBadRequest, "InvalidAddress", "the host is %q", r.Host)
	case r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" || kind != "application/x-www-form-urlencoded" || err != nil:
		return call, nil, fail(http.StatusBadRequest, "MalformedQueryString", "%s %s", r.Method, r.URL.Path)
	case in.Get("Version") != "2010-03-31" || operations[call.Op] == nil:
		return call, nil, fail(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", call.Op, in.Get("Version"))
	case r.Header.Get("Authorization") == "":
		return call, nil, fail(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	for name, values := range in {
		if len(values) > 1 {
			return call, nil, fail(http.StatusBadRequest, "MalformedQueryString", "%s is there twice", name)
		}
	}
	if no := awstest.Verify(r, body, "sns", nil, s.now()); no != nil {
		return call, nil, fail(no.Status, no.Query, "%s", no.Text)
	}
	if s.granted != nil && !s.granted.allows("sns:"+call.Op, call.On) {
		return call, nil, fail(http.StatusForbidden, "AuthorizationError",
			"User: %s is not authorized to perform: SNS:%s on resource: %s because no identity-based policy allows the SNS:%s action", awstest.User, call.Op, call.On, call.Op)
	}
	return call, in, nil
}

func (s *Server) now() time.Time { return time.Now().Add(s.offset) }

func escape(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err)
	}
	return b.String()
}

func random() string {
	b := make([]byte, 16)
	rand.Read(b)
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func newEndpoint(app string) string {
	return strings.Replace(app, ":app/", ":endpoint/", 1) + "/" + random()
}
