package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"kryptonite/internal/transport/sqs/sqstest"
)

// newRelaylessHouse is a house whose phone was paired over SQS alone, with a relay
// that nobody uses, and more environment for krd.
func newRelaylessHouse(t *testing.T, env ...string) (*House, *sqstest.Server) {
	t.Helper()
	h, s := newCloudHouse(t)
	alone(t, h)
	startCloudKrd(t, h, env...)
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login()) // the phone has taken all that pairing left to say
	must(t, h.StartRelay())
	return h, s
}

// failing is SQS while it is dead.
func failing(sqstest.Call) *sqstest.Fault {
	return &sqstest.Fault{Status: http.StatusServiceUnavailable}
}

// TestRelayGainedAndLost: a phone that was paired over SQS alone gets a mailbox at a
// relay later, and logs in by it while SQS is dead, and without queues; it gets
// queues again, loses the mailbox, and logs in by them.
func TestRelayGainedAndLost(t *testing.T) {
	t.Parallel()
	h, s := newRelaylessHouse(t)
	add := []string{"channel", "add", "relay", h.Origin}
	_, err := h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	if _, err := h.Kr(add...); err == nil || !strings.Contains(err.Error(), "exit status 5") || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("kr channel add with the relay dead: %v", err)
	}
	must(t, h.StartRelay())
	for _, wrong := range [][]string{{"channel", "add", "relay"}, {"channel", "add", "relay", "http://relay.example.com"}, {"channel", "add", "relay", h.Origin, "--region", sqstest.Region}, {"channel", "policy", "relay"}} {
		if _, err := h.Kr(wrong...); err == nil || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("kr %s: %v", strings.Join(wrong, " "), err)
		}
	}
	out, err := h.Kr(add...)
	must(t, err)
	if !strings.Contains(out, "ana has a mailbox there now") {
		t.Errorf("kr channel add: %s", out)
	}
	listsChannel(t, h, "relay", "connected by WebSocket")
	out, err = h.Kr(add...)
	must(t, err)
	if strings.Contains(out, "ana") {
		t.Errorf("once more: %s", out)
	}
	s.Fail(failing)
	must(t, h.Login())
	for _, p := range []*Proc{h.Krd, h.Phones["ana"]} { // both know it afterwards, too
		_, err = p.Stop(syscall.SIGKILL)
		must(t, err)
	}
	startCloudKrd(t, h)
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())
	s.Fail(nil)

	out, err = h.Kr("channel", "remove", "sqs")
	must(t, err)
	if !strings.Contains(out, "ana loses its queues") {
		t.Errorf("kr channel remove sqs: %s", out)
	}
	listsChannel(t, h, "sqs", "gone")
	must(t, h.Login())
	if _, err := h.Kr("channel", "remove", "relay"); err == nil || !strings.Contains(err.Error(), "it has no other channel") {
		t.Errorf("kr channel remove of the only one: %v", err)
	}

	_, err = h.Kr("channel", "add", "sqs", "--region", sqstest.Region)
	must(t, err)
	listsChannel(t, h, "sqs", "connected by long poll")
	out, err = h.Kr("channel", "remove", "relay")
	must(t, err)
	if !strings.Contains(out, "ana loses its mailbox") {
		t.Errorf("kr channel remove relay: %s", out)
	}
	listsChannel(t, h, "relay", "gone")
	must(t, h.Login())
	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	must(t, h.Login())
	if _, err := h.Kr("unpair", "ana", "--yes"); err != nil {
		t.Error(err)
	}
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
}

// TestRelayGainKilled: wherever krd dies while a mailbox comes or goes, the command
// works afterwards.
func TestRelayGainKilled(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"krd.channel.stored", "krd.channel.told", "krd.channel.stored=3"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h, s := newRelaylessHouse(t, "KR_FAULT="+point)
			if _, err := h.Kr("channel", "add", "relay", h.Origin); err == nil && point == "krd.channel.stored=3" {
				listsChannel(t, h, "relay", "connected by WebSocket")
				h.Kr("channel", "remove", "relay") // it gets no answer
			}
			must(t, h.Krd.Killed())
			startCloudKrd(t, h)
			_, err := h.Kr("channel", "add", "relay", h.Origin)
			must(t, err)
			listsChannel(t, h, "relay", "connected by WebSocket")
			s.Fail(failing)
			must(t, h.Login())
		})
	}
}

// TestRelayGainPhoneKilled: the phone dies when it has stored where the relay is, and
// before it says so; afterwards it has a mailbox there.
func TestRelayGainPhoneKilled(t *testing.T) {
	t.Parallel()
	h, s := newRelaylessHouse(t)
	_, err := h.Phones["ana"].Stop(syscall.SIGTERM)
	must(t, err)
	dying, err := h.PhoneWith("ana", []string{"KR_FAULT=phone.Frame.stored"}, "run", "--approve", "always")
	must(t, err)
	_, err = dying.Await(`ready: `)
	must(t, err)
	_, err = h.Kr("channel", "add", "relay", h.Origin)
	must(t, err)
	must(t, dying.Killed())
	must(t, h.RunPhone("ana", "always"))
	listsChannel(t, h, "relay", "connected by WebSocket")
	s.Fail(failing)
	must(t, h.Login())
}
