package sqstest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/transport/sqs/sqstest"
)

const (
	host = "https://sqs." + sqstest.Region + ".amazonaws.com/"
	base = host + sqstest.Account + "/"
)

// fields of a request, and of an answer.
type fields map[string]any

func (f fields) messages() []any { list, _ := f["Messages"].([]any); return list }

// ask makes a request without a signature.
func ask(t *testing.T, s *sqstest.Server, op string, in fields, change ...func(*http.Request)) (out fields, code string) {
	t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, host, strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+op)
	for _, c := range change {
		c(r)
	}
	resp, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil && resp.ContentLength != 0 && resp.StatusCode != http.StatusOK {
		t.Fatal(err)
	}
	typ, _ := out["__type"].(string)
	_, code, _ = strings.Cut(typ, "#")
	if (code == "") != (resp.StatusCode == http.StatusOK) {
		t.Errorf("%s: %d %q", op, resp.StatusCode, code)
	}
	return out, code
}

func want(t *testing.T, what, got, code string) {
	t.Helper()
	if got != code {
		t.Errorf("%s: %q, want %q", what, got, code)
	}
}

func TestUnsigned(t *testing.T) {
	s := sqstest.New()
	s.Make("in", "sqs:SendMessage")
	in := fields{"QueueUrl": base + "in", "MessageBody": "hi"}
	out, code := ask(t, s, "SendMessage", in)
	want(t, "a send that the policy allows", code, "")
	if out["MD5OfMessageBody"] != "49f68a5c8493ec2c0bf489821c21fc3b" {
		t.Errorf("MD5 %v", out["MD5OfMessageBody"])
	}
	for what, c := range map[string]struct {
		op     string
		in     fields
		change func(*http.Request)
		code   string
	}{
		"what the policy does not allow": {"ReceiveMessage", fields{"QueueUrl": base + "in"}, nil, "AccessDeniedException"},
		"its attributes":                 {"GetQueueAttributes", fields{"QueueUrl": base + "in"}, nil, "AccessDeniedException"},
		"a new queue":                    {"CreateQueue", fields{"QueueName": "x"}, nil, "AccessDeniedException"},
		"no queue":                       {"SendMessage", fields{"QueueUrl": base + "out", "MessageBody": "hi"}, nil, "QueueDoesNotExist"},
		"another account":                {"SendMessage", fields{"QueueUrl": host + "000000000000/in", "MessageBody": "hi"}, nil, "InvalidAddress"},
		"another endpoint's queue":       {"SendMessage", fields{"QueueUrl": "https://evil.example/in", "MessageBody": "hi"}, nil, "InvalidAddress"},
		"another host":                   {"SendMessage", in, func(r *http.Request) { r.Host = "evil.example" }, "InvalidAddress"},
		"another path":                   {"SendMessage", in, func(r *http.Request) { r.URL.Path = "/x" }, "InvalidAddress"},
		"a GET":                          {"SendMessage", in, func(r *http.Request) { r.Method = http.MethodGet }, "InvalidAddress"},
		"another type":                   {"SendMessage", in, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, "UnsupportedMediaType"},
		"another operation":              {"PurgeQueue", in, nil, "UnknownOperationException"},
		"a field that is none":           {"SendMessage", fields{"QueueUrl": base + "in", "MessageBdy": "hi"}, nil, "SerializationException"},
		"no body":                        {"SendMessage", fields{"QueueUrl": base + "in"}, nil, "MissingRequiredParameterException"},
		"a body of control characters":   {"SendMessage", fields{"QueueUrl": base + "in", "MessageBody": "\x00"}, nil, "InvalidMessageContents"},
		"a signature that is none":       {"SendMessage", in, func(r *http.Request) { r.Header.Set("Authorization", "x") }, "IncompleteSignatureException"},
	} {
		change := c.change
		if change == nil {
			change = func(*http.Request) {}
		}
		_, code := ask(t, s, c.op, c.in, change)
		want(t, what, code, c.code)
	}
	for n, code := range map[int]string{256 << 10: "", 256<<10 + 1: "InvalidParameterValueException"} {
		_, got := ask(t, s, "SendMessage", fields{"QueueUrl": base + "in", "MessageBody": strings.Repeat("x", n)})
		want(t, "the largest body", got, code)
	}
}

// TestTime: what hides comes back, what is old goes, a name rests for a minute.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sqstest.New()
		s.Make("q", "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage")
		receive := func(wait int) fields {
			out, code := ask(t, s, "ReceiveMessage", fields{"QueueUrl": base + "q", "WaitTimeSeconds": wait})
			want(t, "receive", code, "")
			return out
		}
		remove := func(m any) {
			_, code := ask(t, s, "DeleteMessage", fields{"QueueUrl": base + "q", "ReceiptHandle": m.(map[string]any)["ReceiptHandle"]})
			want(t, "delete", code, "")
		}
		s.Put("q", "hi")
		first := receive(0).messages()
		if len(first) != 1 || len(receive(0).messages()) != 0 {
			t.Fatalf("received %v, and it is not hidden", first)
		}
		start := time.Now()
		second := receive(20).messages()
		if took := time.Since(start); len(second) != 1 || took != 5*time.Second {
			t.Fatalf("it comes again after %s", took)
		}
		remove(first[0]) // an old handle does nothing
		s.Advance(5 * time.Second)
		third := receive(0).messages()
		if len(third) != 1 {
			t.Fatal("an old handle deleted a message")
		}
		remove(third[0])
		start = time.Now()
		if got := receive(20).messages(); len(got) != 0 || time.Since(start) != 20*time.Second {
			t.Errorf("received %v after %s", got, time.Since(start))
		}
		s.Put("q", "old")
		s.Advance(48*time.Hour - time.Second)
		if s.Attributes("q")["ApproximateNumberOfMessages"] != "1" {
			t.Error("gone before its time")
		}
		s.Advance(time.Second)
		if got := receive(0).messages(); len(got) != 0 {
			t.Error("it is kept for more than 48 h")
		}
		_, code := ask(t, s, "DeleteMessageBatch", fields{"QueueUrl": base + "q", "Entries": []fields{}})
		want(t, "an empty batch", code, "EmptyBatchRequest")
		_, code = ask(t, s, "DeleteMessage", fields{"QueueUrl": base + "q", "ReceiptHandle": "x"})
		want(t, "a bad handle", code, "ReceiptHandleIsInvalid")
	})
}

// TestCORS: a page may ask and read the answer; who is no page hears nothing of that.
func TestCORS(t *testing.T) {
	s := sqstest.New()
	s.Make("q", "sqs:SendMessage")
	const page = "https://kr.test"
	send := func(method, origin, body string) http.Header {
		t.Helper()
		r, err := http.NewRequest(method, host, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if method == http.MethodOptions {
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "content-type,x-amz-target")
		} else {
			r.Header.Set("Content-Type", "application/x-amz-json-1.0")
			r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
		}
		resp, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Header
	}
	h := send(http.MethodOptions, page, "")
	for name, value := range map[string]string{"Origin": "*", "Headers": "content-type,x-amz-target", "Methods": "POST"} {
		want(t, name, h.Get("Access-Control-Allow-"+name), value)
	}
	want(t, "how long it holds", h.Get("Access-Control-Max-Age"), "172800")
	good, bad := `{"QueueUrl":"`+base+`q","MessageBody":"hi"}`, "{}"
	for _, body := range []string{good, bad} {
		h := send(http.MethodPost, page, body)
		want(t, body, h.Get("Access-Control-Allow-Origin"), "*")
		if h.Get("Access-Control-Allow-Headers")+h.Get("Access-Control-Allow-Methods")+h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("an answer says what a preflight asks for: %v", h)
		}
	}
	want(t, "for no page", send(http.MethodPost, "", good).Get("Access-Control-Allow-Origin"), "")
	s.Fail(func(sqstest.Call) *sqstest.Fault { return &sqstest.Fault{Status: http.StatusServiceUnavailable} })
	for _, method := range []string{http.MethodOptions, http.MethodPost} {
		want(t, method+" while it is down", send(method, page, good).Get("Access-Control-Allow-Origin"), "")
	}
	var ops []string
	for _, c := range s.Calls() {
		if c.Origin == page {
			ops = append(ops, c.Op)
		}
	}
	want(t, "what the page asked", strings.Join(ops, " "), "OPTIONS SendMessage SendMessage OPTIONS SendMessage")
}
