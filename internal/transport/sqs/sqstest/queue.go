package sqstest

import (
	"context"
	"crypto/md5" // #nosec G501 -- SQS names it; nothing rests on it
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// queue is one standard queue.
type queue struct {
	attr     map[string]string // as they were given, over the defaults
	policy   *policy
	messages []*message
}

type message struct {
	id, body string
	sent     time.Time
	hidden   time.Time // until then
	received int
	handle   string // the newest receipt handle
}

// request has the fields of all requests.
type request struct {
	QueueName  string
	QueueUrl   *string
	Attributes map[string]string

	MessageBody *string

	MaxNumberOfMessages   *int
	WaitTimeSeconds       *int
	VisibilityTimeout     *int
	MessageAttributeNames []string

	ReceiptHandle *string
	Entries       []entry

	AttributeNames []string
}

type entry struct{ Id, ReceiptHandle string }

// Answers.
type (
	queueURL struct{ QueueUrl string }
	sent     struct{ MD5OfMessageBody, MessageId string }
	received struct {
		Messages []delivered `json:",omitempty"`
	}
	delivered struct{ MessageId, ReceiptHandle, MD5OfBody, Body string }
	attrs     struct{ Attributes map[string]string }
	batch     struct {
		Successful []succeeded
		Failed     []notDone `json:",omitempty"`
	}
	succeeded struct{ Id string }
	notDone   struct {
		Id, Code, Message string
		SenderFault       bool
	}
)

// spoil makes the checksums of an answer wrong.
func spoil(answer any) {
	const wrong = "00000000000000000000000000000000"
	switch a := answer.(type) {
	case *sent:
		a.MD5OfMessageBody = wrong
	case *received:
		for i := range a.Messages {
			a.Messages[i].MD5OfBody = wrong
		}
	}
}

// operations do what is allowed, under mu, which a poll gives up while it waits.
var operations = map[string]func(*Server, context.Context, string, request) (any, *apiError){
	"CreateQueue": (*Server).createQueue, "SetQueueAttributes": (*Server).setAttributes, "DeleteQueue": (*Server).deleteQueue,
	"GetQueueUrl": (*Server).getQueueURL, "GetQueueAttributes": (*Server).getAttributes,
	"SendMessage": (*Server).sendMessage, "ReceiveMessage": (*Server).receiveMessage,
	"DeleteMessage": (*Server).deleteMessage, "DeleteMessageBatch": (*Server).deleteBatch,
}

// ranges of attributes that are numbers, and what they are if not given.
var ranges = map[string]struct{ min, max, usual int }{
	"DelaySeconds": {0, 900, 0}, "MaximumMessageSize": {1024, 1 << 20, 256 << 10}, "MessageRetentionPeriod": {60, 1209600, 345600},
	"ReceiveMessageWaitTimeSeconds": {0, 20, 0}, "VisibilityTimeout": {0, 43200, 30},
}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func parameter(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "InvalidParameterValueException", format, args...).as("InvalidParameterValue")
}

func missing(name string) *apiError {
	return fail(http.StatusBadRequest, "MissingRequiredParameterException", "The request must contain the parameter %s.", name).as("MissingParameter")
}

func (s *Server) url(name string) string {
	return s.scheme + "://" + s.host + "/" + Account + "/" + name
}

func (s *Server) createQueue(_ context.Context, name string, in request) (any, *apiError) {
	if !queueName.MatchString(name) {
		return nil, parameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	q := &queue{attr: map[string]string{"SqsManagedSseEnabled": "true"}}
	for k, r := range ranges {
		q.attr[k] = itoa(r.usual)
	}
	if failed := q.set(in.Attributes); failed != nil {
		return nil, failed
	}
	if at, gone := s.deleted[name]; gone && s.now().Sub(at) < time.Minute {
		return nil, fail(http.StatusBadRequest, "QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.").
			as("AWS.SimpleQueueService.QueueDeletedRecently")
	}
	if old := s.queues[name]; old != nil && !maps.Equal(old.attr, q.attr) {
		return nil, fail(http.StatusBadRequest, "QueueNameExists", "A queue already exists with the same name and a different value.").as("QueueAlreadyExists")
	} else if old == nil {
		s.queues[name] = q
	}
	return &queueURL{s.url(name)}, nil
}

func (s *Server) setAttributes(_ context.Context, name string, in request) (any, *apiError) {
	q := s.queues[name]
	if q == nil {
		return nil, noQueue()
	}
	return nil, q.set(in.Attributes)
}

// set takes attributes as they are given, to CreateQueue and later.
func (q *queue) set(given map[string]string) *apiError {
	for k, v := range given {
		r, isNumber := ranges[k]
		n, err := strconv.Atoi(v)
		bad := fail(http.StatusBadRequest, "InvalidAttributeValue", "Invalid value for the parameter %s.", k)
		switch {
		case isNumber && (err != nil || n < r.min || n > r.max):
			return bad
		case isNumber:
		case k == "SqsManagedSseEnabled":
			if v != "true" && v != "false" {
				return bad
			}
		case k == "Policy":
			if q.policy, err = parsePolicy(v); err != nil {
				bad.text += " " + err.Error()
				return bad
			}
		default:
			return fail(http.StatusBadRequest, "InvalidAttributeName", "Unknown Attribute %s.", k)
		}
		q.attr[k] = v
	}
	return nil
}

func (s *Server) deleteQueue(_ context.Context, name string, _ request) (any, *apiError) {
	if s.queues[name] == nil {
		return nil, noQueue()
	}
	delete(s.queues, name)
	s.deleted[name] = s.now()
	s.wake()
	return nil, nil
}

func (s *Server) getQueueURL(_ context.Context, name string, _ request) (any, *apiError) {
	if s.queues[name] == nil {
		return nil, noQueue()
	}
	return &queueURL{s.url(name)}, nil
}

func (s *Server) getAttributes(_ context.Context, name string, in request) (any, *apiError) {
	q := s.queues[name]
	if q == nil {
		return nil, noQueue()
	}
	all := s.attributes(q)
	if !slices.Contains(in.AttributeNames, "All") {
		maps.DeleteFunc(all, func(k, _ string) bool { return !slices.Contains(in.AttributeNames, k) })
	}
	return &attrs{all}, nil
}

func (s *Server) attributes(q *queue) map[string]string {
	all := maps.Clone(q.attr)
	visible, hidden := 0, 0
	s.expire(q)
	for _, m := range q.messages {
		if m.hidden.After(s.now()) {
			hidden++
		} else {
			visible++
		}
	}
	all["ApproximateNumberOfMessages"], all["ApproximateNumberOfMessagesNotVisible"] = itoa(visible), itoa(hidden)
	return all
}

func (s *Server) sendMessage(_ context.Context, name string, in request) (any, *apiError) {
	q := s.queues[name]
	switch {
	case q == nil:
		return nil, noQueue()
	case in.MessageBody == nil || *in.MessageBody == "":
		return nil, missing("MessageBody")
	case len(*in.MessageBody) > q.number("MaximumMessageSize"):
		return nil, parameter("One or more parameters are invalid. Reason: Message must be shorter than %s bytes.", q.attr["MaximumMessageSize"])
	}
	for _, r := range *in.MessageBody {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError || r == '\ufffe' || r == '\uffff' {
			return nil, fail(http.StatusBadRequest, "InvalidMessageContents", "Invalid characters found.")
		}
	}
	m := s.put(q, *in.MessageBody)
	return &sent{checksum(m.body), m.id}, nil
}

func (s *Server) put(q *queue, body string) *message {
	m := &message{id: random(16), body: body, sent: s.now()}
	q.messages = append(q.messages, m)
	s.wake()
	return m
}

func (s *Server) receiveMessage(ctx context.Context, name string, in request) (any, *apiError) {
	most, wait, visibility := 1, -1, -1
	for field, f := range map[string]struct {
		given    *int
		min, max int
		to       *int
	}{
		"MaxNumberOfMessages": {in.MaxNumberOfMessages, 1, 10, &most}, "WaitTimeSeconds": {in.WaitTimeSeconds, 0, 20, &wait},
		"VisibilityTimeout": {in.VisibilityTimeout, 0, 43200, &visibility},
	} {
		if f.given == nil {
			continue
		}
		if *f.to = *f.given; *f.to < f.min || *f.to > f.max {
			return nil, parameter("Value %d for parameter %s is invalid. Reason: Must be between %d and %d, if provided.", *f.to, field, f.min, f.max)
		}
	}
	until := time.Time{}
	for {
		q := s.queues[name]
		if q == nil {
			return nil, noQueue()
		}
		if until.IsZero() {
			if wait < 0 {
				wait = q.number("ReceiveMessageWaitTimeSeconds")
			}
			if visibility < 0 {
				visibility = q.number("VisibilityTimeout")
			}
			until = s.now().Add(time.Duration(wait) * time.Second)
		}
		out, next := s.take(q, most, time.Duration(visibility)*time.Second)
		if len(out) > 0 || !s.now().Before(until) {
			return &received{out}, nil
		}
		if next.IsZero() || next.After(until) {
			next = until
		}
		timer, changed := time.NewTimer(next.Sub(s.now())), s.changed
		s.mu.Unlock()
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		s.mu.Lock()
		if ctx.Err() != nil {
			return &received{}, nil // nobody hears it
		}
	}
}

// take hides up to most messages and hands them out, in no order; next is when
// one that is hidden now appears.
func (s *Server) take(q *queue, most int, visibility time.Duration) (out []delivered, next time.Time) {
	s.expire(q)
	now := s.now()
	for _, i := range rand.Perm(len(q.messages)) { // #nosec G404 -- any order
		m := q.messages[i]
		switch {
		case m.hidden.After(now):
			if next.IsZero() || m.hidden.Before(next) {
				next = m.hidden
			}
		case len(out) < most:
			m.received++
			m.handle, m.hidden = m.id+"."+itoa(m.received)+"."+random(8), now.Add(visibility)
			out = append(out, delivered{m.id, m.handle, checksum(m.body), m.body})
		}
	}
	return out, next
}

func (s *Server) expire(q *queue) {
	oldest := s.now().Add(-time.Duration(q.number("MessageRetentionPeriod")) * time.Second)
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return !m.sent.After(oldest) })
}

var handleForm = regexp.MustCompile(`^[0-9a-f]{32}\.\d+\.[0-9a-f]{16}$`)

// remove deletes the message whose newest handle it is; an older one, or one of
// a message that is gone, does nothing, as at AWS.
func (q *queue) remove(handle string) *apiError {
	if !handleForm.MatchString(handle) {
		return fail(http.StatusNotFound, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.handle == handle })
	return nil
}

func (s *Server) deleteMessage(_ context.Context, name string, in request) (any, *apiError) {
	q := s.queues[name]
	switch {
	case q == nil:
		return nil, noQueue()
	case in.ReceiptHandle == nil:
		return nil, missing("ReceiptHandle")
	}
	return nil, q.remove(*in.ReceiptHandle)
}

func (s *Server) deleteBatch(_ context.Context, name string, in request) (any, *apiError) {
	q := s.queues[name]
	if q == nil {
		return nil, noQueue()
	}
	ids := map[string]bool{}
	for _, e := range in.Entries {
		ids[e.Id] = true
	}
	switch n := len(in.Entries); {
	case n == 0:
		return nil, fail(http.StatusBadRequest, "EmptyBatchRequest", "There should be at least one DeleteMessageBatchRequestEntry in the request.").
			as("AWS.SimpleQueueService.EmptyBatchRequest")
	case n > 10:
		return nil, fail(http.StatusBadRequest, "TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", n).
			as("AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
	case len(ids) < n:
		return nil, fail(http.StatusBadRequest, "BatchEntryIdsNotDistinct", "Id repeated.").as("AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
	}
	out := &batch{Successful: []succeeded{}}
	for _, e := range in.Entries {
		if err := q.remove(e.ReceiptHandle); err != nil {
			out.Failed = append(out.Failed, notDone{e.Id, err.shape, err.text, true})
			continue
		}
		out.Successful = append(out.Successful, succeeded{e.Id})
	}
	return out, nil
}

func (q *queue) number(attribute string) int {
	n, err := strconv.Atoi(q.attr[attribute])
	if err != nil {
		panic("sqstest: bug: " + attribute + " is no number")
	}
	return n
}

func checksum(body string) string {
	sum := md5.Sum([]byte(body)) // #nosec G401 -- SQS names it; nothing rests on it
	return hex.EncodeToString(sum[:])
}

func itoa(n int) string { return strconv.Itoa(n) }
