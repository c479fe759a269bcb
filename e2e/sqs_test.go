package e2e

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/sqstest"
)

// newCloudHouse is a house whose computer has an AWS account, with the rights
// that kr channel policy asks for and no others. Phones have no credentials.
func newCloudHouse(t *testing.T) (*House, *sqstest.Server) {
	t.Helper()
	s := newSQS()
	return newCloudHouseAt(t, s.Listen(t)), s
}

// newCloudHouseAt is newCloudHouse for an SQS at an endpoint.
func newCloudHouseAt(t *testing.T, endpoint string) *House {
	t.Helper()
	h := newFaultyHouse(t)
	h.Env = append(h.Env, append(awsEnv(h), "AWS_ENDPOINT_URL_SQS="+endpoint)...)
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(t, err)
	return h
}

// newSQS is SQS with an account that may do what kr channel policy asks for.
func newSQS() *sqstest.Server {
	s := sqstest.New()
	s.Grant(sqs.Actions()...)
	return s
}

// awsEnv keeps a house from whatever else this machine knows of AWS.
func awsEnv(h *House) []string {
	return []string{"AWS_ENDPOINT_URL_SQS=", "AWS_CA_BUNDLE=", "AWS_EC2_METADATA_DISABLED=true", "AWS_PROFILE=",
		"AWS_CONFIG_FILE=" + h.Path("aws-config"), "AWS_SHARED_CREDENTIALS_FILE=" + h.Path("aws-credentials")}
}

// startCloudKrd starts krd with the account's credentials, more environment, and
// a clock that set moves.
func startCloudKrd(t *testing.T, h *House, env ...string) (set func(off string)) {
	t.Helper()
	must(t, h.StartKrd(append(env, "AWS_ACCESS_KEY_ID="+sqstest.AccessKey, "AWS_SECRET_ACCESS_KEY="+sqstest.Secret, "KR_CLOCK="+h.Path("clock"))...))
	return func(off string) { must(t, os.WriteFile(h.Path("clock"), []byte(off), 0o600)) }
}

// until waits for what a program has no other way to say.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not yet: " + what)
		}
	}
}

// TestSQS: a phone and a computer with queues beside a relay log in while either
// of the two channels is dead, and part by the other. Nothing is left at AWS.
func TestSQS(t *testing.T) {
	t.Parallel()
	h, s := newCloudHouse(t)
	_, err := h.Kr("channel", "add", "sqs", "--region", sqstest.Region, "--prefix", "kr-")
	must(t, err)
	set := startCloudKrd(t, h)
	must(t, h.Pair("ana"))
	names := s.Queues()
	if len(names) != 2 || !strings.HasPrefix(names[0], "kr-") {
		t.Fatalf("queues: %v", names)
	}
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())

	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	must(t, h.Login())
	out, err := h.Kr("channel", "list")
	must(t, err)
	if !regexp.MustCompile(`(?s)^relay +http://.*\nsqs +eu-central-1, experimental\n.*\n  relay +not connected: .*; worked .* ago, a frame took .* ms\n  sqs +connected by long poll; worked .* ago, a frame took .* ms\n$`).MatchString(out) {
		t.Errorf("kr channel list without a relay:\n%s", out)
	}

	must(t, h.StartRelay())
	s.Fail(func(sqstest.Call) *sqstest.Fault { return &sqstest.Fault{Status: http.StatusServiceUnavailable} })
	until(t, "the relay", func() bool {
		out, err = h.Kr("status")
		must(t, err)
		return strings.Contains(out, "connected by WebSocket") && strings.Contains(out, "SQS answered")
	})
	must(t, h.Login())
	s.Fail(nil)

	// The phone is off and the relay dead: SQS keeps the last word, and the queue, until it is taken.
	_, err = h.Phones["ana"].Stop(syscall.SIGTERM)
	must(t, err)
	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	out, err = h.Kr("unpair", "ana", "--yes")
	must(t, err)
	if strings.Contains(out, "could not be told") {
		t.Errorf("kr unpair: %s", out)
	}
	until(t, "the queue to the computer is deleted", func() bool { return len(s.Queues()) == 1 })
	set("3m")
	_, err = h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	krdSaid := h.Krd.Output()
	startCloudKrd(t, h)
	_, err = h.Krd.Await(`queues are not deleted yet`)
	must(t, err)
	must(t, h.RunPhone("ana", "never"))
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
	until(t, "the queue to the phone is deleted", func() bool { return len(s.Queues()) == 0 })
	until(t, "krd knows of no queue", func() bool { left, err := os.ReadDir(h.Path("kr", "queues")); return err == nil && len(left) == 0 })
	signed := map[bool]int{}
	for _, c := range s.Calls() {
		signed[c.Signed]++
		if c.Code != "" && c.Code != "QueueDoesNotExist" && s.Attributes(c.Queue) != nil {
			t.Errorf("%s: %s", c.Op, c.Code)
		}
	}
	if signed[true] == 0 || signed[false] == 0 {
		t.Errorf("%d requests were signed, %d were not", signed[true], signed[false])
	}
	for _, name := range names {
		if strings.Contains(krdSaid+h.Krd.Output()+h.Phones["ana"].Output(), name) {
			t.Error("the name of a queue was logged")
		}
	}
}

// TestSQSPhoneLeaves: the phone unpairs by SQS alone, and both queues go at once.
func TestSQSPhoneLeaves(t *testing.T) {
	t.Parallel()
	h, s := newCloudHouse(t)
	_, err := h.Kr("channel", "add", "sqs", "--region", sqstest.Region)
	must(t, err)
	startCloudKrd(t, h)
	must(t, h.Pair("ana"))
	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	leave, err := h.Phone("ana", "unpair", "laptop")
	must(t, err)
	if code, err := leave.Wait(); err != nil || code != 0 {
		t.Fatalf("kr-phone unpair: %d, %v\n%s", code, err, leave.Output())
	}
	until(t, "both queues are deleted", func() bool { return len(s.Queues()) == 0 })
	if ids := h.paired(t); len(ids) != 0 {
		t.Errorf("still paired: %v", ids)
	}
}

// alone takes the relay away: what is left of it is the address of the app.
func alone(t *testing.T, h *House) {
	t.Helper()
	_, err := h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	for _, args := range [][]string{{"config", "set", "app", h.Origin}, {"config", "set", "relay", ""}, {"channel", "add", "sqs", "--region", sqstest.Region}} {
		_, err := h.Kr(args...)
		must(t, err)
	}
}

// TestSQSAlone: without any relay phone and computer pair, log in, also after
// both started anew, and part.
func TestSQSAlone(t *testing.T) {
	t.Parallel()
	h, s := newCloudHouse(t)
	alone(t, h)
	set := startCloudKrd(t, h)
	must(t, h.Pair("ana"))
	until(t, "one half of the meeting place is gone", func() bool { return len(s.Queues()) <= 3 })
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())
	_, err := h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	_, err = h.Phones["ana"].Stop(syscall.SIGKILL)
	must(t, err)
	set("11m") // the meeting place has had its time
	startCloudKrd(t, h)
	until(t, "the meeting place is gone", func() bool { return len(s.Queues()) == 2 })
	set("0s")
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())
	out, err := h.Kr("status")
	must(t, err)
	if !strings.Contains(out, "connected by long poll") || strings.Contains(out, "  relay") {
		t.Errorf("kr status:\n%s", out)
	}
	out, err = h.Kr("unpair", "ana", "--yes")
	must(t, err)
	if strings.Contains(out, "could not be told") {
		t.Errorf("kr unpair: %s", out)
	}
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
	_, err = h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	set("3m")
	startCloudKrd(t, h)
	until(t, "nothing is left", func() bool { return len(s.Queues()) == 0 })
}

// TestSQSAloneDeclined: a no at the computer reaches the phone by SQS, and the
// queues go.
func TestSQSAloneDeclined(t *testing.T) {
	t.Parallel()
	h, s := newCloudHouse(t)
	alone(t, h)
	set := startCloudKrd(t, h)
	p, err := h.BeginPairing("ana")
	must(t, err)
	must(t, p.Words())
	must(t, p.Phone.Type(p.KrWords))
	_, err = p.Phone.Await(`Paired with laptop here`)
	must(t, err)
	must(t, p.Kr.Type("no"))
	if code, err := p.Kr.Wait(); err != nil || code != 4 {
		t.Errorf("kr pair: %d, %v\n%s", code, err, p.Kr.Output())
	}
	must(t, h.RunPhone("ana", "never"))
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
	_, err = h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	set("11m")
	startCloudKrd(t, h)
	until(t, "nothing is left", func() bool { return len(s.Queues()) == 0 })
}

// TestSQSKilled: wherever krd dies, it deletes afterwards the queues that are no
// pairing's, and none that are.
func TestSQSKilled(t *testing.T) {
	for point, left := range map[string]int{"krd.pair.prepared": 0, "krd.pair.words": 0, "krd.pair.stored": 2, "krd.unpair.queues": 2, "krd.unpair.stored": 0} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h, s := newCloudHouse(t)
			_, err := h.Kr("channel", "add", "sqs", "--region", sqstest.Region)
			must(t, err)
			set := startCloudKrd(t, h, "KR_FAULT="+point)
			must(t, h.InitPhone("ana"))
			if point == "krd.pair.prepared" {
				h.Kr("pair", "--no-qr") // it gets no answer
			} else if err := h.Pair("ana"); err == nil {
				h.Kr("unpair", "ana", "--yes")
			}
			must(t, h.Krd.Killed())
			if n := len(s.Queues()); n != 2 {
				t.Fatalf("there are %d queues", n)
			}
			set("49h") // the phone has had its time
			startCloudKrd(t, h)
			until(t, "what krd left is settled", func() bool {
				files, err := os.ReadDir(h.Path("kr", "queues"))
				return err == nil && len(files) == 0
			})
			if n := len(s.Queues()); n != left {
				t.Errorf("%d queues are left, want %d", n, left)
			}
		})
	}
}

// TestSQSCannotBeUsed: pairing says why, leaves no queue, and works without SQS.
func TestSQSCannotBeUsed(t *testing.T) {
	t.Parallel()
	h, s := newCloudHouse(t)
	startCloudKrd(t, h)
	for _, wrong := range [][]string{
		{"channel", "add", "relay"}, {"channel", "add", "sqs", "--region", "nowhere"}, {"channel", "add", "sqs", "--prefix", "A"},
		{"channel", "add", "sqs", "--endpoint", "localhost:1"}, {"pair", "--channel", "sqs"}, {"pair", "--channel", "relay,sqs"}, {"pair", "--channel", "pigeon"}, {"check", "--sqs"}, {"check", "--sqs", "--sns"},
	} {
		if _, err := h.Kr(wrong...); err == nil || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("kr %s: %v", strings.Join(wrong, " "), err)
		}
	}
	_, err := h.Kr("channel", "add", "sqs", "--region", sqstest.Region)
	must(t, err)
	out, err := h.Kr("channel", "policy", "sqs")
	must(t, err)
	for _, action := range sqs.Actions() {
		if !strings.Contains(out, `"`+action+`"`) {
			t.Errorf("the policy does not have %s", action)
		}
	}
	out, err = h.Kr("check", "--sqs")
	if err != nil || strings.Count(out, "\nok    ") != 8 {
		t.Errorf("kr check --sqs: %v\n%s", err, out)
	}
	s.Grant("sqs:CreateQueue", "sqs:DeleteQueue")
	_, err = h.Kr("check", "--sqs")
	if err == nil || !strings.Contains(err.Error(), "exit status 5") || !strings.Contains(err.Error(), "fail  make two queues and open them") {
		t.Errorf("kr check --sqs: %v", err)
	}
	_, err = h.Kr("pair", "--no-qr")
	if err == nil || !strings.Contains(err.Error(), "do sqs:SetQueueAttributes") || !strings.Contains(err.Error(), "kr channel policy sqs") {
		t.Errorf("kr pair: %v", err)
	}
	if left := s.Queues(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	s.Grant(sqs.Actions()...)
	p, err := h.BeginPairing("ana") // and nothing comes of it
	must(t, err)
	must(t, p.Words())
	must(t, errors.Join(p.Kr.Type("no"), p.Phone.Type("no")))
	for _, proc := range []*Proc{p.Kr, p.Phone} {
		if code, err := proc.Wait(); err != nil || code == 0 {
			t.Errorf("a pairing that was declined: %d, %v\n%s", code, err, proc.Output())
		}
	}
	until(t, "the queues of an attempt are deleted", func() bool { return len(s.Queues()) == 0 })
	_, err = h.Kr("channel", "remove", "sqs")
	must(t, err)
	must(t, h.Pair("ana"))
	if left := s.Queues(); len(left) != 0 {
		t.Errorf("queues without SQS: %v", left)
	}
}
