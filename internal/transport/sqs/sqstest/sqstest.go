// Package sqstest is Amazon SQS for tests: one region, one account, standard
// queues, the JSON protocol. It is strict: what AWS refuses, and what it only
// advises against, it refuses with the error that AWS gives.
//
//   - Signed requests are the account's. SigV4 is checked in full, and a clock
//     that is more than 15 minutes off is refused. [Server.Grant] says which
//     IAM actions the account's user may do; else all.
//   - Unsigned requests may do what the queue's policy allows everyone, and
//     nothing to a queue that is encrypted at rest, as new queues are.
//   - Messages hide for the visibility timeout, come in no order, and end with
//     the retention period. A name cannot be had again for 60 s after its queue
//     was deleted.
//   - Pages of any origin may ask, as CORS has it: a preflight is allowed what it
//     names, and each answer is open to the origin that asked, but for 5xx, which
//     may come from before SQS.
//
// A Server is an http.Handler, and an http.RoundTripper that answers for the
// real host names without a network, so that tests can run in a bubble of
// testing/synctest. It shares no code with package sqs, nor with AWS's SDK.
//
// References: Amazon SQS API Reference, Developer Guide ("Amazon SQS access
// policy language", "Encryption at rest"). CORS:
// what sqs.us-east-1.amazonaws.com answered on 16 February 2021, in the list that
// AWS's JavaScript SDK was made by (github.com/AllanZhengYP/cors-test, output.md).
package sqstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/awsuser/awstest"
)

// The account, and its user's access key, of package awstest.
const (
	Region    = awstest.Region
	Account   = awstest.Account
	AccessKey = awstest.AccessKey
	Secret    = awstest.Secret
)

const maxRequest = 2 << 20

// Fault is what goes wrong with a request; the zero Fault drops the connection.
type Fault struct {
	Status   int    // of an error answer, or 0
	Code     string // of an error answer
	After    bool   // the request takes effect before it fails
	WrongMD5 bool   // instead of failing, the answer has wrong checksums
}

// Call is one request as the server got it.
type Call struct {
	Op     string // "SendMessage", or "OPTIONS" for a preflight
	Origin string // of the page that asked, or ""
	Signed bool
	Queue  string // name; "" if it named none
	Code   string // of the error it was answered with, or ""
}

// Server is SQS. Its methods are safe for concurrent use.
type Server struct {
	mu      sync.Mutex
	offset  time.Duration // of its clock to the machine's
	queues  map[string]*queue
	deleted map[string]time.Time // when a name was given up
	granted []string             // IAM actions that the user may do; nil: all
	fault   func(Call) *Fault
	calls   []Call
	host    string        // what requests must be for
	scheme  string        // of its URLs
	changed chan struct{} // closed when a message, or the clock, may make a poll end
}

// New returns an SQS without queues, at the host of AWS's. Use it as an
// http.RoundTripper.
func New() *Server {
	return &Server{queues: map[string]*queue{}, deleted: map[string]time.Time{}, scheme: "https",
		host: "sqs." + Region + ".amazonaws.com", changed: make(chan struct{})}
}

// Listen makes the server answer at an address of this machine, an endpoint for
// clients in other processes, until the test ends.
func (s *Server) Listen(t testing.TB) (endpoint string) {
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections() // polls wait for long
		h.Close()
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scheme, s.host = "http", strings.TrimPrefix(h.URL, "http://")
	return h.URL
}

// Behind says by which host clients reach the server: that of a proxy in front of
// what Listen returned.
func (s *Server) Behind(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host = host
}

// Advance sets the server's clock forward, or back.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
	s.wake()
}

// Grant lets the account's user do these IAM actions ("sqs:CreateQueue") and no
// others.
func (s *Server) Grant(actions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.granted = append([]string{}, actions...)
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

// Queues returns the names of the queues, sorted.
func (s *Server) Queues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for n := range s.queues {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Attributes returns those of a queue; nil if there is no such queue.
func (s *Server) Attributes(name string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		return s.attributes(q)
	}
	return nil
}

// Make makes a queue as the account's user could: kept for 48 h, hidden for 5 s,
// not encrypted, open to everyone for the IAM actions.
func (s *Server) Make(name string, actions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": arn(name)}}})
	if err != nil {
		panic(err)
	}
	_, failed := s.createQueue(context.Background(), name, request{Attributes: map[string]string{
		"MessageRetentionPeriod": "172800", "VisibilityTimeout": "5", "SqsManagedSseEnabled": "false", "Policy": string(text)}})
	if failed != nil {
		panic(failed)
	}
}

// Remove deletes a queue.
func (s *Server) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, failed := s.deleteQueue(context.Background(), name, request{}); failed != nil {
		panic(failed)
	}
}

// Put puts a body into a queue, as anybody may.
func (s *Server) Put(name, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(s.queues[name], body)
}

func (s *Server) now() time.Time { return time.Now().Add(s.offset) }

func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// RoundTrip answers r without a network.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("sqstest: SQS is asked by %s", r.URL.Scheme)
	}
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RequestURI = r.URL.RequestURI()
	rec := httptest.NewRecorder()
	err := s.serve(rec, in)
	if r.Body != nil {
		r.Body.Close()
	}
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.serve(w, r) != nil {
		panic(http.ErrAbortHandler)
	}
}

var errDropped = errors.New("sqstest: connection reset by peer")

// apiError is an error as AWS answers it.
type apiError struct {
	status int
	shape  string // name in the JSON protocol
	query  string // code of the old protocol, which goes into a header
	text   string
}

func (e *apiError) Error() string { return e.shape + ": " + e.text }

func fail(status int, shape, format string, args ...any) *apiError {
	return &apiError{status, shape, shape, fmt.Sprintf(format, args...)}
}

func (e *apiError) as(query string) *apiError {
	e.query = query
	return e
}

// serve answers one request; an error: nothing was answered.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	if isPreflight(r) {
		return s.preflight(w, r)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return err
	}
	s.mu.Lock()
	call, run, failed := s.read(r, body)
	var f *Fault
	if s.fault != nil {
		f = s.fault(call)
	}
	var answer any
	if failed == nil && (f == nil || f.After || f.WrongMD5) {
		answer, failed = run(r.Context())
	}
	if f != nil && !f.WrongMD5 {
		failed = fail(f.Status, f.Code, "it was meant to fail")
	}
	if failed != nil {
		call.Code = failed.shape
	}
	s.calls = append(s.calls, call)
	now := s.now()
	s.mu.Unlock()
	switch {
	case f != nil && f.WrongMD5:
		spoil(answer)
	case f != nil && f.Status == 0:
		return errDropped
	}
	h := w.Header()
	if call.Origin != "" && (failed == nil || failed.status < 500) {
		allowOrigin(h)
	}
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("X-Amzn-Requestid", random(16))
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	if failed != nil {
		if r.Header.Get("X-Amzn-Query-Mode") == "true" {
			h.Set("X-Amzn-Query-Error", failed.query+";Sender")
		}
		w.WriteHeader(failed.status)
		return json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#" + failed.shape, "message": failed.text})
	}
	if answer == nil {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return json.NewEncoder(w).Encode(answer)
}

// read reads and allows a request; run does it.
func (s *Server) read(r *http.Request, body []byte) (call Call, run func(context.Context) (any, *apiError), failed *apiError) {
	op, isOp := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	call = Call{Op: op, Origin: r.Header.Get("Origin"), Signed: r.Header.Get("Authorization") != ""}
	switch {
	case r.Host != s.host:
		return call, nil, fail(http.StatusBadRequest, "InvalidAddress", "the host is %q", r.Host)
	case r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "":
		return call, nil, fail(http.StatusNotFound, "InvalidAddress", "%s %s", r.Method, r.URL.Path)
	case r.Header.Get("Content-Type") != "application/x-amz-json-1.0":
		return call, nil, fail(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "%q", r.Header.Get("Content-Type"))
	case !isOp || operations[op] == nil:
		return call, nil, fail(http.StatusBadRequest, "UnknownOperationException", "%q", op)
	}
	if call.Signed {
		if no := awstest.Verify(r, body, "sqs", []string{"x-amz-target"}, s.now()); no != nil {
			return call, nil, fail(no.Status, no.Code, "%s", no.Text).as(no.Query)
		}
	}
	var in request
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return call, nil, fail(http.StatusBadRequest, "SerializationException", "%v", err)
	}
	call.Queue = in.QueueName
	if in.QueueUrl != nil {
		prefix := s.scheme + "://" + s.host + "/" + Account + "/"
		name, ours := strings.CutPrefix(*in.QueueUrl, prefix)
		if !ours {
			return call, nil, fail(http.StatusNotFound, "InvalidAddress", "The address %s is not valid for this endpoint.", *in.QueueUrl)
		}
		call.Queue = name
	}
	if failed := s.allowed(call); failed != nil {
		return call, nil, failed
	}
	return call, func(ctx context.Context) (any, *apiError) { return operations[op](s, ctx, call.Queue, in) }, nil
}

func random(n int) string {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}
