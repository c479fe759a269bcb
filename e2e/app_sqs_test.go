package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kryptonite/internal/transport/sqs/sqstest"
)

// newCloudApp is a house whose computer has an AWS account, with a browser in
// which SQS is at Amazon's own name, by https, as it is for krd.
func newCloudApp(t *testing.T) (*House, *Vendor, *sqstest.Server) {
	t.Helper()
	browses(t)
	h, v, s := newFaultyHouse(t), NewVendor(t), newSQS()
	v.Stand(t, PublicHosts[len(PublicHosts)-1], s)
	h.Env = append(append(h.Env, v.Env()...), awsEnv(h)...)
	_, err := h.Kr("channel", "add", "sqs", "--region", sqstest.Region, "--prefix", "kr-")
	must(t, err)
	return h, v, s
}

// startAlone starts krd, and a server that has the app and is no relay.
func startAlone(t *testing.T, h *House) (set func(off string)) {
	t.Helper()
	h.AppOnly = true
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "app", localhost(h))
	must(t, err)
	return startCloudKrd(t, h)
}

// cloudTab opens the link of kr pair in a new browser and pairs.
func cloudTab(t *testing.T, h *House, v *Vendor, look func(*tab)) *tab {
	t.Helper()
	page, err := newBrowser(t, newProfile(t), v.Flags()...).Page()
	must(t, err)
	_, err = page.Authenticator(true)
	must(t, err)
	page.Expect(`(?i)failed|ERR_|WebSocket|CORS`) // channels die
	offer, err := h.OfferPairing()
	must(t, err)
	p := openApp(t, h, page, offer.Link)
	p.tap(wrapped[0])
	look(p)
	p.pair(offer)
	must(t, h.StartSshd())
	return p
}

// toComputer goes to the page of the one computer.
func (p *tab) toComputer() {
	p.t.Helper()
	p.tapIn("nav", "Computers")
	must(p.t, p.Await(`document.querySelector("main button.row")`))
	_, err := Tapped[any](p.Page, `document.querySelector("main button.row").click(), null`)
	must(p.t, err)
	p.sees("Paired since")
}

// channel waits until that page says how a channel is.
func (p *tab) channel(name, state string) {
	p.t.Helper()
	says := fmt.Sprintf(`[...document.querySelectorAll(".fact")].some((f) => f.innerText.startsWith(%q) && f.innerText.endsWith(%q))`, name, "\n"+state)
	if err := p.Await(says); err != nil {
		shown, _ := Eval[string](p.Page, "document.body.innerText")
		p.t.Fatalf("%s is not %q, but:\n%s", name, state, shown)
	}
}

// online tells the page that there is a network again: it does not go on waiting.
func (p *tab) online() {
	p.t.Helper()
	_, err := Eval[bool](p.Page, `dispatchEvent(new Event("online"))`)
	must(p.t, err)
}

// byPages are the operations that pages asked SQS for, without credentials.
func byPages(t *testing.T, s *sqstest.Server, origin string) (ops []string) {
	t.Helper()
	for _, c := range s.Calls() {
		if c.Origin == "" {
			continue
		}
		if c.Origin != origin || c.Signed {
			t.Errorf("%s by %q, signed: %t", c.Op, c.Origin, c.Signed)
		}
		ops = append(ops, c.Op)
	}
	return ops
}

// TestAppSQSAlone: without any relay the app pairs by a link, logs in, rejects,
// goes on after a reload and over a lossy line, and unpairs, by nothing but requests that a browser
// lets through. Nothing is left at AWS.
func TestAppSQSAlone(t *testing.T) {
	t.Parallel()
	h, v, s := newCloudApp(t)
	set := startAlone(t, h)
	p := cloudTab(t, h, v, func(p *tab) {
		p.sees("Amazon SQS")
		p.sees(sqstest.Region + ", account " + sqstest.Account)
		p.shot("pair-sqs")
		if ops := byPages(t, s, localhost(h)); len(ops) > 0 {
			t.Errorf("before the person wants to pair the page asked SQS for %q", ops)
		}
	})
	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.rejects()
	must(t, p.Reload())
	done = p.login()
	p.tap("Allow once")
	must(t, <-done)
	// Every third request is done and answered by nobody.
	var n atomic.Int32
	s.Fail(func(sqstest.Call) *sqstest.Fault {
		if n.Add(1)%3 == 0 {
			return &sqstest.Fault{After: true}
		}
		return nil
	})
	done = p.login()
	p.tap("Allow once")
	must(t, <-done)
	s.Fail(nil)
	if n := p.phoneLog("Allowed"); n != 3 {
		t.Errorf("three logins, and the phone allowed %d", n)
	}
	p.online()
	p.toComputer()
	p.channel("Amazon SQS", "connected")
	p.shot("computer-sqs")

	p.tap("Unpair")
	p.tapIn("dialog", "Unpair")
	until(t, "the computer knows that it is unpaired", func() bool { return len(h.paired(t)) == 0 })
	ops := byPages(t, s, localhost(h))
	count := func(op string) int {
		return len(slices.DeleteFunc(slices.Clone(ops), func(o string) bool { return o != op }))
	}
	if asked := count("OPTIONS"); asked == 0 || asked > 6 || count("SendMessage") == 0 || count("ReceiveMessage") == 0 || count("DeleteMessageBatch") == 0 {
		t.Errorf("the page asked for %q", ops)
	}
	_, err := h.Krd.Stop(syscall.SIGKILL)
	must(t, err)
	set("11m") // the meeting place has had its time
	startCloudKrd(t, h)
	until(t, "nothing is left", func() bool { return len(s.Queues()) == 0 })
	p.quiet()
}

// TestAppSQSAndRelay: with both, the app logs in while either of the two is dead,
// and shows which; it loses the relay and gains it again; by SQS alone it hears that
// it is unpaired.
func TestAppSQSAndRelay(t *testing.T) {
	t.Parallel()
	h, v, s := newCloudApp(t)
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", localhost(h))
	must(t, err)
	startCloudKrd(t, h)
	p := cloudTab(t, h, v, func(p *tab) { p.sees("Relay") })
	p.toComputer()
	p.channel("Relay", "connected")
	p.channel("Amazon SQS", "connected")
	_, err = h.Kr("channel", "remove", "relay")
	must(t, err)
	must(t, p.Await(`![...document.querySelectorAll(".fact")].some((f) => f.innerText.startsWith("Relay"))`))
	_, err = h.Kr("channel", "add", "relay", localhost(h))
	must(t, err)
	p.channel("Relay", "connected") // by a mailbox of its own, as is the login without SQS below

	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	p.channel("Relay", "no connection")
	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.channel("Amazon SQS", "connected")
	p.shot("computer-relay-dead")

	must(t, h.StartRelay())
	s.Fail(func(sqstest.Call) *sqstest.Fault { return &sqstest.Fault{Status: http.StatusServiceUnavailable} })
	s.Advance(20 * time.Second) // ends polls that wait
	p.online()
	p.channel("Relay", "connected")
	p.channel("Amazon SQS", "no connection")
	done = p.login()
	p.tap("Allow once")
	must(t, <-done)

	s.Fail(nil)
	_, err = h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	p.online()
	p.channel("Amazon SQS", "connected")
	out, err := h.Kr("unpair", "Linux browser", "--yes")
	must(t, err)
	if strings.Contains(out, "could not be told") {
		t.Errorf("kr unpair: %s", out)
	}
	p.sees("is not paired any more")
	until(t, "the phone took the last word", func() bool {
		return slices.ContainsFunc(s.Queues(), func(name string) bool {
			a := s.Attributes(name)
			return a["ApproximateNumberOfMessages"] == "0" && a["ApproximateNumberOfMessagesNotVisible"] == "0"
		})
	})
	p.quiet()
}

// TestAppSQSWoken: without any relay, with the app closed and its server off, a push
// wakes the worker, whose answer goes by SQS. A push without content makes it fetch
// what there is there.
func TestAppSQSWoken(t *testing.T) {
	t.Parallel()
	h, v, s := newCloudApp(t)
	h.AppOnly = true
	startPublic(t, h, v)
	startCloudKrd(t, h)
	r := newUnaskedFor(t, h, v, true, wrapped...)
	r.Expect(`(?i)failed|ERR_|WebSocket|status of 502`)
	r.rings(t)
	r.first(t)
	_, err := h.Relay.Stop(syscall.SIGKILL)
	must(t, err)
	r.pocket(t)

	before := len(byPages(t, s, h.Public))
	done := r.login()
	must(t, r.desk.Click(r.asks(t), "Reject"))
	refused(t, "by the worker, over SQS", <-done)
	r.ended(t, "Rejected")
	if ops := byPages(t, s, h.Public)[before:]; !slices.Contains(ops, "SendMessage") {
		t.Errorf("the worker asked SQS for %q", ops)
	}

	must(t, r.browser.StopWorkers())
	_, err = h.Krd.Stop(syscall.SIGTERM)
	must(t, err)
	startCloudKrd(t, h)
	r.v.drain()
	done = r.login()
	if p := r.v.Next(t); p.Wrong != "" || p.Body != nil {
		t.Errorf("the push has %d bytes (%s), want none", len(p.Body), p.Wrong)
	}
	must(t, r.desk.Click(r.asks(t), "Reject"))
	refused(t, "fetched by the worker from SQS", <-done)
}
