package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/sqstest"
	"kryptonite/internal/wake/sns/snstest"
	"kryptonite/internal/wire"
)

// listsChannel waits until kr channel list says that of a channel.
func listsChannel(t *testing.T, h *House, name, what string) {
	t.Helper()
	until(t, name+" is "+what, func() bool {
		out, err := h.Kr("channel", "list")
		must(t, err)
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "  "+name) {
				return what != "gone" && strings.Contains(line, what) && !strings.Contains(line, "not taken")
			}
		}
		return what == "gone"
	})
}

// TestChannelGainedAndLost: a phone that was paired with a relay gets queues
// later, and logs in by them while the relay is dead; it loses them, and logs in by
// the relay.
func TestChannelGainedAndLost(t *testing.T) {
	t.Parallel()
	h, s := newCloudHouse(t)
	startCloudKrd(t, h)
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())
	add := []string{"channel", "add", "sqs", "--region", sqstest.Region, "--prefix", "kr-"}

	s.Grant("sqs:CreateQueue", "sqs:DeleteQueue")
	if _, err := h.Kr(add...); err == nil || !strings.Contains(err.Error(), "do sqs:SetQueueAttributes") || !strings.Contains(err.Error(), "kr channel policy sqs") {
		t.Errorf("kr channel add without rights: %v", err)
	}
	if left := s.Queues(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	s.Grant(sqs.Actions()...)
	out, err := h.Kr(add...)
	must(t, err)
	if !strings.Contains(out, "ana has queues now") {
		t.Errorf("kr channel add: %s", out)
	}
	listsChannel(t, h, "sqs", "connected by long poll")
	if n := len(s.Queues()); n != 2 {
		t.Errorf("%d queues", n)
	}
	out, err = h.Kr(add...)
	must(t, err)
	if strings.Contains(out, "ana") || len(s.Queues()) != 2 {
		t.Errorf("once more: %s", out)
	}
	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	must(t, h.Login())
	_, err = h.Krd.Stop(syscall.SIGKILL) // both know it afterwards, too
	must(t, err)
	_, err = h.Phones["ana"].Stop(syscall.SIGKILL)
	must(t, err)
	startCloudKrd(t, h)
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())

	must(t, h.StartRelay())
	listsChannel(t, h, "relay", "connected by WebSocket")
	out, err = h.Kr("channel", "remove", "sqs")
	must(t, err)
	if !strings.Contains(out, "ana loses its queues") {
		t.Errorf("kr channel remove: %s", out)
	}
	until(t, "the queues are deleted", func() bool { return len(s.Queues()) == 0 })
	listsChannel(t, h, "sqs", "gone")
	must(t, h.Login())
	_, err = h.Phones["ana"].Stop(syscall.SIGTERM)
	must(t, err)
	calls := len(s.Calls())
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())
	if more := len(s.Calls()) - calls; more != 0 {
		t.Errorf("the phone calls SQS %d times after it lost the channel", more)
	}
}

// TestChannelGainedByPhoneThatIsOff: the relay keeps the news for it.
func TestChannelGainedByPhoneThatIsOff(t *testing.T) {
	t.Parallel()
	h, s := newCloudHouse(t)
	startCloudKrd(t, h)
	must(t, h.Pair("ana"))
	_, err := h.Kr("channel", "add", "sqs", "--region", sqstest.Region)
	must(t, err)
	out, err := h.Kr("channel", "list")
	must(t, err)
	if !strings.Contains(out, "the phone has not taken it yet") {
		t.Errorf("kr channel list: %s", out)
	}
	must(t, h.RunPhone("ana", "always"))
	listsChannel(t, h, "sqs", "connected by long poll")
	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	must(t, h.StartSshd())
	must(t, h.Login())
	if len(s.Queues()) != 2 {
		t.Error(s.Queues())
	}
}

// TestChannelKilled: wherever krd dies while queues come or go, afterwards it
// deletes those that are no pairing's and none that are, and the command works.
func TestChannelKilled(t *testing.T) {
	t.Parallel()
	for point, left := range map[string]int{
		"krd.queues.named": 0, "krd.queues.made": 0, "krd.channel.stored": 2, "krd.channel.told": 2,
		"krd.channel.left": 2, "krd.channel.stored=3": 0,
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h, s := newCloudHouse(t)
			startCloudKrd(t, h, "KR_FAULT="+point)
			must(t, h.Pair("ana"))
			must(t, h.RunPhone("ana", "always"))
			add := []string{"channel", "add", "sqs", "--region", sqstest.Region}
			if _, err := h.Kr(add...); err == nil && point != "krd.channel.told" {
				listsChannel(t, h, "sqs", "connected by long poll")
				h.Kr("channel", "remove", "sqs")
			}
			must(t, h.Krd.Killed())
			startCloudKrd(t, h)
			until(t, "what krd left is settled", func() bool {
				files, err := os.ReadDir(h.Path("kr", "queues"))
				return (err == nil || os.IsNotExist(err)) && len(files) == 0
			})
			if n := len(s.Queues()); n != left {
				t.Errorf("%d queues are left, want %d", n, left)
			}
			_, err := h.Kr(add...)
			must(t, err)
			listsChannel(t, h, "sqs", "connected by long poll")
			_, err = h.Relay.Stop(syscall.SIGKILL)
			must(t, err)
			must(t, h.StartSshd())
			must(t, h.Login())
			if n := len(s.Queues()); n != 2 {
				t.Errorf("%d queues after all", n)
			}
		})
	}
}

// TestChannelPhoneKilled: wherever the phone dies while it learns of its queues,
// afterwards it has them.
func TestChannelPhoneKilled(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"phone.Frame.handled", "phone.Frame.stored", "phone.Frame.phone.Listen", "phone.Frame.phone.Send"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h, s := newCloudHouse(t)
			startCloudKrd(t, h)
			must(t, h.Pair("ana"))
			must(t, h.StartSshd())
			must(t, h.RunPhone("ana", "always"))
			must(t, h.Login()) // it has taken all that pairing left to say
			_, err := h.Phones["ana"].Stop(syscall.SIGTERM)
			must(t, err)
			dying, err := h.PhoneWith("ana", []string{"KR_FAULT=" + point}, "run", "--approve", "always")
			must(t, err)
			_, err = dying.Await(`ready: `)
			must(t, err)
			_, err = h.Kr("channel", "add", "sqs", "--region", sqstest.Region)
			must(t, err)
			must(t, dying.Killed())
			must(t, h.RunPhone("ana", "always"))
			listsChannel(t, h, "sqs", "connected by long poll")
			_, err = h.Relay.Stop(syscall.SIGKILL)
			must(t, err)
			must(t, h.Login())
			if n := len(s.Queues()); n != 2 {
				t.Errorf("%d queues", n)
			}
		})
	}
}

// TestChannelsDieInMidRequest: a phone with relay, SQS and SNS logs in while any of
// them dies in the middle of the request, and while two do, one after the other; by
// what is left, whether its app runs or is woken.
func TestChannelsDieInMidRequest(t *testing.T) {
	t.Parallel()
	h, wake, s, app := newAppHouse(t, wire.PlatformAPNS)
	_, err := h.Kr("channel", "add", "sqs", "--region", sqstest.Region)
	must(t, err)
	startCloudKrd(t, h)
	addSNS(t, h, wake, app)
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	ana := install(t, h, wake, "ana", wire.PlatformAPNS, appleToken)
	ana.tell(t, wire.PlatformAPNS)
	kill := map[string]func(){
		"relay": func() { _, err := h.Relay.Stop(syscall.SIGKILL); must(t, err) },
		"sqs":   func() { s.Fail(failing) },
		"sns":   func() { wake.Fail(func(snstest.Call) *snstest.Fault { return &snstest.Fault{} }) }, // connections end
	}
	mend := map[string]func(){
		"relay": func() { must(t, h.StartRelay()); listsChannel(t, h, "relay", "connected by WebSocket") },
		"sqs":   func() { s.Fail(nil); listsChannel(t, h, "sqs", "connected by long poll") },
		"sns":   func() { wake.Fail(nil) },
	}
	login := func() <-chan error {
		done := make(chan error, 1)
		go func() { done <- h.Login() }()
		return done
	}

	// The app does not run: SNS brings it the request, and then something dies.
	for _, dead := range []string{"relay", "sqs", "sns"} {
		done := login()
		if !ana.rung(t) {
			t.Error("the push did not bring the request")
		}
		kill[dead]()
		ana.wake(t)
		if err := <-done; err != nil {
			t.Fatalf("woken, with %s dead in mid-request: %v", dead, err)
		}
		mend[dead]()
		ana.close(t)
	}

	// SNS dies as it is asked to wake it: a person opens the app, and all is there.
	asked := make(chan struct{}, 1)
	wake.Fail(func(snstest.Call) *snstest.Fault {
		select {
		case asked <- struct{}{}:
		default:
		}
		return &snstest.Fault{}
	})
	done := login()
	heard(t, asked)
	ana.start(t, "run", "--approve", "always")
	must(t, <-done)
	says(t, h, "sns failing: ")
	ana.close(t)
	mend["sns"]()

	// The app runs, and its person has not answered yet.
	for _, dead := range [][]string{{"relay"}, {"sqs"}, {"sns"}, {"sns", "relay"}, {"sqs", "sns"}} {
		ana.start(t, "run", "--approve", "ask")
		done := login()
		_, err := ana.app.Await(`Allow\?`)
		must(t, err)
		for _, name := range dead {
			kill[name]()
		}
		must(t, ana.app.Type("y"))
		if err := <-done; err != nil {
			t.Fatalf("with %v dead in mid-request: %v", dead, err)
		}
		for _, name := range dead {
			mend[name]()
		}
		ana.close(t)
	}
}
