package owner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"kryptonite/internal/awsuser"
	"kryptonite/internal/awsuser/awstest"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/owner"
	"kryptonite/internal/transport/sqs/sqstest"
	"kryptonite/internal/transport/transporttest"
	"kryptonite/internal/wire"
)

func open(t *testing.T, rt http.RoundTripper) *owner.Account {
	t.Helper()
	a, err := owner.Open(t.Context(), owner.Config{Region: sqstest.Region, Prefix: "kr-", RoundTripper: rt})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tryCreate(t *testing.T, a *owner.Account) (wire.SQSAddress, error) {
	return a.Create(t.Context(), a.Names())
}

func create(t *testing.T, a *owner.Account) wire.SQSAddress {
	t.Helper()
	q, err := tryCreate(t, a)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// ends returns the computer's link and the phone's.
func ends(t *testing.T, a *owner.Account, q wire.SQSAddress, rt http.RoundTripper) (computer, phone transport.Link) {
	t.Helper()
	computer, err := a.Link(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	toComputer, toPhone, err := sqs.Queues(q, "")
	if err != nil {
		t.Fatal(err)
	}
	c := sqs.NewClient(rt)
	t.Cleanup(c.Close)
	return computer, sqs.NewLink(c, toComputer, toPhone, nil)
}

func TestConformance(t *testing.T) {
	awstest.Settings(t)
	for name, swap := range map[string]bool{"computer to phone": false, "phone to computer": true} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) (transport.Link, transport.Link) {
				s := sqstest.New()
				s.Grant(sqs.Actions()...)
				a := open(t, s)
				computer, phone := ends(t, a, create(t, a), s)
				t.Cleanup(func() {
					for _, c := range s.Calls() {
						if c.Code != "" {
							t.Errorf("%s, signed %t: %s", c.Op, c.Signed, c.Code)
						}
					}
				})
				if swap {
					return phone, computer
				}
				return computer, phone
			}, transporttest.Stores(), transporttest.Bubble())
		})
	}
}

// TestQueues: what [kr-protocol] §5.7 says that queues are made with, and no
// more rights for everyone than a phone needs.
func TestQueues(t *testing.T) {
	awstest.Settings(t)
	s := sqstest.New()
	a := open(t, s)
	q, other := create(t, a), create(t, a)
	names := []string{q.ToComputer, q.ToPhone, other.ToComputer, other.ToPhone}
	slices.Sort(names)
	if got := s.Queues(); !slices.Equal(got, names) || len(slices.Compact(names)) != 4 {
		t.Fatalf("queues %v, want %v", got, names)
	}
	if q.Region != sqstest.Region || q.Account != sqstest.Account || !strings.HasPrefix(q.ToPhone, "kr-") || q.Check() != nil {
		t.Errorf("the address is of %s, %s", q.Region, q.Account)
	}
	for _, name := range []string{q.ToComputer, q.ToPhone} {
		got := s.Attributes(name)
		for k, want := range map[string]string{"MessageRetentionPeriod": "172800", "VisibilityTimeout": "5", "ReceiveMessageWaitTimeSeconds": "20",
			"MaximumMessageSize": "87384", "SqsManagedSseEnabled": "false"} {
			if got[k] != want {
				t.Errorf("%s is %s, want %s", k, got[k], want)
			}
		}
	}
	ops := []string{"SendMessage", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch", "GetQueueAttributes", "GetQueueUrl", "DeleteQueue", "SetQueueAttributes", "CreateQueue"}
	for name, may := range map[string][]string{q.ToComputer: {"SendMessage"}, q.ToPhone: {"ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"}} {
		for _, op := range ops {
			if got := unsigned(t, s, op, name); (got != "AccessDeniedException") != slices.Contains(may, op) {
				t.Errorf("everyone's %s: %q", op, got)
			}
		}
	}
	for _, remove := range []func(context.Context, wire.SQSAddress) error{a.DeleteToComputer, a.DeleteToPhone, a.DeleteToPhone} {
		if err := remove(t.Context(), q); err != nil {
			t.Error(err)
		}
	}
	if got := s.Queues(); len(got) != 2 || slices.Contains(got, q.ToPhone) {
		t.Errorf("after deletion there are %v", got)
	}
}

// unsigned makes a request as a stranger would and returns the error's code.
func unsigned(t *testing.T, s *sqstest.Server, op, name string) string {
	t.Helper()
	body := map[string]any{"QueueUrl": sqs.Endpoint(sqstest.Region, "") + "/" + sqstest.Account + "/" + name}
	switch op {
	case "CreateQueue", "GetQueueUrl":
		body = map[string]any{"QueueName": name}
	case "ReceiveMessage":
		body["WaitTimeSeconds"] = 0
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, sqs.Endpoint(sqstest.Region, "")+"/", strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+op)
	resp, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var said struct {
		Type string `json:"__type"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		return ""
	}
	_, code, _ := strings.Cut(said.Type, "#")
	return code
}

// TestMissingRights: for each IAM action of the policy there is something that
// does not work without it, and then it is named. Nothing else is needed.
func TestMissingRights(t *testing.T) {
	awstest.Settings(t)
	for _, missing := range sqs.Actions() {
		synctest.Test(t, func(t *testing.T) {
			s := sqstest.New()
			a := open(t, s)
			q := create(t, a)
			computer, phone := ends(t, a, q, s)
			if err := phone.Send(t.Context(), []byte("to the computer")); err != nil {
				t.Fatal(err)
			}
			s.Grant(slices.DeleteFunc(sqs.Actions(), func(action string) bool { return action == missing })...)
			_, createErr := tryCreate(t, a)
			_, takenErr := a.Taken(t.Context(), q)
			sendErr := computer.Send(t.Context(), []byte("x"))
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			receiveErr := computer.Receive(ctx, func([]byte) error { return nil })
			stop()
			if !errors.Is(receiveErr, context.DeadlineExceeded) {
				t.Error(receiveErr)
			}
			receiveErr = computer.Status().LastError
			deleteErr := a.DeleteToPhone(t.Context(), q)
			nowhere := q
			nowhere.Account = "" // as after a crash
			var findErr error
			if missing == "sqs:GetQueueUrl" {
				findErr = a.DeleteToComputer(t.Context(), nowhere)
			}
			named := 0
			for _, err := range []error{createErr, takenErr, sendErr, receiveErr, deleteErr, findErr} {
				if denied := new(awsuser.DeniedError); errors.As(err, &denied) && denied.Action == missing && strings.Contains(err.Error(), missing) {
					named++
				} else if err != nil {
					t.Errorf("without %s: %v", missing, err)
				}
				if err != nil && strings.Contains(err.Error(), "kr-") {
					t.Errorf("the error names a queue: %v", err)
				}
			}
			if named != 1 {
				t.Errorf("%s was named %d times", missing, named)
			}
		})
	}
}

// TestNothingIsLeft: when the second queue cannot be made, or not opened, the
// first goes, too.
func TestNothingIsLeft(t *testing.T) {
	awstest.Settings(t)
	for _, op := range []string{"CreateQueue", "SetQueueAttributes"} {
		for nth := range 2 {
			t.Run(fmt.Sprint(op, nth), func(t *testing.T) {
				s := sqstest.New()
				a := open(t, s)
				n := 0
				s.Fail(func(c sqstest.Call) *sqstest.Fault {
					if c.Op == op {
						if n++; n > nth {
							return &sqstest.Fault{Status: http.StatusForbidden, Code: "AccessDeniedException"}
						}
					}
					return nil
				})
				var denied *awsuser.DeniedError
				if _, err := tryCreate(t, a); !errors.As(err, &denied) {
					t.Errorf("Create = %v", err)
				}
				if left := s.Queues(); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

// TestPerhapsLeft: when nobody knows whether a queue was made, the error says so,
// and who has its name alone can delete it.
func TestPerhapsLeft(t *testing.T) {
	awstest.Settings(t)
	for nth := range 2 {
		s := sqstest.New()
		a := open(t, s)
		names, n := a.Names(), 0
		s.Fail(func(c sqstest.Call) *sqstest.Fault { // from then on the line is dead
			if c.Op == "CreateQueue" {
				n++
			}
			if n > nth {
				return &sqstest.Fault{After: c.Op == "CreateQueue"}
			}
			return nil
		})
		var perhaps *owner.LeftError
		if _, err := a.Create(t.Context(), names); !errors.As(err, &perhaps) || strings.Contains(err.Error(), names.ToPhone) {
			t.Errorf("Create = %v", err)
		}
		if left := s.Queues(); len(left) != nth+1 {
			t.Errorf("%d queues are there", len(left))
		}
		s.Fail(nil)
		if err := errors.Join(a.DeleteToComputer(t.Context(), names), a.DeleteToPhone(t.Context(), names)); err != nil {
			t.Error(err)
		}
		if left := s.Queues(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestClock: a clock that is wrong corrects itself by AWS's; when that does not
// help, the error says by how much.
func TestClock(t *testing.T) {
	awstest.Settings(t)
	synctest.Test(t, clock)
}

func clock(t *testing.T) {
	s := sqstest.New()
	a := open(t, s)
	s.Advance(-time.Hour)
	create(t, a)
	s.Advance(3 * time.Hour)
	s.Fail(func(sqstest.Call) *sqstest.Fault {
		return &sqstest.Fault{Status: http.StatusForbidden, Code: "InvalidSignatureException"}
	})
	var behind *awsuser.ClockError
	if _, err := tryCreate(t, a); !errors.As(err, &behind) || behind.Ahead.Round(time.Second) != -2*time.Hour || !strings.Contains(err.Error(), "2h0m0s behind") {
		t.Errorf("Create = %v", err)
	}
	s.Advance(-2 * time.Hour)
	var key *awsuser.KeyError
	if _, err := tryCreate(t, a); !errors.As(err, &key) {
		t.Errorf("with a good clock, Create = %v", err)
	}
}

func TestCredentials(t *testing.T) {
	awstest.Settings(t)
	s := sqstest.New()
	t.Setenv("AWS_ACCESS_KEY_ID", "ANOTHERKEY")
	var key *awsuser.KeyError
	if _, err := tryCreate(t, open(t, s)); !errors.As(err, &key) || !strings.Contains(err.Error(), "InvalidClientTokenId") {
		t.Errorf("with a key that AWS does not know, Create = %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", sqstest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if _, err := tryCreate(t, open(t, s)); !errors.As(err, &key) {
		t.Errorf("with a wrong secret, Create = %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if _, err := tryCreate(t, open(t, s)); err == nil || !strings.Contains(err.Error(), "no AWS credentials") {
		t.Errorf("without credentials, Create = %v", err)
	}
}

func TestSettings(t *testing.T) {
	awstest.Settings(t)
	for name, c := range map[string]struct {
		config owner.Config
		say    string
	}{
		"no region":          {owner.Config{}, "no AWS region"},
		"a bad region":       {owner.Config{Region: "nowhere"}, "no region of AWS"},
		"a region off it":    {owner.Config{Region: "us-iso-east-1"}, "no region of AWS"},
		"a bad prefix":       {owner.Config{Region: sqstest.Region, Prefix: "Kr_"}, "no prefix"},
		"no such profile":    {owner.Config{Region: sqstest.Region, Profile: "x"}, "read the AWS settings"},
		"a bad endpoint":     {owner.Config{Region: sqstest.Region, Endpoint: "localhost:1"}, "the endpoint"},
		"a user in endpoint": {owner.Config{Region: sqstest.Region, Endpoint: "http://u:p@localhost:1"}, "the endpoint"},
	} {
		if _, err := owner.Open(t.Context(), c.config); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Setenv("AWS_REGION", "ap-south-1")
	if a, err := owner.Open(t.Context(), owner.Config{}); err != nil || a.Region() != "ap-south-1" {
		t.Errorf("the region of the environment: %v", err)
	}
}

// TestEndpoint: over a real network, at an endpoint that AWS's own settings name.
func TestEndpoint(t *testing.T) {
	awstest.Settings(t)
	s := sqstest.New()
	endpoint := s.Listen(t)
	t.Setenv("AWS_ENDPOINT_URL_SQS", endpoint)
	a := open(t, nil)
	q := create(t, a)
	computer, err := a.Link(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	toComputer, toPhone, err := sqs.Queues(q, endpoint+"/")
	if err != nil {
		t.Fatal(err)
	}
	c := sqs.NewClient(nil)
	defer c.Close()
	phone := sqs.NewLink(c, toComputer, toPhone, nil)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	err = errors.Join(computer.Send(ctx, []byte("a frame")), phone.Receive(ctx, func(frame []byte) error {
		if string(frame) == "a frame" {
			stop()
		}
		return nil
	}))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if taken, err := a.Taken(t.Context(), q); !taken || err != nil {
		t.Errorf("Taken = %t, %v", taken, err)
	}
	if err := computer.Send(t.Context(), []byte("another")); err != nil {
		t.Fatal(err)
	}
	if taken, err := a.Taken(t.Context(), q); taken || err != nil {
		t.Errorf("with a frame waiting, Taken = %t, %v", taken, err)
	}
}

// TestDouble: what the double is strict about that only a signed request meets.
func TestDouble(t *testing.T) {
	awstest.Settings(t)
	s := sqstest.New()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(sqstest.Region), config.WithHTTPClient(&http.Client{Transport: s}))
	if err != nil {
		t.Fatal(err)
	}
	c := awssqs.NewFromConfig(cfg)
	create := func(name string, attributes map[string]string) error {
		_, err := c.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		return err
	}
	remove := func(name string) error {
		_, err := c.DeleteQueue(t.Context(), &awssqs.DeleteQueueInput{QueueUrl: aws.String(sqs.Endpoint(sqstest.Region, "") + "/" + sqstest.Account + "/" + name)})
		return err
	}
	for i, step := range []struct {
		do   func() error
		code string
	}{
		{func() error { return create("a", nil) }, ""},
		{func() error { return create("a", nil) }, ""},
		{func() error { return create("a", map[string]string{"VisibilityTimeout": "5"}) }, "QueueAlreadyExists"},
		{func() error { return create("a.b", nil) }, "InvalidParameterValue"},
		{func() error { return create("b", map[string]string{"VisibilityTimeout": "50000"}) }, "InvalidAttributeValue"},
		{func() error { return create("b", map[string]string{"Visibility": "5"}) }, "InvalidAttributeName"},
		{func() error { return create("b", map[string]string{"Policy": `{"Statement":[]}`}) }, "InvalidAttributeValue"},
		{func() error { return remove("a") }, ""},
		{func() error { return remove("a") }, "AWS.SimpleQueueService.NonExistentQueue"},
		{func() error { s.Advance(59 * time.Second); return create("a", nil) }, "AWS.SimpleQueueService.QueueDeletedRecently"},
		{func() error { s.Advance(2 * time.Second); return create("a", nil) }, ""},
	} {
		code := ""
		api := smithy.APIError(nil)
		if err := step.do(); errors.As(err, &api) {
			code = api.ErrorCode()
		} else if err != nil {
			code = err.Error()
		}
		if code != step.code {
			t.Errorf("step %d: %q, want %q", i, code, step.code)
		}
	}
	// Encrypted at rest, as new queues are: open to everyone is not enough.
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}]}`
	if err := create("sealed", map[string]string{"Policy": policy}); err != nil {
		t.Fatal(err)
	}
	if code := unsigned(t, s, "SendMessage", "sealed"); code != "InvalidSecurity" {
		t.Errorf("an unsigned request to an encrypted queue: %q", code)
	}
}

func TestIAMPolicy(t *testing.T) {
	for region, partition := range map[string]string{"eu-central-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		var p struct {
			Version   string
			Statement []struct {
				Effect, Resource string
				Action           []string
			}
		}
		if err := json.Unmarshal([]byte(sqs.IAMPolicy(region, "kr-")), &p); err != nil || len(p.Statement) != 1 || p.Version != "2012-10-17" {
			t.Fatal(err)
		}
		want := "arn:" + partition + ":sqs:" + region + ":*:kr-" + strings.Repeat("?", 32)
		if st := p.Statement[0]; st.Effect != "Allow" || st.Resource != want || !slices.Equal(st.Action, sqs.Actions()) {
			t.Errorf("the policy allows %v on %s", st.Action, st.Resource)
		}
	}
}
