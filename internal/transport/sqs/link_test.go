package sqs_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/transport"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/sqstest"
	"kryptonite/internal/wire"
)

var address = wire.SQSAddress{Region: sqstest.Region, Account: sqstest.Account,
	ToComputer: "kr-" + strings.Repeat("0a", 16), ToPhone: "kr-" + strings.Repeat("b1", 16)}

// house is an SQS with a pairing's two queues, and the phone's link.
type house struct {
	*sqstest.Server
	client *sqs.Client
	link   transport.Link
	log    bytes.Buffer
	spoilt atomic.Bool
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{Server: sqstest.New()}
	h.Make(address.ToComputer, "sqs:SendMessage")
	h.Make(address.ToPhone, "sqs:ReceiveMessage", "sqs:DeleteMessage")
	toComputer, toPhone, err := sqs.Queues(address, "")
	if err != nil {
		t.Fatal(err)
	}
	h.client = sqs.NewClient(h.Server)
	h.link = sqs.NewLink(h.client, toComputer, toPhone, slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return h
}

// count is how often op was asked for.
func (h *house) count(op string) (n int) {
	for _, c := range h.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

// secret fails if a queue's name is in what people may see.
func (h *house) secret(t *testing.T, errs ...error) {
	t.Helper()
	text := h.log.String()
	for _, err := range errs {
		if err != nil {
			text += err.Error()
		}
	}
	if strings.Contains(text, address.ToComputer) || strings.Contains(text, address.ToPhone) {
		t.Errorf("the name of a queue is in %s", text)
	}
}

// TestSendRetries: what may pass is tried again, within 10 s; what will not is not.
func TestSendRetries(t *testing.T) {
	for name, c := range map[string]struct {
		fault  sqstest.Fault
		times  int // that it happens
		ok     bool
		again  bool
		stored int
	}{
		"dropped twice":                {sqstest.Fault{}, 2, true, true, 1},
		"dropped after it was stored":  {sqstest.Fault{After: true}, 1, true, true, 2},
		"out of order":                 {sqstest.Fault{Status: 503, Code: "ServiceUnavailable"}, 3, true, true, 1},
		"throttled":                    {sqstest.Fault{Status: 400, Code: "RequestThrottled"}, 3, true, true, 1},
		"429":                          {sqstest.Fault{Status: 429}, 1, true, true, 1},
		"a checksum that does not fit": {sqstest.Fault{WrongMD5: true}, 1, true, true, 2},
		"down":                         {sqstest.Fault{Status: 500}, 1 << 30, false, true, 0},
		"denied":                       {sqstest.Fault{Status: 403, Code: "AccessDeniedException"}, 1 << 30, false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				var n atomic.Int32
				h.Fail(func(sqstest.Call) *sqstest.Fault {
					if int(n.Add(1)) <= c.times {
						return &c.fault
					}
					return nil
				})
				start := time.Now()
				err := h.link.Send(t.Context(), []byte("frame"))
				if (err == nil) != c.ok || (h.count("SendMessage") > 1) != c.again {
					t.Errorf("Send = %v after %d tries", err, h.count("SendMessage"))
				}
				if took := time.Since(start); took > 10*time.Second || !c.ok && c.again && took < 8*time.Second {
					t.Errorf("it gave up after %s", took)
				}
				if s := h.link.Status(); (s.LastError == nil) != c.ok || s.LastOK.IsZero() == c.ok {
					t.Errorf("Status = %+v", s)
				}
				if got := h.Attributes(address.ToComputer)["ApproximateNumberOfMessages"]; got != string(rune('0'+c.stored)) {
					t.Errorf("%s messages are stored, want %d", got, c.stored)
				}
				h.secret(t, err)
			})
		})
	}
}

func TestNoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.Remove(address.ToComputer)
		h.Remove(address.ToPhone)
		err := h.link.Send(t.Context(), []byte("x"))
		if !errors.Is(err, transport.ErrNoMailbox) || h.count("SendMessage") != 1 {
			t.Errorf("Send = %v after %d tries", err, h.count("SendMessage"))
		}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
		defer stop()
		if err := h.link.Receive(ctx, func([]byte) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Receive = %v", err)
		}
		// 250 ms, doubled to 15 s, each with jitter: 40 to 90 polls in ten minutes.
		if n := h.count("ReceiveMessage"); n < 40 || n > 90 {
			t.Errorf("it asked %d times in ten minutes", n)
		}
		h.secret(t, h.link.Status().LastError)
	})
}

// TestReceives: what strangers put into the queue holds up nothing and is not
// seen again.
func TestReceives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		good := base64.StdEncoding.EncodeToString([]byte("good"))
		bodies := []string{"no base64!", good + "\n", "Z29vZB==", base64.RawStdEncoding.EncodeToString([]byte("unpadded")), "====", strings.Repeat("\t", sqs.MaxBody),
			"\u2028\u2029", strings.Repeat("\u2028", sqs.MaxBody/3)}
		for range 3 {
			for _, b := range bodies {
				h.Put(address.ToPhone, b)
			}
		}
		h.Put(address.ToPhone, good)
		var got []string
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := h.link.Receive(ctx, func(frame []byte) error { got = append(got, string(frame)); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Receive = %v", err)
		}
		if !slices.Equal(got, []string{"good"}) {
			t.Errorf("received %q", got)
		}
		if a := h.Attributes(address.ToPhone); a["ApproximateNumberOfMessages"] != "0" || a["ApproximateNumberOfMessagesNotVisible"] != "0" {
			t.Errorf("left in the queue: %v", a)
		}
		h.secret(t)
	})
}

// TestDamagedOnTheWay: a message that does not fit its checksum is not taken; it
// comes again.
func TestDamagedOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.Put(address.ToPhone, "eA==")
		h.Fail(func(c sqstest.Call) *sqstest.Fault {
			if c.Op == "ReceiveMessage" && h.spoilt.CompareAndSwap(false, true) {
				return &sqstest.Fault{WrongMD5: true}
			}
			return nil
		})
		start := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		err := h.link.Receive(ctx, func([]byte) error {
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("taken after %s", took)
			}
			stop()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Receive = %v", err)
		}
	})
}

// TestLongPolls: a queue in which nothing happens costs one request each 20 s,
// and a frame that comes in between is there at once.
func TestLongPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		came := make(chan time.Time, 1)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- h.link.Receive(ctx, func([]byte) error { came <- time.Now(); return nil })
		}()
		synctest.Wait()
		if s := h.link.Status(); !s.Connected || s.Mode != "long poll" {
			t.Errorf("Status before anything came = %+v", s)
		}
		time.Sleep(time.Hour + 7*time.Second)
		if n := h.count("ReceiveMessage"); n < 180 || n > 182 {
			t.Errorf("%d polls in an hour", n)
		}
		sent := time.Now()
		h.Put(address.ToPhone, "eA==")
		if at := <-came; !at.Equal(sent) {
			t.Errorf("a frame took %s", at.Sub(sent))
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Receive = %v", err)
		}
		if got := h.Attributes(address.ToPhone)["ApproximateNumberOfMessagesNotVisible"]; got != "0" {
			t.Error("what was received before the end is not deleted")
		}
	})
}

// TestAnswersThatDoNotWait: who answers polls at once, with nothing, is asked less and
// less often, and at once again when something came.
func TestAnswersThatDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var atOnce atomic.Bool
		atOnce.Store(true)
		var asked atomic.Int32
		ctx, stop := context.WithCancel(t.Context())
		client := sqs.NewClient(roundTrip(func(r *http.Request) (*http.Response, error) {
			if asked.Add(1) > 1000 {
				stop() // time would stand still
			}
			if atOnce.Load() {
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("{}"))}, nil
			}
			return h.RoundTrip(r)
		}))
		toComputer, toPhone, err := sqs.Queues(address, "")
		if err != nil {
			t.Fatal(err)
		}
		link := sqs.NewLink(client, toComputer, toPhone, nil)
		came := make(chan time.Time, 1)
		ended := make(chan error, 1)
		go func() {
			ended <- link.Receive(ctx, func([]byte) error { came <- time.Now(); return nil })
		}()
		time.Sleep(10 * time.Minute)
		// Pauses of 7.5 to 15 s, after the first six.
		if n, s := asked.Load(), link.Status(); n < 40 || n > 90 || !s.Connected {
			stop()
			<-ended
			t.Fatalf("%d polls in 10 minutes; Status = %+v", n, s)
		}
		h.Put(address.ToPhone, "eA==")
		atOnce.Store(false)
		<-came
		synctest.Wait()
		sent := time.Now()
		h.Put(address.ToPhone, "eQ==")
		if at := <-came; !at.Equal(sent) {
			t.Errorf("the frame after it took %s", at.Sub(sent))
		}
		stop()
		<-ended
	})
}

// TestReceiveComesBack: after an outage it is connected again by itself, and a
// frame that could not be deleted comes again.
func TestReceiveComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var down atomic.Bool
		down.Store(true)
		h.Fail(func(sqstest.Call) *sqstest.Fault {
			if down.Load() {
				return &sqstest.Fault{Status: 500}
			}
			return nil
		})
		frames := make(chan string, 10)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- h.link.Receive(ctx, func(frame []byte) error { frames <- string(frame); return nil })
		}()
		time.Sleep(time.Minute)
		if s := h.link.Status(); s.Connected || s.LastError == nil {
			t.Errorf("Status in an outage = %+v", s)
		}
		down.Store(false)
		time.Sleep(16 * time.Second)
		if s := h.link.Status(); !s.Connected || s.LastError != nil {
			t.Errorf("Status after an outage = %+v", s)
		}
		h.Fail(func(c sqstest.Call) *sqstest.Fault {
			if c.Op == "DeleteMessageBatch" && len(frames) < 2 {
				return &sqstest.Fault{Status: 500}
			}
			return nil
		})
		h.Put(address.ToPhone, "eA==")
		time.Sleep(time.Minute)
		if n := len(frames); n != 2 {
			t.Errorf("a frame that could not be deleted once came %d times", n)
		}
		stop()
		<-ended
	})
}

// TestStrangeAnswers: whoever answers in the place of SQS is not believed.
func TestStrangeAnswers(t *testing.T) {
	for name, answer := range map[string]*http.Response{
		"a captive portal": {StatusCode: 200, Body: io.NopCloser(strings.NewReader("<html>log in</html>"))},
		"a redirect":       {StatusCode: 307, Header: http.Header{"Location": {"https://evil.example/"}}, Body: http.NoBody},
		"no end":           {StatusCode: 200, Body: io.NopCloser(endless{})},
		"a long code":      {StatusCode: 400, Body: io.NopCloser(strings.NewReader(`{"__type":"` + strings.Repeat("x", 1000) + `"}`))},
		"a code to print":  {StatusCode: 400, Body: io.NopCloser(strings.NewReader(`{"__type":"\u001b[2Jx"}`))},
		"another's MD5":    {StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"MD5OfMessageBody":"","MessageId":"1"}`))},
	} {
		asked := 0
		c := sqs.NewClient(roundTrip(func(r *http.Request) (*http.Response, error) {
			if asked++; r.URL.String() != "https://sqs.eu-central-1.amazonaws.com/" || len(r.Header["Authorization"]) > 0 {
				t.Errorf("%s: asked %s", name, r.URL)
			}
			return answer, nil
		}))
		err := c.SendMessage(t.Context(), "https://sqs.eu-central-1.amazonaws.com/123456789012/q", "body")
		if err == nil || asked != 1 || len(err.Error()) > 120 || strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%s: %v after %d requests", name, err, asked)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestURLs(t *testing.T) {
	a := address
	for _, c := range []struct{ region, custom, want string }{
		{"eu-central-1", "", "https://sqs.eu-central-1.amazonaws.com/123456789012/"},
		{"cn-north-1", "", "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/"},
		{"us-gov-west-1", "", "https://sqs.us-gov-west-1.amazonaws.com/123456789012/"},
		{"eu-central-1", "http://127.0.0.1:4566/", "http://127.0.0.1:4566/123456789012/"},
	} {
		a.Region = c.region
		if toComputer, toPhone, err := sqs.Queues(a, c.custom); err != nil || toComputer != c.want+a.ToComputer || toPhone != c.want+a.ToPhone {
			t.Errorf("%s, %s: %s, %s, %v", c.region, c.custom, toComputer, toPhone, err)
		}
	}
	a.Region = "eu-central-1.evil.example/x-1"
	if _, _, err := sqs.Queues(a, ""); err == nil {
		t.Error("a region with a host in it has queues")
	}
}

// TestPage: a page asks where it may, and takes no answer that is not for it.
func TestPage(t *testing.T) {
	const queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/q"
	s := sqstest.New()
	s.Make("q", "sqs:SendMessage")
	c := sqs.NewPage(s)
	if err := c.SendMessage(t.Context(), queue, "x"); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(op string, h http.Header){
		"no leave":       func(op string, h http.Header) { h.Del("Access-Control-Allow-Origin") },
		"for another":    func(op string, h http.Header) { h.Set("Access-Control-Allow-Origin", "https://other.example") },
		"one header":     func(op string, h http.Header) { h.Set("Access-Control-Allow-Headers", "Content-Type") },
		"another method": func(op string, h http.Header) { h.Set("Access-Control-Allow-Methods", "GET") },
		"a closed answer": func(op string, h http.Header) {
			if op != http.MethodOptions {
				h.Del("Access-Control-Allow-Origin")
			}
		},
	} {
		c := sqs.NewPage(roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := s.RoundTrip(r)
			if err == nil {
				change(r.Method, resp.Header)
			}
			return resp, err
		}))
		if err := c.SendMessage(t.Context(), queue, "x"); err == nil || !strings.Contains(err.Error(), "CORS") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
