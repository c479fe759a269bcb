package e2e

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/transport/sqs/sqstest"
	"kryptonite/internal/wake/sns"
	"kryptonite/internal/wake/sns/snstest"
	"kryptonite/internal/wire"
)

const (
	appleToken = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	otherToken = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
)

// newAppHouse is a house whose computer has an AWS account with a platform
// application, and rights to nothing but what kr channel policy asks for.
func newAppHouse(t *testing.T, platform string) (h *House, s *snstest.Server, queues *sqstest.Server, app string) {
	t.Helper()
	h, queues = newCloudHouse(t)
	s, url := snstest.New(t)
	h.Env = append(h.Env, "AWS_ENDPOINT_URL_SNS="+url)
	app = s.Application(platform, "kryptonite")
	return h, s, queues, app
}

// addSNS sets it up, with krd running.
func addSNS(t *testing.T, h *House, s *snstest.Server, app string) {
	t.Helper()
	_, err := h.Kr("channel", "add", "sns", "--platform-application", app)
	must(t, err)
	policy, err := h.Kr("channel", "policy", "sns")
	must(t, err)
	s.Grant(policy)
}

// shell is what a phone's system and Apple or Google do for an app.
type shell struct {
	h      *House
	name   string // of the phone
	device *snstest.Device
	app    *Proc  // when it runs
	last   string // topic of the newest push
}

// install puts the app on a phone.
func install(t *testing.T, h *House, s *snstest.Server, name, platform, token string) *shell {
	t.Helper()
	must(t, os.WriteFile(h.Path("token-"+name), []byte(platform+":"+token+"\n"), 0o600))
	return &shell{h: h, name: name, device: s.Install(platform, token)}
}

func (s *shell) start(t *testing.T, args ...string) {
	t.Helper()
	var err error
	s.app, err = s.h.Phone(s.name, append([]string{"--push-token", s.h.Path("token-" + s.name)}, args...)...)
	must(t, err)
	s.h.Phones[s.name] = s.app
	_, err = s.app.Await(`ready: `)
	must(t, err)
}

// tell runs the app until krd can wake it, as kr status says, and closes it.
func (s *shell) tell(t *testing.T, platform string) {
	t.Helper()
	s.start(t, "run", "--approve", "always")
	says(t, s.h, "sns wakes it by "+platform)
	s.close(t)
}

func (s *shell) close(t *testing.T) {
	t.Helper()
	_, err := s.app.Stop(syscall.SIGTERM)
	must(t, err)
}

// woken waits for a push and starts the app with what it brought.
func (s *shell) woken(t *testing.T) (withFrame bool) {
	t.Helper()
	withFrame = s.rung(t)
	s.wake(t)
	return withFrame
}

// rung waits for a push.
func (s *shell) rung(t *testing.T) (withFrame bool) {
	t.Helper()
	push := heard(t, s.device.Got())
	for push.Collapse == s.last { // once more about the request before
		push = heard(t, s.device.Got())
	}
	if s.last = push.Collapse; push.TTL < 1 || push.TTL > 30 {
		t.Errorf("TTL %d", push.TTL)
	}
	must(t, os.WriteFile(s.h.Path("payload-"+s.name), push.Payload, 0o600))
	frame, err := sns.Frame(push.Payload)
	must(t, err)
	return frame != nil
}

// wake starts the app with what the last push brought.
func (s *shell) wake(t *testing.T) {
	t.Helper()
	s.start(t, "wake", "--approve", "always", s.h.Path("payload-"+s.name))
}

// loginByPush logs in while the app is closed.
func (s *shell) loginByPush(t *testing.T) (withFrame bool) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.h.Login() }()
	withFrame = s.woken(t)
	must(t, <-done)
	s.close(t)
	return withFrame
}

// says waits until kr channel list says something of a phone.
func says(t *testing.T, h *House, what string) {
	t.Helper()
	until(t, "kr channel list says "+what, func() bool {
		out, err := h.Kr("channel", "list")
		must(t, err)
		return strings.Contains(squeezed(out), what)
	})
}

// squeezed is a table without its columns' widths.
func squeezed(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestSNS: an app that is not running is woken by SNS, for a real login; by the
// request itself, or, after krd was started anew, to find it at the relay. Its
// endpoint is enabled again when it was disabled, dropped when it is gone, moved to
// a new token, and deleted with the pairing.
func TestSNS(t *testing.T) {
	t.Parallel()
	h, s, _, app := newAppHouse(t, wire.PlatformAPNS)
	startCloudKrd(t, h)
	addSNS(t, h, s, app)
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	ana := install(t, h, s, "ana", wire.PlatformAPNS, appleToken)
	ana.tell(t, wire.PlatformAPNS)
	if !ana.loginByPush(t) {
		t.Error("the push did not bring the request")
	}
	_, err := h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	log := h.Krd.Output()
	startCloudKrd(t, h)
	if ana.loginByPush(t) {
		t.Error("without an epoch the push brought a request")
	}

	arn := s.Endpoints()[0]
	s.Disable(arn)
	ana.loginByPush(t)
	if _, enabled := s.Token(arn); !enabled {
		t.Error("it was not enabled again")
	}

	s.Remove(arn) // within a day of the last repair
	done := make(chan error, 1)
	go func() { done <- h.Login() }()
	says(t, h, "sns gone: ")
	ana = install(t, h, s, "ana", wire.PlatformAPNS, otherToken) // the app is opened, and has a new token
	ana.start(t, "run", "--approve", "always")
	must(t, <-done)
	says(t, h, "sns wakes it by APNS")
	ana.close(t)
	ana.loginByPush(t)

	arn = s.Endpoints()[0]
	ana = install(t, h, s, "ana", wire.PlatformAPNS, appleToken)
	ana.start(t, "run", "--approve", "always")
	until(t, "the endpoint has the new token", func() bool { token, _ := s.Token(arn); return token == appleToken })
	if all := s.Endpoints(); len(all) != 1 {
		t.Errorf("endpoints: %v", all)
	}
	ana.close(t)
	out, err := h.Kr("unpair", "ana", "--yes")
	must(t, err)
	if strings.Contains(out, "could not be told") {
		t.Errorf("kr unpair: %s", out)
	}
	nothingLeft(t, h, s)
	for _, secret := range []string{appleToken, otherToken} {
		if strings.Contains(log+h.Krd.Output()+ana.app.Output(), secret) {
			t.Error("a token was logged")
		}
	}
}

// nothingLeft waits until neither SNS nor krd has an endpoint.
func nothingLeft(t *testing.T, h *House, s *snstest.Server) {
	t.Helper()
	until(t, "no endpoint is left", func() bool { return len(s.Endpoints()) == 0 })
	until(t, "krd knows of none", func() bool {
		left, err := os.ReadDir(h.Path("kr", "endpoints"))
		return errors.Is(err, os.ErrNotExist) || err == nil && len(left) == 0
	})
}

// TestSNSAndSQS: no relay, and nobody listens: the push brings the request, SQS
// takes the answer. The phone leaves, and nothing is left at AWS.
func TestSNSAndSQS(t *testing.T) {
	t.Parallel()
	h, s, queues, app := newAppHouse(t, wire.PlatformGCM)
	alone(t, h)
	set := startCloudKrd(t, h)
	addSNS(t, h, s, app)
	must(t, h.InitPhone("ana"))
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	ana := install(t, h, s, "ana", wire.PlatformGCM, "dQw4w9:APA91b_a-token-of-no-device")
	ana.tell(t, wire.PlatformGCM)
	if !ana.loginByPush(t) {
		t.Error("the push did not bring the request")
	}
	out, err := h.Kr("channel", "list")
	must(t, err)
	if said := squeezed(out); !strings.HasPrefix(said, "relay not set sqs eu-central-1, experimental bluetooth not set sns "+app+", experimental phone ana ") || !strings.HasSuffix(said, " sns wakes it by GCM") {
		t.Errorf("kr channel list:\n%s", out)
	}
	leave, err := h.Phone("ana", "unpair", "laptop")
	must(t, err)
	if code, err := leave.Wait(); err != nil || code != 0 {
		t.Fatalf("kr-phone unpair: %d, %v\n%s", code, err, leave.Output())
	}
	nothingLeft(t, h, s)
	_, err = h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	set("11m")
	startCloudKrd(t, h)
	until(t, "no queue is left", func() bool { return len(queues.Queues()) == 0 })
}

// TestSNSKilled: wherever krd dies, there is one endpoint for a phone that is
// paired, and none for one that is not.
func TestSNSKilled(t *testing.T) {
	t.Parallel()
	for point, left := range map[string]int{"krd.sns.made": 1, "krd.unpair.queues": 1, "krd.unpair.stored": 0, "krd.unpair.removed": 0} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h, s, _, app := newAppHouse(t, wire.PlatformAPNSSandbox)
			startCloudKrd(t, h)
			addSNS(t, h, s, app)
			must(t, h.Pair("ana"))
			_, err := h.Krd.Stop(syscall.SIGTERM)
			must(t, err)
			startCloudKrd(t, h, "KR_FAULT="+point)
			ana := install(t, h, s, "ana", wire.PlatformAPNSSandbox, appleToken)
			ana.start(t, "run", "--approve", "never")
			if strings.HasPrefix(point, "krd.unpair") {
				says(t, h, "wakes it by APNS_SANDBOX")
				until(t, "the endpoint is made", func() bool { return len(s.Endpoints()) == 1 })
				h.Kr("unpair", "ana", "--yes") // it gets no answer
			}
			must(t, h.Krd.Killed())
			ana.close(t)
			startCloudKrd(t, h)
			until(t, "what krd left is settled", func() bool {
				files, err := os.ReadDir(h.Path("kr", "endpoints"))
				return len(s.Endpoints()) == left && (errors.Is(err, os.ErrNotExist) || err == nil && len(files) == 0)
			})
			if left > 0 {
				_, err = h.Kr("channel", "remove", "sns")
				must(t, err)
				nothingLeft(t, h, s)
			}
		})
	}
}

// TestSNSCannotBeUsed: kr says why, and what to do.
func TestSNSCannotBeUsed(t *testing.T) {
	t.Parallel()
	h, s, _, app := newAppHouse(t, wire.PlatformAPNS)
	_, err := h.Kr("channel", "add", "sns", "--platform-application", app)
	if err == nil || !strings.Contains(err.Error(), "exit status 6") {
		t.Errorf("without krd: %v", err)
	}
	startCloudKrd(t, h)
	for _, wrong := range [][]string{
		{"channel", "add", "sns"}, {"channel", "add", "sns", "--platform-application", "APNS"}, {"channel", "add", "sns", "--platform-application", app, "--region", sqstest.Region},
		{"channel", "add", "sns", "--platform-application", app, "--platform-application", app}, {"channel", "add", "sqs", "--platform-application", app},
		{"channel", "add", "sns", "--platform-application", app, "--endpoint", "localhost:1"}, {"channel", "policy", "sns"}, {"check", "--sns"}, {"check", "--sns", "--sqs"}, {"pair", "--channel", "sns"},
	} {
		if _, err := h.Kr(wrong...); err == nil || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("kr %s: %v", strings.Join(wrong, " "), err)
		}
	}
	addSNS(t, h, s, app)
	out, err := h.Kr("check", "--sns")
	if err != nil || strings.Count(out, "\nok    ") != 4 {
		t.Errorf("kr check --sns: %v\n%s", err, out)
	}
	policy, err := h.Kr("channel", "policy", "sns")
	must(t, err)
	s.Grant(strings.Replace(policy, "sns:SetEndpointAttributes", "sns:Nothing", 1))
	_, err = h.Kr("check", "--sns")
	if err == nil || !strings.Contains(err.Error(), "exit status 5") || !strings.Contains(err.Error(), "do sns:SetEndpointAttributes") || !strings.Contains(err.Error(), "kr channel policy sns") {
		t.Errorf("kr check --sns: %v", err)
	}
	must(t, h.Pair("ana"))
	ana := install(t, h, s, "ana", wire.PlatformAPNS, appleToken)
	ana.start(t, "run", "--approve", "always")
	says(t, h, "sns failing: AWS does not let these credentials do sns:SetEndpointAttributes")
	s.Grant(policy)
	ana.close(t)
	must(t, h.StartSshd())
	ana.loginByPush(t)
	must(t, os.WriteFile(h.Path("token-ana"), []byte("GCM:another-platform\n"), 0o600))
	ana.start(t, "run", "--approve", "always")
	says(t, h, "sns failing: no platform application for GCM is set up")
	until(t, "the endpoint of the old token is deleted", func() bool { return len(s.Endpoints()) == 0 })
	ana.close(t)
	for _, bad := range []string{"APNS", "APNS:xyz", "ADM:00"} {
		must(t, os.WriteFile(h.Path("token-ana"), []byte(bad), 0o600))
		p, err := h.Phone("ana", "--push-token", h.Path("token-ana"), "run")
		must(t, err)
		if code, err := p.Wait(); err != nil || code != 2 || strings.Contains(p.Output(), "xyz") {
			t.Errorf("--push-token %s: %d, %v\n%s", bad, code, err, p.Output())
		}
	}
	must(t, os.WriteFile(h.Path("token-ana"), nil, 0o600)) // the app has lost it
	ana.start(t, "run", "--approve", "always")
	until(t, "the phone cannot be woken", func() bool {
		out, err := h.Kr("status")
		must(t, err)
		return !strings.Contains(out, "  sns ")
	})
	if p, err := h.Phone("ana", "wake", h.Path("passphrase")); err != nil {
		t.Error(err)
	} else if code, err := p.Wait(); err != nil || code != 1 || strings.Contains(p.Output(), "horse") {
		t.Errorf("kr-phone wake with what is no payload: %d, %v\n%s", code, err, p.Output())
	}
}
